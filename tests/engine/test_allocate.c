/* Rungs, and what the allocators do at them, from hand-made curves. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/engine/allocate.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_BATCHES = 4, N_TIMES = 13, N = 6, NONE = 5 };
static const int64_t times[N_TIMES] = {0, 12, 14, 16, 24, 28, 32, 40, 48, 64, 96, 112, 128};
enum { TO_16 = 4, TO_32 = 7, TAIL = 3 }; /* evaluations up to there; in the last half before each */

/* --- rungs --- */

static void check_rungs(int64_t first, int64_t steps, int64_t max_steps, const int64_t *wanted, int n) {
    int64_t rungs[LAG_RUNGS_MAX];
    assert_int_equal(lag_rungs(first, steps, max_steps, rungs), n);
    for (int i = 0; i < n; i++) assert_int_equal(rungs[i], wanted[i]);
}
#define CHECK_RUNGS(first, steps, max_steps, ...) \
    check_rungs(first, steps, max_steps, (const int64_t[]){__VA_ARGS__},      \
                (int)LAG_COUNT(((const int64_t[]){__VA_ARGS__})))

static void test_rungs(void **state) {
    (void)state;
    int64_t rungs[LAG_RUNGS_MAX];
    CHECK_RUNGS(66, 1000, 0, 125, 250, 500, 1000);
    CHECK_RUNGS(16, 64, 64, 16, 32, 64);
    CHECK_RUNGS(17, 64, 0, 32, 64);
    CHECK_RUNGS(33, 64, 0, 64);
    CHECK_RUNGS(16, 64, 200, 16, 32, 64, 128, 200); /* the last is where it may go at most */
    CHECK_RUNGS(16, 64, 128, 16, 32, 64, 128);
    CHECK_RUNGS(20, 90, 91, 22, 45, 90, 91);
    assert_int_equal(lag_rungs(65, 64, 0, rungs), 0); /* the lag ends before the first rung */
    assert_int_equal(lag_rungs(0, 64, 0, rungs), 0);
    assert_true(lag_rungs(1, INT64_MAX, 0, rungs) <= LAG_RUNGS_MAX);
    assert_true(lag_rungs(1, 1, INT64_MAX, rungs) <= LAG_RUNGS_MAX);
}

/* --- a pool --- */

struct pool {
    struct lag_curve curves[N];
    double losses[N][N_TIMES * N_BATCHES];
    double p_end[N];
    bool preserving[N];
};

/* Five that grow, a tenth of a nat apart at every time but the first: the first is the best; 0, 1, 2 preserve their
 * parent's function. `none` lies at base. */
static void fill(struct pool *pool, double none) {
    memset(pool, 0, sizeof(*pool));
    for (int i = 0; i < N; i++) {
        for (int e = 0; e < N_TIMES; e++)
            for (int b = 0; b < N_BATCHES; b++)
                pool->losses[i][e * N_BATCHES + b] = (i == NONE ? none : 3 + 0.1 * i) - 0.01 * e +
                                                     0.002 * ((b * (i + 2) + e) % N_BATCHES);
        pool->curves[i] = (struct lag_curve){.eligible = i != NONE, .reference = i == NONE, .decays_from = INT64_MAX,
                                             .n_evals = N_TIMES, .t = times, .losses = pool->losses[i]};
        pool->p_end[i] = NAN;
        pool->preserving[i] = i < 3;
    }
}

static struct lag_look look_of(const struct pool *pool, enum lag_allocator allocator, int number, int64_t t,
                               int64_t next) {
    return (struct lag_look){.allocator = allocator, .number = number, .t = t, .steps = 64, .next = next,
                             .delta = 0.005, .p_end = pool->p_end, .preserving = pool->preserving};
}

static struct lag_rung rung;
static enum lag_fate fate[N];
static bool tied[N];

static void allocate(const struct pool *pool, const struct lag_look *look) {
    assert_int_equal(lag_allocate(pool->curves, N, N_BATCHES, look, &rung, fate, tied), 0);
}

static void check_fates(const char *wanted) {
    char found[N + 1] = {0};
    for (int i = 0; i < N; i++) found[i] = "-KSU"[fate[i]];
    assert_string_equal(found, wanted);
}

/* As after a rung: those that were stopped have no evaluation beyond it. */
static void stop(struct pool *pool, int index, int look, int n_evals) {
    pool->curves[index].stopped = look;
    pool->curves[index].n_evals = n_evals;
}

/* --- halving --- */

static void test_halving(void **state) {
    (void)state;
    struct pool pool;
    fill(&pool, 4);
    struct lag_look look = look_of(&pool, LAG_ALLOCATE_HALVING, 2, 32, 64);
    allocate(&pool, &look);
    check_fates("KKKSSK"); /* of five three stay, and the reference */
    assert_int_equal(rung.step, LAG_STEP_ON);
    assert_true(rung.n_kept == 4 && rung.n_stopped == 2 && rung.n_taken_up == 0);
    look = look_of(&pool, LAG_ALLOCATE_HALVING, 1, 16, 32);
    allocate(&pool, &look);
    check_fates("KKKKSK"); /* and the best of those that do not preserve */
    for (int i = 0; i < N; i++) pool.preserving[i] = i == 4;
    allocate(&pool, &look);
    check_fates("KKKSKK");
    stop(&pool, 3, 1, TO_16);
    stop(&pool, 4, 1, TO_16);
    look = look_of(&pool, LAG_ALLOCATE_HALVING, 2, 32, 64);
    allocate(&pool, &look);
    check_fates("KKS--K");
    stop(&pool, 2, 2, TO_32);
    look = look_of(&pool, LAG_ALLOCATE_HALVING, 3, 64, 0);
    allocate(&pool, &look);
    check_fates("KK---K");
    assert_int_equal(rung.step, LAG_STEP_END);
}

/* What was stopped untold from the pick makes its verdict no verified one; what it beat does not. */
static void test_stopped_and_verified(void **state) {
    (void)state;
    struct pool pool;
    fill(&pool, 4);
    const struct lag_look look = look_of(&pool, LAG_ALLOCATE_HALVING, 3, 64, 0);
    for (int i = 1; i < 5; i++) stop(&pool, i, 1, TO_16);
    allocate(&pool, &look);
    assert_int_equal(rung.verdict.basis, LAG_BASIS_VERIFIED);
    assert_true(rung.verdict.n_stopped == 4 && rung.verdict.n_open == 0 && rung.verdict.p_now > 0.99);
    for (int i = (TO_16 - TAIL) * N_BATCHES; i < TO_16 * N_BATCHES; i++)
        pool.losses[1][i] = pool.losses[0][i] + (i % 2 ? 0.01 : -0.009);
    allocate(&pool, &look);
    assert_int_equal(rung.verdict.basis, LAG_BASIS_PROVISIONAL);
    assert_true(rung.verdict.n_open == 1 && rung.verdict.p_now < 0.99);
    fill(&pool, 4);
    for (int i = 1; i < 5; i++) stop(&pool, i, 1, TO_16 - 1); /* of 12 and 14 alone nobody knows how they wobble */
    allocate(&pool, &look);
    assert_int_equal(rung.verdict.basis, LAG_BASIS_PROVISIONAL);
    assert_int_equal(rung.verdict.n_open, 4);
}

/* --- race --- */

static void test_race(void **state) {
    (void)state;
    struct pool pool;
    fill(&pool, 4);
    const struct lag_look look = look_of(&pool, LAG_ALLOCATE_RACE, 1, 32, 64);
    allocate(&pool, &look);
    check_fates("KKKKKK"); /* nothing is known of the end: nobody goes */
    assert_true(isnan(rung.p_end));
    for (int i = 1; i < 5; i++) pool.p_end[i] = 0.85 + 0.02 * i;
    allocate(&pool, &look);
    check_fates("KKKSSK"); /* .91 and .93 */
    assert_true(rung.p_end == 0.87);
    assert_int_equal(rung.step, LAG_STEP_ON); /* a race goes to the lag */
    for (int i = (TO_32 - TAIL) * N_BATCHES; i < TO_32 * N_BATCHES; i++) /* no more behind for certain */
        pool.losses[4][i] = pool.losses[0][i] + (i % 2 ? 0.4 : -0.39);
    allocate(&pool, &look);
    check_fates("KKKSKK");
    fill(&pool, 4);
    for (int i = 1; i < 5; i++) pool.p_end[i] = 1;
    const struct lag_look early = look_of(&pool, LAG_ALLOCATE_RACE, 1, 14, 32); /* its half has two evaluations */
    allocate(&pool, &early);
    check_fates("KKKKKK");
}

/* --- auto --- */

static void test_auto_ends_early(void **state) {
    (void)state;
    struct pool pool;
    fill(&pool, 4);
    const struct lag_look look = look_of(&pool, LAG_ALLOCATE_AUTO, 1, 32, 64);
    allocate(&pool, &look);
    assert_int_equal(rung.verdict.basis, LAG_BASIS_VERIFIED);
    assert_int_equal(rung.step, LAG_STEP_END);
    check_fates("KKKKKK");
    for (int i = 1; i < 5; i++) pool.p_end[i] = 0.8; /* known, and not sure enough */
    allocate(&pool, &look);
    assert_int_equal(rung.verdict.basis, LAG_BASIS_PROVISIONAL);
    assert_int_equal(rung.step, LAG_STEP_ON);
    fill(&pool, 2.9); /* not growing is ahead: nothing is verified, and it goes on */
    allocate(&pool, &look);
    assert_int_equal(rung.verdict.basis, LAG_BASIS_PROVISIONAL);
    assert_int_equal(rung.step, LAG_STEP_ON);
}

static void test_auto_and_nothing_to_decide(void **state) {
    (void)state;
    struct pool pool;
    fill(&pool, 4);
    for (int i = 1; i < 5; i++) memcpy(pool.losses[i], pool.losses[0], sizeof(pool.losses[i]));
    struct lag_look look = look_of(&pool, LAG_ALLOCATE_AUTO, 1, 32, 64);
    allocate(&pool, &look);
    assert_int_equal(rung.verdict.basis, LAG_BASIS_NOTHING_TO_DECIDE);
    assert_int_equal(rung.step, LAG_STEP_END);
    memcpy(pool.losses[NONE], pool.losses[0], sizeof(pool.losses[0])); /* but growing has not paid off */
    allocate(&pool, &look);
    assert_int_equal(rung.verdict.basis, LAG_BASIS_NOTHING_TO_DECIDE);
    assert_int_equal(rung.step, LAG_STEP_ON);
}

static void test_auto_extends(void **state) {
    (void)state;
    struct pool pool;
    fill(&pool, 2.9);
    stop(&pool, 3, 1, TO_16);
    pool.curves[4].diverged = true;
    struct lag_look look = look_of(&pool, LAG_ALLOCATE_AUTO, 3, 64, 128);
    allocate(&pool, &look);
    assert_int_equal(rung.step, LAG_STEP_EXTEND);
    check_fates("KKKU-K"); /* who was stopped is taken up, who diverged is not */
    assert_int_equal(rung.n_taken_up, 1);
    look.next = 0;
    allocate(&pool, &look);
    assert_int_equal(rung.step, LAG_STEP_END); /* as far as it may go */
    assert_int_not_equal(rung.verdict.basis, LAG_BASIS_VERIFIED);
    check_fates("KKK--K");
    look.next = 128;
    look.allocator = LAG_ALLOCATE_RACE; /* only auto leads beyond the lag */
    allocate(&pool, &look);
    assert_int_equal(rung.step, LAG_STEP_END);
    fill(&pool, 4);
    look = look_of(&pool, LAG_ALLOCATE_AUTO, 3, 64, 128);
    for (int i = 1; i < 5; i++) pool.p_end[i] = 0.5;
    allocate(&pool, &look); /* not verified, but growing has paid off */
    assert_int_equal(rung.step, LAG_STEP_END);
    fill(&pool, 2.9);
    pool.curves[NONE].eligible = true; /* not growing may win: it leads, and nobody that grows is ahead of it */
    allocate(&pool, &look);
    assert_int_equal(rung.step, LAG_STEP_EXTEND);
}

static void test_nobody_left(void **state) {
    (void)state;
    struct pool pool;
    fill(&pool, 4);
    for (int i = 0; i < 5; i++) pool.curves[i].diverged = true;
    for (int a = LAG_ALLOCATE_HALVING; a < LAG_N_ALLOCATORS; a++) {
        const struct lag_look look = look_of(&pool, (enum lag_allocator)a, 1, 16, 32);
        allocate(&pool, &look);
        assert_int_equal(rung.step, LAG_STEP_END);
        assert_int_equal(rung.verdict.pick, -1);
        check_fates("-----K");
    }
}

static void test_refused(void **state) {
    (void)state;
    struct pool pool;
    fill(&pool, 4);
    struct lag_look look = look_of(&pool, LAG_ALLOCATE_ALL, 1, 32, 64);
    assert_int_equal(lag_allocate(pool.curves, N, N_BATCHES, &look, &rung, fate, tied), LAG_EINVAL);
    look = look_of(&pool, LAG_ALLOCATE_AUTO, 1, 33, 64); /* nobody was evaluated then */
    assert_int_equal(lag_allocate(pool.curves, N, N_BATCHES, &look, &rung, fate, tied), LAG_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rungs),
        cmocka_unit_test(test_halving),
        cmocka_unit_test(test_stopped_and_verified),
        cmocka_unit_test(test_race),
        cmocka_unit_test(test_auto_ends_early),
        cmocka_unit_test(test_auto_and_nothing_to_decide),
        cmocka_unit_test(test_auto_extends),
        cmocka_unit_test(test_nobody_left),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests_name("engine/allocate", tests, NULL, NULL);
}
