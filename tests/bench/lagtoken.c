/* lagtoken: encodes lines, measures encoding and training, for comparison with other libraries. Arguments:
 *   ids TOKENIZER.json TEXT          one line of ids for each line of the text, which ends with its newline or not
 *   speed TOKENIZER.json TEXT        megabytes of the text per CPU-second, all of it at once; the number of ids
 *   train TEXT VOCAB PATTERN         the tokenizer.json; CPU-seconds to standard error
 *   bytes TOKENIZER.json TEXT        fails unless decoding gives the text back
 * With NO_EXECUTABLE_MEMORY in the environment no memory may become executable, as in the service. */
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/engine/token.h>
#include <lagd/engine/token_train.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

static struct lag_error error;

static void check(int rc) {
    if (rc == 0) return;
    fprintf(stderr, "lagtoken: %s\n", error.text);
    exit(1);
}

static char *read_all(const char *path, size_t *ret_n) {
    char *text = NULL;
    check(lag_fs_read_file(path, (size_t)1 << 32, &text, ret_n, &error));
    return text;
}

static double cpu_seconds(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static struct lag_tokenizer *open_tokenizer(const char *path) {
    struct lag_tokenizer *tokenizer = NULL;
    size_t n;
    char *text = read_all(path, &n);
    check(lag_tokenizer_read(text, n, &tokenizer, &error));
    free(text);
    return tokenizer;
}

/* Lines without their ends. */
static void print_ids(struct lag_coder *coder, const char *text, size_t n) {
    struct lag_ids ids = {0};
    for (size_t i = 0, end; i < n; i = end + 1) {
        const char *newline = memchr(text + i, '\n', n - i);
        end = newline ? (size_t)(newline - text) : n;
        ids.n = 0;
        check(lag_encode(coder, text + i, end - i, true, &ids, &error));
        for (size_t k = 0; k < ids.n; k++) printf("%s%" PRId32, k > 0 ? "," : "", ids.at[k]);
        printf("\n");
    }
    lag_ids_deinit(&ids);
}

static void measure(struct lag_coder *coder, const char *text, size_t n) {
    struct lag_ids ids = {0};
    const double begin = cpu_seconds();
    check(lag_encode(coder, text, n, true, &ids, &error));
    const double seconds = cpu_seconds() - begin;
    printf("%.3f MB per CPU-second, %zu ids\n", 1e-6 * (double)n / seconds, ids.n);
    lag_ids_deinit(&ids);
}

static void check_bytes(const struct lag_tokenizer *tokenizer, struct lag_coder *coder, const char *text, size_t n) {
    struct lag_ids ids = {0};
    struct lag_strbuf back = LAG_STRBUF_INIT;
    check(lag_encode(coder, text, n, false, &ids, &error));
    check(lag_decode(tokenizer, ids.at, ids.n, false, &back, &error));
    if (back.length != n || memcmp(back.data, text, n) != 0) {
        fprintf(stderr, "lagtoken: decoding gives another text\n");
        exit(1);
    }
    lag_strbuf_deinit(&back);
    lag_ids_deinit(&ids);
}

static int train(const char *path, const char *vocab_size, const char *pattern) {
    const struct lag_train_plan plan = {.pattern = pattern, .vocab_size = atoi(vocab_size)};
    struct lag_trainer *trainer = NULL;
    struct lag_strbuf out = LAG_STRBUF_INIT;
    size_t n;
    char *text = read_all(path, &n);
    const double begin = cpu_seconds();
    check(lag_trainer_create(&plan, &trainer, &error));
    check(lag_trainer_add(trainer, text, n, &error));
    const double counted = cpu_seconds();
    check(lag_trainer_run(trainer, NULL, &error));
    const double seconds = cpu_seconds() - begin;
    fprintf(stderr, "%.3f CPU-seconds (%.3f of it counting words), %d merges\n", seconds, counted - begin,
            lag_trainer_merges(trainer));
    check(lag_trainer_write(trainer, &out, &error));
    puts(out.data);
    lag_strbuf_deinit(&out);
    lag_trainer_destroy(trainer);
    free(text);
    return 0;
}

int main(int argc, char **argv) {
    if (getenv("NO_EXECUTABLE_MEMORY") && prctl(65 /* PR_SET_MDWE */, 1, 0, 0, 0) != 0) {
        fprintf(stderr, "lagtoken: this kernel does not know PR_SET_MDWE, which came with Linux 6.3\n");
        return 1;
    }
    if (argc == 5 && strcmp(argv[1], "train") == 0) return train(argv[2], argv[3], argv[4]);
    if (argc != 4) {
        fprintf(stderr, "usage: lagtoken ids|speed|bytes TOKENIZER.json TEXT, or train TEXT VOCAB PATTERN\n");
        return 2;
    }
    struct lag_tokenizer *tokenizer = open_tokenizer(argv[2]);
    struct lag_coder *coder = NULL;
    size_t n;
    char *text = read_all(argv[3], &n);
    check(lag_coder_create(tokenizer, &coder, &error));
    if (strcmp(argv[1], "ids") == 0) print_ids(coder, text, n);
    else if (strcmp(argv[1], "speed") == 0) measure(coder, text, n);
    else check_bytes(tokenizer, coder, text, n);
    free(text);
    lag_coder_destroy(coder);
    lag_tokenizer_destroy(tokenizer);
    return 0;
}
