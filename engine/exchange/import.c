/* A folder of Hugging Face's libraries: its files, opened and copied. */
#include "exchange/import_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_INDEX_BYTES (8u << 20)

/* --- files ------------------------------------------------------------------------------------------------------- */

/* The folder's path below root, and the file. */
static int open_beneath(const struct lag_import *import, const char *name, int *ret_fd, struct lag_error *err) {
    const bool at_root = import->relative[0] == '\0';
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s%s%s", import->relative, at_root ? "" : "/", name);
    if (!path) return lag_error_set(err, LAG_ENOMEM, "out of memory for a model's files");
    return lag_fs_open_beneath(import->root, path, ret_fd, err);
}

static int add_file(struct lag_import *import, const char *name, int fd, struct lag_error *err) {
    struct stat info;
    if (fstat(fd, &info) != 0) return lag_error_errno(err, errno, "%s cannot be looked at", name);
    if (lag_grow_array((void **)&import->files, &import->files_capacity, import->n_files + 1,
                       sizeof *import->files) != 0 ||
        lag_grow_array((void **)&import->fds, &import->fds_capacity, import->n_files + 1, sizeof *import->fds) != 0)
        return lag_error_set(err, LAG_ENOMEM, "out of memory for a model's files");
    struct lag_import_file *file = &import->files[import->n_files];
    *file = (struct lag_import_file){.n_bytes = (uint64_t)info.st_size};
    (void)lag_copy(file->name, sizeof file->name, name);
    import->fds[import->n_files++] = fd;
    import->look.n_bytes += file->n_bytes;
    return 0;
}

int lag_import_open_file(struct lag_import *import, const char *name, int *ret_fd, struct lag_error *err) {
    int fd = -1;
    int rc = open_beneath(import, name, &fd, err);
    if (rc != 0) return rc;
    rc = add_file(import, name, fd, err);
    if (rc != 0) (void)close(fd);
    else *ret_fd = fd;
    return rc;
}

int lag_import_read_text(struct lag_import *import, const char *name, size_t max_bytes, char **ret, size_t *ret_length,
                         struct lag_error *err) {
    int fd = -1;
    int rc = lag_import_open_file(import, name, &fd, err);
    if (rc != 0) return rc;
    const uint64_t length = import->files[import->n_files - 1].n_bytes;
    if (length > max_bytes)
        return lag_error_set(err, LAG_ETOOBIG, "%s is larger than the limit of %zu bytes", name, max_bytes);
    LAG_CLEANUP(lag_free_p) char *text = lag_calloc((size_t)length + 1, 1);
    if (!text) return lag_error_set(err, LAG_ENOMEM, "out of memory for %s", name);
    rc = lag_st_read_at(fd, text, (size_t)length, 0, err);
    if (rc != 0) return err ? lag_error_wrap(err, "%s", name) : rc;
    *ret = LAG_TAKE(text);
    *ret_length = (size_t)length;
    return 0;
}

/* --- the weights ------------------------------------------------------------------------------------------------- */

/* The header is read through a descriptor of its own, which the shard keeps. */
static int open_shard(struct lag_import *import, const char *name, struct lag_import_shard *shard,
                      struct lag_error *err) {
    int listed = -1;
    int rc = lag_import_open_file(import, name, &listed, err);
    if (rc != 0) return rc;
    const int fd = dup(listed);
    if (fd < 0) return lag_error_errno(err, errno, "%s cannot be opened", name);
    (void)lag_copy(shard->name, sizeof shard->name, name);
    rc = lag_st_open_fd(fd, LAG_ST_MAX_HEADER_BYTES, &shard->file, err);
    if (rc == 0) return 0;
    (void)close(fd);
    return err ? lag_error_wrap(err, "%s", name) : rc;
}

static int make_room(struct lag_import *import, size_t n, struct lag_error *err) {
    import->shards = lag_calloc(n, sizeof *import->shards);
    if (!import->shards) return lag_error_set(err, LAG_ENOMEM, "out of memory for a model's files");
    for (size_t i = 0; i < n; i++) import->shards[i].file.fd = -1;
    import->n_shards = n;
    return 0;
}

/* What is there instead of safetensors is named, since that is what has to be done about it. */
static int refuse_without_weights(const struct lag_import *import, struct lag_error *err) {
    static const char *const others[] = {"pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5",
                                         "flax_model.msgpack", "model.ckpt.index"};
    for (size_t i = 0; i < LAG_COUNT(others); i++) {
        LAG_CLEANUP(lag_close_p) int fd = -1;
        if (open_beneath(import, others[i], &fd, NULL) == 0)
            return lag_error_set(err, LAG_EUNSUPPORTED, "only %s: save it as safetensors first", others[i]);
    }
    return lag_error_set(err, LAG_ENOTFOUND, "model.safetensors is missing, and so is " LAG_IMPORT_INDEX);
}

static int open_shards(struct lag_import *import, const struct lag_import_names *names, struct lag_error *err) {
    int rc = make_room(import, names->n, err);
    for (size_t i = 0; rc == 0 && i < names->n; i++) {
        rc = open_shard(import, names->names[i], &import->shards[i], err);
        if (rc == LAG_ENOTFOUND)
            rc = lag_error_set(err, rc, LAG_IMPORT_INDEX ": it names %s, which is missing", names->names[i]);
    }
    return rc;
}

static int open_index(struct lag_import *import, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *text = NULL;
    struct lag_import_names names = {0};
    size_t length = 0;
    int rc = lag_import_read_text(import, LAG_IMPORT_INDEX, MAX_INDEX_BYTES, &text, &length, err);
    if (rc == LAG_ENOTFOUND) return refuse_without_weights(import, err);
    if (rc != 0) return rc;
    rc = lag_import_index(text, length, &import->index, &names, err);
    if (rc != 0) return err ? lag_error_wrap(err, LAG_IMPORT_INDEX) : rc;
    rc = open_shards(import, &names, err);
    free(names.names);
    return rc;
}

/* One file goes before an index, as transformers takes them. */
static int open_weights(struct lag_import *import, struct lag_error *err) {
    int rc = make_room(import, 1, err);
    if (rc == 0) rc = open_shard(import, "model.safetensors", &import->shards[0], err);
    if (rc != LAG_ENOTFOUND) return rc;
    free(import->shards);
    import->shards = NULL;
    import->n_shards = 0;
    return open_index(import, err);
}

static int read_config(struct lag_import *import, struct lag_error *err) {
    size_t length = 0;
    int rc = lag_import_read_text(import, "config.json", LAG_IMPORT_MAX_CONFIG_BYTES, &import->config, &length, err);
    if (rc == LAG_ENOTFOUND)
        return lag_error_set(err, rc, "config.json is missing: name the folder that save_pretrained() has written");
    if (rc != 0) return rc;
    rc = lag_import_config(import->config, length, &import->look.spec, err);
    if (rc == LAG_ENOMEM || rc == 0) return rc;
    return err ? lag_error_wrap(err, "config.json") : rc;
}

int lag_import_open(const char *root, const char *relative, struct lag_import **ret, struct lag_error *err) {
    struct lag_import *import = lag_calloc(1, sizeof *import);
    if (!import) return lag_error_set(err, LAG_ENOMEM, "out of memory for a model's files");
    import->root = root;
    import->relative = relative;
    int rc = read_config(import, err);
    if (rc == 0) rc = lag_layout_create(&import->look.spec, &import->layout, err);
    if (rc == 0) rc = open_weights(import, err);
    if (rc == 0) rc = lag_import_match(import, err);
    if (rc == 0) rc = lag_import_tokenizer(import, err);
    import->root = import->relative = NULL;
    if (rc != 0) {
        lag_import_close(import);
        return rc;
    }
    import->look.config = import->config;
    import->look.tokenizer = import->tokenizer;
    import->look.files = import->files;
    import->look.n_files = import->n_files;
    import->look.ignored = import->ignored;
    import->look.n_ignored = import->n_ignored;
    *ret = import;
    return 0;
}

void lag_import_close(struct lag_import *import) {
    if (!import) return;
    for (size_t i = 0; i < import->n_shards; i++) lag_st_close(&import->shards[i].file);
    for (size_t i = 0; i < import->n_files; i++) (void)close(import->fds[i]);
    json_decref(import->index);
    lag_layout_deinit(&import->layout);
    free(import->config);
    free(import->shards);
    free(import->files);
    free(import->fds);
    free(import->ignored);
    free(import->places);
    free(import);
}

const struct lag_import_look *lag_import_look(const struct lag_import *import) { return &import->look; }

int lag_import_copy(const struct lag_import *import, const char *to, char (*hashes)[LAG_SHA256_HEX],
                    const struct lag_fs_watch *watch, struct lag_error *err) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < import->n_files; i++) {
        LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/%s", to, import->files[i].name);
        if (!path) return lag_error_set(err, LAG_ENOMEM, "out of memory for a model's files");
        if (lseek(import->fds[i], 0, SEEK_SET) != 0)
            return lag_error_errno(err, errno, "%s cannot be read", import->files[i].name);
        rc = lag_fs_copy(import->fds[i], path, hashes[i], watch, err);
    }
    return rc == 0 ? lag_fs_fsync_dir(to, err) : rc;
}
