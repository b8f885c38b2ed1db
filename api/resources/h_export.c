/* /runs/{run}/export: all points of a run, one line a step, streamed. A line has the step, the tokens seen by then, and
 * every key that has a point there; a value that is not finite is null, with "finite": false on the line. As CSV every
 * key that the run has at the beginning is a column; a cell without a point is empty, a value that is not finite is
 * nan. */
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
    bool ended, csv;
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
    if (export->csv) return write_row(export, step, err);
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

int lagd_h_run_export(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_run_row run;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_run_get(db, request->params[0], &run, &request->err);
    if (status == 0) status = lagd_request_take_place(request, LAGD_PLACE_DOWNLOAD);
    if (status < 0) return status;
    struct export *export = lag_calloc(1, sizeof(*export));
    if (!export) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    export->readers = request->services->readers;
    export->tokens_per_step = tokens_per_step(&run);
    export->next_step = lagd_query_int(&request->target, request->route, "from");
    status = lag_series_list(db, run.id, add_key, export, &request->err);
    if (status < 0) {
        export_destroy(export);
        return status == LAG_ETOOBIG
                   ? lag_error_set(&request->err, LAG_EINTERNAL, "the run has more than %d series", KEYS_MAX)
                   : status;
    }
    export->csv = strcmp(lagd_query_text(&request->target, request->route, "format"), "csv") == 0;
    if (export->csv) {
        request->response.content_type = "text/csv; charset=utf-8; header=present";
        write_header(export);
    }
    lagd_header_set(request, "Content-Disposition", "inline; filename=\"%s.%s\"", run.name,
                    export->csv ? "csv" : "jsonl");
    request->response.stream = export_read;
    request->response.stream_free = export_destroy;
    request->response.stream_arg = export;
    return 0;
}
