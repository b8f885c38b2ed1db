/* Series of runs, candidates and the machine: their keys, and their points as columns. */
#include "encode/encode_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/machine.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 16

static int write_finite(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_bool(json, key, isfinite(((const struct lag_series_row *)object)->last_value));
    return 0;
}

#define SERIES(name, type, member, help) LAGD_MEMBER(struct lag_series_row, name, type, member, help)
static const struct lagd_member key_members[] = {
    SERIES("key", "s", key, "Its name."),
    SERIES("exact", "b", exact, "A value that is computed again must equal the stored one."),
    SERIES("n_points", "i", n_points, NULL),
    SERIES("first_step", "i", first_step, NULL),
    SERIES("last_step", "i", last_step, NULL),
    SERIES("last", "n?", last_value, NULL),
    LAGD_WRITTEN("finite", "b", write_finite, "Whether last is a number."),
};
static const struct lagd_schema key_schema = LAGD_SCHEMA("SeriesKey", key_members);

static const struct lagd_member key_list_members[] = {LAGD_LIST(&key_schema)};
const struct lagd_schema lagd_series_key_list_schema = LAGD_SCHEMA("SeriesKeyList", key_list_members);

static int add_series(const struct lag_series_row *row, void *arg) { return lagd_rows_add(arg, row); }

int lagd_h_run_metrics(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_run_row run;
    struct lagd_rows rows = LAGD_ROWS_INIT(struct lag_series_row);
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_run_get(db, request->params[0], &run, &request->err);
    if (status == 0) status = lag_series_list(db, run.id, add_series, &rows, &request->err);
    if (status == 0) {
        const struct lagd_list list = {lagd_rows_span(&rows), NULL};
        status = lagd_answer_object(request, &lagd_series_key_list_schema, &list, NULL, 0);
    }
    lagd_rows_deinit(&rows);
    return status;
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

static const char *machine_key(int i) {
    const struct lagd_machine_key *key = lagd_machine_key(i);
    return key ? key->name : NULL;
}

static int read_column(struct lagd_request *request, struct lag_db *db, const char *owner, struct column *column,
                       int max_points) {
    struct lag_series_row series;
    int64_t from = lagd_query_int(&request->target, request->route, "from");
    int64_t to = lagd_query_int(&request->target, request->route, "to");
    int status = lag_series_find(db, owner, column->key, &series, &request->err);
    if (status == LAG_ENOTFOUND && strcmp(owner, LAG_MACHINE_OWNER) == 0)
        return lagd_no_series_of(request, "key", column->key, machine_key);
    if (status == LAG_ENOTFOUND) return lagd_no_series(request, "key", column->key);
    if (status < 0) return status;
    column->buckets = lag_calloc((size_t)max_points, sizeof(*column->buckets));
    if (!column->buckets) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    status = lag_points_thin(db, series.id, from, to, max_points, column->buckets, &column->n, &column->total,
                             &request->err);
    for (int i = 0; i < column->n; i++) column->n_null += column->buckets[i].n_null;
    return status;
}

/* Points that are going to be read, at the most. */
static int count_rows(struct lagd_request *request, struct lag_db *db, const char *owner, const struct table *table,
                      int64_t *ret) {
    int64_t from = lagd_query_int(&request->target, request->route, "from");
    int64_t to = lagd_query_int(&request->target, request->route, "to");
    int64_t n = 0;
    int status = 0;
    for (int i = 0; i < table->n_columns && status == 0; i++) {
        struct lag_series_row series = {.last_step = -1};
        status = lag_series_find(db, owner, table->columns[i].key, &series, &request->err);
        if (status == LAG_ENOTFOUND) status = 0;
        int64_t n_steps = LAG_MIN(to, series.last_step) - LAG_MAX(from, series.first_step) + 1;
        n += LAG_MAX(0, LAG_MIN(series.n_points, n_steps));
    }
    *ret = n;
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

/* The context of the schemas below. */
struct answer {
    struct lagd_request *request;
    struct lag_db *db;
    const char *run, *candidate; /* NULL: not that */
    const struct table *table;
    bool sums;
};

static int write_part(struct lagd_json *json, const char *key, const struct column *column, const struct answer *answer,
                      enum part part) {
    int next = 0;
    lagd_json_open_array(json, key);
    for (size_t i = 0; i < answer->table->n_steps; i++) {
        if (next == column->n || column->buckets[next].step != answer->table->steps[i]) {
            lagd_json_null(json, NULL);
            continue;
        }
        const struct lag_bucket *bucket = &column->buckets[next++];
        const double values[] = {bucket->last, bucket->min, bucket->max, bucket->sum};
        lagd_json_real(json, NULL, values[part]);
    }
    lagd_json_close_array(json);
    return 0;
}

static int write_last(struct lagd_json *json, const char *key, const void *object, void *context) {
    return write_part(json, key, object, context, PART_LAST);
}

static int write_min(struct lagd_json *json, const char *key, const void *object, void *context) {
    return write_part(json, key, object, context, PART_MIN);
}

static int write_max(struct lagd_json *json, const char *key, const void *object, void *context) {
    return write_part(json, key, object, context, PART_MAX);
}

static int write_sum(struct lagd_json *json, const char *key, const void *object, void *context) {
    return ((const struct answer *)context)->sums ? write_part(json, key, object, context, PART_SUM) : 0;
}

static const struct lagd_member column_members[] = {
    LAGD_WRITTEN("last", "[n?]", write_last, "The last value of each bucket; null where it has no finite one."),
    LAGD_WRITTEN("min", "[n?]", write_min, NULL),
    LAGD_WRITTEN("max", "[n?]", write_max, NULL),
    LAGD_WRITTEN("sum", "[n?]~", write_sum, "With ?sum: the sum of each bucket."),
    LAGD_MEMBER(struct column, "points_total", "i", total, "Points between from and to."),
    LAGD_MEMBER(struct column, "not_finite", "i", n_null, "Points among them without a finite value."),
};
static const struct lagd_schema column_schema = LAGD_SCHEMA("Column", column_members);

#define GROWTH(name, type, member, help) LAGD_MEMBER(struct lag_growth_row, name, type, member, help)
static const struct lagd_member annotation_members[] = {
    LAGD_CONSTANT("type", "growth", "The run grew there."),
    GROWTH("id", "s", id, "Of the growth."),
    GROWTH("step", "i", start_step, NULL),
    GROWTH("steps", "i", probe_steps, "Steps that the winner had been probed for."),
    GROWTH("n_layer_from", "i", from.n_layer, NULL),
    GROWTH("n_layer_to", "i", to.n_layer, NULL),
    LAGD_OBJECT(struct lag_growth_row, "from", &lagd_model_schema, from, NULL),
    LAGD_OBJECT(struct lag_growth_row, "to", &lagd_model_schema, to, NULL),
    LAGD_WRITTEN("change", "s", lagd_write_change, "What changed, in words."),
};
static const struct lagd_schema annotation_schema = LAGD_SCHEMA("Annotation", annotation_members);

static int write_x(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct answer *answer = object;
    lagd_json_text(json, key, answer->run || answer->candidate ? "step" : "time");
    return 0;
}

static int write_total(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct table *table = ((const struct answer *)object)->table;
    int64_t total = 0;
    for (int i = 0; i < table->n_columns; i++) total += table->columns[i].total;
    lagd_json_int(json, key, total);
    return 0;
}

static int write_returned(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_int(json, key, (int64_t)((const struct answer *)object)->table->n_steps);
    return 0;
}

static int write_steps(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct table *table = ((const struct answer *)object)->table;
    lagd_json_open_array(json, key);
    for (size_t i = 0; i < table->n_steps; i++) lagd_json_int(json, NULL, table->steps[i]);
    lagd_json_close_array(json);
    return 0;
}

static int write_columns(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct table *table = ((const struct answer *)object)->table;
    lagd_json_open_object(json, key);
    for (int i = 0; i < table->n_columns; i++)
        (void)lagd_write_object(json, table->columns[i].key, &column_schema, &table->columns[i], (void *)object);
    lagd_json_close_object(json);
    return 0;
}

struct annotating {
    const struct answer *answer;
    struct lagd_json *json;
};

static int write_annotation(const struct lag_growth_row *row, void *arg) {
    const struct annotating *annotating = arg;
    bool grew = false;
    int status = lagd_growth_grew(annotating->answer->db, row, &grew, &annotating->answer->request->err);
    return status < 0 || !grew ? status : lagd_write_object(annotating->json, NULL, &annotation_schema, row, NULL);
}

static int write_annotations(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct answer *answer = object;
    struct annotating annotating = {answer, json};
    int status = 0;
    lagd_json_open_array(json, key);
    if (answer->run)
        status = lag_growth_list(answer->db, answer->run, 1000, write_annotation, &annotating, &answer->request->err);
    lagd_json_close_array(json);
    return status;
}

#define MARKS_MAX 100
#define MARK(name, type, member, help) LAGD_MEMBER(struct lag_event_row, name, type, member, help)
static const char *mark_type(int i, const char **ret_help) {
    static const enum lag_event_type types[] = {LAG_EVENT_RUN_ROLLBACK, LAG_EVENT_RUN_DIVERGED};
    if ((size_t)i >= LAG_COUNT(types)) return NULL;
    *ret_help = lag_event_kind(types[i])->help;
    return lag_event_kind(types[i])->name;
}
static const struct lagd_member mark_members[] = {
    LAGD_CHOICE(struct lag_event_row, "type", "s", type, mark_type, "What happened."),
    MARK("step", "i", step, "Where."),
    MARK("event", "i", seq, "Number of the event."),
    MARK("message", "s", message, "What the event says."),
};
static const struct lagd_schema mark_schema = LAGD_SCHEMA("Mark", mark_members);

static int write_mark(const struct lag_event_row *row, void *arg) {
    return lagd_write_object(arg, NULL, &mark_schema, row, NULL);
}

static int write_marks(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct answer *answer = object;
    int status = 0;
    lagd_json_open_array(json, key);
    if (answer->run)
        status = lag_event_marks(answer->db, answer->run, MARKS_MAX, write_mark, json, &answer->request->err);
    lagd_json_close_array(json);
    return status;
}

static const struct lagd_member series_members[] = {
    LAGD_POINTED(struct answer, "run", "s~", run, "Id of the run that they are of."),
    LAGD_POINTED(struct answer, "candidate", "s~", candidate, "Id of the candidate that they are of."),
    LAGD_WRITTEN("x", "s", write_x, "What step counts: step, or of the machine time, in seconds since 1970."),
    LAGD_CONSTANT("bucket", "min_max_last", "What is told of equal stretches of steps."),
    LAGD_WRITTEN("points_total", "i", write_total, "Points of all series between from and to."),
    LAGD_WRITTEN("points_returned", "i", write_returned, "Steps that are told."),
    LAGD_WRITTEN("step", "[i]", write_steps, "Step of each place in the columns."),
    LAGD_WRITTEN_OF("series", "{@}", &column_schema, write_columns, "A column by the name of its series."),
    LAGD_WRITTEN_OF("annotations", "[@]", &annotation_schema, write_annotations, "Of a run: where it grew."),
    LAGD_WRITTEN_OF("marks", "[@]", &mark_schema, write_marks, "Of a run: where it went back to a checkpoint, or "
                    "diverged; the last " LAG_TEXT_OF(MARKS_MAX) ", newest first."),
};
const struct lagd_schema lagd_series_schema = LAGD_SCHEMA("Series", series_members);

/* run and candidate NULL: of the machine. */
static int answer_series(struct lagd_request *request, struct lag_db *db, const char *run, const char *candidate) {
    const char *owner = run ? run : candidate ? candidate : LAG_MACHINE_OWNER;
    struct table table = {0};
    const struct answer answer = {request, db, run, candidate, &table, lagd_query_bool(&request->target, "sum")};
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
    int64_t n_rows = 0;
    status = lag_reader_begin(db, &request->err);
    if (status == 0) status = count_rows(request, db, owner, &table, &n_rows);
    if (status == 0) status = lagd_request_heavy(request, n_rows);
    for (int i = 0; i < table.n_columns && status == 0; i++)
        status = read_column(request, db, owner, &table.columns[i], max_points);
    if (status == 0) status = merge_steps(request, &table);
    if (status == 0) status = lagd_answer_object(request, &lagd_series_schema, &answer, NULL, 0);
    lag_reader_end(db);
    table_deinit(&table);
    return status;
}

int lagd_h_run_series(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_run_row run;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_run_get(db, request->params[0], &run, &request->err);
    return status < 0 ? status : answer_series(request, db, run.id, NULL);
}

int lagd_h_candidate_series(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_candidate_row candidate;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_candidate_get(db, request->params[0], &candidate, &request->err);
    return status < 0 ? status : answer_series(request, db, NULL, candidate.id);
}

int lagd_h_system_series(struct lagd_request *request) {
    struct lag_db *db;
    int status = lagd_request_db(request, &db);
    return status < 0 ? status : answer_series(request, db, NULL, NULL);
}
