/* Events from a cursor on: pages of those that are there, then the live stream. A daemon without the stream is asked
 * by long polls; a lost connection is taken up again behind the last event seen, so that none is missing or twice. */
#include "ctl_internal.h"

#include <lagd/base/clock.h>
#include <lagd/base/mem.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAGE 1000
#define TAIL_MAX 10000 /* of /runs/{run}/logs */
#define WAIT_SECONDS 30
#define RETRY_MS 500
#define GIVE_UP_MS 60000
/* All that is stored: metrics come without a number, and an export has them whole. */
#define STREAM "&follow=true&topics=run,growth,candidate,dataset,system"

struct reader {
    struct ctl *ctl;
    const struct ctl_follow *what;
    struct ctl_lines lines;
    int64_t last;   /* seq of the last event seen */
    int64_t n_seen; /* in this request */
    json_t *kept;   /* with tail: the last ones of the pages */
    int ended;      /* what each returned to end it */
};

static int on_event(void *arg, json_t *event) {
    struct reader *reader = arg;
    json_t *seq = json_object_get(event, "seq");
    reader->n_seen++;
    if (strcmp(ctl_json_text(event, "type"), "reset") == 0 && !reader->ctl->quiet)
        ctl_tell("some events are older than what the daemon keeps");
    if (!json_is_integer(seq) || !json_object_get(event, "type") || json_integer_value(seq) <= reader->last) return 0;
    reader->last = json_integer_value(seq);
    if (!reader->kept) return reader->ended = reader->what->each(reader->what->arg, event);
    if (json_array_append(reader->kept, event) < 0) return reader->ended = -1;
    while ((int64_t)json_array_size(reader->kept) > reader->what->tail) (void)json_array_remove(reader->kept, 0);
    return 0;
}

static int on_bytes(void *arg, const char *content_type, const char *data, size_t length) {
    struct reader *reader = arg;
    reader->lines.sse = strncmp(content_type, "text/event-stream", 17) == 0;
    return ctl_lines_feed(&reader->lines, data, length, on_event, reader);
}

/* One request for events behind the last one; *answer tells how it went. */
static void ask(struct reader *reader, const char *query, const char *accept, struct ctl_answer *answer) {
    struct lag_strbuf path = LAG_STRBUF_INIT;
    lag_strbuf_printf(&path, "/events?after=%" PRId64 "%s", reader->last, query);
    if (reader->what->run) {
        lag_strbuf_append(&path, "&run=");
        ctl_escape(&path, reader->what->run);
    }
    struct ctl_request request = {
        .method = "GET", .path = path.data, .accept = accept, .take = on_bytes, .arg = reader};
    reader->n_seen = 0;
    ctl_send(reader->ctl->client, &request, answer);
    ctl_lines_deinit(&reader->lines);
    reader->lines = (struct ctl_lines){0};
    lag_strbuf_deinit(&path);
}

/* The events behind the last one seen are gone: so are others, perhaps. Those that are there are all given. */
static bool begins_anew(struct reader *reader, const struct ctl_answer *answer) {
    if (answer->status != 410 || reader->last == 0) return false;
    if (!reader->ctl->quiet) ctl_tell("some events are older than what the daemon keeps");
    reader->last = 0;
    return true;
}

static int read_pages(struct reader *reader) {
    char query[32];
    struct ctl_answer answer;
    int status = CTL_OK;
    bool again;
    (void)snprintf(query, sizeof(query), "&limit=%d", PAGE);
    do {
        ask(reader, query, "application/x-ndjson", &answer);
        again = begins_anew(reader, &answer);
        status = again ? CTL_OK : ctl_judge(reader->ctl, &answer);
        ctl_answer_deinit(&answer);
    } while (again || (status == CTL_OK && !reader->ended && reader->n_seen == PAGE));
    return status;
}

/* The last ones of a run at once. */
static int read_tail(struct reader *reader) {
    struct lag_strbuf path = LAG_STRBUF_INIT;
    struct ctl_answer answer;
    lag_strbuf_append(&path, "/runs/");
    ctl_escape(&path, reader->what->run);
    lag_strbuf_printf(&path, "/logs?tail=%" PRId64, reader->what->tail);
    struct ctl_request request = {
        .method = "GET", .path = path.data, .accept = "application/x-ndjson", .take = on_bytes, .arg = reader};
    ctl_send(reader->ctl->client, &request, &answer);
    int status = ctl_judge(reader->ctl, &answer);
    ctl_answer_deinit(&answer);
    ctl_lines_deinit(&reader->lines);
    reader->lines = (struct ctl_lines){0};
    lag_strbuf_deinit(&path);
    return status;
}

static int give_kept(struct reader *reader) {
    json_t *event, *kept = reader->kept;
    size_t i;
    reader->kept = NULL;
    json_array_foreach(kept, i, event) {
        if (reader->ended) break;
        reader->ended = reader->what->each(reader->what->arg, event);
    }
    json_decref(kept);
    return CTL_OK;
}

/* The stream, or the next long poll; true while it is worth going on. */
static bool read_more(struct reader *reader, bool *polls, int64_t *lost_ms, int *ret_status) {
    char poll[48];
    struct ctl_answer answer;
    (void)snprintf(poll, sizeof(poll), "&limit=%d&wait=%d", PAGE, WAIT_SECONDS);
    ask(reader, *polls ? poll : STREAM, *polls ? "application/x-ndjson" : "text/event-stream", &answer);
    int64_t now_ms = lag_clock_mono_ns() / 1000000;
    bool again = false, asked_wrong = !*polls && (answer.status == 400 || answer.status == 406);
    if (reader->ended || answer.failure == CTL_INTERRUPTED || ctl_interrupted()) {
        *ret_status = ctl_interrupted() ? CTL_INTERRUPTED : CTL_OK;
    } else if (begins_anew(reader, &answer)) {
        again = true;
    } else if (asked_wrong) {
        *polls = again = true;
    } else if (answer.failure == CTL_UNREACHABLE || answer.status == 503) {
        if (*lost_ms == 0 || reader->n_seen > 0) *lost_ms = now_ms;
        again = now_ms - *lost_ms < GIVE_UP_MS;
        if (!again) *ret_status = ctl_judge(reader->ctl, &answer);
        if (*lost_ms == now_ms && !reader->ctl->quiet) ctl_tell("the connection is lost; trying again");
        if (again && !ctl_sleep_ms(RETRY_MS)) {
            again = false;
            *ret_status = CTL_INTERRUPTED;
        }
    } else {
        *ret_status = ctl_judge(reader->ctl, &answer);
        again = *ret_status == CTL_OK;
        *lost_ms = 0;
        if (again && !*polls && !ctl_sleep_ms(RETRY_MS)) *ret_status = CTL_INTERRUPTED; /* a stream that ended */
        if (*ret_status == CTL_INTERRUPTED) again = false;
    }
    ctl_answer_deinit(&answer);
    return again;
}

int ctl_follow(struct ctl *ctl, const struct ctl_follow *what) {
    struct reader reader = {.ctl = ctl, .what = what, .last = what->after};
    bool polls = false;
    int64_t lost_ms = 0;
    bool at_once = what->run && what->after == 0 && what->tail > 0 && what->tail <= TAIL_MAX;
    if (what->tail >= 0 && !at_once && !(reader.kept = json_array())) return ctl_fail(CTL_FAILED, "out of memory");
    int status = at_once ? read_tail(&reader) : read_pages(&reader);
    if (status == CTL_OK && reader.kept) status = give_kept(&reader);
    json_decref(reader.kept);
    while (status == CTL_OK && what->follow && !reader.ended && read_more(&reader, &polls, &lost_ms, &status)) continue;
    return status != CTL_OK ? status : reader.ended ? CTL_FAILED : CTL_OK;
}
