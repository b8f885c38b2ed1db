/* A text file becomes a token file of llm.c: a header of 1024 bytes, then uint16 tokens, or uint32 ones where the
 * tokenizer has more than 65536.
 *
 * The text is read with pread, once, in parts, and may consist of documents: the tokenizer's token for the end of a
 * text stands before each. Thread: any. */
#pragma once
#include <lagd/engine/token.h>
#include <stdint.h>

enum lag_documents {
    LAG_DOCUMENTS_NONE,       /* the whole file is one text */
    LAG_DOCUMENTS_LINE,       /* each line without its end; empty ones are none */
    LAG_DOCUMENTS_BLANK_LINE, /* what stands between empty lines */
    LAG_DOCUMENTS_SEPARATOR,  /* what stands between texts like this one */
    LAG_DOCUMENTS_JSONL,      /* a member of the JSON object in each line */
    LAG_N_DOCUMENTS
};
extern const char *const lag_documents_names[]; /* by kind, NULL-terminated */

#define LAG_DOCUMENT_MAX_BYTES (256u << 20) /* that is in memory at once; longer ones only where they can be cut */
struct lag_tokenize_plan {
    const struct lag_tokenizer *tokenizer;
    enum lag_documents documents;
    const char *field; /* SEPARATOR: the text; JSONL: the member, "text" when empty; may be NULL */
};
struct lag_tokenize_watch {
    bool (*goes_on)(void *arg, uint64_t n_bytes); /* of the text; false: LAG_ECANCELED */
    void *arg;
};
struct lag_tokenized {
    uint64_t n_bytes, n_tokens; /* of the text; with those that stand between documents */
    uint64_t n_documents;
    uint64_t n_text_bytes;      /* that the tokens stand for: of the documents alone */
    unsigned width_bytes;       /* 2 or 4 */
    char text_sha256[65];       /* of the file that was read */
};
/* LAG_EINVAL at "/documents/…" or "/tokenizer" before anything is read: the plan is not possible. */
int lag_tokenize_check(const struct lag_tokenize_plan *plan, struct lag_error *err);
/* Writes dir/name, which is replaced, durably. file_name is for errors; watch may be NULL. */
int lag_tokenize_file(const struct lag_tokenize_plan *plan, int fd, const char *file_name, const char *dir,
                      const char *name, const struct lag_tokenize_watch *watch, struct lag_tokenized *ret,
                      struct lag_error *err);
