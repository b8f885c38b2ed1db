/* What is asked of tokenizers. Thread: any (data and const tables). */
#pragma once
#include <lagd/base/fields.h>
#include <lagd/storage/rows.h>

struct lagd_tokenizer_add {
    char name[65];
    char path[LAG_ROW_PATH];     /* a file or folder below the configured roots, … */
    char upload[LAG_ROW_PATH];   /* … or an uploaded temporary file, which is moved in (removed on failure), … */
    char dataset[LAG_ROW_NAME];  /* … or a dataset of text whose words it learns */
    int64_t vocab_size;
    char pattern[1024];          /* gpt2, llama3, qwen2 or a regular expression */
    char specials[1024];         /* ',' between */
};
/* Of a new tokenizer; of one that goes on from another. */
extern const struct lag_fields lagd_tokenizer_fields, lagd_tokenizer_extend_fields;

/* A text to ids, or ids to a text. */
struct lagd_coding {
    bool decode, special;        /* special: with those that the post-processor adds; decoding: special ones, too */
    bool pieces;                 /* encoding: with what each id stands for */
    char *text;                  /* to encode; owned */
    size_t n_text;
    int32_t *ids;                /* to decode, or what the text came to; owned */
    size_t n_ids;
    size_t *ends;                /* [n_ids], with pieces: where each ends in the command's text; owned */
};
