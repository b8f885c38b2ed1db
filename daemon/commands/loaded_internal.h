/* Tokenizers that were read last stay loaded, so that a request does not read a file of megabytes for a few words.
 *
 * At most LAGD_LOADED_MAX, and no more than LAGD_LOADED_BYTES together; the one that was used longest ago goes first.
 * A tokenizer never changes and is shared: it is freed when it has left the list and its last user has given it back.
 * Thread: any, but that create and destroy are the main thread's. */
#pragma once
#include "process/deps_internal.h"
#include <stddef.h>
struct lag_tokenizer;
struct lagd_loaded;

#define LAGD_LOADED_MAX 4
#define LAGD_LOADED_BYTES ((size_t)64 << 20)

int lagd_loaded_create(const struct lagd_deps *deps, struct lagd_loaded **ret, struct lag_error *err);
void lagd_loaded_destroy(struct lagd_loaded *loaded); /* all have been given back */
/* Of the tokenizer or model with this id, of bytes for "": read where it is not there. To be given back. Errors: those
 * of lagd_tokens_load. */
int lagd_loaded_take(struct lagd_loaded *loaded, const char *id, const struct lag_tokenizer **ret,
                     struct lag_error *err);
void lagd_loaded_give(struct lagd_loaded *loaded, const struct lag_tokenizer *tokenizer); /* or NULL */
/* It was deleted: who has it may go on with it, and it is not kept any longer, also where it is just being read. */
void lagd_loaded_drop(struct lagd_loaded *loaded, const char *id);
size_t lagd_loaded_count(struct lagd_loaded *loaded);
