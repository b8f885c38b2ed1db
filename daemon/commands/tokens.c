/* Tokenizers that are stored, and the files that they are read from. */
#include "commands/tokens_internal.h"

#include "records/folders_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/token.h>
#include <lagd/storage/models.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/tokenizers.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- which one ---------------------------------------------------------------------------------------------------- */

static int not_ready(const char *what, const char *name, const char *state, const char *pointer,
                     struct lag_error *err) {
    return lag_error_at(err, LAG_EINVAL, pointer, "%s %s is %s: wait until it is ready, or name another", what, name,
                        state);
}

int lagd_tokens_find(struct lag_db *db, const char *id_or_name, const char *pointer, char ret_id[LAG_ROW_ID],
                     char ret_name[LAG_ROW_NAME], struct lag_error *err) {
    struct lag_tokenizer_row row;
    struct lag_model_row model;
    int rc = lag_tokenizer_get(db, id_or_name, &row, err);
    if (rc == 0) {
        if (!lagd_tokenizer_is(row.state, LAGD_TOKENIZER_READY))
            return not_ready("tokenizer", row.name, row.state, pointer, err);
        (void)lag_copy(ret_id, LAG_ROW_ID, row.id);
        (void)lag_copy(ret_name, LAG_ROW_NAME, row.name);
        return 0;
    }
    if (rc == LAG_ENOTFOUND) rc = lag_model_get(db, id_or_name, &model, err);
    if (rc == LAG_ENOTFOUND)
        return lag_error_at(err, LAG_EINVAL, pointer, "there is no tokenizer %s, and no model: make it first, or name "
                            "one that GET /api/v1/tokenizers lists", id_or_name);
    if (rc != 0) return rc;
    if (!lagd_model_is(model.state, LAGD_MODEL_READY)) return not_ready("model", model.name, model.state, pointer, err);
    if (strcmp(model.tokenizer, "none") == 0)
        return lag_error_at(err, LAG_EINVAL, pointer, "model %s came without a tokenizer: name another", model.name);
    (void)lag_copy(ret_id, LAG_ROW_ID, model.id);
    (void)lag_copy(ret_name, LAG_ROW_NAME, model.name);
    return 0;
}

int lagd_tokens_of_run(struct lag_db *db, const struct lag_run_row *run, char ret_id[LAG_ROW_ID],
                       struct lag_error *err) {
    struct lag_dataset_row dataset;
    struct lag_model_row model;
    ret_id[0] = '\0';
    int rc = lag_dataset_get(db, run->dataset_id, &dataset, err);
    if (rc != 0) return rc;
    if (dataset.tokenizer_id[0]) {
        (void)lag_copy(ret_id, LAG_ROW_ID, dataset.tokenizer_id);
        return 0;
    }
    const bool brought = run->model_id[0] && lag_model_get(db, run->model_id, &model, NULL) == 0 &&
                         strcmp(model.tokenizer, "none") != 0;
    if (brought) (void)lag_copy(ret_id, LAG_ROW_ID, model.id);
    if (brought || strcmp(dataset.format, "text") == 0) return 0;
    return lag_error_set(err, LAG_EUNSUPPORTED, "dataset %s holds %s tokens without a tokenizer: only runs on text, or "
                         "on tokens that a tokenizer of lagd's has made, can be sampled as text", dataset.name,
                         dataset.format);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* A file below root. LAG_ENOTFOUND: it is not there. */
static int read_below(const char *root, const char *relative, char **ret, size_t *ret_length, struct lag_error *err) {
    struct stat info;
    int fd = -1;
    int rc = lag_fs_open_beneath(root, relative, &fd, err);
    if (rc != 0) return rc;
    if (fstat(fd, &info) != 0) rc = lag_error_errno(err, errno, "%s cannot be read", relative);
    if (rc == 0 && info.st_size > LAG_TOKENIZER_MAX_BYTES)
        rc = lag_error_set(err, LAG_ETOOBIG, "%s is larger than the limit of %u bytes", relative,
                           LAG_TOKENIZER_MAX_BYTES);
    char *text = rc == 0 ? malloc((size_t)info.st_size + 1) : NULL;
    if (rc == 0 && !text) rc = lag_error_set(err, LAG_ENOMEM, "out of memory for a tokenizer");
    size_t n = 0;
    while (rc == 0 && n < (size_t)info.st_size) {
        const ssize_t got = pread(fd, text + n, (size_t)info.st_size - n, (off_t)n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) rc = lag_error_errno(err, errno, "%s cannot be read", relative);
        if (got <= 0) break;
        n += (size_t)got;
    }
    (void)close(fd);
    if (rc != 0) {
        free(text);
        return rc;
    }
    text[n] = '\0';
    *ret = text;
    *ret_length = n;
    return 0;
}

static int name_file(int rc, const char *relative, struct lag_error *err) {
    return rc == 0 || rc == LAG_ENOMEM || !err ? rc : lag_error_wrap(err, "%s", relative);
}

static int rewrite(struct lag_tokenizer *tokenizer, int rc, char **ret_text, size_t *ret_length,
                   struct lag_error *err) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    if (rc == 0) rc = lag_tokenizer_write(tokenizer, &out, err);
    if (rc == 0) {
        *ret_length = out.length;
        *ret_text = lag_strbuf_take(&out);
    }
    lag_strbuf_deinit(&out);
    return rc;
}

static int read_pair(const char *root, const char *vocab_path, const char *merges_path, struct lag_tokenizer **ret,
                     char **ret_text, size_t *ret_length, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *vocab = NULL;
    LAG_CLEANUP(lag_free_p) char *merges = NULL;
    size_t n_vocab = 0, n_merges = 0;
    int rc = read_below(root, vocab_path, &vocab, &n_vocab, err);
    if (rc == 0) rc = read_below(root, merges_path, &merges, &n_merges, err);
    if (rc != 0) return rc;
    rc = name_file(lag_tokenizer_read_pair(vocab, n_vocab, merges, n_merges, ret, err), vocab_path, err);
    return rewrite(rc == 0 ? *ret : NULL, rc, ret_text, ret_length, err);
}

static int read_words(const char *root, const char *relative, struct lag_tokenizer **ret, char **ret_text,
                      size_t *ret_length, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *vocab = NULL;
    size_t n = 0;
    int rc = read_below(root, relative, &vocab, &n, err);
    if (rc != 0) return rc;
    /* A vocabulary of capital letters, too, is of a model that tells them apart. */
    const bool lower = !memmem(vocab, n, "\nThe\n", 5);
    rc = name_file(lag_tokenizer_read_words(vocab, n, lower, ret, err), relative, err);
    return rewrite(rc == 0 ? *ret : NULL, rc, ret_text, ret_length, err);
}

static int read_json(const char *root, const char *relative, struct lag_tokenizer **ret, char **ret_text,
                     size_t *ret_length, struct lag_error *err) {
    char *text = NULL;
    int rc = read_below(root, relative, &text, ret_length, err);
    if (rc != 0) return rc;
    rc = name_file(lag_tokenizer_read(text, *ret_length, ret, err), relative, err);
    if (rc == 0) *ret_text = text;
    else free(text);
    return rc;
}

static int read_folder(const char *root, const char *relative, struct lag_tokenizer **ret, char **ret_text,
                       size_t *ret_length, struct lag_error *err) {
    char file[2][LAG_ROW_PATH + 32];
    const char *slash = relative[0] ? "/" : "";
    (void)snprintf(file[0], sizeof(file[0]), "%s%stokenizer.json", relative, slash);
    int rc = read_json(root, file[0], ret, ret_text, ret_length, err);
    if (rc != LAG_ENOTFOUND) return rc;
    (void)snprintf(file[0], sizeof(file[0]), "%s%svocab.json", relative, slash);
    (void)snprintf(file[1], sizeof(file[1]), "%s%smerges.txt", relative, slash);
    rc = read_pair(root, file[0], file[1], ret, ret_text, ret_length, err);
    if (rc != LAG_ENOTFOUND) return rc;
    (void)snprintf(file[0], sizeof(file[0]), "%s%svocab.txt", relative, slash);
    rc = read_words(root, file[0], ret, ret_text, ret_length, err);
    if (rc != LAG_ENOTFOUND) return rc;
    return lag_error_set(err, rc, "%s/%s has no tokenizer.json, no vocab.json with merges.txt, and no vocab.txt", root,
                         relative);
}

static bool ends_in(const char *text, const char *end) {
    const size_t n = strlen(text), length = strlen(end);
    return n >= length && strcmp(text + n - length, end) == 0;
}

int lagd_tokens_read(const char *root, const char *relative, struct lag_tokenizer **ret, char **ret_text,
                     size_t *ret_length, struct lag_error *err) {
    char full[LAGD_STATE_PATH + LAG_ROW_PATH], other[LAG_ROW_PATH + 32];
    struct stat info;
    (void)snprintf(full, sizeof(full), "%s/%s", root, relative);
    if (!*relative || (lstat(full, &info) == 0 && S_ISDIR(info.st_mode))) /* a folder of lagd's may be missing */
        return read_folder(root, relative, ret, ret_text, ret_length, err);
    (void)lag_copy(other, sizeof(other), relative);
    char *name = strrchr(other, '/') ? strrchr(other, '/') + 1 : other;
    const size_t room = sizeof(other) - (size_t)(name - other);
    if (strcmp(name, "merges.txt") == 0) {
        (void)lag_copy(name, room, "vocab.json");
        return read_pair(root, other, relative, ret, ret_text, ret_length, err);
    }
    if (strcmp(name, "vocab.json") == 0) {
        (void)lag_copy(name, room, "merges.txt");
        return read_pair(root, relative, other, ret, ret_text, ret_length, err);
    }
    return ends_in(relative, ".txt") ? read_words(root, relative, ret, ret_text, ret_length, err)
                                     : read_json(root, relative, ret, ret_text, ret_length, err);
}

int lagd_tokens_load(const struct lagd_deps *deps, const char *id, struct lag_tokenizer **ret, struct lag_error *err) {
    char dir[LAGD_STATE_PATH];
    LAG_CLEANUP(lag_free_p) char *text = NULL;
    size_t length = 0;
    if (!id[0]) return lag_tokenizer_of_bytes(ret, err);
    if (lag_id_is(id, "md")) lagd_model_path(deps, id, dir);
    else lagd_tokenizer_path(deps, id, dir);
    const int rc = lagd_tokens_read(dir, "", ret, &text, &length, err);
    return rc == LAG_ENOTFOUND ? lag_error_set(err, LAG_EAWAY, "the files of tokenizer %s are not there: put them back",
                                               id) : rc;
}

void lagd_tokens_describe(const struct lag_tokenizer *tokenizer, struct lag_tokenizer_row *ret) {
    struct lag_tokenizer_look look;
    lag_tokenizer_look(tokenizer, &look);
    (void)lag_copy(ret->kind, sizeof(ret->kind), look.kind);
    (void)lag_copy(ret->pattern, sizeof(ret->pattern), look.pattern);
    ret->vocab_size = look.size;
    ret->n_merges = look.n_merges;
    ret->n_added = look.n_added;
    ret->eos = look.eos;
    ret->bos = look.bos;
    ret->byte_level = look.byte_level;
    (void)lag_copy(ret->eos_token, sizeof(ret->eos_token), look.eos_text);
    (void)lag_copy(ret->bos_token, sizeof(ret->bos_token), look.bos_text);
}
