/* Tokenizers that are stored: those of rows, and those that came with a model. */
#pragma once
#include "process/deps_internal.h"

#include <lagd/storage/rows.h>
struct lag_db;
struct lag_tokenizer;
struct lag_tokenizer_row;

/* The one that a person names: a tokenizer that is ready, or a model that came with one. Errors at pointer. */
int lagd_tokens_find(struct lag_db *db, const char *id_or_name, const char *pointer, char ret_id[LAG_ROW_ID],
                     char ret_name[LAG_ROW_NAME], struct lag_error *err);
/* The id of the tokenizer that a run's tokens are made by: "" means bytes. LAG_EUNSUPPORTED: it is not known. */
int lagd_tokens_of_run(struct lag_db *db, const struct lag_run_row *run, char ret_id[LAG_ROW_ID],
                       struct lag_error *err);
/* Reads the files of the tokenizer or model with this id; of bytes for "". Thread: any. */
int lagd_tokens_load(const struct lagd_deps *deps, const char *id, struct lag_tokenizer **ret, struct lag_error *err);
/* From files below root: a tokenizer.json, vocab.json with merges.txt, vocab.txt, or a folder with such. *ret_text:
 * what
 * is to be kept as tokenizer.json. Thread: any. */
int lagd_tokens_read(const char *root, const char *relative, struct lag_tokenizer **ret, char **ret_text,
                     size_t *ret_length, struct lag_error *err);
/* Kind and all that follows, but for bytes and hash. */
void lagd_tokens_describe(const struct lag_tokenizer *tokenizer, struct lag_tokenizer_row *ret);
