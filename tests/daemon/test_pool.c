/* The worker pool: every job ends in exactly one done(), whatever happens to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "exec/pool_internal.h"

struct job {
    struct lagd_job base;
    _Atomic int n_runs, n_dones;
    _Atomic bool started, may_end;
};

static void nap(void) {
    const struct timespec time = {.tv_nsec = 200000};
    (void)nanosleep(&time, NULL);
}

static void run_quick(struct lagd_job *base) { atomic_fetch_add(&((struct job *)base)->n_runs, 1); }

static void run_until_told(struct lagd_job *base) {
    struct job *job = (struct job *)base;
    atomic_fetch_add(&job->n_runs, 1);
    atomic_store(&job->started, true);
    while (!atomic_load(&job->may_end) && !atomic_load(&job->base.cancelled)) nap();
}

static void note_done(struct lagd_job *base) { atomic_fetch_add(&((struct job *)base)->n_dones, 1); }

static void wait_for(_Atomic int *counter, int value) {
    for (int i = 0; i < 20000 && atomic_load(counter) < value; i++) nap();
    assert_int_equal(atomic_load(counter), value);
}

static void wait_started(struct job *job) {
    for (int i = 0; i < 20000 && !atomic_load(&job->started); i++) nap();
    assert_true(atomic_load(&job->started));
}

static void test_all_jobs_run_once(void **unused) {
    struct lagd_pool *pool = NULL;
    assert_int_equal(lagd_pool_create("test", 3, &pool, NULL), 0);
    static struct job jobs[200];
    for (int i = 0; i < 200; i++) {
        jobs[i].base.run = run_quick;
        jobs[i].base.done = note_done;
        assert_int_equal(lagd_pool_submit(pool, &jobs[i].base), 0);
    }
    for (int i = 0; i < 200; i++) wait_for(&jobs[i].n_dones, 1);
    lagd_pool_destroy(pool);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(atomic_load(&jobs[i].n_runs), 1);
        assert_int_equal(atomic_load(&jobs[i].n_dones), 1);
        assert_true(jobs[i].base.ran);
    }
}

static void test_cancel_before_during_after(void **unused) {
    struct lagd_pool *pool = NULL;
    assert_int_equal(lagd_pool_create("test", 1, &pool, NULL), 0);
    struct job running = {.base = {.run = run_until_told, .done = note_done}};
    struct job waiting = {.base = {.run = run_quick, .done = note_done}};
    struct job last = {.base = {.run = run_quick, .done = note_done}};
    assert_int_equal(lagd_pool_submit(pool, &running.base), 0);
    wait_started(&running);
    assert_int_equal(lagd_pool_submit(pool, &waiting.base), 0);
    assert_int_equal(lagd_pool_submit(pool, &last.base), 0);
    assert_int_equal(lagd_pool_waiting(pool), 2);
    lagd_pool_cancel(pool, &waiting.base);
    assert_int_equal(atomic_load(&waiting.n_dones), 1); /* at once, on this thread */
    assert_int_equal(atomic_load(&waiting.n_runs), 0);
    assert_false(waiting.base.ran);
    assert_int_equal(lagd_pool_waiting(pool), 1);
    lagd_pool_cancel(pool, &running.base);
    wait_for(&running.n_dones, 1);
    wait_for(&last.n_dones, 1);
    assert_int_equal(atomic_load(&last.n_runs), 1);
    lagd_pool_cancel(pool, &last.base); /* has ended */
    assert_int_equal(atomic_load(&last.n_dones), 1);
    lagd_pool_destroy(pool);
}

static void test_destroy_ends_everything(void **unused) {
    struct lagd_pool *pool = NULL;
    assert_int_equal(lagd_pool_create("test", 2, &pool, NULL), 0);
    struct job jobs[5] = {0};
    for (int i = 0; i < 5; i++) {
        jobs[i].base.run = run_until_told;
        jobs[i].base.done = note_done;
        assert_int_equal(lagd_pool_submit(pool, &jobs[i].base), 0);
    }
    wait_started(&jobs[0]);
    wait_started(&jobs[1]);
    lagd_pool_destroy(pool);
    int n_runs = 0;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(atomic_load(&jobs[i].n_dones), 1);
        assert_true(atomic_load(&jobs[i].base.cancelled));
        n_runs += atomic_load(&jobs[i].n_runs);
    }
    assert_int_equal(n_runs, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_jobs_run_once),
        cmocka_unit_test(test_cancel_before_during_after),
        cmocka_unit_test(test_destroy_ends_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
