/* Kept batches: the same ids as from the file, read once, within their bound, for any number of threads. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/data.h>

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { CONTEXT = 21, BATCH = 3, ACCUMULATE = 2, FIRST = 40, STEPS = 6, SEQUENCES = 4, N_VALIDATION = 5 };
enum { N_TOKENS = 50000, VOCAB = 997, MAX_IDS = LAG_MAX(BATCH, SEQUENCES) * CONTEXT };

static const struct lag_kept_batches what = {.seed = 11, .first_step = FIRST, .n_steps = STEPS,
                                             .accumulate = ACCUMULATE, .batch = BATCH,
                                             .eval = {N_VALIDATION, 1, SEQUENCES}, .context = CONTEXT};

struct fixture {
    struct lag_dataset *dataset;
    int fd; /* of the same file */
};

/* Every token of the file is replaced: VOCAB, which may not be, is found by whoever reads it. */
static void write_tokens(int fd, bool spoilt) {
    static uint16_t ids[N_TOKENS];
    for (unsigned i = 0; i < N_TOKENS; i++) ids[i] = (uint16_t)(spoilt ? VOCAB : i * i % VOCAB);
    assert_int_equal(pwrite(fd, ids, sizeof(ids), 0), sizeof(ids));
}

static int set_up(void **state) {
    static struct fixture fixture;
    char path[] = "/tmp/lagd-test-XXXXXX";
    struct lag_dataset_info info;
    fixture.fd = mkostemp(path, O_CLOEXEC);
    if (fixture.fd < 0 || unlink(path) != 0) return -1;
    write_tokens(fixture.fd, false);
    if (lag_dataset_inspect(fixture.fd, "t.bin", NULL, VOCAB, NULL, &info, NULL) != 0) return -1;
    *state = &fixture;
    return lag_dataset_open(dup(fixture.fd), &info, &fixture.dataset, NULL);
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    lag_dataset_close(fixture->dataset); /* forgets, too */
    return close(fixture->fd);
}

struct answer {
    int rc;
    int32_t tokens[MAX_IDS], targets[MAX_IDS];
};

static struct answer train(const struct fixture *f, uint64_t seed, int64_t step, int micro, int batch, int context) {
    struct answer answer = {0};
    answer.rc = lag_dataset_batch(f->dataset, seed, step, micro, batch, context, answer.tokens, answer.targets, NULL);
    return answer;
}

static struct answer validate(const struct fixture *f, int index, int n_batches, int batch, int context) {
    struct answer answer = {0};
    const struct lag_eval_set set = {n_batches, 1, batch};
    answer.rc = lag_dataset_validation(f->dataset, &set, index, 0, context, answer.tokens, answer.targets, NULL);
    return answer;
}

enum { N_KEPT = N_VALIDATION + STEPS * ACCUMULATE };

static struct answer ask(const struct fixture *f, int i) {
    if (i < N_VALIDATION) return validate(f, i, N_VALIDATION, SEQUENCES, CONTEXT);
    i -= N_VALIDATION;
    return train(f, what.seed, FIRST + i / ACCUMULATE, i % ACCUMULATE, BATCH, CONTEXT);
}

static void ask_all(const struct fixture *f, struct answer ret[N_KEPT]) {
    for (int i = 0; i < N_KEPT; i++) {
        ret[i] = ask(f, i);
        assert_int_equal(ret[i].rc, 0);
    }
}

static void the_file_is_read_once(void **state) {
    static struct answer from_file[N_KEPT], kept[N_KEPT];
    const struct fixture *f = *state;
    ask_all(f, from_file);
    assert_int_equal(lag_dataset_keep(f->dataset, &what, NULL), 0);
    ask_all(f, kept);
    assert_memory_equal(kept, from_file, sizeof(kept));
    write_tokens(f->fd, true);
    memset(kept, 0, sizeof(kept));
    ask_all(f, kept);
    assert_memory_equal(kept, from_file, sizeof(kept));
    assert_int_equal(lag_dataset_keep(f->dataset, &what, NULL), 0); /* anew */
    for (int i = 0; i < N_KEPT; i++) assert_int_equal(ask(f, i).rc, LAG_ECORRUPT);
}

static void a_failure_leaves_a_batch_unread(void **state) {
    static struct answer from_file[N_KEPT], kept[N_KEPT];
    const struct fixture *f = *state;
    ask_all(f, from_file);
    assert_int_equal(lag_dataset_keep(f->dataset, &what, NULL), 0);
    write_tokens(f->fd, true);
    for (int i = 0; i < N_KEPT; i++) assert_int_equal(ask(f, i).rc, LAG_ECORRUPT);
    write_tokens(f->fd, false);
    ask_all(f, kept);
    assert_memory_equal(kept, from_file, sizeof(kept));
    write_tokens(f->fd, true);
    ask_all(f, kept);
    lag_dataset_forget(f->dataset);
    for (int i = 0; i < N_KEPT; i++) assert_int_equal(ask(f, i).rc, LAG_ECORRUPT);
}

/* After all that is kept was read, only the file can answer these, and it is spoilt. */
static void other_questions_go_to_the_file(void **state) {
    static struct answer kept[N_KEPT];
    const struct fixture *f = *state;
    assert_int_equal(lag_dataset_keep(f->dataset, &what, NULL), 0);
    ask_all(f, kept);
    const struct answer whole = train(f, what.seed, FIRST, 0, BATCH + 1, CONTEXT);
    assert_int_equal(whole.rc, 0);
    assert_memory_equal(whole.tokens, kept[N_VALIDATION].tokens, BATCH * CONTEXT * sizeof(int32_t));
    write_tokens(f->fd, true);
    const struct answer others[] = {
        train(f, what.seed + 1, FIRST, 0, BATCH, CONTEXT),
        train(f, what.seed, FIRST - 1, 0, BATCH, CONTEXT),
        train(f, what.seed, FIRST + STEPS, 0, BATCH, CONTEXT),
        train(f, what.seed, 0, 0, BATCH, CONTEXT),
        train(f, what.seed, INT64_MAX, 0, BATCH, CONTEXT),
        train(f, what.seed, FIRST, ACCUMULATE, BATCH, CONTEXT),
        train(f, what.seed, FIRST, 0, BATCH - 1, CONTEXT),
        train(f, what.seed, FIRST, 0, BATCH, CONTEXT - 1),
        validate(f, 0, N_VALIDATION + 1, SEQUENCES, CONTEXT),
        validate(f, 0, 1, SEQUENCES, CONTEXT),
        validate(f, 0, N_VALIDATION, SEQUENCES - 1, CONTEXT),
        validate(f, 0, N_VALIDATION, SEQUENCES, CONTEXT - 1),
    };
    for (size_t i = 0; i < LAG_COUNT(others); i++)
        if (others[i].rc != LAG_ECORRUPT) fail_msg("question %zu: %d", i, others[i].rc);
    for (int i = 0; i < N_KEPT; i++) assert_int_equal(ask(f, i).rc, 0);
}

/* --- many at once --- */

enum { N_THREADS = 4, ROUNDS = 50 };
struct asker {
    const struct fixture *fixture;
    const struct answer *expected;
    pthread_barrier_t *barrier;
    _Atomic int *n_led; /* NULL: nobody leads */
    int number, n_wrong;
};

static void ask_one(struct asker *asker, int i) {
    const struct answer answer = ask(asker->fixture, i);
    asker->n_wrong += memcmp(&answer, &asker->expected[i], sizeof(answer)) != 0;
}

/* Half of them in the other order. */
static void rush(struct asker *asker) {
    for (int i = 0; i < N_KEPT; i++) ask_one(asker, asker->number % 2 ? N_KEPT - 1 - i : i);
}

/* The first one reads all; the others never do, and know of it (for ThreadSanitizer) by the answer alone. */
static void follow(struct asker *asker) {
    for (int i = 0; i < N_KEPT; i++) {
        while (asker->number > 0 && atomic_load_explicit(asker->n_led, memory_order_relaxed) <= i) (void)sched_yield();
        ask_one(asker, i);
        if (asker->number == 0) atomic_store_explicit(asker->n_led, i + 1, memory_order_relaxed);
    }
}

static void *ask_all_at_once(void *arg) {
    struct asker *asker = arg;
    (void)pthread_barrier_wait(asker->barrier);
    asker->n_led ? follow(asker) : rush(asker);
    return NULL;
}

static void many_ask_at_once(void **state) {
    static struct answer expected[N_KEPT];
    const struct fixture *f = *state;
    ask_all(f, expected);
    for (int round = 0; round < ROUNDS; round++) {
        struct asker askers[N_THREADS];
        pthread_t threads[N_THREADS];
        pthread_barrier_t barrier;
        _Atomic int n_led = 0;
        assert_int_equal(pthread_barrier_init(&barrier, NULL, N_THREADS), 0);
        assert_int_equal(lag_dataset_keep(f->dataset, &what, NULL), 0);
        for (int i = 0; i < N_THREADS; i++) {
            askers[i] = (struct asker){f, expected, &barrier, round % 2 ? &n_led : NULL, i, 0};
            assert_int_equal(pthread_create(&threads[i], NULL, ask_all_at_once, &askers[i]), 0);
        }
        for (int i = 0; i < N_THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            assert_int_equal(askers[i].n_wrong, 0);
        }
        assert_int_equal(pthread_barrier_destroy(&barrier), 0);
    }
}

/* --- the bound --- */

/* Micro-batches of 1 MiB and a little. */
enum { WIDE = 1023, LARGE = 256, LARGE_BYTES = LARGE * (WIDE + 1) * 4 };

static int train_large(const struct fixture *f, int64_t step, int micro) {
    static int32_t tokens[LARGE * WIDE], targets[LARGE * WIDE];
    return lag_dataset_batch(f->dataset, 1, step, micro, LARGE, WIDE, tokens, targets, NULL);
}

static void the_first_ones_are_kept(void **state) {
    const struct fixture *f = *state;
    static int32_t tokens[8 * WIDE], targets[8 * WIDE];
    const struct lag_kept_batches large = {.seed = 1, .first_step = 5, .n_steps = 1000000, .accumulate = 2,
                                           .batch = LARGE, .eval = {2, 1, 8}, .context = WIDE};
    const int n_fit = 31; /* beside the validation, 2 × 32 KiB: in the middle of a step */
    assert_true(lag_kept_bytes(&large) <= LAG_KEPT_LIMIT_BYTES + 1024);
    assert_true(lag_kept_bytes(&large) >= (uint64_t)n_fit * LARGE_BYTES);
    assert_int_equal(lag_dataset_keep(f->dataset, &large, NULL), 0);
    for (int spoilt = 0; spoilt < 2; spoilt++) {
        write_tokens(f->fd, spoilt);
        for (int i = 0; i < n_fit + 2; i++)
            assert_int_equal(train_large(f, 5 + i / 2, i % 2), spoilt && i >= n_fit ? LAG_ECORRUPT : 0);
        for (int i = 0; i < 2; i++)
            assert_int_equal(lag_dataset_validation(f->dataset, &large.eval, i, 0, WIDE, tokens, targets, NULL), 0);
    }
}

/* What the heap holds more, with its own few bytes a block; sanitizers have another heap, which tells nothing. */
static void bytes_are_counted(void **state) {
    const struct fixture *f = *state;
    struct lag_kept_batches asked = what;
    const size_t before = mallinfo2().uordblks;
    assert_int_equal(lag_dataset_keep(f->dataset, &what, NULL), 0);
    const size_t taken = mallinfo2().uordblks - before;
    if (before > 0) assert_in_range(taken, lag_kept_bytes(&what), lag_kept_bytes(&what) + 128);
    const uint64_t n_ids = (STEPS * ACCUMULATE * BATCH + N_VALIDATION * SEQUENCES) * (CONTEXT + 1);
    const uint64_t bytes = lag_kept_bytes(&asked), block = lag_block_bytes(n_ids * 4);
    assert_true(bytes > block && bytes < block + 512); /* what it is, and a mark a batch */
    asked.eval.n_batches = 0;
    asked.n_steps = 0;
    assert_true(lag_kept_bytes(&asked) < 512);
    asked.eval.n_batches = -1;
    asked.n_steps = -1;
    assert_true(lag_kept_bytes(&asked) < 512);
    asked = (struct lag_kept_batches){.n_steps = INT64_MAX, .accumulate = INT32_MAX, .batch = INT32_MAX,
                                      .eval = {INT32_MAX, 1, INT32_MAX}, .context = INT32_MAX};
    assert_true(lag_kept_bytes(&asked) < 512); /* not one fits */
    asked.batch = asked.eval.rows = asked.context = 1;
    asked.eval.n_batches = 0;
    assert_in_range(lag_kept_bytes(&asked), LAG_KEPT_LIMIT_BYTES - 4096, LAG_KEPT_LIMIT_BYTES + (2 << 20) + 512);
}

/* Nothing to keep is no fault. */
static void nothing_is_kept(void **state) {
    const struct fixture *f = *state;
    const struct lag_kept_batches none = {.seed = what.seed, .first_step = FIRST, .accumulate = 1, .batch = BATCH,
                                          .context = CONTEXT};
    assert_int_equal(lag_dataset_keep(f->dataset, &none, NULL), 0);
    assert_int_equal(train(f, what.seed, FIRST, 0, BATCH, CONTEXT).rc, 0);
    assert_int_equal(validate(f, 0, N_VALIDATION, SEQUENCES, CONTEXT).rc, 0);
    lag_dataset_forget(f->dataset);
    lag_dataset_forget(f->dataset);
    assert_int_equal(train(f, what.seed, FIRST, 0, BATCH, CONTEXT).rc, 0);
}

#define ON_A_FILE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_A_FILE(the_file_is_read_once),
        ON_A_FILE(a_failure_leaves_a_batch_unread),
        ON_A_FILE(other_questions_go_to_the_file),
        ON_A_FILE(many_ask_at_once),
        ON_A_FILE(the_first_ones_are_kept),
        ON_A_FILE(bytes_are_counted),
        ON_A_FILE(nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
