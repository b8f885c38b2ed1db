/* Growths on real runs: the verdict, the winner's state, and that nothing is left of what did not win. */
#include "../slow.h"
#include "run_fixture.h"

#include "records/folders_internal.h"

#include <fcntl.h>
#include <lagd/base/clock.h>
#include <lagd/base/fs.h>
#include <lagd/base/stamp.h>
#include <lagd/engine/train.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STEPS = 40, AT = 10, LAG = 8 };

static const char *const pool[] = {"stack", "interleave", "midas", "llama_pro", ""};
static struct fixture fixture;
static char plain[LAG_ROW_ID]; /* never grown */

static void create(const char *name, char ret_id[LAG_ROW_ID]) {
    struct lagd_run_config config;
    fixture_config(&config, name, STEPS);
    fixture_create_run(&fixture, &config, ret_id);
}

static int set_up(void **unused) {
    assert_int_equal(lag_engine_setup(NULL), 0);
    fixture_open(&fixture, 2);
    create("plain", plain);
    fixture_run_to(&fixture, plain, "completed");
    return 0;
}

static int tear_down(void **unused) {
    fixture_close(&fixture);
    return 0;
}

static void create_grown(const char *name, const char *mode, char ret_run[LAG_ROW_ID], char ret_growth[LAG_ROW_ID]) {
    struct lagd_growth_request request;
    create(name, ret_run);
    fixture_growth_request(&request, AT, LAG);
    (void)snprintf(request.mode, sizeof(request.mode), "%s", mode);
    fixture_create_growth(&fixture, ret_run, &request, pool, ret_growth);
}

static void check_growth(const char *growth_id, const char *state) {
    struct lag_growth_row row;
    fixture_get_growth(&fixture, growth_id, &row);
    if (strcmp(row.state, state) != 0) fail_msg("the growth is %s (%s), not %s", row.state, row.reason, state);
}

/* Nothing of the growth holds the run any more. */
static void check_free(const char *run_id, int n_layer) {
    struct lag_run_row row;
    fixture_get_run(&fixture, run_id, &row);
    assert_string_equal(row.growth_id, "");
    assert_int_equal(row.shape.n_layer, n_layer);
    assert_int_equal(row.step, STEPS);
    assert_int_equal(fixture_count_events(&fixture, run_id, "determinism.mismatch", NULL), 0);
    struct lag_checkpoint_row checkpoints[32];
    int n = fixture_checkpoints(&fixture, run_id, checkpoints, 32);
    for (int i = 0; i < n; i++) assert_string_not_equal(checkpoints[i].kind, "candidate");
    assert_int_equal(fixture_count_folders(&fixture, run_id), n);
}

static const struct lag_candidate_row *find(const struct lag_candidate_row *rows, int n, const char *id) {
    for (int i = 0; i < n; i++)
        if (strcmp(rows[i].id, id) == 0) return &rows[i];
    fail_msg("no candidate %s", id);
    return NULL;
}

static void test_auto_end_to_end(void **unused) {
    char run[LAG_ROW_ID], growth_id[LAG_ROW_ID];
    create_grown("auto", "auto", run, growth_id);
    fixture_run_to(&fixture, run, "completed");
    check_growth(growth_id, "applied");
    check_free(run, 4);
    struct lag_growth_row growth;
    struct lag_decision_row decision;
    struct lag_candidate_row rows[8];
    fixture_get_growth(&fixture, growth_id, &growth);
    fixture_get_decision(&fixture, growth_id, &decision);
    int n = fixture_candidates(&fixture, growth_id, rows, 8);
    assert_int_equal(n, 5);
    assert_int_equal(growth.start_step, AT);
    double lowest = INFINITY, flops = 0;
    for (int i = 0; i < n; i++) {
        assert_string_equal(rows[i].state, "completed");
        assert_int_equal(rows[i].t, LAG);
        assert_int_equal(fixture_count_points(&fixture, rows[i].id, "train/loss"), LAG);
        if (rows[i].eligible && rows[i].loss_at_lag < lowest) lowest = rows[i].loss_at_lag;
        flops += rows[i].flops;
    }
    const struct lag_candidate_row *winner = find(rows, n, decision.candidate);
    assert_true(find(rows, n, decision.pick_at_lag)->loss_at_lag == lowest);
    assert_non_null(strstr(decision.tied_set, winner->id));
    if (strcmp(decision.basis, "nothing_to_decide") != 0) assert_string_equal(winner->id, decision.pick_at_lag);
    assert_true(decision.flops == flops);
    assert_string_equal(rows[n - 1].op, "none");
    /* The run, the parent and the candidates validate on the same windows, in every bit; a full evaluation has more. */
    assert_true(growth.eval_stride == 2 && growth.n_batches == 4);
    assert_true(fixture_point(&fixture, run, "val/loss", AT) == growth.parent_loss);
    assert_true(fixture_point(&fixture, rows[n - 1].id, "val/loss", AT) == growth.parent_loss);
    assert_true(rows[n - 1].loss_at_0 != growth.parent_loss);
    /* The history goes on through the winner's probe. */
    assert_int_equal(fixture_count_points(&fixture, run, "train/loss"), STEPS);
    for (int t = 1; t <= LAG; t++) {
        double of_run = fixture_point(&fixture, run, "train/loss", AT + t);
        assert_true(of_run == fixture_point(&fixture, winner->id, "train/loss", AT + t));
    }
    const double after = fixture_point(&fixture, run, "val/loss", AT + LAG);
    assert_true(after == fixture_point(&fixture, winner->id, "val/loss", AT + LAG) && after != winner->loss_at_lag);
    assert_true(fixture_point(&fixture, run, "train/loss", AT) == fixture_point(&fixture, plain, "train/loss", AT));
    struct lag_run_row plain_row, row;
    fixture_get_run(&fixture, plain, &plain_row);
    fixture_get_run(&fixture, run, &row);
    assert_int_equal(row.tokens, plain_row.tokens);
    assert_true(row.flops > plain_row.flops);
}

/* The file as memory. Its pages have been written to by the time it is old enough for its stamp to be trusted; what is
 * written to them from then on changes no stamp, so that only reading finds it. */
static char *map_the_text(void) {
    struct lag_stamp stamp;
    int fd = open(fixture.dataset.path, O_RDWR | O_CLOEXEC);
    volatile char *text = mmap(NULL, (size_t)fixture.dataset.n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(fd >= 0 && text != MAP_FAILED);
    for (int64_t i = 0; i < fixture.dataset.n_bytes; i += 1024) text[i] = text[i];
    do {
        (void)usleep(20000);
        assert_int_equal(lag_stamp_of_fd(fd, &stamp, NULL), 0);
    } while (lag_stamp_is_fresh(&stamp, lag_clock_wall_ms()));
    assert_int_equal(close(fd), 0);
    return (char *)text;
}

/* Other tokens in the same file, and back. */
static void spoil(char *text) {
    for (int64_t i = 0; i < fixture.dataset.n_bytes; i++) text[i] ^= 1;
}

/* All candidates, one after the other; from the end of the first one on, the file holds other tokens. */
static int probe_all(const char *name, bool spoilt, struct lag_candidate_row ret[8]) {
    char run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID];
    struct lagd_growth_request request;
    create(name, run_id);
    fixture_growth_request(&request, AT, STEPS - AT);
    (void)snprintf(request.mode, sizeof(request.mode), "manual");
    request.parallel = 1;
    fixture_create_growth(&fixture, run_id, &request, pool, growth_id);
    char *text = spoilt ? map_the_text() : NULL;
    struct lagd_run *run = fixture_start(&fixture, run_id);
    do {
        (void)usleep(500);
        assert_int_equal(fixture_candidates(&fixture, growth_id, ret, 8), 5);
    } while (spoilt && strcmp(ret[0].state, "completed") != 0);
    if (spoilt) spoil(text);
    fixture_wait_growth(&fixture, growth_id, "awaiting_approval");
    int n = fixture_candidates(&fixture, growth_id, ret, 8);
    if (spoilt) spoil(text);
    lagd_run_wish(run, LAGD_WISH_CANCEL, NULL);
    lagd_run_join(run);
    if (spoilt) assert_int_equal(munmap(text, (size_t)fixture.dataset.n_bytes), 0);
    return n;
}

/* What one candidate has read no other reads again. The first growth has no memory to keep it (see main), which changes
 * no bit. */
static void test_batches_are_read_once(void **unused) {
    struct lag_candidate_row from_file[8], kept[8];
    int n = probe_all("from-the-file", false, from_file);
    assert_int_equal(probe_all("from-memory", true, kept), n);
    for (int i = 0; i < n; i++) {
        assert_string_equal(kept[i].state, "completed");
        assert_true(kept[i].loss_at_0 == from_file[i].loss_at_0);
        assert_true(kept[i].loss_at_lag == from_file[i].loss_at_lag);
    }
}

static void test_checkpoints_around_a_growth_are_kept(void **unused) {
    char run[LAG_ROW_ID], growth_id[LAG_ROW_ID];
    create_grown("kept", "auto", run, growth_id);
    fixture_run_to(&fixture, run, "completed");
    struct lag_checkpoint_row rows[16];
    int n = fixture_checkpoints(&fixture, run, rows, 16), n_kept = 0;
    for (int i = 0; i < n; i++) {
        n_kept += rows[i].keep;
        if (strcmp(rows[i].kind, "pre_growth") == 0)
            assert_true(rows[i].step == AT && rows[i].shape.n_layer == 2 && rows[i].keep);
        if (strcmp(rows[i].kind, "growth") == 0)
            assert_true(rows[i].step == AT + LAG && rows[i].shape.n_layer == 4 && rows[i].keep);
        if (strcmp(rows[i].kind, "pre_decay") == 0) assert_true(rows[i].step == 33 && rows[i].keep);
    }
    assert_int_equal(n_kept, 3);
    assert_int_equal(n, 6);
}

static void test_stops_anywhere_change_nothing(void **unused) {
    char whole[LAG_ROW_ID], whole_growth[LAG_ROW_ID], run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID], expected[65],
        digest[65];
    create_grown("whole", "auto", whole, whole_growth);
    fixture_run_to(&fixture, whole, "completed");
    fixture_digest(&fixture, whole, whole_growth, expected);
    create_grown("stopped", "auto", run_id, growth_id);
    struct lag_run_row row;
    /* A probe that is stopped begins again. Each time there are 5 % more, so any machine gets through, and 200 stops
     * would have taken longer than the test may. */
    double longest_us = 500;
    int n_stops = 0;
    for (;; n_stops++, longest_us *= 1.05) {
        struct lagd_run *run = fixture_start(&fixture, run_id);
        (void)usleep((unsigned)(longest_us * (1 + n_stops % 7)));
        lagd_run_wish(run, LAGD_WISH_STOP, "");
        lagd_run_join(run);
        fixture_get_run(&fixture, run_id, &row);
        if (strcmp(row.state, "completed") == 0) break;
        assert_string_equal(row.state, "interrupted");
        assert_true(n_stops < 200);
    }
    assert_true(n_stops > 2);
    check_free(run_id, 4);
    fixture_digest(&fixture, run_id, growth_id, digest);
    assert_string_equal(digest, expected);
}

static struct lagd_run *start_until_asked(const char *run_id, const char *growth_id) {
    struct lagd_run *run = fixture_start(&fixture, run_id);
    fixture_wait_growth(&fixture, growth_id, "awaiting_approval");
    bool waiting = false;
    for (unsigned i = 0; i < 1000 * slow() && !waiting; i++) {
        waiting = atomic_load(&lagd_run_progress(run)->doing) == LAGD_DOING_AWAITING;
        (void)usleep(1000);
    }
    assert_true(waiting);
    return run;
}

static void answer(struct lagd_run *run, const char *growth_id, enum lagd_growth_event event, const char *candidate) {
    fixture_decide(&fixture, growth_id, event, candidate);
    lagd_run_wish(run, LAGD_WISH_GROWTH, NULL);
    lagd_run_join(run);
}

static void test_manual_approval(void **unused) {
    char by_lag[LAG_ROW_ID], by_lag_growth[LAG_ROW_ID], run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID], expected[65],
        digest[65];
    create_grown("by-lag", "auto", by_lag, by_lag_growth);
    fixture_run_to(&fixture, by_lag, "completed");
    fixture_digest(&fixture, by_lag, by_lag_growth, expected);
    create_grown("approved", "manual", run_id, growth_id);
    struct lagd_run *run = start_until_asked(run_id, growth_id);
    struct lag_candidate_row rows[8];
    int n = fixture_candidates(&fixture, growth_id, rows, 8);
    for (int i = 0; i < n; i++) assert_string_not_equal(rows[i].checkpoint, "");
    /* A restart while it waits goes on waiting. */
    lagd_run_wish(run, LAGD_WISH_STOP, NULL);
    lagd_run_join(run);
    run = start_until_asked(run_id, growth_id);
    answer(run, growth_id, LAGD_GROWTH_ON_APPROVED, NULL);
    check_growth(growth_id, "applied");
    check_free(run_id, 4);
    fixture_digest(&fixture, run_id, growth_id, digest);
    assert_string_equal(digest, expected);
}

/* Whenever the end of the growth reaches a thread that starts, the run's row tells that it trains again. */
static void test_cancelled_while_it_opens(void **unused) {
    for (int i = 0; i < 8; i++) {
        char name[32], run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID];
        (void)snprintf(name, sizeof(name), "opens-%d", i);
        create_grown(name, "manual", run_id, growth_id);
        struct lagd_run *run = start_until_asked(run_id, growth_id);
        lagd_run_wish(run, LAGD_WISH_STOP, NULL);
        lagd_run_join(run);
        run = fixture_start(&fixture, run_id);
        (void)usleep(slow() * (unsigned)i * 500);
        answer(run, growth_id, LAGD_GROWTH_ON_CANCEL, NULL);
        assert_int_equal(fixture_count_events(&fixture, run_id, "run.state", "running"), 2);
        check_free(run_id, 2);
    }
}

static void test_override_applies_the_chosen_one(void **unused) {
    static const char *const only[] = {"stack", ""};
    char run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID], other[LAG_ROW_ID], other_growth[LAG_ROW_ID];
    create_grown("overridden", "manual", run_id, growth_id);
    struct lagd_run *run = start_until_asked(run_id, growth_id);
    struct lag_candidate_row rows[8];
    assert_int_equal(fixture_candidates(&fixture, growth_id, rows, 8), 5);
    assert_string_equal(rows[0].op, "stack");
    answer(run, growth_id, LAGD_GROWTH_ON_APPROVED, rows[0].id);
    check_free(run_id, 4);
    struct lagd_growth_request request;
    create("only-stack", other);
    fixture_growth_request(&request, AT, LAG);
    fixture_create_growth(&fixture, other, &request, only, other_growth);
    fixture_run_to(&fixture, other, "completed");
    fixture_assert_equal_runs(&fixture, run_id, other);
}

static void test_rejection_leaves_no_trace_in_the_run(void **unused) {
    char run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID];
    create_grown("rejected", "manual", run_id, growth_id);
    answer(start_until_asked(run_id, growth_id), growth_id, LAGD_GROWTH_ON_REJECTED, NULL);
    check_growth(growth_id, "rejected");
    check_free(run_id, 2);
    fixture_assert_equal_runs(&fixture, plain, run_id);
}

static void test_cancelled_while_probing(void **unused) {
    char run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID];
    struct lagd_growth_request request;
    create("withdrawn", run_id);
    fixture_growth_request(&request, AT, STEPS - AT);
    fixture_create_growth(&fixture, run_id, &request, pool, growth_id);
    struct lagd_run *run = fixture_start(&fixture, run_id);
    fixture_wait_growth(&fixture, growth_id, "probing");
    struct lag_candidate_row rows[8];
    int n = fixture_candidates(&fixture, growth_id, rows, 8), n_cancelled = 0;
    for (int i = 0; i < n; i++) { /* as if each had kept its state on the way: check_free counts the folders */
        char relative[LAG_ROW_PATH], path[LAGD_STATE_PATH];
        lagd_probe_state_path(run_id, rows[i].id, relative);
        lagd_state_path(&fixture.deps, relative, path);
        assert_int_equal(lag_fs_mkdirs(path, NULL), 0);
    }
    answer(run, growth_id, LAGD_GROWTH_ON_CANCEL, NULL);
    check_growth(growth_id, "cancelled");
    check_free(run_id, 2);
    fixture_assert_equal_runs(&fixture, plain, run_id);
    n = fixture_candidates(&fixture, growth_id, rows, 8);
    for (int i = 0; i < n; i++) n_cancelled += strcmp(rows[i].state, "cancelled") == 0;
    assert_true(n_cancelled > 0);
}

static void test_cancelled_run_cancels_its_growth(void **unused) {
    char run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID];
    create_grown("both", "manual", run_id, growth_id);
    struct lagd_run *run = start_until_asked(run_id, growth_id);
    lagd_run_wish(run, LAGD_WISH_CANCEL, "enough");
    lagd_run_join(run);
    struct lag_run_row row;
    fixture_get_run(&fixture, run_id, &row);
    assert_string_equal(row.state, "cancelled");
    assert_string_equal(row.growth_id, "");
    check_growth(growth_id, "cancelled");
}

static void test_reference_may_win(void **unused) {
    char run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID];
    create_grown("as-it-was", "manual", run_id, growth_id);
    struct lagd_run *run = start_until_asked(run_id, growth_id);
    struct lag_candidate_row rows[8];
    int n = fixture_candidates(&fixture, growth_id, rows, 8);
    answer(run, growth_id, LAGD_GROWTH_ON_APPROVED, rows[n - 1].id);
    check_growth(growth_id, "applied");
    check_free(run_id, 2);
    /* Not growing is training on: every training point is the plain run's. */
    for (int step = 1; step <= STEPS; step++) {
        double here = fixture_point(&fixture, run_id, "train/loss", step);
        assert_true(here == fixture_point(&fixture, plain, "train/loss", step));
    }
}

static void test_all_diverge(void **unused) {
    char run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID], same[LAG_ROW_ID];
    struct lagd_run_config config;
    struct lagd_growth_request request;
    fixture_config(&config, "wild", 12);
    config.lr = 3; /* far too high: every loss climbs from ln 256 */
    config.warmup_steps = 0;
    config.grad_clip = 0;
    fixture_create_run(&fixture, &config, run_id);
    fixture_growth_request(&request, 0, 8);
    request.divergence_bound = 0.5;
    fixture_create_growth(&fixture, run_id, &request, pool, growth_id);
    fixture_run_to(&fixture, run_id, "completed");
    check_growth(growth_id, "failed");
    struct lag_candidate_row rows[8];
    int n = fixture_candidates(&fixture, growth_id, rows, 8);
    for (int i = 0; i < n; i++) {
        assert_string_equal(rows[i].state, "diverged");
        assert_string_not_equal(rows[i].reason, "");
    }
    (void)snprintf(config.name, sizeof(config.name), "wild-too");
    fixture_create_run(&fixture, &config, same);
    fixture_run_to(&fixture, same, "completed");
    fixture_assert_equal_runs(&fixture, same, run_id);
}

static void test_no_room_for_the_probe(void **unused) {
    char run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID];
    struct lagd_growth_request request;
    create("too-late", run_id);
    fixture_growth_request(&request, -1, LAG);
    fixture_create_growth(&fixture, run_id, &request, pool, growth_id);
    fixture_run_to(&fixture, run_id, "completed");
    check_growth(growth_id, "applied");
    struct lag_growth_row row;
    fixture_get_growth(&fixture, growth_id, &row);
    assert_int_equal(row.start_step, 0);
}

static void test_other_runs_are_not_disturbed(void **unused) {
    char grown[2][LAG_ROW_ID], growths[2][LAG_ROW_ID], other[LAG_ROW_ID], first[65], second[65];
    create_grown("side-1", "auto", grown[0], growths[0]);
    create_grown("side-2", "auto", grown[1], growths[1]);
    create("bystander", other);
    struct lagd_run *runs[3] = {fixture_start(&fixture, grown[0]), fixture_start(&fixture, grown[1]),
                                fixture_start(&fixture, other)};
    for (int i = 0; i < 3; i++) lagd_run_join(runs[i]);
    fixture_assert_equal_runs(&fixture, plain, other);
    fixture_digest(&fixture, grown[0], growths[0], first);
    fixture_digest(&fixture, grown[1], growths[1], second);
    assert_string_equal(first, second);
}

static void damage(const char *run_id, const char *kind) {
    struct lag_checkpoint_row rows[16];
    int n = fixture_checkpoints(&fixture, run_id, rows, 16);
    for (int i = 0; i < n; i++) {
        if (kind && strcmp(rows[i].kind, kind) != 0) continue;
        if (!kind && rows[i].step <= AT) continue;
        char path[1200];
        (void)snprintf(path, sizeof(path), "%s/%s/manifest.json", fixture.dir, rows[i].path);
        assert_int_equal(truncate(path, 10), 0);
    }
}

/* Every checkpoint of the grown shape is lost: the run goes back, meets the decided growth again and ends the same. */
static void test_lost_growth_is_applied_again(void **unused) {
    char whole[LAG_ROW_ID], whole_growth[LAG_ROW_ID], run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID];
    create_grown("unharmed", "auto", whole, whole_growth);
    fixture_run_to(&fixture, whole, "completed");
    struct lagd_run_config config;
    struct lagd_growth_request request;
    fixture_config(&config, "harmed", 3000);
    config.checkpoint_every = 1000;
    fixture_create_run(&fixture, &config, run_id);
    fixture_growth_request(&request, AT, LAG);
    fixture_create_growth(&fixture, run_id, &request, pool, growth_id);
    struct lagd_run *run = fixture_start(&fixture, run_id);
    fixture_wait_growth(&fixture, growth_id, "applied");
    lagd_run_wish(run, LAGD_WISH_STOP, NULL);
    lagd_run_join(run);
    damage(run_id, NULL);
    run = fixture_start(&fixture, run_id);
    fixture_wait_step(&fixture, run_id, 100);
    lagd_run_wish(run, LAGD_WISH_STOP, NULL);
    lagd_run_join(run);
    check_growth(growth_id, "applied");
    struct lag_run_row row;
    fixture_get_run(&fixture, run_id, &row);
    assert_int_equal(row.shape.n_layer, 4);
    assert_int_equal(fixture_count_events(&fixture, run_id, "determinism.mismatch", NULL), 0);
    for (int step = 1; step <= AT + LAG + 5; step++)
        assert_true(fixture_point(&fixture, run_id, "train/loss", step) ==
                    fixture_point(&fixture, whole, "train/loss", step));
}

int main(void) {
    if (setenv("LAGD_FAILPOINTS", "dataset.keep=fail@1", 1) != 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_are_read_once), /* has the first growth */
        cmocka_unit_test(test_auto_end_to_end),
        cmocka_unit_test(test_checkpoints_around_a_growth_are_kept),
        cmocka_unit_test(test_stops_anywhere_change_nothing),
        cmocka_unit_test(test_manual_approval),
        cmocka_unit_test(test_cancelled_while_it_opens),
        cmocka_unit_test(test_override_applies_the_chosen_one),
        cmocka_unit_test(test_rejection_leaves_no_trace_in_the_run),
        cmocka_unit_test(test_cancelled_while_probing),
        cmocka_unit_test(test_cancelled_run_cancels_its_growth),
        cmocka_unit_test(test_reference_may_win),
        cmocka_unit_test(test_all_diverge),
        cmocka_unit_test(test_no_room_for_the_probe),
        cmocka_unit_test(test_other_runs_are_not_disturbed),
        cmocka_unit_test(test_lost_growth_is_applied_again),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
