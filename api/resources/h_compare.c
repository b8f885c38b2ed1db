/* GET /compare: runs side by side, what differs in their configuration, and their series on one axis. */
#include "encode/encode_internal.h"
#include "resources/handlers_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX 8
#define KEYS_MAX 4

struct track {
    struct lag_bucket *buckets; /* their steps are those of the run */
    int n, next;
    int64_t last_step, at_step; /* -1: there is none */
    double last, at;
};
struct side {
    struct lag_run_row run;
    struct lagd_run_config config;
    int64_t unit; /* what a step counts on the axis: 1, or the tokens of a step */
    struct track tracks[KEYS_MAX];
};
struct comparison {
    struct side *sides[RUNS_MAX];
    int n_sides, n_keys;
    char keys[KEYS_MAX][LAG_ROW_NAME];
    bool by_tokens;
    int64_t at; /* on the axis; -1: not asked for */
    int max_points;
};

static void comparison_deinit(struct comparison *c) {
    for (int i = 0; i < c->n_sides; i++) {
        for (int k = 0; k < KEYS_MAX; k++) free(c->sides[i]->tracks[k].buckets);
        free(c->sides[i]);
    }
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

/* The next of "a,b,c" into ret; false at the end. An item that is too long is cut, and then names nothing. */
static bool next_item(const char **p, char *ret, size_t size) {
    *p += strspn(*p, ",");
    if (!**p) return false;
    size_t n = strcspn(*p, ",");
    (void)snprintf(ret, size, "%.*s", (int)n, *p);
    *p += n;
    return true;
}

static int add_side(struct lagd_request *request, struct lag_db *db, struct comparison *c, const char *name) {
    if (c->n_sides == RUNS_MAX)
        return lagd_fail(request, "invalid-parameter", "at most %d runs can be compared at once", RUNS_MAX);
    struct side *side = lag_calloc(1, sizeof(*side));
    if (!side) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    c->sides[c->n_sides++] = side;
    int status = lag_run_get(db, name, &side->run, &request->err);
    if (status == 0) status = lagd_run_config_parse(side->run.config, &side->config, &request->err);
    if (status < 0) return status;
    const struct lagd_run_config *config = &side->config;
    int64_t context = config->tokens_per_sequence ? config->tokens_per_sequence : side->run.shape.n_positions;
    side->unit = c->by_tokens ? LAG_MAX(1, config->sequences * context * config->accumulate) : 1;
    for (int i = 0; i < c->n_sides - 1; i++) {
        if (strcmp(c->sides[i]->run.id, side->run.id) == 0)
            return lagd_fail(request, "invalid-parameter", "run %s is named twice", side->run.name);
    }
    return 0;
}

static int read_query(struct lagd_request *request, struct lag_db *db, struct comparison *c) {
    const struct lagd_target *target = &request->target;
    char item[LAG_ROW_NAME];
    int status = 0;
    c->by_tokens = strcmp(lagd_query_text(target, request->route, "x"), "tokens") == 0;
    c->at = lagd_query_int(target, request->route, "at");
    c->max_points = (int)lagd_query_int(target, request->route, "max_points");
    for (const char *p = lagd_query_text(target, request->route, "series"); next_item(&p, item, sizeof(item));) {
        if (c->n_keys == KEYS_MAX)
            return lagd_fail(request, "invalid-parameter", "at most %d series can be compared at once", KEYS_MAX);
        (void)lag_copy(c->keys[c->n_keys++], sizeof(c->keys[0]), item);
    }
    const char *runs = lagd_query_text(target, request->route, "runs");
    while (status == 0 && next_item(&runs, item, sizeof(item))) status = add_side(request, db, c, item);
    if (status < 0 || c->n_sides > 0) return status;
    return lagd_fail(request, "invalid-parameter", "runs must name at least one run");
}

/* All runs are thinned over the same range, so that equal cadences give equal places. */
static int read_track(struct lagd_request *request, struct lag_db *db, const struct comparison *c, struct side *side,
                      int key, int64_t end) {
    struct track *track = &side->tracks[key];
    struct lag_series_row series;
    int64_t total;
    *track = (struct track){.last_step = -1, .at_step = -1, .last = NAN, .at = NAN};
    int status = lag_series_find(db, side->run.id, c->keys[key], &series, &request->err);
    if (status == LAG_ENOTFOUND) return 0;
    if (status < 0) return status;
    track->last_step = series.last_step;
    track->last = series.last_value;
    track->buckets = lag_calloc((size_t)c->max_points, sizeof(*track->buckets));
    if (!track->buckets) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    status = lag_points_thin(db, series.id, 0, end / side->unit, c->max_points, track->buckets, &track->n, &total,
                             &request->err);
    if (status < 0 || c->at < 0) return status;
    struct lag_bucket before;
    int n = 0;
    status = lag_points_thin(db, series.id, 0, c->at / side->unit, 1, &before, &n, &total, &request->err);
    if (status == 0 && n == 1) {
        track->at_step = before.step;
        track->at = before.last;
    }
    return status;
}

static int read_tracks(struct lagd_request *request, struct lag_db *db, struct comparison *c) {
    int64_t end = 0;
    int status = 0;
    for (int i = 0; i < c->n_sides; i++) end = LAG_MAX(end, c->sides[i]->run.max_steps * c->sides[i]->unit);
    for (int i = 0; i < c->n_sides && status == 0; i++) {
        for (int k = 0; k < c->n_keys && status == 0; k++) status = read_track(request, db, c, c->sides[i], k, end);
    }
    return status;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static void write_side(struct lagd_json *json, const struct comparison *c, const struct side *side) {
    const struct lag_run_row *run = &side->run;
    lagd_json_open_object(json, NULL);
    lagd_json_text(json, "id", run->id);
    lagd_json_text(json, "name", run->name);
    lagd_json_text(json, "state", run->state);
    lagd_json_int(json, "step", run->step);
    lagd_json_int(json, "max_steps", run->max_steps);
    lagd_json_int(json, "tokens", run->tokens);
    lagd_json_real(json, "flops", run->flops);
    lagd_json_int(json, "n_layer", run->shape.n_layer);
    lagd_json_int(json, "n_params", run->n_params);
    lagd_json_open_object(json, "metrics");
    for (int k = 0; k < c->n_keys; k++) {
        const struct track *track = &side->tracks[k];
        lagd_json_open_object(json, c->keys[k]);
        lagd_json_real(json, "last", track->last);
        lagd_json_int(json, "last_step", track->last_step);
        if (c->at >= 0) lagd_json_real(json, "at", track->at);
        if (c->at >= 0) lagd_json_int(json, "at_step", track->at_step);
        lagd_json_close_object(json);
    }
    lagd_json_close_object(json);
    lagd_json_close_object(json);
}

static void format_value(const struct lag_field *field, const struct side *side, struct lag_strbuf *out) {
    char digits[32];
    double real;
    if (strcmp(field->path, "dataset") == 0) {
        lag_strbuf_append(out, side->run.dataset_name);
    } else if (field->type == LAG_FIELD_REAL) { /* for people: the shortest digits */
        memcpy(&real, (const char *)&side->config + field->offset, sizeof(real));
        lagd_json_format_real(real, digits);
        lag_strbuf_append(out, digits);
    } else {
        lag_field_format(field, &side->config, out);
    }
    lag_strbuf_append(out, "");
}

/* Keys whose values are not the same in all runs; names differ always and tell nothing. */
static void write_differences(struct lagd_json *json, const struct comparison *c) {
    lagd_json_open_array(json, "differences");
    for (size_t row = 0; row < lagd_run_fields.n_rows; row++) {
        const struct lag_field *field = &lagd_run_fields.rows[row];
        struct lag_strbuf values[RUNS_MAX] = {0};
        bool differs = false, failed = false;
        for (int i = 0; i < c->n_sides; i++) {
            format_value(field, c->sides[i], &values[i]);
            failed = failed || values[i].failed;
            differs = differs || (!failed && strcmp(values[i].data, values[0].data) != 0);
        }
        if (differs && !failed && strcmp(field->path, "name") != 0) {
            lagd_json_open_object(json, NULL);
            lagd_json_text(json, "key", field->path);
            lagd_json_open_array(json, "values");
            for (int i = 0; i < c->n_sides; i++) lagd_json_text(json, NULL, values[i].data);
            lagd_json_close_array(json);
            lagd_json_close_object(json);
        }
        for (int i = 0; i < c->n_sides; i++) lag_strbuf_deinit(&values[i]);
    }
    lagd_json_close_array(json);
}

/* The next place on the axis of a series over all runs; false at the end. */
static bool next_place(struct comparison *c, int key, int64_t *ret) {
    bool any = false;
    for (int i = 0; i < c->n_sides; i++) {
        const struct track *track = &c->sides[i]->tracks[key];
        if (track->next == track->n) continue;
        int64_t place = track->buckets[track->next].step * c->sides[i]->unit;
        *ret = any ? LAG_MIN(*ret, place) : place;
        any = true;
    }
    return any;
}

/* One row a place: the place, then a value a run, null where it has none there. */
static void write_series(struct lagd_json *json, struct comparison *c, int key) {
    int64_t place = 0;
    lagd_json_open_array(json, c->keys[key]);
    while (next_place(c, key, &place)) {
        lagd_json_open_array(json, NULL);
        lagd_json_int(json, NULL, place);
        for (int i = 0; i < c->n_sides; i++) {
            struct track *track = &c->sides[i]->tracks[key];
            bool here = track->next < track->n && track->buckets[track->next].step * c->sides[i]->unit == place;
            lagd_json_real(json, NULL, here ? track->buckets[track->next++].last : NAN);
        }
        lagd_json_close_array(json);
    }
    lagd_json_close_array(json);
}

static int write_comparison(struct lagd_request *request, struct comparison *c) {
    struct lagd_json json;
    lagd_answer_begin(request, &json);
    lagd_json_open_object(&json, NULL);
    lagd_json_text(&json, "x", c->by_tokens ? "tokens" : "step");
    lagd_json_open_array(&json, "runs");
    for (int i = 0; i < c->n_sides; i++) write_side(&json, c, c->sides[i]);
    lagd_json_close_array(&json);
    write_differences(&json, c);
    lagd_json_open_object(&json, "series");
    for (int k = 0; k < c->n_keys; k++) write_series(&json, c, k);
    lagd_json_close_object(&json);
    lagd_json_close_object(&json);
    return lagd_answer_end(request, &json, 0);
}

int lagd_h_compare(struct lagd_request *request) {
    struct lag_db *db;
    struct comparison comparison = {0};
    int status = lagd_request_db(request, &db);
    if (status < 0) return status;
    status = lag_reader_begin(db, &request->err);
    if (status == 0) status = read_query(request, db, &comparison);
    if (status == 0) status = read_tracks(request, db, &comparison);
    lag_reader_end(db);
    if (status == 0) status = write_comparison(request, &comparison);
    comparison_deinit(&comparison);
    return status;
}
