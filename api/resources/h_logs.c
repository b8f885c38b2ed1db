/* GET /runs/{run}/logs: the last events of a run as lines of JSON or of text; and those that follow, as a stream. */
#include "resources/handlers_internal.h"
#include "stream/hub_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/storage/events.h>
#include <lagd/storage/runs.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- lines for people -------------------------------------------------------------------------------------------- */

static void append_word(struct lag_strbuf *out, const json_t *event, const char *key) {
    const char *text = json_string_value(json_object_get(event, key));
    if (!text) return;
    lag_strbuf_append(out, " ");
    for (; *text; text++) lag_strbuf_append_n(out, (unsigned char)*text < 0x20 ? " " : text, 1); /* a line stays one */
}

static const struct lag_event_kind *kind_named(const char *name) {
    for (int i = 0; name && i < LAG_N_EVENT_TYPES; i++)
        if (lag_event_is(name, (enum lag_event_type)i)) return lag_event_kind((enum lag_event_type)i);
    return NULL;
}

/* "2026-01-31T12:00:00.000Z run.state running step 5 …". A heartbeat becomes an empty line, notices become nothing. */
static void append_line(struct lag_strbuf *out, const char *line, size_t n) {
    static const char *const words[] = {"type", "state"}; /* no ids: they are in the lines of JSON */
    char number[40];
    json_t *event = json_loadb(line, n, 0, NULL);
    const char *type = json_string_value(json_object_get(event, "type"));
    if (type && strcmp(type, "hb") == 0) lag_strbuf_append(out, "\n");
    if (json_is_integer(json_object_get(event, "seq"))) {
        const char *time = json_string_value(json_object_get(event, "ts"));
        const struct lag_event_kind *kind = kind_named(type);
        lag_strbuf_append(out, time ? time : "-");
        for (size_t i = 0; i < LAG_COUNT(words); i++) append_word(out, event, words[i]);
        const json_t *step = json_object_get(event, "step"), *value = json_object_get(event, "value");
        if (step) lag_strbuf_printf(out, " step %" PRId64, (int64_t)json_integer_value(step));
        if (value) {
            lagd_json_format_real(json_number_value(value), number);
            lag_strbuf_printf(out, " %s %s", kind && kind->value ? kind->value : "value", number);
        }
        if (!kind || !kind->names_id) append_word(out, event, "message");
        lag_strbuf_append(out, "\n");
    }
    json_decref(event);
}

/* A stream of lines of JSON becomes one of lines of text on its way out. */
struct prose {
    void *stream;
    struct lag_strbuf line, text; /* the begun line; what is made and not yet given out */
    size_t given;
};

static void prose_close(void *arg) {
    struct prose *prose = arg;
    if (!prose) return;
    if (prose->stream) lagd_stream_close(prose->stream);
    lag_strbuf_deinit(&prose->line);
    lag_strbuf_deinit(&prose->text);
    free(prose);
}

static void prose_feed(struct prose *prose, const char *bytes, size_t n) {
    while (n > 0) {
        const char *end = memchr(bytes, '\n', n);
        size_t length = end ? (size_t)(end - bytes) : n;
        lag_strbuf_append_n(&prose->line, bytes, length);
        if (!end) return;
        if (!prose->line.failed && prose->line.length > 0)
            append_line(&prose->text, prose->line.data, prose->line.length);
        prose->line.length = 0;
        bytes += length + 1;
        n -= length + 1;
    }
}

static ssize_t prose_read(void *arg, char *buffer, size_t size) {
    struct prose *prose = arg;
    char bytes[4096];
    while (prose->given == prose->text.length) {
        prose->given = prose->text.length = 0;
        ssize_t n = lagd_stream_read(prose->stream, bytes, sizeof(bytes));
        if (n <= 0) return n;
        prose_feed(prose, bytes, (size_t)n);
        if (prose->line.failed || prose->text.failed) return -1;
    }
    size_t n = LAG_MIN(size, prose->text.length - prose->given);
    memcpy(buffer, prose->text.data + prose->given, n);
    prose->given += n;
    return (ssize_t)n;
}

static int make_prose(struct lagd_request *request) {
    struct lagd_response *response = &request->response;
    struct prose *prose = lag_calloc(1, sizeof(*prose));
    if (!prose) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    prose->stream = response->stream_arg;
    response->stream = prose_read;
    response->stream_free = prose_close;
    response->stream_arg = prose;
    response->content_type = "text/plain; charset=utf-8";
    return 0;
}

/* --- the last ones ----------------------------------------------------------------------------------------------- */

struct lines {
    struct lag_strbuf text;
    bool prose;
};

static int add_line(const struct lag_event_row *row, void *arg) {
    struct lines *lines = arg;
    struct lagd_text *event = lagd_text_event(row);
    if (!event) return LAG_ENOMEM;
    const char *line = event->data + event->line_at;
    if (lines->prose) append_line(&lines->text, line, event->n_line);
    else lag_strbuf_append_n(&lines->text, line, event->n_line);
    lagd_text_drop(event);
    return lines->text.failed ? LAG_ENOMEM : 0;
}

static int answer_tail(struct lagd_request *request, struct lag_db *db, const char *run_id, int64_t after, int tail,
                       bool prose) {
    struct lines lines = {LAG_STRBUF_INIT, prose};
    int status = tail > 0 ? lag_event_list(db, after, run_id, tail, add_line, &lines, &request->err) : 0;
    if (status < 0) {
        lag_strbuf_deinit(&lines.text);
        return status;
    }
    size_t length = lines.text.length;
    lag_strbuf_append(&lines.text, "");
    return lagd_answer_text(request, prose ? "text/plain; charset=utf-8" : "application/x-ndjson",
                            lag_strbuf_take(&lines.text), length);
}

/* All events of the run that are left are wanted: the cursor is put before the first event there is. */
static int begin_of_all(struct lag_db *db, int64_t *ret_cursor, struct lag_error *err) {
    int64_t first = 0, last = 0;
    int status = lag_event_bounds(db, &first, &last, err);
    if (status == 0) *ret_cursor = LAG_MAX(first - 1, 0);
    return status;
}

static bool accepts(const struct lagd_request *request, const char *type) {
    return request->accept && strncasecmp(request->accept, type, strlen(type)) == 0;
}

int lagd_h_run_logs(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_run_row run;
    const struct lagd_target *target = &request->target;
    bool prose = strcmp(lagd_query_text(target, request->route, "format"), "text") == 0;
    prose = prose || accepts(request, "text/plain");
    bool sse = accepts(request, "text/event-stream");
    int tail = (int)lagd_query_int(target, request->route, "tail");
    struct lagd_feed feed = {
        .lines = !sse, .has_after = true, .topics = LAGD_TOPICS_ALL & ~(unsigned)LAGD_TOPIC_METRIC};
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_run_get(db, request->params[0], &run, &request->err);
    if (status == 0) status = lag_event_before_last(db, run.id, tail, &feed.cursor, &request->err);
    if (status == 0 && feed.cursor == 0) status = begin_of_all(db, &feed.cursor, &request->err);
    if (status < 0) return status;
    if (!sse && !lagd_query_bool(target, "follow")) return answer_tail(request, db, run.id, feed.cursor, tail, prose);
    memcpy(feed.run_id, run.id, sizeof(feed.run_id));
    status = lagd_answer_stream(request, &feed);
    if (status < 0 || sse || !prose) return status;
    return make_prose(request);
}
