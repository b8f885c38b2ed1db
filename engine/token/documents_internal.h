/* A text that comes in parts, divided into documents. Thread: one owner. */
#pragma once
#include <lagd/engine/tokenize.h>

struct lag_divider {
    enum lag_documents kind;
    const char *field;
    uint64_t n_lines;
};
typedef int (*lag_document_fn)(void *arg, const char *text, size_t n, struct lag_error *err);
/* Tells all whole documents of the text; last: it ends here, and what is left is one, too. Not for NONE. *ret: how much
 * of the text is done with. */
int lag_divide(struct lag_divider *divider, const char *text, size_t n, bool last, lag_document_fn each, void *arg,
               size_t *ret, struct lag_error *err);
