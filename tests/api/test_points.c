/* Fresh points as batches, with a real store that knows whose they are. */
#include "../storage/fixture.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "stream/points_internal.h"
#include <lagd/base/check.h>

static struct batch {
    int slot;
    char run_id[LAG_ROW_ID];
    json_t *json;
} batches[8];
static int n_batches;

static void keep(void *arg, int slot, struct lagd_text *text, const char *run_id) {
    (void)arg;
    assert_true(n_batches < (int)LAG_COUNT(batches));
    struct batch *batch = &batches[n_batches++];
    batch->slot = slot;
    (void)snprintf(batch->run_id, sizeof(batch->run_id), "%s", run_id);
    batch->json = json_loadb(text->data + text->line_at, text->n_line, 0, NULL);
    assert_non_null(batch->json);
    lagd_text_drop(text);
}

static void forget(void) {
    while (n_batches > 0) json_decref(batches[--n_batches].json);
}

static const char *text_of(int i, const char *key) { return json_string_value(json_object_get(batches[i].json, key)); }
static json_t *column(int i, const char *key) {
    return json_object_get(json_object_get(batches[i].json, "series"), key);
}

static void points_become_columns(void **state) {
    struct fixture *f = *state;
    struct lagd_points *known = NULL;
    int64_t loss = open_series(f, "run_1", "train/loss", true), val = open_series(f, "run_1", "val/loss", true),
            probe = open_series(f, "cand_1", "train/loss", true);
    const struct lag_point points[] = {
        {loss, 2, 2.5},  {loss, 1, 3.5},  {loss, 1, 3.25}, {val, 2, NAN},
        {9999, 2, 1.0}, {probe, 7, 1.5}, {loss, 3, 2.0}};
    assert_int_equal(lagd_points_create(&known), 0);
    assert_ok(f, lagd_points_batch(known, f->reader, points, LAG_COUNT(points), keep, NULL, &f->err));
    assert_int_equal(n_batches, 2);
    int run = strcmp(text_of(0, "type"), "run.metric") == 0 ? 0 : 1, candidate = 1 - run;
    assert_string_equal(text_of(run, "run"), "run_1");
    assert_string_equal(batches[run].run_id, "run_1");
    json_t *wanted = json_pack("{s:[iii],s:{s:[fff],s:[nnn]}}", "step", 1, 2, 3, "series", "train/loss", 3.25, 2.5, 2.0,
                               "val/loss");
    assert_true(json_equal(json_object_get(wanted, "step"), json_object_get(batches[run].json, "step")));
    assert_true(json_number_value(json_array_get(column(run, "train/loss"), 0)) == 3.25); /* the later one */
    assert_int_equal(json_array_size(column(run, "val/loss")), 3);
    for (size_t i = 0; i < 3; i++) assert_true(json_is_null(json_array_get(column(run, "val/loss"), i)));
    json_decref(wanted);
    assert_string_equal(text_of(candidate, "type"), "candidate.metric");
    assert_string_equal(text_of(candidate, "candidate"), "cand_1");
    assert_string_equal(text_of(candidate, "growth"), "gr_1");
    assert_string_equal(batches[candidate].run_id, "run_1");
    int slot = batches[run].slot;
    forget();
    assert_ok(f, lagd_points_batch(known, f->reader, &points[6], 1, keep, NULL, &f->err));
    assert_int_equal(n_batches, 1);
    assert_int_equal(batches[0].slot, slot);
    assert_int_equal(json_integer_value(json_object_get(batches[0].json, "number")), 2);
    assert_null(column(0, "val/loss"));
    forget();
    lagd_points_destroy(known);
}

static void long_batches_are_thinned(void **state) {
    struct fixture *f = *state;
    struct lagd_points *known = NULL;
    static struct lag_point points[1000];
    int64_t loss = open_series(f, "run_1", "train/loss", true);
    for (int i = 0; i < 1000; i++) points[i] = (struct lag_point){loss, 5000 + i, i};
    assert_int_equal(lagd_points_create(&known), 0);
    assert_ok(f, lagd_points_batch(known, f->reader, points, 1000, keep, NULL, &f->err));
    json_t *steps = json_object_get(batches[0].json, "step");
    size_t n = json_array_size(steps);
    assert_true(n <= LAGD_BATCH_STEPS && n >= LAGD_BATCH_STEPS / 2);
    assert_int_equal(json_integer_value(json_array_get(steps, n - 1)), 5999);
    int64_t last = json_integer_value(json_array_get(steps, n - 1));
    assert_int_equal(last - json_integer_value(json_array_get(steps, n - 2)), 4);
    assert_true(json_number_value(json_array_get(column(0, "train/loss"), n - 1)) == 999.0);
    forget();
    lagd_points_destroy(known);
}

struct owners {
    int n;
    int64_t first;
};

static int make_runs(struct lag_db *db, void *arg, struct lag_error *err) {
    struct owners *owners = arg;
    for (int i = 0; i < owners->n; i++) {
        char id[32];
        int64_t series;
        (void)snprintf(id, sizeof(id), "run_x%d", i);
        struct lag_run_row run = sample_run(id, id);
        int rc = lag_run_insert(db, &run, err);
        if (rc == 0) rc = lag_series_open(db, id, "train/loss", true, &series, err);
        if (rc) return rc;
        if (i == 0) owners->first = series;
    }
    return 0;
}

/* More owners than there are slots: the ones not used for longest make room, none is given two of a batch. */
static void slots_are_given_anew(void **state) {
    struct fixture *f = *state;
    struct lagd_points *known = NULL;
    struct owners owners = {LAGD_BATCH_SLOTS + 1, 0};
    write_ok(f, make_runs, &owners);
    assert_int_equal(lagd_points_create(&known), 0);
    int slots[LAGD_BATCH_SLOTS + 1];
    for (int i = 0; i < owners.n; i++) {
        struct lag_point point = {owners.first + i, 1, 1.0};
        assert_ok(f, lagd_points_batch(known, f->reader, &point, 1, keep, NULL, &f->err));
        assert_int_equal(n_batches, 1);
        slots[i] = batches[0].slot;
        for (int j = 0; j < i && i < LAGD_BATCH_SLOTS; j++) assert_int_not_equal(slots[i], slots[j]);
        forget();
    }
    assert_int_equal(slots[LAGD_BATCH_SLOTS], slots[0]);
    struct lag_point again = {owners.first, 2, 1.0};
    assert_ok(f, lagd_points_batch(known, f->reader, &again, 1, keep, NULL, &f->err));
    assert_string_equal(text_of(0, "run"), "run_x0");
    assert_int_equal(batches[0].slot, slots[1]);
    forget();
    lagd_points_destroy(known);
}

static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static struct lag_point told[1024];
static size_t n_told;

static void tell(void *arg, const struct lag_point *points, size_t n) {
    (void)arg;
    pthread_mutex_lock(&told_lock);
    for (size_t i = 0; i < n && n_told < LAG_COUNT(told); i++) told[n_told++] = points[i];
    pthread_mutex_unlock(&told_lock);
}

static void the_store_tells_committed_points(void **state) {
    struct fixture *f = *state;
    static struct lag_point points[300];
    int64_t loss = open_series(f, "run_1", "train/loss", true);
    lag_store_on_points(f->store, tell, NULL);
    for (int i = 0; i < 300; i++) points[i] = (struct lag_point){loss, i, i};
    put_points(f, points, 300);
    assert_ok(f, lag_store_flush(f->store, &f->err));
    pthread_mutex_lock(&told_lock);
    assert_int_equal(n_told, 300);
    for (int i = 0; i < 300; i++) assert_int_equal(told[i].step, i);
    pthread_mutex_unlock(&told_lock);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_store, fixture_end)
int main(void) {
    const struct CMUnitTest tests[] = {TEST(points_become_columns), TEST(long_batches_are_thinned),
                                       TEST(slots_are_given_anew), TEST(the_store_tells_committed_points)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
