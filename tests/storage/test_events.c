/* Every query of events, of idempotency keys, of the calendar that both are pruned by, and of the newest ids. */
#include "lists_fixture.h"
#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/storage/calendar.h>
#include <lagd/storage/keys.h>
#include <math.h>
#include <stdlib.h>

DEFINE_ADD(add_event, lag_event_row, message)
DEFINE_WRITE(insert_event, lag_event_put)
DEFINE_WRITE(insert_run, lag_run_insert)
DEFINE_WRITE(set_calendar, lag_calendar_set)

static int put_event(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_event event = {.type = LAG_EVENT_RUN_STATE, .run_id = "run_1", .state = "paused"};
    return lag_event_put(db, &event, err);
}

static void test_calendar(void **state) {
    struct fixture *f = *state;
    struct lag_calendar_row row = {7, 7};
    assert_int_equal(lag_calendar_get(f->reader, &row, &f->err), 0);
    assert_true(row.seen_ms == 0 && row.doubt_ms == 0);
    int64_t before_ms = lag_clock_wall_ms();
    write_ok(f, put_event, NULL);
    assert_int_equal(lag_calendar_get(f->reader, &row, &f->err), 0); /* of an older lagd: by its newest event */
    assert_true(row.seen_ms >= before_ms && row.seen_ms <= lag_clock_wall_ms() && row.doubt_ms == 0);
    for (int64_t i = 5; i < 7; i++) {
        row = (struct lag_calendar_row){1000 * i, i};
        write_ok(f, set_calendar, &row);
        row = (struct lag_calendar_row){0};
        assert_int_equal(lag_calendar_get(f->reader, &row, &f->err), 1);
        assert_true(row.seen_ms == 1000 * i && row.doubt_ms == i);
    }
}

static void add_newest(const char *id, void *arg) {
    struct ids *ids = arg;
    size_t used = strlen(ids->text);
    (void)snprintf(ids->text + used, sizeof ids->text - used, "%s ", id);
}

static void test_newest_ids(void **state) {
    struct fixture *f = *state;
    struct ids ids = {0};
    struct lag_run_row row = sample_run("run_3", "third");
    write_ok(f, insert_run, &row);
    assert_ok(f, lag_ids_newest(f->reader, add_newest, &ids, &f->err));
    assert_string_equal(ids.text, "run_3 ds_1 gr_1 cand_2 ");
}

static int prune_all(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_event_prune(db, INT64_MAX, 100, (int64_t[]){0}, err);
}
static int copy_event(const struct lag_event_row *row, void *arg) {
    *(struct lag_event_row *)arg = *row;
    return 0;
}

/* A row has what its type has, and nothing else; every type has a name of its own and says what it tells. */
static void test_event_types(void **state) {
    struct fixture *f = *state;
    struct lag_event_row row;
    struct lag_event event = {.type = LAG_EVENT_DATASET_ADDED, .step = 3, .value = 0.5, .message = "words"};
    write_ok(f, insert_event, &event);
    assert_ok(f, lag_event_list(f->reader, 0, NULL, 10, copy_event, &row, &f->err));
    assert_string_equal(row.type, "dataset.added");
    assert_string_equal(row.message, "words");
    assert_true(row.step == -1 && isnan(row.value) && !row.run_id[0] && row.ts_ms > 0);
    event = (struct lag_event){.type = LAG_EVENT_RUN_CHECKPOINT, .run_id = "run_1", .state = "final", .step = 7,
                               .value = 9};
    write_ok(f, insert_event, &event);
    assert_ok(f, lag_event_list(f->reader, row.seq, NULL, 10, copy_event, &row, &f->err));
    assert_true(row.step == 7 && row.value == 9 && lag_event_is(row.type, LAG_EVENT_RUN_CHECKPOINT));
    assert_string_equal(row.run_id, "run_1");
    assert_string_equal(row.state, "final");
    assert_string_equal(row.message, "");
    for (int i = 0; i < LAG_N_EVENT_TYPES; i++) {
        const struct lag_event_kind *kind = lag_event_kind((enum lag_event_type)i);
        assert_true(kind->name && strchr(kind->name, '.') && kind->help && kind->help[0]);
        for (int j = 0; j < LAG_N_EVENT_TYPES; j++)
            assert_int_equal(lag_event_is(kind->name, (enum lag_event_type)j), i == j);
    }
    assert_string_equal(lag_event_severity_name(lag_event_kind(LAG_EVENT_SYSTEM_WARNING)->severity), "warning");
    assert_string_equal(lag_event_severity_name(lag_event_kind(LAG_EVENT_RUN_STATE)->severity), "info");
}

static int prune_none(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_event_prune(db, 0, 100, (int64_t[]){0}, err);
}

static void test_events(void **state) {
    struct fixture *f = *state;
    int64_t first, last;
    assert_ok(f, lag_event_bounds(f->reader, &first, &last, &f->err));
    assert_true(first == 0 && last == 0);
    for (int i = 0; i < 4; i++) {
        char message[8];
        (void)snprintf(message, sizeof message, "e%d", i + 1);
        struct lag_event event = {.type = LAG_EVENT_RUN_STATE, .step = LAG_NO_STEP, .message = message,
                                  .run_id = i % 2 ? "run_1" : NULL};
        write_ok(f, insert_event, &event);
    }
    struct ids ids = {0};
    assert_ok(f, lag_event_list(f->reader, 1, NULL, 2, add_event, &ids, &f->err));
    assert_ok(f, lag_event_list(f->reader, 0, "run_1", 10, add_event, &ids, &f->err));
    assert_string_equal(ids.text, "e2 e3 e2 e4 ");
    static const int64_t before[] = {4, 2, 0, 0}; /* behind it there are n events of the run */
    for (int n = 0; n < (int)LAG_COUNT(before); n++) {
        assert_ok(f, lag_event_before_last(f->reader, "run_1", n, &first, &f->err));
        assert_int_equal(first, before[n]);
    }
    write_ok(f, prune_none, NULL);
    assert_ok(f, lag_event_bounds(f->reader, &first, &last, &f->err));
    assert_true(first == 1 && last == 4);
    write_ok(f, prune_all, NULL);
    assert_ok(f, lag_event_bounds(f->reader, &first, &last, &f->err));
    assert_true(first == 4 && last == 4);
}

static int put_key(struct lag_db *db, void *arg, struct lag_error *err) { return lag_key_put(db, arg, NULL, err); }
static int put_answer(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_key_put(db, arg, "{\"id\": \"run_1\"}", err);
}
static int prune_keys(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_key_prune(db, *(int64_t *)arg, 100, (int64_t[]){0}, err);
}

static void test_keys(void **state) {
    struct fixture *f = *state;
    const int64_t t = INT64_C(5000000000), life = LAG_KEY_LIFE_MS;
    struct lag_key_row row = {.key = "k", .fingerprint = "f", .resource = "run_1", .created_ms = t}, found;
    char *body = NULL;
    assert_int_equal(lag_key_find(f->reader, "k", t, &found, &body, &f->err), 0);
    write_ok(f, put_key, &row);
    assert_int_equal(lag_key_find(f->reader, "k", t, &found, &body, &f->err), 1);
    assert_null(body);
    assert_int_equal(found.status, 0);
    assert_string_equal(found.resource, "run_1");
    /* The answer may be filled in once, by the same request only. */
    struct lag_key_row other = {.key = "k", .fingerprint = "g", .status = 200, .created_ms = t + 1};
    assert_int_equal(lag_store_write(f->store, put_answer, &other, &f->err), LAG_EEXIST);
    struct lag_key_row answer = {.key = "k", .fingerprint = "f", .status = 201, .headers = "ETag: \"r1\"\n",
        .created_ms = t + 2};
    write_ok(f, put_answer, &answer);
    assert_int_equal(lag_key_find(f->reader, "k", t, &found, &body, &f->err), 1);
    assert_string_equal(body, "{\"id\": \"run_1\"}");
    assert_string_equal(found.headers, answer.headers);
    assert_string_equal(found.resource, "run_1"); /* kept from before */
    assert_int_equal(found.status, 201);
    free(body);
    assert_int_equal(lag_store_write(f->store, put_answer, &answer, &f->err), LAG_EEXIST);
    /* A day later it counts for nothing: not found, and free for another request. */
    assert_int_equal(lag_key_find(f->reader, "k", t + 2 + life, &found, NULL, &f->err), 1);
    assert_int_equal(lag_key_find(f->reader, "k", t + 3 + life, &found, NULL, &f->err), 0);
    other.created_ms = t + 3 + life;
    write_ok(f, put_answer, &other);
    assert_int_equal(lag_key_find(f->reader, "k", t + 3 + life, &found, NULL, &f->err), 1);
    assert_string_equal(found.fingerprint, "g");
    int64_t before = t + 3 + life;
    write_ok(f, prune_keys, &before);
    assert_int_equal(lag_key_find(f->reader, "k", before, &found, NULL, &f->err), 1);
    before++;
    write_ok(f, prune_keys, &before);
    assert_int_equal(lag_key_find(f->reader, "k", 0, &found, NULL, &f->err), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_calendar, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_newest_ids, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_event_types, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_events, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_keys, fixture_store, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
