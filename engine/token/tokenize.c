/* A text file becomes a token file. */
#include "token/documents_internal.h"
#include "token/token_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/hash.h>
#include <lagd/base/mem.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 20, WRITE_IDS = 1 << 16, HEADER_BYTES = 1024, SMALL_VOCAB = 65536, PART_BYTES = 4 << 20 };

struct writing {
    const struct lag_tokenize_plan *plan;
    const char *file_name;
    struct lag_coder *coder;
    struct lag_ids ids;      /* that are not written yet */
    struct lag_strbuf bytes; /* as they go out */
    struct lag_sha256 *hash;
    int32_t end;             /* before each document */
    int fd;
    struct lag_tokenized done;
};

int lag_tokenize_check(const struct lag_tokenize_plan *plan, struct lag_error *err) {
    const bool separator = plan->documents == LAG_DOCUMENTS_SEPARATOR, jsonl = plan->documents == LAG_DOCUMENTS_JSONL;
    const bool has_field = plan->field && plan->field[0];
    if (separator && !has_field)
        return lag_error_at(err, LAG_EINVAL, "/documents/field", "documents of kind separator need a field: the text "
                            "that stands between them");
    if (has_field && !separator && !jsonl)
        return lag_error_at(err, LAG_EINVAL, "/documents/field", "documents of kind %s have no field: leave it out",
                            lag_documents_names[plan->documents]);
    if (plan->documents == LAG_DOCUMENTS_NONE || plan->tokenizer->eos != LAG_TOKEN_NONE) return 0;
    return lag_error_at(err, LAG_EINVAL, "/documents/kind", "the tokenizer has no token for the end of a text "
                        "(<|endoftext|>, </s>), which stands between documents: take one that has, or documents of "
                        "kind none");
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static int write_ids(struct writing *w, struct lag_error *err) {
    const unsigned width = w->done.width_bytes;
    lag_strbuf_clear(&w->bytes);
    for (size_t i = 0; i < w->ids.n; i++) {
        const uint32_t id = (uint32_t)w->ids.at[i];
        const unsigned char b[4] = {(unsigned char)id, (unsigned char)(id >> 8), (unsigned char)(id >> 16),
                                    (unsigned char)(id >> 24)};
        lag_strbuf_append_n(&w->bytes, b, width);
    }
    if (w->bytes.failed) return lag_error_set(err, LAG_ENOMEM, "out of memory for tokens");
    w->done.n_tokens += w->ids.n;
    w->ids.n = 0;
    if (w->done.n_tokens > INT32_MAX)
        return lag_error_set(err, LAG_ETOOBIG, "%s: more than %d tokens, which a token file cannot count: divide the "
                             "text", w->file_name, INT32_MAX);
    return w->bytes.length > 0 ? lag_fs_write_all(w->fd, w->bytes.data, w->bytes.length, err) : 0;
}

static int write_header(struct writing *w, struct lag_error *err) {
    const bool small = w->done.width_bytes == 2;
    const uint32_t words[3] = {small ? 20240520 : 20240801, small ? 1 : 7, (uint32_t)w->done.n_tokens};
    unsigned char header[HEADER_BYTES] = {0};
    for (size_t i = 0; i < LAG_COUNT(words); i++)
        for (size_t k = 0; k < 4; k++) header[4 * i + k] = (unsigned char)(words[i] >> (8 * k));
    if (lseek(w->fd, 0, SEEK_SET) < 0) return lag_error_errno(err, errno, "the token file cannot be written");
    return lag_fs_write_all(w->fd, header, sizeof header, err);
}

/* A part of a document. */
static int add_part(struct writing *w, const char *text, size_t n, struct lag_error *err) {
    int rc = lag_encode(w->coder, text, n, false, &w->ids, err);
    w->done.n_text_bytes += n;
    return rc == 0 && w->ids.n >= WRITE_IDS ? write_ids(w, err) : rc;
}

static int add_document(void *arg, const char *text, size_t n, struct lag_error *err) {
    struct writing *w = arg;
    int rc = lag_ids_reserve(&w->ids, 1, err);
    if (rc != 0) return rc;
    w->ids.at[w->ids.n++] = w->end;
    w->done.n_documents++;
    return add_part(w, text, n, err);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* What of the buffer can be coded now. */
static int take(struct writing *w, struct lag_divider *divider, const struct lag_strbuf *text, bool last, size_t *ret,
                struct lag_error *err) {
    const char *at = text->data ? text->data : "";
    if (divider->kind != LAG_DOCUMENTS_NONE)
        return lag_divide(divider, at, text->length, last, add_document, w, ret, err);
    *ret = last ? text->length : 0;
    if (!last && text->length >= PART_BYTES) *ret = lag_tokenizer_cut(w->plan->tokenizer, at, text->length);
    return *ret > 0 ? add_part(w, at, *ret, err) : 0;
}

static int read_part(struct writing *w, int fd, struct lag_strbuf *text, char *chunk, bool *ret_last,
                     struct lag_error *err) {
    ssize_t got = pread(fd, chunk, READ_BYTES, (off_t)w->done.n_bytes);
    while (got < 0 && errno == EINTR) got = pread(fd, chunk, READ_BYTES, (off_t)w->done.n_bytes);
    if (got < 0) return lag_error_errno(err, errno, "%s: cannot read", w->file_name);
    lag_sha256_update(w->hash, chunk, (size_t)got);
    lag_strbuf_append_n(text, chunk, (size_t)got);
    w->done.n_bytes += (uint64_t)got;
    *ret_last = got == 0;
    return text->failed ? lag_error_set(err, LAG_ENOMEM, "out of memory for a text") : 0;
}

/* A byte order mark is no part of the text. */
static size_t skip_mark(const struct lag_strbuf *text) {
    return text->length >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static void drop(struct lag_strbuf *text, size_t n) {
    if (n == 0) return;
    memmove(text->data, text->data + n, text->length - n);
    text->length -= n;
    text->data[text->length] = '\0';
}

static int read_all(struct writing *w, int fd, struct lag_strbuf *text, char *chunk,
                    const struct lag_tokenize_watch *watch, struct lag_error *err) {
    struct lag_divider divider = {.kind = w->plan->documents, .field = w->plan->field};
    bool last = false, first = true;
    int rc = 0;
    while (rc == 0 && !last) {
        size_t done = 0;
        rc = read_part(w, fd, text, chunk, &last, err);
        if (rc != 0) return rc;
        if (first) drop(text, skip_mark(text));
        first = false;
        rc = take(w, &divider, text, last, &done, err);
        if (rc != 0) return rc == LAG_ENOMEM || !err ? rc : lag_error_wrap(err, "%s", w->file_name);
        drop(text, done);
        if (text->length > LAG_DOCUMENT_MAX_BYTES)
            return lag_error_set(err, LAG_ETOOBIG, "%s: a document of more than %u bytes: divide the text into "
                                 "documents (documents/kind)", w->file_name, LAG_DOCUMENT_MAX_BYTES);
        if (watch && !watch->goes_on(watch->arg, w->done.n_bytes))
            return lag_error_set(err, LAG_ECANCELED, "%s: cancelled", w->file_name);
    }
    return 0;
}

static int write_all(struct writing *w, int fd, const struct lag_tokenize_watch *watch, struct lag_error *err) {
    struct lag_strbuf text = LAG_STRBUF_INIT;
    LAG_CLEANUP(lag_free_p) char *chunk = malloc(READ_BYTES);
    int rc = chunk ? 0 : lag_error_set(err, LAG_ENOMEM, "out of memory for a text");
    if (rc == 0) rc = write_header(w, err); /* its room */
    if (rc == 0) rc = read_all(w, fd, &text, chunk, watch, err);
    if (rc == 0) rc = write_ids(w, err);
    LAG_FP("tokenize.written");
    if (rc == 0) rc = write_header(w, err);
    if (rc == 0 && fsync(w->fd) < 0) rc = lag_error_errno(err, errno, "the token file cannot be written");
    lag_strbuf_deinit(&text);
    return rc;
}

int lag_tokenize_file(const struct lag_tokenize_plan *plan, int fd, const char *file_name, const char *dir,
                      const char *name, const struct lag_tokenize_watch *watch, struct lag_tokenized *ret,
                      struct lag_error *err) {
    struct writing w = {.plan = plan, .file_name = file_name, .end = plan->tokenizer->eos, .fd = -1};
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/%s", dir, name);
    w.done.width_bytes = plan->tokenizer->size > SMALL_VOCAB ? 4 : 2;
    int rc = lag_tokenize_check(plan, err);
    if (rc == 0 && !path) rc = lag_error_set(err, LAG_ENOMEM, "out of memory for a text");
    if (rc == 0) rc = lag_coder_create(plan->tokenizer, &w.coder, err);
    if (rc == 0 && lag_sha256_create(&w.hash) != 0) rc = lag_error_set(err, LAG_ENOMEM, "cannot start SHA-256");
    if (rc == 0) w.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (rc == 0 && w.fd < 0) rc = lag_error_errno(err, errno, "%s cannot be made", path);
    if (rc == 0) rc = write_all(&w, fd, watch, err);
    if (rc == 0) rc = lag_fs_fsync_dir(dir, err);
    if (w.fd >= 0) (void)close(w.fd);
    if (rc == 0) lag_sha256_finish(LAG_TAKE(w.hash), w.done.text_sha256);
    lag_sha256_destroy(w.hash);
    lag_coder_destroy(w.coder);
    lag_ids_deinit(&w.ids);
    lag_strbuf_deinit(&w.bytes);
    if (rc == 0) *ret = w.done;
    return rc;
}
