/* Studies and the runs they are made of, as stored. */
#include "fixture.h"
#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/studies.h>
#include <stdio.h>
#include <string.h>

static struct lag_study_row sample(const char *id, const char *name, const char *state) {
    struct lag_study_row row = {.start_step = 7, .horizon = 100, .delta = 0.005, .parent_flops = 1e9,
                                .decay_fraction = 0.2, .revision = 1, .created_ms = 5, .updated_ms = 5};
    (void)lag_copy(row.id, sizeof row.id, id);
    (void)lag_copy(row.name, sizeof row.name, name);
    (void)lag_copy(row.state, sizeof row.state, state);
    (void)lag_copy(row.parent_run, sizeof row.parent_run, "run_1");
    (void)lag_copy(row.parent_name, sizeof row.parent_name, "first");
    (void)lag_copy(row.parent_checkpoint, sizeof row.parent_checkpoint, "ckpt_1");
    (void)lag_copy(row.request, sizeof row.request, "name=x\n");
    (void)lag_copy(row.config, sizeof row.config, "seed=1\n");
    (void)lag_copy(row.pool, sizeof row.pool, "stack\ninterleave\n");
    return row;
}

static int put_dataset(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_dataset_insert(db, arg, err);
}
static int insert(struct lag_db *db, void *arg, struct lag_error *err) { return lag_study_insert(db, arg, err); }
static int insert_run(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_study_run_insert(db, arg, err);
}
static int set_run(struct lag_db *db, void *arg, struct lag_error *err) { return lag_study_run_set(db, arg, err); }
static int end_it(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_study_set_state(db, arg, "completed", "done", err);
}
static int say(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_study_set_reason(db, arg, "running", "waits for memory", err);
}
static int say_late(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_study_set_reason(db, arg, "paused", "waits for memory no more", err);
}
static int delete_it(struct lag_db *db, void *arg, struct lag_error *err) { return lag_study_delete(db, arg, err); }

static int add_name(const struct lag_study_row *row, void *arg) {
    char *names = arg;
    (void)snprintf(names + strlen(names), 60 - strlen(names), "%s ", row->name);
    return 0;
}

static int add_stage(const struct lag_study_run_row *row, void *arg) {
    char *stages = arg;
    (void)snprintf(stages + strlen(stages), 90 - strlen(stages), "%s:%s:%s ", row->role, row->stage, row->run_id);
    return 0;
}

static void rows_come_back_as_they_were(void **state) {
    struct fixture *f = *state;
    struct lag_study_row row = sample("st_1", "one", "running"), again = sample("st_2", "one", "running"), found;
    write_ok(f, insert, &row);
    assert_int_equal(lag_store_write(f->store, insert, &again, &f->err), LAG_EEXIST);
    assert_string_equal(f->err.pointer, "/name");
    assert_ok(f, lag_study_get(f->reader, "one", &found, &f->err));
    assert_string_equal(found.id, "st_1");
    assert_string_equal(found.pool, row.pool);
    assert_string_equal(found.config, row.config);
    assert_true(found.delta == 0.005 && found.decay_fraction == 0.2 && found.horizon == 100 && found.start_step == 7);
    write_ok(f, say, (void *)"st_1");
    write_ok(f, say_late, (void *)"st_1"); /* it was paused when that was to be told, and no longer is */
    assert_ok(f, lag_study_get(f->reader, "st_1", &found, &f->err));
    assert_string_equal(found.reason, "waits for memory");
    assert_string_equal(found.state, "running");
    assert_int_equal(found.revision, 2);
    assert_int_equal(lag_study_get(f->reader, "two", &found, &f->err), LAG_ENOTFOUND);
    assert_string_equal(f->err.text, "study two does not exist");
}

static void lists_tell_who_is_alive(void **state) {
    struct fixture *f = *state;
    char all[64] = "", alive[64] = "";
    struct lag_study_row one = sample("st_1", "one", "running"), two = sample("st_2", "two", "paused");
    write_ok(f, insert, &one);
    write_ok(f, insert, &two);
    write_ok(f, end_it, (void *)"st_1");
    assert_ok(f, lag_study_list(f->reader, false, 10, add_name, all, &f->err));
    assert_ok(f, lag_study_list(f->reader, true, 10, add_name, alive, &f->err));
    assert_string_equal(all, "two one ");
    assert_string_equal(alive, "two ");
}

static void its_runs_go_with_it(void **state) {
    struct fixture *f = *state;
    char stages[96] = "";
    struct lag_study_run_row found;
    struct lag_study_row row = sample("st_1", "one", "running");
    struct lag_study_run_row b = {"st_1", 1, "scratch", 3, 50, "planned", "", ""};
    struct lag_study_run_row a = {"st_1", 0, "candidates", 3, 107, "planned", "", ""};
    write_ok(f, insert, &row);
    write_ok(f, insert_run, &b);
    write_ok(f, insert_run, &a);
    assert_int_equal(lag_study_of_run(f->reader, "run_1", &found, &f->err), 0);
    (void)lag_copy(a.stage, sizeof a.stage, "made");
    (void)lag_copy(a.run_id, sizeof a.run_id, "run_1");
    write_ok(f, set_run, &a);
    assert_ok(f, lag_study_run_list(f->reader, "st_1", add_stage, stages, &f->err));
    assert_string_equal(stages, "candidates:made:run_1 scratch:planned: ");
    assert_int_equal(lag_study_of_run(f->reader, "run_1", &found, &f->err), 1);
    assert_int_equal(found.max_steps, 107);
    write_ok(f, delete_it, (void *)"st_1");
    assert_int_equal(lag_study_of_run(f->reader, "run_1", &found, &f->err), 0);
    assert_int_equal(lag_store_write(f->store, delete_it, (void *)"st_1", &f->err), LAG_ENOTFOUND);
}

/* --- who gives way --- */

static int put_run(struct lag_db *db, void *arg, struct lag_error *err) { return lag_run_insert(db, arg, err); }
static int put_growth(struct lag_db *db, void *arg, struct lag_error *err) { return lag_growth_insert(db, arg, err); }
static int wait_for_more(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_run_set_waits(db, arg, true, err);
}

static const struct lag_dataset_row own_data = {
    .id = "ds_own", .name = "own data", .origin = "file", .path = "/x", .format = "text"};

struct move { const char *id, *state; };
static int move_run(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct move *move = arg;
    return lag_run_set_state(db, move->id, move->state, "", err);
}
static int move_study(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct move *move = arg;
    return lag_study_set_state(db, move->id, move->state, "", err);
}
static int move_growth(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct move *move = arg;
    return lag_growth_set_state(db, move->id, move->state, "", err);
}

static void gives_way(struct fixture *f, bool expected) {
    assert_int_equal(lag_study_gives_way(f->reader, "st_low", &f->err), expected);
}

static void set(struct fixture *f, lag_write_fn *fn, const char *id, const char *state) {
    struct move move = {id, state};
    write_ok(f, fn, &move);
}

static void an_audit_gives_way_to_all_others(void **state) {
    struct fixture *f = *state;
    struct lag_dataset_row data = own_data;
    struct lag_run_row own = {.id = "run_own", .name = "own", .dataset_id = "ds_own", .state = "growing"};
    struct lag_run_row other = {.id = "run_other", .name = "other", .dataset_id = "ds_own", .state = "paused",
                                .growth_id = "gr_o"};
    struct lag_growth_row growth = {.id = "gr_o", .run_id = "run_other", .state = "probing", .mode = "manual"};
    struct lag_study_run_row item = {"st_low", 0, "candidates", 3, 50, "started", "run_own", ""};
    struct lag_study_row low = sample("st_low", "low", "running"), plain = sample("st_z", "plain", "completed");
    low.priority = -1;
    write_ok(f, put_dataset, &data);
    write_ok(f, put_run, &own);
    write_ok(f, put_run, &other);
    write_ok(f, put_growth, &growth);
    write_ok(f, insert, &low);
    write_ok(f, insert_run, &item);
    set(f, move_run, "run_1", "completed");
    gives_way(f, false); /* its own run is none that it gives way to, nor is one that is paused */
    static const struct { const char *state; bool wants; } states[] = {
        {"queued", true}, {"running", true}, {"growing", true}, {"paused", false}, {"completed", false},
        {"interrupted", false}, {"failed", false}};
    for (size_t i = 0; i < LAG_COUNT(states); i++) {
        set(f, move_run, "run_other", states[i].state);
        gives_way(f, states[i].wants);
    }
    set(f, move_run, "run_other", "growing");
    set(f, move_growth, "gr_o", "awaiting_approval"); /* it computes nothing until a person has decided */
    gives_way(f, false);
    set(f, move_run, "run_other", "paused");
    write_ok(f, wait_for_more, (void *)"run_other");
    gives_way(f, true); /* what it is short of may be what the audit holds */
    set(f, move_run, "run_other", "paused");
    gives_way(f, false);
    write_ok(f, insert, &plain);
    gives_way(f, false);
    set(f, move_study, "st_z", "running");
    gives_way(f, true); /* between two of its runs, too */
    set(f, move_study, "st_z", "paused");
    gives_way(f, false);
    /* of two audits the older one goes first */
    struct lag_study_row older = sample("st_a", "older", "running"), younger = sample("st_y", "younger", "running");
    older.priority = younger.priority = -1;
    write_ok(f, insert, &younger);
    gives_way(f, false);
    write_ok(f, insert, &older);
    gives_way(f, true);
}

static void a_growth_tells_of_its_audit(void **state) {
    struct fixture *f = *state;
    struct lag_dataset_row data = own_data;
    struct lag_run_row run = {.id = "run_audited", .name = "audited", .dataset_id = "ds_own", .state = "paused"};
    struct lag_growth_row growth = {.id = "gr_a", .run_id = "run_audited", .state = "applied", .mode = "auto",
                                    .audit = "made", .revision = 4};
    struct lag_study_row study = sample("st_1", "one", "running"), found;
    (void)lag_copy(study.growth_id, sizeof study.growth_id, "gr_a");
    write_ok(f, put_dataset, &data);
    write_ok(f, put_run, &run);
    write_ok(f, put_growth, &growth);
    assert_int_equal(lag_study_of_growth(f->reader, "gr_a", &found, &f->err), 0);
    write_ok(f, insert, &study);
    assert_int_equal(lag_study_of_growth(f->reader, "gr_a", &found, &f->err), 1);
    assert_string_equal(found.id, "st_1");
    write_ok(f, end_it, (void *)"st_1");
    assert_ok(f, lag_growth_get(f->reader, "gr_a", &growth, &f->err));
    assert_int_equal(growth.revision, 5);
    assert_string_equal(growth.audit, "made");
    write_ok(f, delete_it, (void *)"st_1");
    assert_ok(f, lag_growth_get(f->reader, "gr_a", &growth, &f->err));
    assert_int_equal(growth.revision, 6);
    assert_string_equal(growth.audit, "");
}

/* Until each run of it is made, and as long as an audit is wanted. */
static void a_checkpoint_is_needed_until_it_is_forked(void **state) {
    struct fixture *f = *state;
    char by[LAG_ROW_ID] = "";
    struct lag_dataset_row data = own_data;
    struct lag_run_row run = {.id = "run_audited", .name = "audited", .dataset_id = "ds_own", .state = "completed"};
    struct lag_growth_row growth = {.id = "gr_a", .run_id = "run_audited", .state = "probing", .mode = "auto",
                                    .audit = "wanted", .parent_checkpoint = "ckpt_a"};
    struct lag_study_row study = sample("st_1", "one", "running");
    struct lag_study_run_row a = {"st_1", 0, "candidates", 3, 107, "made", "run_1", ""};
    struct lag_study_run_row b = {"st_1", 1, "candidates", 4, 107, "planned", "", ""};
    write_ok(f, insert, &study);
    write_ok(f, insert_run, &a);
    assert_int_equal(lag_checkpoint_is_needed(f->reader, "ckpt_1", by, &f->err), 0);
    write_ok(f, insert_run, &b);
    assert_int_equal(lag_checkpoint_is_needed(f->reader, "ckpt_1", by, &f->err), 1);
    assert_string_equal(by, "st_1");
    assert_int_equal(lag_checkpoint_is_needed(f->reader, "ckpt_2", by, &f->err), 0);
    write_ok(f, end_it, (void *)"st_1"); /* it has ended before that was made */
    assert_int_equal(lag_checkpoint_is_needed(f->reader, "ckpt_1", by, &f->err), 0);
    write_ok(f, put_dataset, &data);
    write_ok(f, put_run, &run);
    write_ok(f, put_growth, &growth);
    static const struct { const char *state; bool needed; } states[] = {
        {"probing", true}, {"applied", true}, {"rejected", false}, {"cancelled", false}, {"failed", false}};
    for (size_t i = 0; i < LAG_COUNT(states); i++) {
        set(f, move_growth, "gr_a", states[i].state);
        assert_int_equal(lag_checkpoint_is_needed(f->reader, "ckpt_a", by, &f->err), states[i].needed);
        assert_string_equal(by, states[i].needed ? "gr_a" : by);
    }
}

static int put_parent(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_growth_parent_insert(db, arg, err);
}
static int put_checkpoint(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_checkpoint_insert(db, arg, NULL, 0, err);
}

/* A checkpoint whose model a growth fuses stays until that has ended; in a study, until the study has. */
static void what_is_fused_is_told(void **state) {
    struct fixture *f = *state;
    char by[LAG_ROW_ID] = "";
    struct lag_dataset_row data = own_data;
    struct lag_run_row run = {.id = "run_own", .name = "own", .dataset_id = "ds_own", .state = "running"};
    struct lag_run_row other = {.id = "run_other", .name = "other", .dataset_id = "ds_own", .state = "completed"};
    struct lag_growth_row growth = {.id = "gr_f", .run_id = "run_own", .state = "queued", .mode = "auto"};
    struct lag_checkpoint_row checkpoint = {.id = "ckpt_f", .run_id = "run_other", .kind = "final", .path = "x"};
    struct lag_growth_parent_row parent = {.growth_id = "gr_f", .checkpoint_id = "ckpt_f", .run_id = "run_other",
                                           .run_name = "other", .step = 7, .memory_bytes = 9};
    struct lag_study_row study = sample("st_f", "fusing", "running");
    write_ok(f, put_dataset, &data);
    write_ok(f, put_run, &run);
    write_ok(f, put_run, &other);
    write_ok(f, put_checkpoint, &checkpoint);
    write_ok(f, put_growth, &growth);
    assert_int_equal(lag_run_is_fused(f->reader, "run_other", by, &f->err), 0);
    write_ok(f, put_parent, &parent);
    static const struct { const char *state; bool needed; } states[] = {
        {"queued", true}, {"probing", true}, {"awaiting_approval", true}, {"decided", true}, {"applying", true},
        {"applied", false}, {"rejected", false}, {"cancelled", false}, {"failed", false}};
    for (size_t i = 0; i < LAG_COUNT(states); i++) {
        set(f, move_growth, "gr_f", states[i].state);
        assert_int_equal(lag_checkpoint_is_fused(f->reader, "ckpt_f", by, &f->err), states[i].needed);
        assert_int_equal(lag_run_is_fused(f->reader, "run_other", by, &f->err), states[i].needed);
        assert_int_equal(lag_run_is_fused(f->reader, "run_own", by, &f->err), 0);
        if (states[i].needed) assert_string_equal(by, "gr_f");
    }
    assert_int_equal(lag_checkpoint_is_fused(f->reader, "ckpt_g", by, &f->err), 0);
    (void)lag_copy(study.pool, sizeof study.pool, "fuse lambda=0.5 parents=ckpt_e+ckpt_g\n");
    write_ok(f, insert, &study);
    assert_int_equal(lag_checkpoint_is_fused(f->reader, "ckpt_g", by, &f->err), 1);
    assert_string_equal(by, "st_f");
    write_ok(f, end_it, (void *)"st_f");
    assert_int_equal(lag_checkpoint_is_fused(f->reader, "ckpt_g", by, &f->err), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_store, fixture_end)
int main(void) {
    const struct CMUnitTest tests[] = {TEST(rows_come_back_as_they_were), TEST(lists_tell_who_is_alive),
                                       TEST(its_runs_go_with_it), TEST(an_audit_gives_way_to_all_others),
                                       TEST(a_growth_tells_of_its_audit),
                                       TEST(a_checkpoint_is_needed_until_it_is_forked), TEST(what_is_fused_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
