/* Tokens of two datasets mean the same where one tokenizer made both, or one that goes on from it: it keeps its ids. */
#include "plan/same_tokens_internal.h"

#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/storage/tokenizers.h>
#include <string.h>

enum { GENERATIONS_MAX = 64 };

/* Does the tokenizer go on from the other one? One that was deleted ends the search. */
static bool descends(struct lag_db *db, const char *id, const struct lag_dataset_row *from) {
    struct lag_tokenizer_row row;
    char next[LAG_ROW_ID];
    (void)lag_copy(next, sizeof(next), id);
    for (int i = 0; i < GENERATIONS_MAX && next[0]; i++) {
        if (strcmp(next, from->tokenizer_id) == 0) return true;
        if (lag_tokenizer_get(db, next, &row, NULL) != 0) return false;
        if (strcmp(row.sha256, from->tokenizer_sha256) == 0) return true;
        (void)lag_copy(next, sizeof(next), row.base_id);
    }
    return false;
}

bool lagd_tokens_agree(struct lag_db *db, const struct lag_dataset_row *a, const struct lag_dataset_row *b) {
    if (!lag_id_is(a->tokenizer_id, "tok") || !lag_id_is(b->tokenizer_id, "tok")) return true;
    return descends(db, a->tokenizer_id, b) || descends(db, b->tokenizer_id, a);
}
