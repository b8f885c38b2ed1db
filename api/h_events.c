/* /events: what happened, as lines; a cursor; and waiting for the next one. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "encode_internal.h"
#include "handlers_internal.h"
#include "lagd/base/clock.h"
#include "lagd/storage/events.h"
#include "lagd/storage/runs.h"

struct lines {
    struct lag_strbuf text;
    int64_t last;
};

static int write_line(const struct lag_event_row *row, void *arg) {
    struct lines *lines = arg;
    struct lagd_json json;
    size_t length = 0;
    lagd_json_init(&json, false);
    lagd_json_open_object(&json, NULL);
    lagd_json_int(&json, "seq", row->seq);
    lagd_json_time(&json, "ts", row->ts_ms);
    lagd_json_text(&json, "type", row->type);
    if (*row->run_id) lagd_json_text(&json, "run", row->run_id);
    if (*row->growth_id) lagd_json_text(&json, "growth", row->growth_id);
    if (*row->candidate_id) lagd_json_text(&json, "candidate", row->candidate_id);
    if (*row->state) lagd_json_text(&json, "state", row->state);
    if (row->step >= 0) lagd_json_int(&json, "step", row->step);
    if (isfinite(row->value)) lagd_json_real(&json, "value", row->value);
    if (*row->message) lagd_json_text(&json, "message", row->message);
    lagd_json_close_object(&json);
    char *text = lagd_json_take(&json, &length);
    if (!text) return LAG_ENOMEM;
    lag_strbuf_append_n(&lines->text, text, length);
    lag_strbuf_append(&lines->text, "\n");
    free(text);
    lines->last = row->seq;
    return lines->text.failed ? LAG_ENOMEM : 0;
}

static int answer(struct lagd_request *request, struct lines *lines) {
    size_t length = lines->text.length;
    lagd_header_set(request, "X-Next-After", "%" PRId64, lines->last);
    lag_strbuf_append(&lines->text, "");
    return lagd_answer_text(request, "application/x-ndjson", lag_strbuf_take(&lines->text), length);
}

int lagd_h_events(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_run_row run;
    const struct lagd_target *target = &request->target;
    const char *run_name = lagd_query_text(target, request->route, "run");
    int64_t wait_seconds = lagd_query_int(target, request->route, "wait"), now_ns = lag_clock_mono_ns();
    struct lines lines = {LAG_STRBUF_INIT, lagd_query_int(target, request->route, "after")};
    if (request->wait_until_ns == 0) request->wait_until_ns = now_ns + wait_seconds * INT64_C(1000000000);
    request->wait_seen = lagd_request_event_count(request);
    int status = lagd_request_db(request, &db);
    if (status == 0 && run_name) status = lag_run_get(db, run_name, &run, &request->err);
    if (status == 0) {
        status =
            lag_event_list(db, lines.last, run_name ? run.id : NULL,
                           (int)lagd_query_int(target, request->route, "limit"), write_line, &lines, &request->err);
    }
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
