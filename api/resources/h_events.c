/* /events: what happened, as lines; a cursor; waiting for the next one; and the live stream of all that happens. */
#include "resources/handlers_internal.h"
#include "stream/hub_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <lagd/storage/events.h>
#include <lagd/storage/runs.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct filter {
    unsigned topics;
    char run_id[LAG_ROW_ID]; /* "" = all */
};

static int read_filter(struct lagd_request *request, struct filter *ret) {
    struct lag_db *db;
    struct lag_run_row run;
    const char *topics = lagd_query_text(&request->target, request->route, "topics");
    const char *run_name = lagd_query_text(&request->target, request->route, "run");
    *ret = (struct filter){.topics = LAGD_TOPICS_ALL};
    if (topics && !lagd_topics_parse(topics, &ret->topics)) {
        return lagd_fail(request, "invalid-parameter",
                         "topics must be some of " LAGD_TOPIC_NAMES ", ',' between (got %.100s)", topics);
    }
    if (!run_name) return 0;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_run_get(db, run_name, &run, &request->err);
    if (status == 0) memcpy(ret->run_id, run.id, sizeof(run.id));
    return status;
}

/* --- a page of lines --------------------------------------------------------------------------------------------- */

struct lines {
    struct lag_strbuf text;
    int64_t last;
    int n_rows;
    unsigned topics;
};

static int write_line(const struct lag_event_row *row, void *arg) {
    struct lines *lines = arg;
    struct lagd_json json;
    size_t length = 0;
    lines->last = row->seq;
    lines->n_rows++;
    if (!(lines->topics & lagd_topic_of(row->type))) return 0;
    lagd_json_init(&json, false);
    (void)lagd_write_object(&json, NULL, &lagd_event_schema, row, NULL);
    char *text = lagd_json_take(&json, &length);
    if (!text) return LAG_ENOMEM;
    lag_strbuf_append_n(&lines->text, text, length);
    free(text);
    return lines->text.failed ? LAG_ENOMEM : 0;
}

static int answer(struct lagd_request *request, struct lines *lines) {
    size_t length = lines->text.length;
    lagd_header_set(request, "X-Next-After", "%" PRId64, lines->last);
    lag_strbuf_append(&lines->text, "");
    return lagd_answer_text(request, "application/x-ndjson", lag_strbuf_take(&lines->text), length);
}

/* A cursor whose followers were pruned, or of another database: nobody may miss events without knowing. 0 is where
 * everybody begins. */
static int check_cursor(struct lagd_request *request, struct lag_db *db, int64_t after, int64_t *ret_last) {
    int64_t first;
    int status = lag_event_bounds(db, &first, ret_last, &request->err);
    if (status < 0 || after == 0 || (after >= first - 1 && after <= *ret_last)) return status;
    int64_t begin = LAG_MAX(first - 1, 0);
    request->next_after = begin;
    request->has_next_after = true;
    return lagd_fail(request, "cursor-gone",
                     "%s %" PRId64 " %s: look at everything anew, then go on with ?after=%" PRId64,
                     after > *ret_last ? "event" : "events behind", after,
                     after > *ret_last ? "is not in this database" : "were removed (storage/event_retention_days)",
                     begin);
}

/* In one view, so that nothing is pruned between the look at the cursor and the list. Where the page is not full, the
 * next one begins behind all that was passed over. */
static int read_page(struct lagd_request *request, const struct filter *filter, struct lines *lines) {
    struct lag_db *db;
    int64_t last = 0;
    int limit = (int)lagd_query_int(&request->target, request->route, "limit");
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_reader_begin(db, &request->err);
    if (status < 0) return status;
    status = check_cursor(request, db, lines->last, &last);
    if (status == 0)
        status = lag_event_list(db, lines->last, *filter->run_id ? filter->run_id : NULL, limit, write_line, lines,
                                &request->err);
    lag_reader_end(db);
    if (status == 0 && lines->n_rows < limit) lines->last = LAG_MAX(lines->last, last);
    return status;
}

static int answer_page(struct lagd_request *request, const struct filter *filter) {
    const struct lagd_target *target = &request->target;
    int64_t wait_seconds = lagd_query_int(target, request->route, "wait"), now_ns = lag_clock_mono_ns();
    struct lines lines = {LAG_STRBUF_INIT, lagd_query_int(target, request->route, "after"), 0, filter->topics};
    if (request->wait_until_ns == 0) request->wait_until_ns = now_ns + wait_seconds * INT64_C(1000000000);
    request->wait_seen = lagd_request_event_count(request);
    int status = read_page(request, filter, &lines);
    LAG_FP("events.looked");
    if (status < 0) {
        lag_strbuf_deinit(&lines.text);
        return status;
    }
    if (lines.text.length == 0 && now_ns < request->wait_until_ns && !lagd_request_draining(request)) {
        lag_strbuf_deinit(&lines.text);
        return lagd_request_wait_event(request, request->wait_until_ns);
    }
    return answer(request, &lines);
}

/* --- the stream -------------------------------------------------------------------------------------------------- */

static bool asks_for_sse(const struct lagd_request *request) {
    static const char type[] = "text/event-stream";
    for (const char *p = request->accept ? request->accept : ""; *p; p++) {
        if (strncasecmp(p, type, sizeof(type) - 1) == 0) return true;
    }
    return false;
}

static int read_cursor(struct lagd_request *request, struct lagd_feed *feed) {
    const char *after = lagd_target_query(&request->target, "after"), *id = request->last_event_id;
    feed->has_after = id || after;
    if (!id) {
        feed->cursor = lagd_query_int(&request->target, request->route, "after");
    } else if (lag_parse_i64(id, &feed->cursor) < 0 || feed->cursor < 0) {
        return lagd_fail(request, "invalid-cursor", "Last-Event-ID must be the id of an event (got %.40s)", id);
    }
    return 0;
}

int lagd_answer_stream(struct lagd_request *request, struct lagd_feed *feed) {
    struct lagd_response *response = &request->response;
    struct lagd_stream *stream = NULL;
    if (strcmp(request->method, "HEAD") != 0) {
        int status = lagd_stream_open(request->services->hub, request->connection, request->fd, feed, &stream,
                                      &request->err);
        if (status == LAG_EBUSY) request->slug = "too-many-streams";
        if (status < 0) return status;
    }
    response->follows = true;
    response->stream = lagd_stream_read;
    response->stream_free = lagd_stream_close;
    response->stream_arg = stream;
    response->content_type = feed->lines ? "application/x-ndjson" : "text/event-stream";
    lagd_header_set(request, "X-Accel-Buffering", "no");
    return 0;
}

static int answer_events(struct lagd_request *request, const struct filter *filter, bool lines) {
    struct lagd_feed feed = {.lines = lines, .topics = filter->topics};
    memcpy(feed.run_id, filter->run_id, sizeof(feed.run_id));
    int status = read_cursor(request, &feed);
    return status < 0 ? status : lagd_answer_stream(request, &feed);
}

int lagd_h_events(struct lagd_request *request) {
    struct filter filter;
    bool sse = asks_for_sse(request);
    int status = read_filter(request, &filter);
    if (status < 0) return status;
    if (sse || lagd_query_bool(&request->target, "follow")) return answer_events(request, &filter, !sse);
    return answer_page(request, &filter);
}
