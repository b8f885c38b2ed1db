/* Sorts fresh points by run or candidate and step, and writes them as columns. */
#include "stream/points_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/series.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 16 /* of an owner; a run has six */

struct owner {
    char id[LAG_ROW_ID], run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID];
    bool is_candidate;
    int n_keys;
    struct {
        int64_t series;
        char name[LAG_ROW_NAME];
    } keys[KEYS];
    int64_t n_batches;
    uint64_t used; /* 0: free */
};
struct item {
    int slot, key;
    int64_t step;
    double value;
    size_t order;
};
struct lagd_points {
    struct owner owners[LAGD_BATCH_SLOTS];
    uint64_t clock;
    struct item *items;
    size_t n_items, capacity;
    double rows[LAGD_BATCH_STEPS][KEYS];
    int64_t steps[LAGD_BATCH_STEPS];
};

int lagd_points_create(struct lagd_points **ret) {
    struct lagd_points *points = lag_calloc(1, sizeof(*points));
    if (!points) return LAG_ENOMEM;
    *ret = points;
    return 0;
}

void lagd_points_destroy(struct lagd_points *points) {
    if (!points) return;
    free(points->items);
    free(points);
}

/* --- whose a series is ------------------------------------------------------------------------------------------- */

static bool find(const struct lagd_points *known, int64_t series, int *ret_slot, int *ret_key) {
    for (int slot = 0; slot < LAGD_BATCH_SLOTS; slot++) {
        for (int key = 0; key < known->owners[slot].n_keys; key++) {
            if (known->owners[slot].keys[key].series != series) continue;
            *ret_slot = slot;
            *ret_key = key;
            return true;
        }
    }
    return false;
}

/* The owner's slot, or the one that nobody used for longest, unless this batch needs it already. */
static int slot_for(const struct lagd_points *known, const char *id) {
    int oldest = 0;
    for (int slot = 0; slot < LAGD_BATCH_SLOTS; slot++) {
        const struct owner *owner = &known->owners[slot];
        if (owner->used && strcmp(owner->id, id) == 0) return slot;
        if (owner->used < known->owners[oldest].used) oldest = slot;
    }
    return known->owners[oldest].used == known->clock ? -1 : oldest;
}

/* 1 = found, 0 = gone or no room. */
static int look_up(struct lagd_points *known, struct lag_db *db, int64_t series, int *ret_slot, int *ret_key,
                   struct lag_error *err) {
    struct lag_series_row row;
    struct lag_event_row ids;
    int status = lag_series_whose(db, series, &row, &ids, err);
    bool of_run = status == 1 && *ids.run_id != '\0'; /* else it is the machine's */
    int slot = of_run ? slot_for(known, row.owner) : -1;
    if (status < 0 || slot < 0) return LAG_MIN(status, 0);
    struct owner *owner = &known->owners[slot];
    if (!owner->used || strcmp(owner->id, row.owner) != 0) {
        *owner = (struct owner){.is_candidate = *ids.candidate_id != '\0'};
        memcpy(owner->id, row.owner, sizeof(owner->id));
        memcpy(owner->run_id, ids.run_id, sizeof(owner->run_id));
        memcpy(owner->growth_id, ids.growth_id, sizeof(owner->growth_id));
    }
    if (owner->n_keys == KEYS) return 0;
    owner->used = known->clock;
    owner->keys[owner->n_keys].series = series;
    (void)lag_copy(owner->keys[owner->n_keys].name, sizeof(owner->keys[0].name), row.key);
    *ret_slot = slot;
    *ret_key = owner->n_keys++;
    return 1;
}

static int collect(struct lagd_points *known, struct lag_db *db, const struct lag_point *points, size_t n_points,
                   struct lag_error *err) {
    int slot = 0, key = 0, status = 0;
    known->clock++;
    known->n_items = 0;
    if (lag_grow_array((void **)&known->items, &known->capacity, n_points, sizeof(*known->items)) < 0)
        return lag_error_set(err, LAG_ENOMEM, "out of memory");
    for (size_t i = 0; i < n_points; i++) {
        if (i == 0 || points[i].series != points[i - 1].series) { /* points of a series mostly come together */
            status = find(known, points[i].series, &slot, &key)
                         ? 1
                         : look_up(known, db, points[i].series, &slot, &key, err);
            if (status < 0) return status;
        }
        if (status == 0) continue;
        known->owners[slot].used = known->clock;
        known->items[known->n_items++] = (struct item){slot, key, points[i].step, points[i].value, i};
    }
    return 0;
}

/* --- columns ----------------------------------------------------------------------------------------------------- */

static int by_place(const void *left, const void *right) {
    const struct item *a = left, *b = right;
    if (a->slot != b->slot) return a->slot < b->slot ? -1 : 1;
    if (a->step != b->step) return a->step < b->step ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static size_t count_steps(const struct item *items, size_t n) {
    size_t n_steps = n > 0;
    for (size_t i = 1; i < n; i++) n_steps += items[i].step != items[i - 1].step;
    return n_steps;
}

/* Fills rows and steps; returns how many. Every stride-th step counted from the last one stays. */
static size_t fill_rows(struct lagd_points *known, const struct item *items, size_t n, bool has_key[KEYS]) {
    size_t n_steps = count_steps(items, n), stride = (n_steps + LAGD_BATCH_STEPS - 1) / LAGD_BATCH_STEPS, n_rows = 0;
    size_t end;
    for (size_t i = 0, left = n_steps; i < n; i = end) {
        left--;
        for (end = i; end < n && items[end].step == items[i].step;) end++;
        if (left % stride) continue;
        known->steps[n_rows] = items[i].step;
        for (int key = 0; key < KEYS; key++) known->rows[n_rows][key] = NAN;
        for (size_t j = i; j < end; j++) {
            known->rows[n_rows][items[j].key] = items[j].value;
            has_key[items[j].key] = true;
        }
        n_rows++;
    }
    return n_rows;
}

/* A batch of one run or candidate. */
struct batch {
    const struct lagd_points *known;
    const struct owner *owner;
    const char *type, *growth, *candidate; /* ids: "" of a run's */
    size_t n_rows;
    const bool *has_key;
    int64_t ts_ms;
};

static int write_run(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_text(json, key, ((const struct batch *)object)->owner->run_id);
    return 0;
}

static int write_number(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_int(json, key, ((const struct batch *)object)->owner->n_batches);
    return 0;
}

static int write_steps(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct batch *batch = object;
    lagd_json_open_array(json, key);
    for (size_t row = 0; row < batch->n_rows; row++) lagd_json_int(json, NULL, batch->known->steps[row]);
    lagd_json_close_array(json);
    return 0;
}

static int write_columns(struct lagd_json *json, const char *name, const void *object, void *context) {
    const struct batch *batch = object;
    lagd_json_open_object(json, name);
    for (int key = 0; key < batch->owner->n_keys; key++) {
        if (!batch->has_key[key]) continue;
        lagd_json_open_array(json, batch->owner->keys[key].name);
        for (size_t row = 0; row < batch->n_rows; row++) lagd_json_real(json, NULL, batch->known->rows[row][key]);
        lagd_json_close_array(json);
    }
    lagd_json_close_object(json);
    return 0;
}

static const char *const batch_types[] = {"run.metric", "candidate.metric"};

static const char *batch_type(int i, const char **ret_help) {
    static const char *const meanings[] = {"points of a run", "points of a candidate"};
    if ((size_t)i >= LAG_COUNT(batch_types)) return NULL;
    *ret_help = meanings[i];
    return batch_types[i];
}

static const struct lagd_member batch_members[] = {
    LAGD_MEMBER(struct batch, "ts", "t", ts_ms, NULL),
    {.name = "type", .type = "s", .offset = offsetof(struct batch, type), .pointed = true, .choice = batch_type},
    LAGD_WRITTEN("run", "s", write_run, "Its id."),
    LAGD_POINTED(struct batch, "growth", "s~", growth, "Of a candidate's."),
    LAGD_POINTED(struct batch, "candidate", "s~", candidate, "Its id."),
    LAGD_WRITTEN("number", "i", write_number, "Counts the batches of this run or candidate."),
    LAGD_WRITTEN("step", "[i]", write_steps, "Step of each place in the columns."),
    LAGD_WRITTEN("series", "{[n?]}", write_columns, "A column by the name of its series."),
};
const struct lagd_schema lagd_batch_schema = LAGD_SCHEMA("EventBatch", batch_members);

static struct lagd_text *write_batch(struct lagd_points *known, const struct item *items, size_t n) {
    struct owner *owner = &known->owners[items[0].slot];
    bool has_key[KEYS] = {false};
    size_t n_rows = fill_rows(known, items, n, has_key), length = 0;
    owner->n_batches++;
    const struct batch batch = {
        .known = known,
        .owner = owner,
        .type = batch_types[owner->is_candidate],
        .growth = owner->is_candidate ? owner->growth_id : "",
        .candidate = owner->is_candidate ? owner->id : "",
        .n_rows = n_rows,
        .has_key = has_key,
        .ts_ms = lag_clock_wall_ms(),
    };
    struct lagd_json json;
    lagd_json_init(&json, false);
    (void)lagd_write_object(&json, NULL, &lagd_batch_schema, &batch, NULL);
    char *written = lagd_json_take(&json, &length);
    struct lagd_text *text = written ? lagd_text_make(batch.type, -1, written, length) : NULL;
    free(written);
    return text;
}

int lagd_points_batch(struct lagd_points *known, struct lag_db *db, const struct lag_point *points, size_t n_points,
                      lagd_batch_fn *each, void *arg, struct lag_error *err) {
    int status = collect(known, db, points, n_points, err);
    if (status < 0) return status;
    size_t end;
    qsort(known->items, known->n_items, sizeof(*known->items), by_place);
    for (size_t i = 0; i < known->n_items; i = end) {
        int slot = known->items[i].slot;
        for (end = i; end < known->n_items && known->items[end].slot == slot;) end++;
        struct lagd_text *text = write_batch(known, known->items + i, end - i);
        if (!text) return lag_error_set(err, LAG_ENOMEM, "out of memory");
        each(arg, slot, text, known->owners[slot].run_id);
    }
    return 0;
}
