/* A tokenizer is trained: byte-level BPE from the words of a text, or more merges for one that is there.
 *
 * Words are counted as a text comes, then the pair of symbols that occurs most often becomes one symbol, again and
 * again; of pairs that occur equally often the one of smaller ids. Ids: special tokens first, then the 256 bytes in the
 * order of the letters that stand for them, then what was merged. Thread: one owner. */
#pragma once
#include <lagd/engine/token.h>

#define LAG_TRAIN_WORD_MAX 4096 /* bytes of a word; longer ones are cut there */
struct lag_train_plan {
    const char *pattern;        /* gpt2, llama3, qwen2, or a regular expression; NULL: gpt2 */
    const char *const *specials;
    size_t n_specials;
    int vocab_size;             /* of all tokens; training ends earlier where no pair is left */
    const char *base;           /* the tokenizer.json to go on from, which keeps its ids; NULL: from bytes */
    size_t n_base;
};
struct lag_trainer;
/* LAG_EINVAL at "/train/…": what the plan asks for is not possible. */
int lag_trainer_create(const struct lag_train_plan *plan, struct lag_trainer **ret, struct lag_error *err);
void lag_trainer_destroy(struct lag_trainer *trainer);
/* Counts the words of a text, which ends a word: where it is the next part of a longer one, it is cut behind the end of
 * a line. */
int lag_trainer_add(struct lag_trainer *trainer, const char *text, size_t n, struct lag_error *err);
struct lag_train_watch {
    bool (*goes_on)(void *arg, int n_done, int n_asked); /* merges; false: LAG_ECANCELED */
    void *arg;
};
/* watch may be NULL. */
int lag_trainer_run(struct lag_trainer *trainer, const struct lag_train_watch *watch, struct lag_error *err);
int lag_trainer_merges(const struct lag_trainer *trainer);
/* The tokenizer.json, appended. */
int lag_trainer_write(const struct lag_trainer *trainer, struct lag_strbuf *out, struct lag_error *err);
