/* Datasets: text files read as bytes (vocabulary 256), and the token files of nanoGPT (uint16, no header), uint32
 * without a header, and llm.c (256 × int32 header; uint16 with magic 20240520 version 1, uint32 with magic 20240801
 * version 7) as they are, all little-endian.
 *
 * The last 10 % of the tokens (rounded down) are for validation. A training batch is a pure function of (seed, step):
 * there is no cursor to lose. Files are read with pread, never mapped, so a file that shrinks is an error, not a
 * signal. Thread: any for the pure functions; a dataset may be read by many threads at once. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct lag_error;

enum lag_token_format {
    LAG_TOKENS_TEXT, LAG_TOKENS_NANOGPT, LAG_TOKENS_U32, LAG_TOKENS_LLMC_U16, LAG_TOKENS_LLMC_U32,
    LAG_N_TOKEN_FORMATS
};
extern const char *const lag_token_format_choices[]; /* NULL-terminated: auto, then the names by format */
const char *lag_token_format_name(enum lag_token_format format);
int lag_token_format_parse(const char *name, enum lag_token_format *ret);

struct lag_dataset_info {
    enum lag_token_format format;
    uint64_t n_bytes, n_tokens;
    uint32_t max_id;   /* largest token found */
    int vocab_size;    /* 256 for text; else as declared, or max_id + 1 */
    char sha256[65];   /* of the whole file */
};

/* Who watches a scan: asked before each part of a quarter MiB, with the bytes that were read so far; false ends it. */
struct lag_scan_watch {
    bool (*goes_on)(void *arg, uint64_t n_bytes);
    void *arg;
};
/* Reads the whole file once: recognises the format (llm.c by magic; nanoGPT when the name ends in ".bin", in any case,
 * and the size is even, an odd one is refused; else text), range-checks every token against declared_vocab (0 = none
 * declared), counts and hashes. format_name NULL or "auto" recognises, else one of the names above. Refuses: llm.c
 * evaluation files (magic 20240522, named in the text), sizes that do not fit the header, fewer than 64 tokens, empty
 * files; by name, unless format_name is text, what is no training data (archives, models, documents, UTF-16 and UTF-32,
 * pointers of Git LFS); and, unless a format is named, a ".bin" whose words look like another width or byte order.
 * watch may be NULL; LAG_ECANCELED when it ends the scan. fd stays the caller's. */
int lag_dataset_inspect(int fd, const char *file_name, const char *format_name, int declared_vocab,
                        const struct lag_scan_watch *watch, struct lag_dataset_info *ret, struct lag_error *err);
/* The same refusals, as far as the size and the first quarter MiB tell; *ret: how the file would be read. */
int lag_dataset_glance(int fd, const char *file_name, const char *format_name, int declared_vocab,
                       enum lag_token_format *ret, struct lag_error *err);

struct lag_dataset;
/* Takes fd, on failure too (it is closed then). The size must still be info's. */
int lag_dataset_open(int fd, const struct lag_dataset_info *info, struct lag_dataset **ret, struct lag_error *err);
void lag_dataset_close(struct lag_dataset *dataset);
const struct lag_dataset_info *lag_dataset_info(const struct lag_dataset *dataset);
/* Can batches of this context be drawn? Training and validation parts need context + 1 tokens each. Points to
 * "/model/n_positions" or "/model/vocab_size" (a model's vocabulary may be larger than the dataset's). */
int lag_dataset_check(const struct lag_dataset_info *info, int context, int vocab_size, struct lag_error *err);
/* The longest context of which both parts have a window; 0: none. */
int64_t lag_dataset_longest(const struct lag_dataset_info *info);

/* tokens, targets: [batch][context], target = next token. Window starts are uniform over the training part, from
 * (seed, step, micro × batch + row). Every id is < vocab_size of info (re-checked: LAG_ECORRUPT when the file
 * changed). */
int lag_dataset_batch(const struct lag_dataset *dataset, uint64_t seed, int64_t step, int micro, int batch, int context,
                      int32_t *ret_tokens, int32_t *ret_targets, struct lag_error *err);
/* Validation batches. All their n_batches × rows windows lie evenly spaced over the validation part. The batches 0,
 * stride, 2 × stride … are the small set: together the very batches of the set {n_batches / stride, 1, rows}, which is
 * what a run validates on. So a small evaluation and a full one can be compared, and a run's validation loss goes on
 * through a growth. */
struct lag_eval_set {
    int n_batches; /* of the full set: a multiple of stride */
    int stride;    /* 1: the full set is the small one */
    int rows;      /* windows a batch */
    int window;    /* tokens a window; 0: as many as who asks reads at once */
};
/* Its index-th batch: of each window the context tokens from begin on, tokens and targets [rows][context]. A model that
 * cannot read a window at once reads it in parts. */
int lag_dataset_validation(const struct lag_dataset *dataset, const struct lag_eval_set *set, int index, int begin,
                           int context, int32_t *ret_tokens, int32_t *ret_targets, struct lag_error *err);

/* A set of batches that many readers will ask for, as the candidates of a growth do. It has the training batches of the
 * steps first_step … first_step + n_steps - 1 (lag_dataset_batch with this seed, batch and context, micro <
 * accumulate), and the validation batches of a set. */
struct lag_kept_batches {
    uint64_t seed;
    int64_t first_step, n_steps;
    int accumulate, batch;
    struct lag_eval_set eval; /* n_batches or rows below 1: no validation; its window, if it has one, is context */
    int context;
};
#define LAG_KEPT_LIMIT_BYTES (32u << 20)
/* Keeps these batches in memory. The first caller that asks for a kept batch reads it from the file; every later caller
 * gets the same ids from memory, even if the file has changed since.
 * Which are kept: all validation batches, then micro-batches from first_step on, until LAG_KEPT_LIMIT_BYTES are full
 * (context + 1 int32 a window, counted before rounding to pages). Every other batch is read from the file as before.
 * When a read fails, the caller that asked gets the error, and the next caller reads again. A second call forgets what
 * the first one kept. LAG_ENOMEM: nothing is kept; batches are read as before.
 * Thread: no other thread may use the dataset during lag_dataset_keep or lag_dataset_forget. Between the two, any
 * number of threads may ask for batches at once; one at a time reads the file. */
int lag_dataset_keep(struct lag_dataset *dataset, const struct lag_kept_batches *what, struct lag_error *err);
void lag_dataset_forget(struct lag_dataset *dataset); /* closing does so, too */
/* Exactly what lag_dataset_keep will allocate. Pure. */
uint64_t lag_kept_bytes(const struct lag_kept_batches *what);
