/* daemon/commands/waiting.c: who asked for a run's stop is answered once, with what became of the run. The supervisor
 * is made but does not run: each call is made here, as its thread would. */
#include "rows_fixture.h"

#include "commands/command_internal.h"
#include "supervisor/supervisor_internal.h"

#define RUN "run_waits"
#define FAR_NS (3600 * INT64_C(1000000000))

static struct fixture f;
static struct lagd_commands *c;
/* What the last answered command said. */
static struct {
    int n, status;
    char text[512], state[LAG_ROW_STATE];
} answered;

static void on_done(struct lagd_command *command) {
    answered.n++;
    answered.status = command->status;
    lag_copy(answered.text, sizeof(answered.text), command->err.text);
    lag_copy(answered.state, sizeof(answered.state), command->state);
    lagd_command_destroy(command);
}

static struct lagd_command *ask(enum lagd_command_type type) {
    struct lagd_command *command = fixture_command(type, RUN);
    command->done = on_done;
    return command;
}

static void put_run(const char *state) {
    char config[LAG_ROW_CONFIG];
    struct lag_dataset_row words = rows_words();
    rows_config("resume", config);
    rows_put(f.s->deps.store, rows_insert_dataset, &words);
    rows_put_run(f.s->deps.store, "waits", state, config);
}

static int setup(void **state) {
    (void)state;
    memset(&answered, 0, sizeof(answered));
    fixture_make_dir(&f);
    assert_int_equal(lagd_supervisor_create(&f.config, &f.s, NULL), 0);
    c = &f.s->commands;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    lagd_supervisor_destroy(f.s);
    fixture_remove(&f);
    return 0;
}

static void a_stop_is_answered_once_its_state_is_there(void **state) {
    (void)state;
    put_run("paused");
    assert_int_equal(lagd_waiting_stop(c, RUN, ask(LAGD_RUN_PAUSE), LAGD_RUN_PAUSED), LAGD_LATER);
    assert_int_equal(answered.n, 0);
    lagd_waiting_joined(c, "run_other");
    assert_int_equal(answered.n, 0);
    lagd_waiting_joined(c, RUN);
    assert_int_equal(answered.n, 1);
    assert_int_equal(answered.status, 0);
    lagd_waiting_joined(c, RUN); /* nobody waits any more */
    assert_int_equal(answered.n, 1);
    assert_int_equal(c->waiting.n_runs, 0);
}

static void another_end_is_told_with_its_state(void **state) {
    (void)state;
    put_run("completed");
    assert_int_equal(lagd_waiting_stop(c, RUN, ask(LAGD_RUN_PAUSE), LAGD_RUN_PAUSED), LAGD_LATER);
    lagd_waiting_joined(c, RUN);
    assert_int_equal(answered.status, LAG_ESTATE);
    assert_string_equal(answered.state, "completed");
    assert_string_equal(answered.text, "run waits is completed now");
}

static void a_stop_of_the_daemon_is_told(void **state) {
    (void)state;
    put_run("interrupted");
    assert_int_equal(lagd_waiting_stop(c, RUN, ask(LAGD_RUN_CANCEL), LAGD_RUN_CANCELLED), LAGD_LATER);
    atomic_store(&f.s->deps.draining, true);
    lagd_waiting_joined(c, RUN);
    assert_int_equal(answered.status, LAG_ECANCELED);
    assert_string_equal(answered.text, "lagd is stopping");
}

static void a_run_that_is_gone_is_told(void **state) {
    (void)state;
    assert_int_equal(lagd_waiting_stop(c, RUN, ask(LAGD_RUN_PAUSE), LAGD_RUN_PAUSED), LAGD_LATER);
    lagd_waiting_joined(c, RUN);
    assert_int_equal(answered.status, LAG_ENOTFOUND);
}

static void more_than_may_wait_are_answered_at_once(void **state) {
    (void)state;
    put_run("paused");
    for (int i = 0; i < LAGD_STOPS_MAX; i++)
        assert_int_equal(lagd_waiting_stop(c, RUN, ask(LAGD_RUN_PAUSE), LAGD_RUN_PAUSED), LAGD_LATER);
    struct lagd_command *last = ask(LAGD_RUN_PAUSE);
    assert_int_equal(lagd_waiting_stop(c, RUN, last, LAGD_RUN_PAUSED), 0);
    lagd_command_destroy(last);
    lagd_waiting_joined(c, RUN);
    assert_int_equal(answered.n, LAGD_STOPS_MAX);
}

static void nobody_waits_longer_than_ten_seconds(void **state) {
    (void)state;
    put_run("running");
    const int64_t now = lag_clock_mono_ns();
    assert_int_equal(lagd_waiting_stop(c, RUN, ask(LAGD_RUN_PAUSE), LAGD_RUN_PAUSED), LAGD_LATER);
    assert_int_equal(lagd_waiting_stop(c, RUN, ask(LAGD_RUN_PAUSE), LAGD_RUN_PAUSED), LAGD_LATER);
    c->waiting.runs[0].stops[1].due_ns = now + FAR_NS;
    lagd_waiting_answer_late(c, now);
    assert_int_equal(answered.n, 0);
    lagd_waiting_answer_late(c, c->waiting.runs[0].stops[0].due_ns);
    assert_int_equal(answered.n, 1);
    assert_int_equal(answered.status, 0); /* the state in the answer tells that the run has not stopped */
    assert_int_equal(c->waiting.runs[0].n_stops, 1);
    lagd_waiting_answer_late(c, now + FAR_NS);
    assert_int_equal(answered.n, 2);
}

static void a_resume_waits_for_a_pause_only(void **state) {
    (void)state;
    put_run("paused");
    struct lagd_command *resume = ask(LAGD_RUN_RESUME);
    assert_false(lagd_waiting_resume(c, RUN, resume)); /* no pause is under way */
    assert_int_equal(lagd_waiting_stop(c, RUN, ask(LAGD_RUN_CANCEL), LAGD_RUN_CANCELLED), LAGD_LATER);
    assert_false(lagd_waiting_resume(c, RUN, resume)); /* a cancellation is */
    lagd_waiting_pause(c, RUN);
    assert_true(lagd_waiting_resume(c, RUN, resume));
    struct lagd_command *second = ask(LAGD_RUN_RESUME);
    assert_false(lagd_waiting_resume(c, RUN, second));
    lagd_command_destroy(second);
    lagd_waiting_joined(c, RUN);
    assert_int_equal(answered.n, 2);
    assert_int_equal(answered.status, 0); /* of the resume, which comes last */
    assert_string_equal(answered.state, "queued");
}

static void a_resume_waits_ten_seconds_too(void **state) {
    (void)state;
    put_run("running");
    lagd_waiting_pause(c, RUN);
    assert_true(lagd_waiting_resume(c, RUN, ask(LAGD_RUN_RESUME)));
    lagd_waiting_answer_late(c, c->waiting.runs[0].resume_due_ns - 1);
    assert_int_equal(answered.n, 0);
    lagd_waiting_answer_late(c, c->waiting.runs[0].resume_due_ns);
    assert_int_equal(answered.n, 1);
    assert_int_equal(answered.status, LAG_EBUSY);
    assert_non_null(strstr(answered.text, "on its way to a pause"));
    lagd_waiting_joined(c, RUN);
    assert_int_equal(answered.n, 1);
}

static void an_end_without_order_answers_all(void **state) {
    (void)state;
    put_run("running");
    assert_int_equal(lagd_waiting_stop(c, RUN, ask(LAGD_RUN_PAUSE), LAGD_RUN_PAUSED), LAGD_LATER);
    assert_int_equal(lagd_waiting_stop(c, RUN, ask(LAGD_RUN_PAUSE), LAGD_RUN_PAUSED), LAGD_LATER);
    lagd_waiting_pause(c, RUN);
    assert_true(lagd_waiting_resume(c, RUN, ask(LAGD_RUN_RESUME)));
    assert_int_equal(lagd_waiting_stop(c, "run_other", ask(LAGD_RUN_CANCEL), LAGD_RUN_CANCELLED), LAGD_LATER);
    lagd_waiting_refuse(c, "the disk is gone");
    assert_int_equal(answered.n, 4);
    assert_int_equal(answered.status, LAG_ECANCELED);
    assert_string_equal(answered.text, "lagd is stopping: the disk is gone");
    lagd_waiting_joined(c, RUN);
    assert_int_equal(answered.n, 4);
}

static void a_resume_is_refused_while_the_daemon_stops(void **state) {
    (void)state;
    put_run("paused");
    lagd_waiting_pause(c, RUN);
    assert_true(lagd_waiting_resume(c, RUN, ask(LAGD_RUN_RESUME)));
    atomic_store(&f.s->deps.draining, true);
    lagd_waiting_joined(c, RUN);
    assert_int_equal(answered.status, LAG_ECANCELED);
}

static void runs_do_not_answer_for_each_other(void **state) {
    char id[LAG_ROW_ID];
    (void)state;
    for (int i = 0; i < LAGD_RUNS_MAX; i++) {
        snprintf(id, sizeof(id), "run_%d", i);
        assert_int_equal(lagd_waiting_stop(c, id, ask(LAGD_RUN_PAUSE), LAGD_RUN_PAUSED), LAGD_LATER);
    }
    struct lagd_command *one_more = ask(LAGD_RUN_PAUSE);
    assert_int_equal(lagd_waiting_stop(c, "run_more", one_more, LAGD_RUN_PAUSED), 0);
    lagd_command_destroy(one_more);
    for (int i = 0; i < LAGD_RUNS_MAX; i++) {
        assert_int_equal(answered.n, i);
        snprintf(id, sizeof(id), "run_%d", i);
        lagd_waiting_joined(c, id);
    }
    assert_int_equal(answered.n, LAGD_RUNS_MAX);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_stop_is_answered_once_its_state_is_there), TEST(another_end_is_told_with_its_state),
        TEST(a_stop_of_the_daemon_is_told), TEST(a_run_that_is_gone_is_told),
        TEST(more_than_may_wait_are_answered_at_once), TEST(nobody_waits_longer_than_ten_seconds),
        TEST(a_resume_waits_for_a_pause_only), TEST(a_resume_is_refused_while_the_daemon_stops),
        TEST(runs_do_not_answer_for_each_other), TEST(a_resume_waits_ten_seconds_too),
        TEST(an_end_without_order_answers_all),
    };
    if (lag_engine_setup(NULL) != 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
