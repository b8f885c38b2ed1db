/* GET /compare: runs side by side, also all of a tag, what differs in their configuration, and their series on one
 * axis. */
#include "encode/encode_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/storage/find.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDES_MAX (LAGD_COMPARE_RUNS * LAGD_COMPARE_GROUP)
#define POINTS_MAX 160000 /* that buckets are kept for */

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
    double best; /* lowest validation loss; NaN: none */
    int64_t best_step;
    struct track tracks[LAGD_COMPARE_KEYS];
};
struct group {
    char tag[LAG_ROW_NAME];
    int sides[LAGD_COMPARE_GROUP]; /* their places in sides */
    int n_sides;
    bool more; /* the tag has older runs too */
};
struct comparison {
    struct side *sides[SIDES_MAX];
    struct group groups[LAGD_COMPARE_RUNS];
    int n_sides, n_groups, n_keys;
    char keys[LAGD_COMPARE_KEYS][LAG_ROW_NAME];
    bool by_tokens;
    int64_t at; /* on the axis; -1: not asked for */
    int max_points;
};

static void comparison_deinit(struct comparison *c) {
    for (int i = 0; i < c->n_sides; i++) {
        for (int k = 0; k < LAGD_COMPARE_KEYS; k++) free(c->sides[i]->tracks[k].buckets);
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

static int too_many(struct lagd_request *request) {
    return lagd_fail(request, "invalid-parameter", "at most %d runs and groups can be compared at once",
                     LAGD_COMPARE_RUNS);
}

/* The place of a run among the sides; -1: it is not there. */
static int find_side(const struct comparison *c, const char *id) {
    for (int i = 0; i < c->n_sides; i++)
        if (strcmp(c->sides[i]->run.id, id) == 0) return i;
    return -1;
}

/* The place of the run, which is added where it is not there yet, or a failure. */
static int add_side(struct lagd_request *request, struct lag_db *db, struct comparison *c,
                    const struct lag_run_row *run) {
    int place = find_side(c, run->id);
    if (place >= 0) return place;
    struct side *side = lag_calloc(1, sizeof(*side));
    if (!side) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    c->sides[c->n_sides++] = side;
    side->run = *run;
    int status = lagd_run_config_parse(run->config, &side->config, &request->err);
    if (status == 0) status = lag_run_best(db, run->id, &side->best, &side->best_step, &request->err);
    if (status < 0) return status;
    const struct lagd_run_config *config = &side->config;
    int64_t context = config->tokens_per_sequence ? config->tokens_per_sequence : run->shape.n_positions;
    side->unit = c->by_tokens ? LAG_MAX(1, config->sequences * context * config->accumulate) : 1;
    return c->n_sides - 1;
}

static int add_named(struct lagd_request *request, struct lag_db *db, struct comparison *c, const char *name) {
    struct lag_run_row run;
    if (c->n_sides == LAGD_COMPARE_RUNS) return too_many(request);
    int status = lag_run_get(db, name, &run, &request->err);
    if (status < 0) return status;
    if (find_side(c, run.id) >= 0)
        return lagd_fail(request, "invalid-parameter", "run %s is named twice", run.name);
    return LAG_MIN(add_side(request, db, c, &run), 0);
}

struct gathering {
    struct lagd_request *request;
    struct lag_db *db;
    struct comparison *c;
    struct group *group;
};

static int add_member(const struct lag_run_row *run, const struct lag_run_place *place, void *arg) {
    struct gathering *gathering = arg;
    struct group *group = gathering->group;
    group->more = group->n_sides == LAGD_COMPARE_GROUP;
    if (group->more) return 0;
    int side = add_side(gathering->request, gathering->db, gathering->c, run);
    if (side >= 0) group->sides[group->n_sides++] = side;
    return LAG_MIN(side, 0);
}

/* The newest runs of a tag; runs that are there already are not read again. */
static int add_group(struct lagd_request *request, struct lag_db *db, struct comparison *c, int n_named,
                     const char *tag) {
    if (n_named + c->n_groups == LAGD_COMPARE_RUNS) return too_many(request);
    for (int i = 0; i < c->n_groups; i++)
        if (strcmp(c->groups[i].tag, tag) == 0)
            return lagd_fail(request, "invalid-parameter", "the tag %s is named twice", tag);
    struct group *group = &c->groups[c->n_groups++];
    const struct lag_run_query query = {.tag = tag, .descending = true, .limit = LAGD_COMPARE_GROUP + 1};
    struct gathering gathering = {request, db, c, group};
    (void)lag_copy(group->tag, sizeof(group->tag), tag);
    int status = lag_run_find(db, &query, add_member, &gathering, &request->err);
    if (status < 0 || group->n_sides > 0) return status;
    return lagd_fail(request, "invalid-parameter", "no run has the tag %s", tag);
}

static int read_keys(struct lagd_request *request, struct comparison *c) {
    char item[LAG_ROW_NAME];
    const char *p = lagd_query_text(&request->target, request->route, "series");
    while (next_item(&p, item, sizeof(item))) {
        if (c->n_keys == LAGD_COMPARE_KEYS)
            return lagd_fail(request, "invalid-parameter", "at most %d series can be compared at once",
                             LAGD_COMPARE_KEYS);
        (void)lag_copy(c->keys[c->n_keys++], sizeof(c->keys[0]), item);
    }
    return 0;
}

static int read_query(struct lagd_request *request, struct lag_db *db, struct comparison *c) {
    const struct lagd_target *target = &request->target;
    char item[LAG_ROW_NAME];
    c->by_tokens = strcmp(lagd_query_text(target, request->route, "x"), "tokens") == 0;
    c->at = lagd_query_int(target, request->route, "at");
    c->max_points = (int)lagd_query_int(target, request->route, "max_points");
    int status = read_keys(request, c);
    const char *runs = lagd_query_text(target, request->route, "runs");
    while (status == 0 && runs && next_item(&runs, item, sizeof(item))) status = add_named(request, db, c, item);
    const char *tags = lagd_query_text(target, request->route, "tags");
    const int n_named = c->n_sides;
    while (status == 0 && tags && next_item(&tags, item, sizeof(item)))
        status = add_group(request, db, c, n_named, item);
    if (status < 0) return status;
    if (c->n_sides == 0) return lagd_fail(request, "invalid-parameter", "runs or tags must name at least one run");
    if ((int64_t)c->n_sides * c->n_keys * c->max_points > POINTS_MAX)
        return lagd_fail(request, "invalid-parameter", "%d series of %d runs can have at most %d points each: lower "
                         "max_points", c->n_keys, c->n_sides, POINTS_MAX / (c->n_sides * c->n_keys));
    return 0;
}

/* All runs are thinned over the same range, so that equal cadences give equal places. */
static int read_track(struct lagd_request *request, struct lag_db *db, const struct comparison *c, struct side *side,
                      int key, int64_t end) {
    struct track *track = &side->tracks[key];
    struct lag_series_row series;
    int64_t total;
    *track = (struct track){.last_step = -1, .at_step = -1, .last = NAN, .at = NAN};
    int status = lag_series_find(db, side->run.id, c->keys[key], &series, &request->err);
    if (status == LAG_ENOTFOUND) return lagd_no_series(request, "series", c->keys[key]);
    if (status < 0) return status;
    track->last_step = series.last_step;
    track->last = series.last_value;
    track->buckets = lag_calloc((size_t)c->max_points, sizeof(*track->buckets));
    if (!track->buckets) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    status = lag_points_thin(db, series.id, 0, end / side->unit, c->max_points, track->buckets, &track->n, &total,
                             &request->err);
    if (status < 0 || c->at < 0) return status;
    return lag_points_last(db, series.id, c->at / side->unit, &track->at_step, &track->at, &request->err);
}

/* Points that are going to be read. */
static int count_rows(struct lagd_request *request, struct lag_db *db, const struct comparison *c, int64_t *ret) {
    int64_t n = 0;
    int status = 0;
    for (int i = 0; i < c->n_sides * c->n_keys && status == 0; i++) {
        struct lag_series_row series = {0};
        status = lag_series_find(db, c->sides[i / c->n_keys]->run.id, c->keys[i % c->n_keys], &series, &request->err);
        if (status == LAG_ENOTFOUND) status = 0;
        n += series.n_points;
    }
    *ret = n;
    return status;
}

static int read_tracks(struct lagd_request *request, struct lag_db *db, struct comparison *c) {
    int64_t end = 0, n_rows = 0;
    int status = count_rows(request, db, c, &n_rows);
    if (status == 0) status = lagd_request_heavy(request, n_rows);
    for (int i = 0; i < c->n_sides; i++) end = LAG_MAX(end, c->sides[i]->run.max_steps * c->sides[i]->unit);
    for (int i = 0; i < c->n_sides && status == 0; i++) {
        for (int k = 0; k < c->n_keys && status == 0; k++) status = read_track(request, db, c, c->sides[i], k, end);
    }
    return status;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

/* One metric of a run; at and at_step only when they were asked for. */
struct metric {
    const struct track *track;
    bool at;
};

static int write_last(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_real(json, key, ((const struct metric *)object)->track->last);
    return 0;
}

static int write_last_step(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_int(json, key, ((const struct metric *)object)->track->last_step);
    return 0;
}

static int write_at(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct metric *metric = object;
    if (metric->at) lagd_json_real(json, key, metric->track->at);
    return 0;
}

static int write_at_step(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct metric *metric = object;
    if (metric->at) lagd_json_int(json, key, metric->track->at_step);
    return 0;
}

static const struct lagd_member metric_members[] = {
    LAGD_WRITTEN("last", "n?", write_last, NULL),
    LAGD_WRITTEN("last_step", "i", write_last_step, "-1: there is no point."),
    LAGD_WRITTEN("at", "n?~", write_at, "With ?at: the last value there or before."),
    LAGD_WRITTEN("at_step", "i~", write_at_step, "Its step; -1: there is no point."),
};
static const struct lagd_schema metric_schema = LAGD_SCHEMA("ComparedMetric", metric_members);

static int write_metrics(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct side *side = object;
    const struct comparison *c = context;
    lagd_json_open_object(json, key);
    for (int k = 0; k < c->n_keys; k++) {
        const struct metric metric = {&side->tracks[k], c->at >= 0};
        (void)lagd_write_object(json, c->keys[k], &metric_schema, &metric, NULL);
    }
    lagd_json_close_object(json);
    return 0;
}

static const char *run_state(int i, const char **ret_help) {
    return lagd_state_choice(LAGD_MACHINE_RUN, i, ret_help);
}

#define SIDE(name, type, member, help) LAGD_MEMBER(struct side, name, type, member, help)
static const struct lagd_member side_members[] = {
    SIDE("id", "s", run.id, NULL),
    SIDE("name", "s", run.name, NULL),
    LAGD_CHOICE(struct side, "state", "s", run.state, run_state, NULL),
    {.name = "health", .type = "s?", .offset = offsetof(struct side, run.health),
     .size = sizeof(((struct side *)0)->run.health), .choice = lagd_run_health,
     .help = "How its validation losses stand since it has its present shape; null before the first one."},
    SIDE("tags", "[s]", config.tags, NULL),
    SIDE("step", "i", run.step, NULL),
    SIDE("max_steps", "i", run.max_steps, NULL),
    SIDE("tokens", "i", run.tokens, NULL),
    SIDE("flops", "n?", run.flops, NULL),
    SIDE("n_layer", "i", run.shape.n_layer, NULL),
    SIDE("n_params", "i", run.n_params, NULL),
    SIDE("best_loss", "n?", best, "Its lowest validation loss; null before the first one."),
    SIDE("best_step", "i", best_step, "The first step that has it; -1: none."),
    LAGD_WRITTEN_OF("metrics", "{@}", &metric_schema, write_metrics, "By the name of the series."),
};
static const struct lagd_schema side_schema = LAGD_SCHEMA("ComparedRun", side_members);

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

/* A key of the configuration, and its value in each run. */
struct difference {
    const char *key;
    struct lag_strbuf values[SIDES_MAX];
    int n_values;
};

static int write_values(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct difference *difference = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < difference->n_values; i++) lagd_json_text(json, NULL, difference->values[i].data);
    lagd_json_close_array(json);
    return 0;
}

static const struct lagd_member difference_members[] = {
    LAGD_POINTED(struct difference, "key", "s", key, "Where in the run's body."),
    LAGD_WRITTEN("values", "[s]", write_values, "In the order of runs."),
};
static const struct lagd_schema difference_schema = LAGD_SCHEMA("Difference", difference_members);

/* Keys whose values are not the same in all runs; names differ always and tell nothing. */
static int write_differences(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct comparison *c = object;
    lagd_json_open_array(json, key);
    for (size_t row = 0; row < lagd_run_fields.n_rows; row++) {
        const struct lag_field *field = &lagd_run_fields.rows[row];
        struct difference difference = {.key = field->path, .n_values = c->n_sides};
        struct lag_strbuf *values = difference.values;
        bool differs = false, failed = false;
        for (int i = 0; i < c->n_sides; i++) {
            format_value(field, c->sides[i], &values[i]);
            failed = failed || values[i].failed;
            differs = differs || (!failed && strcmp(values[i].data, values[0].data) != 0);
        }
        if (differs && !failed && strcmp(field->path, "name") != 0)
            (void)lagd_write_object(json, NULL, &difference_schema, &difference, NULL);
        for (int i = 0; i < c->n_sides; i++) lag_strbuf_deinit(&values[i]);
    }
    lagd_json_close_array(json);
    return 0;
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
static void write_rows(struct lagd_json *json, struct comparison *c, int key) {
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

/* context: the comparison again, whose tracks are walked along. */
static int write_series(struct lagd_json *json, const char *key, const void *object, void *context) {
    struct comparison *c = context;
    lagd_json_open_object(json, key);
    for (int k = 0; k < c->n_keys; k++) write_rows(json, c, k);
    lagd_json_close_object(json);
    return 0;
}

static int write_x(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_text(json, key, ((const struct comparison *)object)->by_tokens ? "tokens" : "step");
    return 0;
}

static int write_runs(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct comparison *c = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < c->n_sides; i++) (void)lagd_write_object(json, NULL, &side_schema, c->sides[i], context);
    lagd_json_close_array(json);
    return 0;
}

/* A group in its comparison. */
struct grouped {
    const struct comparison *c;
    const struct group *group;
};

static int write_group_tag(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_text(json, key, ((const struct grouped *)object)->group->tag);
    return 0;
}

static int write_group_runs(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct grouped *grouped = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < grouped->group->n_sides; i++)
        lagd_json_text(json, NULL, grouped->c->sides[grouped->group->sides[i]]->run.id);
    lagd_json_close_array(json);
    return 0;
}

static int write_group_more(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_bool(json, key, ((const struct grouped *)object)->group->more);
    return 0;
}

static const struct lagd_member group_members[] = {
    LAGD_WRITTEN("tag", "s", write_group_tag, NULL),
    LAGD_WRITTEN("runs", "[s]", write_group_runs, "Ids of its newest runs, which are all among runs."),
    LAGD_WRITTEN("more", "b", write_group_more, "The tag has older runs, which are left out."),
};
static const struct lagd_schema group_schema = LAGD_SCHEMA("ComparedGroup", group_members);

static int write_groups(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct comparison *c = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < c->n_groups; i++) {
        const struct grouped grouped = {c, &c->groups[i]};
        (void)lagd_write_object(json, NULL, &group_schema, &grouped, NULL);
    }
    lagd_json_close_array(json);
    return 0;
}

static const struct lagd_member comparison_members[] = {
    LAGD_WRITTEN("x", "s", write_x, "What the runs are aligned by: step or tokens."),
    LAGD_WRITTEN_OF("runs", "[@]", &side_schema, write_runs, NULL),
    LAGD_WRITTEN_OF("groups", "[@]", &group_schema, write_groups, "One for each of tags."),
    LAGD_WRITTEN_OF("differences", "[@]", &difference_schema, write_differences, "What differs in their bodies."),
    LAGD_WRITTEN("series", "{[[n?]]}", write_series,
                 "By name: rows of a place on the axis and the value of each run there."),
};
const struct lagd_schema lagd_comparison_schema = LAGD_SCHEMA("Comparison", comparison_members);

int lagd_h_compare(struct lagd_request *request) {
    struct lag_db *db;
    struct comparison comparison = {0};
    int status = lagd_request_db(request, &db);
    if (status < 0) return status;
    status = lag_reader_begin(db, &request->err);
    if (status == 0) status = read_query(request, db, &comparison);
    if (status == 0) status = read_tracks(request, db, &comparison);
    lag_reader_end(db);
    if (status == 0) status = lagd_answer_object(request, &lagd_comparison_schema, &comparison, &comparison, 0);
    comparison_deinit(&comparison);
    return status;
}
