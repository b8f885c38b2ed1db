/* Runs are found by words, tag, state and what they wait for, in every order, page by page; the lowest validation. */
#include "fixture.h"
#include "q_internal.h"
#include <lagd/base/check.h>
#include <lagd/storage/find.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N = 40 };

static void id_of(int i, char ret[LAG_ROW_ID]) { (void)snprintf(ret, LAG_ROW_ID, "run_%02d", i); }

/* Run i: every seventh is called cat-i, step i % 5, no validation for every third, i % 4 the lowest of others. */
static int make(struct lag_db *db, void *arg, struct lag_error *err) {
    int rc = lag_run_delete(db, "run_1", err);
    for (int i = 0; i < N && !rc; i++) {
        char id[LAG_ROW_ID], name[40];
        id_of(i, id);
        (void)snprintf(name, sizeof name, "%s-%02d", i % 7 ? "Dog" : "cat", (i * 11) % N);
        struct lag_run_row row = sample_run(id, name);
        (void)snprintf(row.config, sizeof row.config, "seed=1\ntags=%s\nnote=%s %d\n",
                       i % 2 ? "odd,prime%" : "even", i % 10 ? "" : "Tenth, tags=odd", i);
        row.step = i % 5;
        row.tokens = N - i;
        row.flops = 1e9 * i;
        row.n_params = i % 3;
        (void)snprintf(row.state, sizeof row.state, "%s", i % 4 ? "paused" : "queued");
        row.waits = i == 5;
        rc = lag_run_insert(db, &row, err);
        if (i % 3 == 0 || rc) continue;
        int64_t series;
        rc = lag_series_open(db, id, "val/loss", true, &series, err);
        struct lag_queued_point points[] = {
            {{series, 1, i % 4}, 0}, {{series, 2, 9 - i % 2}, 1}, {{series, 3, NAN}, 2}};
        if (!rc) rc = lag_points_put(db, points, i % 8 == 7 ? 3 : 2, err);
    }
    return rc;
}

struct found {
    int n, limit;
    char ids[N + 1][LAG_ROW_ID];
    double values[N + 1];
    struct lag_run_place last;
};

static int add(const struct lag_run_row *row, const struct lag_run_place *place, void *arg) {
    struct found *found = arg;
    assert_string_equal(row->id, place->id);
    assert_true(found->n < N);
    (void)snprintf(found->ids[found->n], LAG_ROW_ID, "%s", row->id);
    found->values[found->n++] = place->value;
    found->last = *place;
    return 0;
}

/* All pages of so many rows. */
static struct found find(struct fixture *f, struct lag_run_query query, int limit) {
    struct found found = {0};
    query.limit = limit;
    for (int before = -1; before < found.n;) {
        before = found.n;
        assert_ok(f, lag_run_find(f->reader, &query, add, &found, &f->err));
        assert_true(found.n - before <= limit);
        query.after = &found.last;
        if (!found.n) break;
    }
    return found;
}

static int count(struct fixture *f, struct lag_run_query query) { return find(f, query, 100).n; }

static void test_filters(void **state) {
    struct fixture *f = *state;
    write_ok(f, make, NULL);
    assert_int_equal(count(f, (struct lag_run_query){0}), N);
    assert_int_equal(count(f, (struct lag_run_query){.words = "CAT-"}), 6);
    assert_int_equal(count(f, (struct lag_run_query){.words = " tenth   even "}), 4);
    assert_int_equal(count(f, (struct lag_run_query){.words = "run_07"}), 1);
    assert_int_equal(count(f, (struct lag_run_query){.words = "%"}), N / 2); /* no pattern */
    assert_int_equal(count(f, (struct lag_run_query){.words = "cat dog"}), 0);
    assert_int_equal(count(f, (struct lag_run_query){.words = "prime"}), N / 2);
    assert_int_equal(count(f, (struct lag_run_query){.tag = "odd"}), N / 2);
    assert_int_equal(count(f, (struct lag_run_query){.tag = "prime"}), 0); /* whole tags only */
    assert_int_equal(count(f, (struct lag_run_query){.tag = "odd", .words = "cat"}), 3);
    assert_int_equal(count(f, (struct lag_run_query){.states = "queued"}), 10);
    assert_int_equal(count(f, (struct lag_run_query){.states = "queued,paused", .tag = "even"}), N / 2);
    assert_int_equal(count(f, (struct lag_run_query){.waiting_for = LAG_WAITS_TURN}), 10);
    assert_int_equal(count(f, (struct lag_run_query){.waiting_for = LAG_WAITS_SHORTAGE}), 1);
    assert_int_equal(count(f, (struct lag_run_query){.waiting_for = LAG_WAITS_APPROVAL}), 0);
    struct lag_run_query many = {.words = "a b c d e f g h i", .limit = 1};
    assert_int_equal(lag_run_find(f->reader, &many, add, NULL, &f->err), LAG_EINVAL);
}

/* Pages of any size give the same list; it is in order; who has no value is last; of equals the newest first. */
static void test_orders(void **state) {
    struct fixture *f = *state;
    write_ok(f, make, NULL);
    for (int order = 0; order < LAG_RUNS_N_ORDERS; order++) {
        for (int descending = 0; descending < 2; descending++) {
            const struct lag_run_query query = {.order = (enum lag_run_order)order, .descending = descending};
            const struct found all = find(f, query, N), paged = find(f, query, 7);
            assert_int_equal(all.n, N);
            assert_int_equal(paged.n, N);
            for (int i = 0; i < N; i++) assert_string_equal(all.ids[i], paged.ids[i]);
            if (order <= LAG_RUNS_BY_NAME) continue;
            for (int i = 1; i < N; i++) {
                const double a = all.values[i - 1], b = all.values[i];
                assert_false(isnan(a) && !isnan(b));
                if (isnan(b) && !isnan(a)) continue;
                if (isnan(b) || a == b) assert_true(strcmp(all.ids[i - 1], all.ids[i]) > 0);
                else assert_true(descending ? a > b : a < b);
            }
        }
    }
    const struct found newest = find(f, (struct lag_run_query){.descending = true}, 3);
    assert_string_equal(newest.ids[0], "run_39");
    assert_string_equal(find(f, (struct lag_run_query){0}, 3).ids[0], "run_00");
    assert_string_equal(find(f, (struct lag_run_query){.order = LAG_RUNS_BY_NAME}, 3).ids[0], "run_11"); /* Dog-01 */
    const struct found best = find(f, (struct lag_run_query){.order = LAG_RUNS_BY_BEST}, 3);
    assert_string_equal(best.ids[0], "run_32"); /* of those with 0 */
}

static void expect_best(struct fixture *f, const char *id, double value, int64_t step) {
    double found;
    int64_t at;
    assert_ok(f, lag_run_best(f->reader, id, &found, &at, &f->err));
    if (isnan(value)) assert_true(isnan(found));
    else assert_true(found == value);
    assert_int_equal(at, step);
}

static int truncate_points(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_points_truncate(db, "run_1", *(const int64_t *)arg, err);
}

/* The first of the lowest, whatever comes in which order and goes again; NaN is none; other series have none. */
static void test_best(void **state) {
    struct fixture *f = *state;
    expect_best(f, "run_1", NAN, -1);
    const int64_t loss = open_series(f, "run_1", "val/loss", true), train = open_series(f, "run_1", "train/loss", true);
    put_points(f, (struct lag_point[]){{loss, 5, NAN}, {train, 5, 0.5}}, 2);
    expect_best(f, "run_1", NAN, -1);
    put_points(f, (struct lag_point[]){{loss, 10, 3}, {loss, 20, 2}, {loss, 30, 2}, {loss, 40, 2.5}}, 4);
    expect_best(f, "run_1", 2, 20);
    put_points(f, (struct lag_point[]){{loss, 15, 2}}, 1);
    expect_best(f, "run_1", 2, 15);
    write_ok(f, truncate_points, &(int64_t){12});
    expect_best(f, "run_1", 3, 10);
    put_points(f, (struct lag_point[]){{loss, 20, -0.0}}, 1);
    expect_best(f, "run_1", 0, 20);
    write_ok(f, truncate_points, &(int64_t){6});
    expect_best(f, "run_1", NAN, -1);
    struct lag_series_row row;
    assert_ok(f, lag_series_find(f->reader, "run_1", "train/loss", &row, &f->err));
    assert_true(isnan(row.min_value) && row.min_step == -1);
}

static int await(struct lag_db *db, void *arg, struct lag_error *err) {
    int rc = lag_run_set_growth(db, "run_1", "gr_1", err);
    return rc ? rc : lag_growth_set_state(db, "gr_1", arg, "", err);
}

static void test_waiting(void **state) {
    struct fixture *f = *state;
    char word[16];
    struct lag_run_row row;
    write_ok(f, await, (void *)"probing");
    assert_ok(f, lag_run_get(f->reader, "run_1", &row, &f->err));
    assert_ok(f, lag_run_waiting_for(f->reader, &row, word, &f->err));
    assert_string_equal(word, strcmp(row.state, "queued") ? "" : LAG_WAITS_TURN);
    assert_int_equal(count(f, (struct lag_run_query){.waiting_for = LAG_WAITS_APPROVAL}), 0);
    write_ok(f, await, (void *)"awaiting_approval");
    assert_ok(f, lag_run_waiting_for(f->reader, &row, word, &f->err));
    assert_string_equal(word, LAG_WAITS_APPROVAL);
    assert_int_equal(count(f, (struct lag_run_query){.waiting_for = LAG_WAITS_APPROVAL}), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_filters, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_orders, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_best, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_waiting, fixture_store, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
