/* Tokenizers: text to ids and back, as the files of Hugging Face's tokenizers describe it.
 *
 * A tokenizer is read once and never changes: any number of threads may share it. What works with it (caches, memory)
 * is a coder, which belongs to one thread at a time. Texts are bytes; where they are no UTF-8, byte-level tokenizers
 * keep them all the same. Errors name the component at fault: LAG_ECORRUPT for a broken file, LAG_EUNSUPPORTED for a
 * part that lagd does not know, LAG_EINVAL for a text or id that the tokenizer cannot express. */
#pragma once
#include <lagd/base/strbuf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct lag_error;
struct lag_tokenizer;
struct lag_coder;

#define LAG_TOKENIZER_MAX_BYTES (64u << 20) /* of a file of a tokenizer */

/* From the text of a tokenizer.json. */
int lag_tokenizer_read(const char *text, size_t n, struct lag_tokenizer **ret, struct lag_error *err);
/* From vocab.json and merges.txt: byte-level, split as GPT-2 does it; <|endoftext|> is special where the vocabulary has
 * it. */
int lag_tokenizer_read_pair(const char *vocab, size_t n_vocab, const char *merges, size_t n_merges,
                            struct lag_tokenizer **ret, struct lag_error *err);
/* From vocab.txt: WordPiece with the parts of BERT; lower: letters are made small and lose their accents. */
int lag_tokenizer_read_words(const char *vocab, size_t n, bool lower, struct lag_tokenizer **ret,
                             struct lag_error *err);
/* Each byte is a token, and there are no others. */
int lag_tokenizer_of_bytes(struct lag_tokenizer **ret, struct lag_error *err);
void lag_tokenizer_destroy(struct lag_tokenizer *tokenizer);

/* The tokenizer.json of it, appended. */
int lag_tokenizer_write(const struct lag_tokenizer *tokenizer, struct lag_strbuf *out, struct lag_error *err);

struct lag_tokenizer_look {
    char kind[24];        /* "bytes", "BPE", "WordPiece" */
    const char *pattern;  /* how words are found: "gpt2", "llama3", "qwen2", "" for other ways; constant */
    int size;             /* the largest id and one: what a vocabulary must hold */
    int n_tokens, n_merges, n_added;
    int32_t eos, bos;     /* ids, -1: none. eos stands between documents, too */
    char eos_text[64], bos_text[64]; /* "": none */
    bool byte_level;      /* any bytes can be told */
};
void lag_tokenizer_look(const struct lag_tokenizer *tokenizer, struct lag_tokenizer_look *ret);
/* The id of a token by its text in tokenizer.json, -1: none. */
int32_t lag_tokenizer_find(const struct lag_tokenizer *tokenizer, const char *text);

/* Bytes of memory that it takes. */
size_t lag_tokenizer_memory(const struct lag_tokenizer *tokenizer);
bool lag_tokenizer_knows(const struct lag_tokenizer *tokenizer, int32_t id);

/* --- coding ----------------------------------------------------------------------------------------------------- */

struct lag_ids {
    int32_t *at;
    size_t n, capacity;
};
void lag_ids_deinit(struct lag_ids *ids);

/* The tokenizer must outlive it. */
int lag_coder_create(const struct lag_tokenizer *tokenizer, struct lag_coder **ret, struct lag_error *err);
void lag_coder_destroy(struct lag_coder *coder);
/* Appends the ids of the text. special: with the tokens that the post-processor puts around it. */
int lag_encode(struct lag_coder *coder, const char *text, size_t n, bool special, struct lag_ids *ret,
               struct lag_error *err);
/* Appends the bytes of the ids; those that are special are left out where skip_special says so. */
int lag_decode(const struct lag_tokenizer *tokenizer, const int32_t *ids, size_t n, bool skip_special,
               struct lag_strbuf *out, struct lag_error *err);
/* How much of the text may be coded by itself, so that the ids of both parts are those of the whole: at most n, 0 when
 * there is no such place. */
size_t lag_tokenizer_cut(const struct lag_tokenizer *tokenizer, const char *text, size_t n);
