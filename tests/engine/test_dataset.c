/* Datasets: recognition, range checks, refusals, batches. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/engine/data.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int temporary_file(const void *data, size_t length) {
    char path[] = "/tmp/lagd-test-XXXXXX";
    const int fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    if (length) assert_int_equal(write(fd, data, length), (ssize_t)length);
    return fd;
}

static int inspect(const void *data, size_t length, const char *name, const char *format, int vocab,
                   struct lag_dataset_info *ret, struct lag_error *err) {
    const int fd = temporary_file(data, length);
    const int rc = lag_dataset_inspect(fd, name, format, vocab, NULL, ret, err);
    close(fd);
    return rc;
}

/* An llm.c file in memory: header words, then n_tokens × width bytes of token 7. free(). */
static uint8_t *llmc(int32_t magic, int32_t version, int32_t counted, size_t n_tokens, size_t width,
                     size_t *ret_length) {
    const int32_t head[3] = {magic, version, counted};
    *ret_length = 1024 + n_tokens * width;
    uint8_t *file = calloc(1, *ret_length);
    assert_non_null(file);
    memcpy(file, head, sizeof head);
    for (size_t i = 0; i < n_tokens; i++) file[1024 + i * width] = 7;
    return file;
}

static void text_is_bytes(void **state) {
    char text[1000];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)('a' + i % 26);
    struct lag_dataset_info info;
    assert_int_equal(inspect(text, sizeof text, "book.txt", NULL, 0, &info, NULL), 0);
    assert_int_equal(info.format, LAG_TOKENS_TEXT);
    assert_int_equal(info.n_tokens, 1000);
    assert_int_equal(info.n_bytes, 1000);
    assert_int_equal(info.max_id, 'z');
    assert_int_equal(info.vocab_size, 256);
    char zeros[64] = {0};
    assert_int_equal(inspect(zeros, sizeof zeros, "zeros", "auto", 0, &info, NULL), 0);
    assert_string_equal(info.sha256, "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
}

static void formats_are_recognised(void **state) {
    uint16_t ids[500];
    for (size_t i = 0; i < LAG_COUNT(ids); i++) ids[i] = (uint16_t)(i * 100);
    struct lag_dataset_info info;
    assert_int_equal(inspect(ids, sizeof ids, "train.bin", "auto", 0, &info, NULL), 0);
    assert_int_equal(info.format, LAG_TOKENS_NANOGPT);
    assert_int_equal(info.n_tokens, 500);
    assert_int_equal(info.max_id, 49900);
    assert_int_equal(info.vocab_size, 49901);
    assert_int_equal(inspect(ids, sizeof ids, "train.bin", NULL, 50257, &info, NULL), 0);
    assert_int_equal(info.vocab_size, 50257);
    assert_int_equal(inspect(ids, sizeof ids, "train.bin", "text", 0, &info, NULL), 0);
    assert_int_equal(info.n_tokens, 1000);

    size_t length;
    uint8_t *file = llmc(20240520, 1, 100, 100, 2, &length);
    assert_int_equal(inspect(file, length, "shard.bin", NULL, 0, &info, NULL), 0);
    assert_int_equal(info.format, LAG_TOKENS_LLMC_U16);
    assert_int_equal(info.n_tokens, 100);
    assert_int_equal(info.vocab_size, 8);
    free(file);
    file = llmc(20240801, 7, 100, 100, 4, &length);
    file[1024 + 4 * 50 + 2] = 1; /* token 50 = 65543 */
    assert_int_equal(inspect(file, length, "shard", NULL, 0, &info, NULL), 0);
    assert_int_equal(info.format, LAG_TOKENS_LLMC_U32);
    assert_int_equal(info.max_id, 65543);
    free(file);
    for (int i = 0; i < LAG_N_TOKEN_FORMATS; i++) {
        enum lag_token_format format;
        assert_int_equal(lag_token_format_parse(lag_token_format_name((enum lag_token_format)i), &format), 0);
        assert_int_equal(format, i);
    }
}

struct refusal {
    int32_t magic, version, counted;
    size_t n_tokens, width;
    int cut_bytes;      /* taken from the end */
    const char *format;
    int code;
    const char *says;
};

static const struct refusal refusals[] = {
    {20240522, 1, 100, 100, 2, 0, NULL, LAG_EINVAL, "evaluation file"},
    {20240522, 1, 100, 100, 2, 0, "nanogpt", LAG_EINVAL, "20240522"},
    {20240520, 1, 101, 100, 2, 0, NULL, LAG_EINVAL, "asks for 1226"},
    {20240520, 1, 100, 100, 2, 1, NULL, LAG_EINVAL, "the file is cut"},
    {20240520, 1, 100, 100, 2, 300, NULL, LAG_EINVAL, "shorter than the 1024-byte header"},
    {20240520, 1, -1, 100, 2, 0, NULL, LAG_EINVAL, "counts -1"},
    {20240520, 2, 100, 100, 2, 0, NULL, LAG_EUNSUPPORTED, "version 2"},
    {20240801, 7, 100, 100, 2, 0, NULL, LAG_EINVAL, "asks for 1424"},
    {20240801, 7, 10, 10, 4, 0, NULL, LAG_EINVAL, "10 tokens; at least 64"},
    {20240801, 7, 100, 100, 4, 0, "llmc_u16", LAG_EINVAL, "not an llmc_u16 file"},
    {20240801, 7, 100, 100, 4, 0, "nanogpt", LAG_EINVAL, "header of llm.c"},
    {7, 0, 0, 100, 2, 1, NULL, LAG_EINVAL, "not a whole number of uint16"},
    {7, 0, 0, 100, 2, 0, "parquet", LAG_EINVAL, "format must be one of auto, text,"},
    {7, 0, 0, 100, 2, 1224, NULL, LAG_EINVAL, "empty"},
    {7, 0, 0, 100, 2, 1224 - 126, NULL, LAG_EINVAL, "63 tokens"},
};

static void bad_files_are_refused(void **state) {
    for (size_t i = 0; i < LAG_COUNT(refusals); i++) {
        const struct refusal *r = &refusals[i];
        size_t length;
        uint8_t *file = llmc(r->magic, r->version, r->counted, r->n_tokens, r->width, &length);
        struct lag_dataset_info info = {.n_bytes = 42};
        struct lag_error err = {0};
        const int rc = inspect(file, length - (size_t)r->cut_bytes, "a.bin", r->format, 0, &info, &err);
        free(file);
        if (rc != r->code || !strstr(err.text, r->says) || !strstr(err.text, "a.bin"))
            fail_msg("refusal %zu: code %d, text '%s', expected '%s'", i, rc, err.text, r->says);
        assert_int_equal(info.n_bytes, 42);
    }
}

static void every_token_is_checked(void **state) {
    const size_t n = 300000; /* several chunks */
    uint16_t *ids = calloc(n, 2);
    assert_non_null(ids);
    ids[299999] = 65;
    struct lag_dataset_info info;
    struct lag_error err = {0};
    assert_int_equal(inspect(ids, 2 * n, "t.bin", NULL, 66, &info, &err), 0);
    assert_int_equal(inspect(ids, 2 * n, "t.bin", NULL, 65, &info, &err), LAG_EINVAL);
    assert_non_null(strstr(err.text, "token 299999 is 65, but ids must be below 65"));
    ids[131072] = 70;
    assert_int_equal(inspect(ids, 2 * n, "t.bin", NULL, 66, &info, &err), LAG_EINVAL);
    assert_non_null(strstr(err.text, "token 131072 is 70"));
    free(ids);
    size_t length;
    uint8_t *file = llmc(20240801, 7, 100, 100, 4, &length);
    file[1024 + 4 * 3 + 3] = 0x80;
    assert_int_equal(inspect(file, length, "u", NULL, 0, &info, &err), LAG_EINVAL);
    assert_non_null(strstr(err.text, "token 3 is 2147483655, but ids must be below 1048576"));
    assert_int_equal(inspect(file, length, "u", NULL, -1, &info, &err), LAG_EINVAL);
    assert_int_equal(inspect(file, length, "u", NULL, 1048577, &info, &err), LAG_EINVAL);
    free(file);
}

struct watching {
    uint64_t calls, n_bytes, most;
};

static bool watch(void *arg, uint64_t n_bytes) {
    struct watching *watching = arg;
    assert_true(n_bytes >= watching->n_bytes);
    watching->n_bytes = n_bytes;
    return ++watching->calls <= watching->most;
}

/* Whoever watches is asked before each quarter MiB, and may end it. */
static void a_scan_is_watched(void **state) {
    enum { N_BYTES = (1 << 20) + 100 };
    char *text = calloc(1, N_BYTES);
    const int fd = temporary_file(text, N_BYTES);
    struct watching watching = {.most = 99};
    const struct lag_scan_watch watcher = {watch, &watching};
    struct lag_dataset_info info;
    assert_int_equal(lag_dataset_inspect(fd, "t", NULL, 0, &watcher, &info, NULL), 0);
    assert_true(watching.calls == 5 && watching.n_bytes == 1 << 20 && info.n_tokens == N_BYTES);
    watching = (struct watching){.most = 2};
    assert_int_equal(lag_dataset_inspect(fd, "t", NULL, 0, &watcher, &info, NULL), LAG_ECANCELED);
    assert_true(watching.calls == 3);
    close(fd);
    free(text);
}

/* A glance says what the beginning tells, and no more. */
static void a_glance_reads_the_beginning(void **state) {
    enum { N_TOKENS = 150000 };
    static uint16_t ids[N_TOKENS];
    struct lag_dataset_info info;
    struct lag_error err;
    enum lag_token_format format = LAG_TOKENS_TEXT;
    ids[N_TOKENS - 1] = 7;
    int fd = temporary_file(ids, sizeof ids);
    assert_int_equal(lag_dataset_glance(fd, "t.bin", "nanogpt", 5, &format, &err), 0);
    assert_int_equal(format, LAG_TOKENS_NANOGPT);
    assert_int_equal(lag_dataset_inspect(fd, "t.bin", "nanogpt", 5, NULL, &info, &err), LAG_EINVAL);
    assert_int_equal(lag_dataset_glance(fd, "t.bin", "llmc_u16", 5, &format, &err), LAG_EINVAL);
    close(fd);
    ids[9] = 7;
    fd = temporary_file(ids, sizeof ids);
    assert_int_equal(lag_dataset_glance(fd, "t.bin", "nanogpt", 5, &format, &err), LAG_EINVAL);
    assert_non_null(strstr(err.text, "token 9 is 7, but ids must be below 5"));
    assert_int_equal(lag_dataset_glance(fd, "t", NULL, 0, &format, &err), 0);
    assert_int_equal(format, LAG_TOKENS_TEXT);
    close(fd);
}

static void cancel_and_odd_descriptors(void **state) {
    struct lag_dataset_info info;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(lag_dataset_inspect(ends[0], "pipe", NULL, 0, NULL, &info, NULL), LAG_EINVAL);
    close(ends[0]);
    close(ends[1]);
    const int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(lag_dataset_inspect(dir, "dir", NULL, 0, NULL, &info, NULL), LAG_EINVAL);
    close(dir);
}

enum { N_TEXT = 100000, N_TRAIN = 90000, CONTEXT = 33, BATCH = 5 };

/* Token i of the fixture is i mod 251, as uint16: a window tells where it starts, up to a multiple of 251. */
static struct lag_dataset *open_fixture(int *ret_other_fd) {
    static uint16_t ids[N_TEXT];
    for (int i = 0; i < N_TEXT; i++) ids[i] = (uint16_t)(i < N_TRAIN ? i % 251 : 251 + i % 251);
    const int fd = temporary_file(ids, sizeof ids);
    struct lag_dataset_info info;
    struct lag_dataset *dataset = NULL;
    assert_int_equal(lag_dataset_inspect(fd, "t.bin", NULL, 0, NULL, &info, NULL), 0);
    if (ret_other_fd) *ret_other_fd = dup(fd);
    assert_int_equal(lag_dataset_open(fd, &info, &dataset, NULL), 0);
    return dataset;
}

static void batches_are_pure(void **state) {
    struct lag_dataset *dataset = open_fixture(NULL);
    int32_t x[2][BATCH * CONTEXT], y[2][BATCH * CONTEXT], big_x[2 * BATCH * CONTEXT], big_y[2 * BATCH * CONTEXT];
    for (int step = 0; step < 50; step++) {
        assert_int_equal(lag_dataset_batch(dataset, 9, step, 1, BATCH, CONTEXT, x[0], y[0], NULL), 0);
        assert_int_equal(lag_dataset_batch(dataset, 9, 1000 + step, 0, BATCH, CONTEXT, x[1], y[1], NULL), 0);
        assert_memory_not_equal(x[0], x[1], sizeof x[0]);
        assert_int_equal(lag_dataset_batch(dataset, 9, step, 1, BATCH, CONTEXT, x[1], y[1], NULL), 0);
        assert_memory_equal(x[0], x[1], sizeof x[0]);
        assert_memory_equal(y[0], y[1], sizeof y[0]);
        /* Two micro-batches of 5 are one batch of 10. */
        assert_int_equal(lag_dataset_batch(dataset, 9, step, 0, 2 * BATCH, CONTEXT, big_x, big_y, NULL), 0);
        assert_memory_equal(x[0], big_x + BATCH * CONTEXT, sizeof x[0]);
        assert_memory_equal(y[0], big_y + BATCH * CONTEXT, sizeof x[0]);
        for (int i = 0; i < BATCH * CONTEXT; i++) {
            assert_true(x[0][i] < 251 && y[0][i] < 251); /* the training part only */
            assert_int_equal(y[0][i], (x[0][i] + 1) % 251);
            if (i % CONTEXT != 0) assert_int_equal(x[0][i], y[0][i - 1]);
        }
    }
    assert_int_equal(lag_dataset_batch(dataset, 10, 0, 1, BATCH, CONTEXT, x[1], y[1], NULL), 0);
    assert_int_equal(lag_dataset_batch(dataset, 9, 0, 1, BATCH, CONTEXT, x[0], y[0], NULL), 0);
    assert_memory_not_equal(x[0], x[1], sizeof x[0]);
    lag_dataset_close(dataset);
}

static void starts_are_uniform(void **state) {
    static uint32_t ids[N_TEXT]; /* a u32 file in which each token is its own position */
    static uint8_t file[1024 + sizeof ids];
    const int32_t head[3] = {20240801, 7, N_TEXT};
    for (uint32_t i = 0; i < N_TEXT; i++) ids[i] = i;
    memcpy(file, head, sizeof head);
    memcpy(file + 1024, ids, sizeof ids);
    const int fd = temporary_file(file, sizeof file);
    struct lag_dataset_info info;
    struct lag_dataset *dataset;
    assert_int_equal(lag_dataset_inspect(fd, "u", NULL, 0, NULL, &info, NULL), 0);
    assert_int_equal(lag_dataset_open(fd, &info, &dataset, NULL), 0);
    enum { STEPS = 400, ROWS = 50, BINS = 20 };
    int32_t x[ROWS * 4], y[ROWS * 4];
    int bins[BINS] = {0}, lowest = N_TEXT, highest = 0;
    for (int step = 0; step < STEPS; step++) {
        assert_int_equal(lag_dataset_batch(dataset, 3, step, 0, ROWS, 4, x, y, NULL), 0);
        for (int row = 0; row < ROWS; row++) {
            const int start = x[4 * row];
            lowest = LAG_MIN(lowest, start);
            highest = LAG_MAX(highest, y[4 * row + 3]);
            bins[start * BINS / (N_TRAIN - 4)]++;
        }
    }
    double chi2 = 0;
    const double expected = (double)STEPS * ROWS / BINS;
    for (int i = 0; i < BINS; i++) chi2 += (bins[i] - expected) * (bins[i] - expected) / expected;
    assert_true(chi2 < 43.8); /* the 0.1 % point of chi² with 19 degrees of freedom */
    assert_true(lowest < 100 && highest > N_TRAIN - 100 && highest < N_TRAIN);

    /* Validation: fixed, evenly spaced, in order, within the last 10 %. */
    int previous = N_TRAIN - 1;
    const struct lag_eval_set set = {8, 1, ROWS};
    for (int index = 0; index < 8; index++) {
        assert_int_equal(lag_dataset_validation(dataset, &set, index, 0, 4, x, y, NULL), 0);
        for (int row = 0; row < ROWS; row++) {
            const int gap = x[4 * row] - previous;
            assert_true(index == 0 && row == 0 ? gap == 1 : gap == 24 || gap == 25); /* 9996 / 400 */
            previous = x[4 * row];
            assert_true(y[4 * row + 3] < N_TEXT);
        }
    }
    lag_dataset_close(dataset);
}

/* Every stride-th batch is one of the small set, bit for bit; together all windows are evenly spaced, each once. */
static void nested_sets(void **state) {
    (void)state;
    enum { SMALL = 5, STRIDE = 3, N_ROWS = 7, WIDTH = 4 };
    static int32_t x[WIDTH * N_ROWS], y[WIDTH * N_ROWS], small_x[WIDTH * N_ROWS], small_y[WIDTH * N_ROWS];
    struct lag_dataset *dataset = open_fixture(NULL);
    const struct lag_eval_set full = {SMALL * STRIDE, STRIDE, N_ROWS}, small = {SMALL, 1, N_ROWS};
    for (int i = 0; i < SMALL; i++) {
        assert_int_equal(lag_dataset_validation(dataset, &full, i * STRIDE, 0, WIDTH, x, y, NULL), 0);
        assert_int_equal(lag_dataset_validation(dataset, &small, i, 0, WIDTH, small_x, small_y, NULL), 0);
        assert_memory_equal(x, small_x, sizeof(x));
        assert_memory_equal(y, small_y, sizeof(y));
    }
    const struct lag_eval_set fine = {SMALL * STRIDE, 1, N_ROWS};
    static int32_t all[SMALL * STRIDE][WIDTH * N_ROWS];
    for (int i = 0; i < SMALL * STRIDE; i++)
        assert_int_equal(lag_dataset_validation(dataset, &fine, i, 0, WIDTH, all[i], y, NULL), 0);
    for (int i = 0; i < SMALL * STRIDE; i++) {
        assert_int_equal(lag_dataset_validation(dataset, &full, i, 0, WIDTH, x, y, NULL), 0);
        for (int row = 0; row < N_ROWS; row++) {
            const int window = (i / STRIDE * N_ROWS + row) * STRIDE + i % STRIDE;
            assert_memory_equal(x + WIDTH * row, all[window / N_ROWS] + WIDTH * (window % N_ROWS),
                                WIDTH * sizeof(*x));
        }
    }
    lag_dataset_close(dataset);
}

static void tight_contexts(void **state) {
    struct lag_dataset *dataset = open_fixture(NULL);
    const struct lag_dataset_info *info = lag_dataset_info(dataset);
    struct lag_error err = {0};
    static int32_t x[N_TEXT], y[N_TEXT];
    assert_int_equal(lag_dataset_check(info, 9999, 502, &err), 0);
    assert_int_equal(lag_dataset_check(info, 9999, 600, &err), 0);
    assert_int_equal(lag_dataset_check(info, 10000, 502, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/model/n_positions");
    assert_non_null(strstr(err.text, "at most 9999"));
    assert_int_equal(lag_dataset_check(info, 0, 502, &err), LAG_EINVAL);
    assert_int_equal(lag_dataset_check(info, 10, 501, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/model/vocab_size");
    assert_int_equal(lag_dataset_validation(dataset, &(struct lag_eval_set){2, 1, 1}, 1, 0, 9999, x, y, &err), 0);
    assert_int_equal(x[0], 251 + N_TRAIN % 251);
    assert_int_equal(y[9998], 251 + (N_TEXT - 1) % 251);
    assert_int_equal(lag_dataset_validation(dataset, &(struct lag_eval_set){1, 1, 1}, 0, 0, 10000, x, y, &err),
                     LAG_EINVAL);
    assert_int_equal(lag_dataset_batch(dataset, 1, 0, 0, 1, N_TRAIN - 1, x, y, &err), 0);
    assert_int_equal(lag_dataset_batch(dataset, 1, 0, 0, 1, N_TRAIN, x, y, &err), LAG_EINVAL);
    lag_dataset_close(dataset);
}

static void changed_files_are_noticed(void **state) {
    int other;
    struct lag_dataset *dataset = open_fixture(&other);
    const struct lag_dataset_info info = *lag_dataset_info(dataset);
    int32_t x[64], y[64];
    struct lag_error err = {0};
    const uint16_t beyond = 600;
    assert_int_equal(pwrite(other, &beyond, 2, 2 * (N_TRAIN + 3)), 2);
    const struct lag_eval_set one = {1, 1, 1};
    assert_int_equal(lag_dataset_validation(dataset, &one, 0, 0, 64, x, y, &err), LAG_ECORRUPT);
    assert_non_null(strstr(err.text, "changed since it was registered"));
    assert_non_null(strstr(err.text, "90003"));
    assert_int_equal(lag_dataset_batch(dataset, 1, 0, 0, 1, 64, x, y, &err), 0);
    assert_int_equal(ftruncate(other, 100), 0);
    assert_int_equal(lag_dataset_batch(dataset, 1, 0, 0, 1, 64, x, y, &err), LAG_ECORRUPT);
    assert_non_null(strstr(err.text, "it ends"));
    lag_dataset_close(dataset);
    struct lag_dataset *again = NULL;
    assert_int_equal(lag_dataset_open(other, &info, &again, &err), LAG_ECORRUPT);
    assert_null(again);
    assert_int_equal(fcntl(other, F_GETFD), -1); /* open took it */
    lag_dataset_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_bytes), cmocka_unit_test(formats_are_recognised),
        cmocka_unit_test(bad_files_are_refused), cmocka_unit_test(every_token_is_checked),
        cmocka_unit_test(a_scan_is_watched),
        cmocka_unit_test(a_glance_reads_the_beginning),
        cmocka_unit_test(cancel_and_odd_descriptors), cmocka_unit_test(batches_are_pure),
        cmocka_unit_test(starts_are_uniform), cmocka_unit_test(tight_contexts),
        cmocka_unit_test(nested_sets),
        cmocka_unit_test(changed_files_are_noticed),
    };
    return cmocka_run_group_tests_name("engine/dataset", tests, NULL, NULL);
}
