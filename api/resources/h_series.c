/* Series of runs and candidates: their keys, and their points as columns. */
#include "encode/encode_internal.h"
#include "resources/handlers_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 16

static int write_key(const struct lag_series_row *row, void *arg) {
    struct lagd_json *json = arg;
    lagd_json_open_object(json, NULL);
    lagd_json_text(json, "key", row->key);
    lagd_json_bool(json, "exact", row->exact);
    lagd_json_int(json, "n_points", row->n_points);
    lagd_json_int(json, "first_step", row->first_step);
    lagd_json_int(json, "last_step", row->last_step);
    lagd_json_real(json, "last", row->last_value);
    lagd_json_bool(json, "finite", isfinite(row->last_value));
    lagd_json_close_object(json);
    return 0;
}

int lagd_h_run_metrics(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_run_row run;
    struct lagd_json json;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_run_get(db, request->params[0], &run, &request->err);
    if (status < 0) return status;
    lagd_answer_begin(request, &json);
    lagd_json_open_object(&json, NULL);
    lagd_json_open_array(&json, "items");
    status = lag_series_list(db, run.id, write_key, &json, &request->err);
    lagd_json_close_array(&json);
    lagd_json_null(&json, "next_cursor");
    lagd_json_close_object(&json);
    int ended = lagd_answer_end(request, &json, 0);
    return status < 0 ? status : ended;
}

/* --- columns ----------------------------------------------------------------------------------------------------- */

struct column {
    const char *key;
    struct lag_bucket *buckets;
    int n, next;
    int64_t total, n_null;
};
struct table {
    struct column columns[KEYS_MAX];
    int n_columns;
    int64_t *steps;
    size_t n_steps, capacity;
};

static void table_deinit(struct table *table) {
    for (int i = 0; i < table->n_columns; i++) free(table->columns[i].buckets);
    free(table->steps);
}

static int read_column(struct lagd_request *request, struct lag_db *db, const char *owner, struct column *column,
                       int max_points) {
    struct lag_series_row series;
    int64_t from = lagd_query_int(&request->target, request->route, "from");
    int64_t to = lagd_query_int(&request->target, request->route, "to");
    int status = lag_series_find(db, owner, column->key, &series, &request->err);
    if (status == LAG_ENOTFOUND) return 0; /* nothing written yet: an empty column */
    if (status < 0) return status;
    column->buckets = lag_calloc((size_t)max_points, sizeof(*column->buckets));
    if (!column->buckets) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    status = lag_points_thin(db, series.id, from, to, max_points, column->buckets, &column->n, &column->total,
                             &request->err);
    for (int i = 0; i < column->n; i++) column->n_null += column->buckets[i].n_null;
    return status;
}

/* The steps of all columns, ascending and once. */
static int merge_steps(struct lagd_request *request, struct table *table) {
    for (;;) {
        int64_t step = INT64_MAX;
        bool any = false;
        for (int i = 0; i < table->n_columns; i++) {
            const struct column *column = &table->columns[i];
            if (column->next == column->n) continue;
            any = true;
            step = LAG_MIN(step, column->buckets[column->next].step);
        }
        if (!any) return 0;
        if (lag_grow_array((void **)&table->steps, &table->capacity, table->n_steps + 1, sizeof(*table->steps)) < 0) {
            return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
        }
        table->steps[table->n_steps++] = step;
        for (int i = 0; i < table->n_columns; i++) {
            struct column *column = &table->columns[i];
            if (column->next < column->n && column->buckets[column->next].step == step) column->next++;
        }
    }
}

enum part { PART_LAST, PART_MIN, PART_MAX, PART_SUM };

static void write_part(struct lagd_json *json, const char *name, const struct table *table, const struct column *column,
                       enum part part) {
    int next = 0;
    lagd_json_open_array(json, name);
    for (size_t i = 0; i < table->n_steps; i++) {
        if (next == column->n || column->buckets[next].step != table->steps[i]) {
            lagd_json_null(json, NULL);
            continue;
        }
        const struct lag_bucket *bucket = &column->buckets[next++];
        const double values[] = {bucket->last, bucket->min, bucket->max, bucket->sum};
        lagd_json_real(json, NULL, values[part]);
    }
    lagd_json_close_array(json);
}

static int write_growth_note(const struct lag_growth_row *row, void *arg) {
    struct lagd_json *json = arg;
    if (strcmp(row->state, "applied") != 0) return 0;
    lagd_json_open_object(json, NULL);
    lagd_json_text(json, "type", "growth");
    lagd_json_text(json, "id", row->id);
    lagd_json_int(json, "step", row->start_step);
    lagd_json_int(json, "steps", row->probe_steps);
    lagd_write_shapes(json, &row->from, &row->to);
    lagd_json_close_object(json);
    return 0;
}

static int write_table(struct lagd_request *request, struct lag_db *db, const char *kind, const char *owner,
                       const struct table *table) {
    struct lagd_json json;
    int64_t total = 0;
    int status = 0;
    lagd_answer_begin(request, &json);
    lagd_json_open_object(&json, NULL);
    lagd_json_text(&json, kind, owner);
    lagd_json_text(&json, "x", "step");
    lagd_json_text(&json, "bucket", "min_max_last");
    for (int i = 0; i < table->n_columns; i++) total += table->columns[i].total;
    lagd_json_int(&json, "points_total", total);
    lagd_json_int(&json, "points_returned", (int64_t)table->n_steps);
    lagd_json_open_array(&json, "step");
    for (size_t i = 0; i < table->n_steps; i++) lagd_json_int(&json, NULL, table->steps[i]);
    lagd_json_close_array(&json);
    lagd_json_open_object(&json, "series");
    for (int i = 0; i < table->n_columns; i++) {
        const struct column *column = &table->columns[i];
        lagd_json_open_object(&json, column->key);
        write_part(&json, "last", table, column, PART_LAST);
        write_part(&json, "min", table, column, PART_MIN);
        write_part(&json, "max", table, column, PART_MAX);
        if (lagd_query_bool(&request->target, "sum")) write_part(&json, "sum", table, column, PART_SUM);
        lagd_json_int(&json, "points_total", column->total);
        lagd_json_int(&json, "not_finite", column->n_null);
        lagd_json_close_object(&json);
    }
    lagd_json_close_object(&json);
    lagd_json_open_array(&json, "annotations");
    if (strcmp(kind, "run") == 0) status = lag_growth_list(db, owner, 1000, write_growth_note, &json, &request->err);
    lagd_json_close_array(&json);
    lagd_json_close_object(&json);
    int ended = lagd_answer_end(request, &json, 0);
    return status < 0 ? status : ended;
}

static int answer_series(struct lagd_request *request, struct lag_db *db, const char *kind, const char *owner) {
    struct table table = {0};
    int max_points = (int)lagd_query_int(&request->target, request->route, "max_points"), status = 0;
    for (int i = 0; i < request->target.n_query; i++) {
        if (strcmp(request->target.query[i].name, "key") != 0) continue;
        bool repeated = false;
        for (int j = 0; j < table.n_columns; j++)
            repeated = repeated || strcmp(table.columns[j].key, request->target.query[i].value) == 0;
        if (repeated) continue;
        if (table.n_columns == KEYS_MAX)
            return lagd_fail(request, "invalid-parameter", "at most %d keys can be asked for at once", KEYS_MAX);
        table.columns[table.n_columns++].key = request->target.query[i].value;
    }
    max_points = LAG_MAX(max_points / table.n_columns, 1);
    status = lag_reader_begin(db, &request->err);
    for (int i = 0; i < table.n_columns && status == 0; i++)
        status = read_column(request, db, owner, &table.columns[i], max_points);
    if (status == 0) status = merge_steps(request, &table);
    if (status == 0) status = write_table(request, db, kind, owner, &table);
    lag_reader_end(db);
    table_deinit(&table);
    return status;
}

int lagd_h_run_series(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_run_row run;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_run_get(db, request->params[0], &run, &request->err);
    return status < 0 ? status : answer_series(request, db, "run", run.id);
}

int lagd_h_candidate_series(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_candidate_row candidate;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_candidate_get(db, request->params[0], &candidate, &request->err);
    return status < 0 ? status : answer_series(request, db, "candidate", candidate.id);
}
