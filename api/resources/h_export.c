/* /runs/{run}/export and /runs/{run}/tfevents: all points of a run, one line or record a step, streamed.
 *
 * A line has the step, the tokens seen by then, and every key with a point there; a value that is not finite is
 * null, with "finite": false on the line. As CSV every key that the run has at the beginning is a column; a cell
 * without a point is empty, a value that is not finite is nan. For TensorBoard a step's time is the run's creation and
 * what training up to there has taken by perf/step_ms: where a run paused, its curve has no gap. */
#include "encode/tfevents_internal.h"
#include "request/readers_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/run_config.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 64
/* Then the connection to the database is given back, and others have their turn. */
#define POINTS_A_FILL 2500

enum export_form { EXPORT_JSONL, EXPORT_CSV, EXPORT_TFEVENTS };
#define STEP_MS "perf/step_ms"

struct export_key {
    int64_t series;
    char name[LAG_ROW_NAME];
    struct lag_point_cursor *cursor;
    bool has;
    int64_t step;
    double value;
};
struct export {
    struct lagd_readers *readers;
    int64_t tokens_per_step;
    int64_t next_step;
    bool ended;
    enum export_form form;
    double created_s, trained_s; /* since 1970; of training, until timed_step */
    int64_t timed_step;
    int n_keys;
    struct export_key keys[KEYS_MAX];
    struct lag_strbuf text;
    size_t taken;
};

static void export_destroy(void *arg) {
    struct export *export = arg;
    lag_strbuf_deinit(&export->text);
    free(export);
}

static int advance(struct export_key *key, struct lag_error *err) {
    int status = lag_point_cursor_next(key->cursor, &key->step, &key->value, err);
    key->has = status == 1;
    return status < 0 ? status : 0;
}

static int open_cursors(struct export *export, struct lag_db *db, struct lag_error *err) {
    int status = 0;
    for (int i = 0; i < export->n_keys && status == 0; i++) {
        status = lag_point_cursor_open(db, export->keys[i].series, export->next_step, &export->keys[i].cursor, err);
        if (status == 0) status = advance(&export->keys[i], err);
    }
    return status;
}

static void close_cursors(struct export *export) {
    for (int i = 0; i < export->n_keys; i++) {
        if (export->keys[i].cursor) lag_point_cursor_close(export->keys[i].cursor);
        export->keys[i].cursor = NULL;
    }
}

static void write_header(struct export *export) {
    lag_strbuf_append(&export->text, "step,tokens");
    for (int i = 0; i < export->n_keys; i++) lag_strbuf_printf(&export->text, ",%s", export->keys[i].name);
    lag_strbuf_append(&export->text, "\n");
}

static int write_row(struct export *export, int64_t step, struct lag_error *err) {
    char digits[32];
    int status = 0;
    lag_strbuf_printf(&export->text, "%" PRId64 ",%" PRId64, step, step * export->tokens_per_step);
    for (int i = 0; i < export->n_keys && status == 0; i++) {
        struct export_key *key = &export->keys[i];
        bool there = key->has && key->step == step;
        lagd_json_format_real(key->value, digits);
        lag_strbuf_printf(&export->text, ",%s", !there ? "" : isfinite(key->value) ? digits : "nan");
        if (there) status = advance(key, err);
    }
    lag_strbuf_append(&export->text, "\n");
    export->next_step = step + 1;
    return status < 0 ? status : 1;
}

/* Beside these a line has every key with a point there. */
enum { LINE_STEP, LINE_TOKENS, LINE_FINITE };
static const struct lagd_member line_members[] = {
    [LINE_STEP] = {"step", "i"},
    [LINE_TOKENS] = {"tokens", "i", "Trained on by then."},
    [LINE_FINITE] = {"finite", "b~", "false: a value of this line is not finite, and null."},
};
const struct lagd_schema lagd_export_line_schema = LAGD_SCHEMA("ExportLine", line_members);

static void count_time(struct export *export, const struct export_key *key) {
    if (strcmp(key->name, STEP_MS) != 0 || !isfinite(key->value)) return;
    export->trained_s += key->value / 1000 * (double)LAG_MAX(key->step - export->timed_step, (int64_t)0);
    export->timed_step = key->step;
}

static int write_record(struct export *export, int64_t step, struct lag_error *err) {
    struct lagd_tfevent event = LAGD_TFEVENT_INIT;
    int status = 0;
    for (int i = 0; i < export->n_keys; i++)
        if (export->keys[i].has && export->keys[i].step == step) count_time(export, &export->keys[i]);
    lagd_tfevent_begin(&event, export->created_s + export->trained_s, step);
    for (int i = 0; i < export->n_keys && status == 0; i++) {
        struct export_key *key = &export->keys[i];
        if (!key->has || key->step != step) continue;
        lagd_tfevent_add(&event, key->name, key->value);
        status = advance(key, err);
    }
    lagd_tfevent_append(&event, &export->text);
    lagd_tfevent_deinit(&event);
    export->next_step = step + 1;
    return status < 0 ? status : 1;
}

/* 1 = a line, 0 = the end. */
static int write_line(struct export *export, struct lag_error *err) {
    int64_t step = INT64_MAX;
    bool any = false, finite = true;
    char digits[32];
    for (int i = 0; i < export->n_keys; i++) {
        if (!export->keys[i].has) continue;
        any = true;
        step = LAG_MIN(step, export->keys[i].step);
    }
    if (!any) return 0;
    if (export->form == EXPORT_CSV) return write_row(export, step, err);
    if (export->form == EXPORT_TFEVENTS) return write_record(export, step, err);
    lag_strbuf_printf(&export->text, "{\"%s\":%" PRId64 ",\"%s\":%" PRId64, line_members[LINE_STEP].name, step,
                      line_members[LINE_TOKENS].name, step * export->tokens_per_step);
    for (int i = 0; i < export->n_keys; i++) {
        struct export_key *key = &export->keys[i];
        if (!key->has || key->step != step) continue;
        lagd_json_format_real(key->value, digits);
        finite = finite && isfinite(key->value);
        /* Keys are the daemon's own: nothing to escape. */
        lag_strbuf_printf(&export->text, ",\"%s\":%s", key->name, digits);
        int status = advance(key, err);
        if (status < 0) return status;
    }
    if (!finite) lag_strbuf_printf(&export->text, ",\"%s\":false", line_members[LINE_FINITE].name);
    lag_strbuf_append(&export->text, "}\n");
    export->next_step = step + 1;
    return 1;
}

static int fill(struct export *export, struct lag_error *err) {
    struct lag_db *db;
    int status = lagd_reader_take(export->readers, &db, err);
    if (status < 0) return status;
    lag_strbuf_clear(&export->text);
    export->taken = 0;
    status = lag_reader_begin(db, err);
    if (status == 0) status = open_cursors(export, db, err);
    for (int n = 0; status == 0 && n <= POINTS_A_FILL / (export->n_keys + 1) && !export->ended; n++) {
        int line = write_line(export, err);
        if (line < 0) status = line;
        export->ended = line == 0;
    }
    close_cursors(export);
    lagd_reader_give(export->readers, db);
    if (export->text.failed) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    return status;
}

static ssize_t export_read(void *arg, char *buffer, size_t size) {
    struct export *export = arg;
    struct lag_error err = {0};
    if (export->taken == export->text.length && !export->ended && fill(export, &err) < 0) {
        lag_log(LAG_LOG_ERROR, "http: an export broke off: %s", err.text);
        return -1;
    }
    size_t n = LAG_MIN(size, export->text.length - export->taken);
    if (n > 0) memcpy(buffer, export->text.data + export->taken, n);
    export->taken += n;
    return (ssize_t)n;
}

static int add_key(const struct lag_series_row *row, void *arg) {
    struct export *export = arg;
    if (export->n_keys == KEYS_MAX) return LAG_ETOOBIG;
    struct export_key *key = &export->keys[export->n_keys++];
    key->series = row->id;
    (void)lag_copy(key->name, sizeof(key->name), row->key);
    return 0;
}

static int64_t tokens_per_step(const struct lag_run_row *run) {
    struct lagd_run_config *config = lag_calloc(1, sizeof(*config));
    int64_t tokens = 0;
    if (config && lagd_run_config_parse(run->config, config, NULL) == 0) {
        int64_t per_sequence = config->tokens_per_sequence ? config->tokens_per_sequence : run->shape.n_positions;
        tokens = config->sequences * per_sequence * config->accumulate;
    }
    free(config);
    return tokens;
}

static int begin(struct lagd_request *request, const struct lag_run_row *run, struct lag_db *db, int64_t from,
                 struct export **ret) {
    struct export *export = lag_calloc(1, sizeof(*export));
    if (!export) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    export->readers = request->services->readers;
    export->tokens_per_step = tokens_per_step(run);
    export->created_s = (double)run->created_ms / 1000;
    export->next_step = from;
    const int status = lag_series_list(db, run->id, add_key, export, &request->err);
    if (status >= 0) {
        *ret = export;
        return 0;
    }
    export_destroy(export);
    return status == LAG_ETOOBIG
               ? lag_error_set(&request->err, LAG_EINTERNAL, "the run has more than %d series", KEYS_MAX)
               : status;
}

static void answer(struct lagd_request *request, struct export *export) {
    request->response.stream = export_read;
    request->response.stream_free = export_destroy;
    request->response.stream_arg = export;
}

static int find(struct lagd_request *request, struct lag_db **ret_db, struct lag_run_row *ret) {
    int status = lagd_request_db(request, ret_db);
    if (status == 0) status = lag_run_get(*ret_db, request->params[0], ret, &request->err);
    return status == 0 ? lagd_request_take_place(request, LAGD_PLACE_DOWNLOAD) : status;
}

int lagd_h_run_export(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_run_row run;
    struct export *export = NULL;
    int status = find(request, &db, &run);
    if (status == 0)
        status = begin(request, &run, db, lagd_query_int(&request->target, request->route, "from"), &export);
    if (status < 0) return status;
    if (strcmp(lagd_query_text(&request->target, request->route, "format"), "csv") == 0) {
        export->form = EXPORT_CSV;
        request->response.content_type = "text/csv; charset=utf-8; header=present";
        write_header(export);
    }
    lagd_header_set(request, "Content-Disposition", "inline; filename=\"%s.%s\"", run.name,
                    export->form == EXPORT_CSV ? "csv" : "jsonl");
    answer(request, export);
    return 0;
}

/* TensorBoard takes a folder for a run, and in it what has such a name. */
int lagd_h_run_tfevents(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_run_row run;
    struct export *export = NULL;
    int status = find(request, &db, &run);
    if (status == 0) status = begin(request, &run, db, 0, &export);
    if (status < 0) return status;
    export->form = EXPORT_TFEVENTS;
    lagd_tfevents_begin(&export->text, export->created_s);
    lagd_header_set(request, "Content-Disposition", "attachment; filename=\"events.out.tfevents.%" PRId64 ".%s\"",
                    run.created_ms / 1000, run.name);
    answer(request, export);
    return 0;
}
