/* Verifying and reading a checkpoint; sweeping up after writers that died. */
#include "checkpoint/manifest_internal.h"
#include "checkpoint/tensors_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Errors of looking at a file that the manifest promises: what is no file is damage. */
static int check_file(const char *dir, const struct lag_checkpoint_file *file, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/%s", dir, file->name);
    if (!path) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    struct stat st;
    if (lstat(path, &st) != 0) {
        if (errno == ENOENT) return lag_error_set(err, LAG_ENOTFOUND, "%s is missing", path);
        return lag_error_errno(err, errno, "cannot inspect %s", path);
    }
    if (!S_ISREG(st.st_mode)) return lag_error_set(err, LAG_ECORRUPT, "%s is not a regular file", path);
    if ((uint64_t)st.st_size != file->n_bytes)
        return lag_error_set(err, LAG_ECORRUPT, "%s has %" PRId64 " bytes; the manifest says %" PRIu64, path,
                             (int64_t)st.st_size, file->n_bytes);
    char sha256[LAG_SHA256_HEX];
    const int rc = lag_sha256_file(path, sha256, err);
    if (rc != 0) return rc;
    if (strcmp(sha256, file->sha256) != 0)
        return lag_error_set(err, LAG_ECORRUPT, "the SHA-256 of %s is not the manifest's: it is damaged", path);
    return 0;
}

static int read_verified(const char *dir, struct lag_manifest *ret, struct lag_error *err) {
    struct lag_manifest manifest = {0};
    int rc = lag_manifest_read(dir, &manifest, err);
    for (int i = 0; rc == 0 && i < LAG_MANIFEST_FILES; i++) rc = check_file(dir, &manifest.file[i], err);
    if (rc != 0) lag_manifest_deinit(&manifest);
    else *ret = manifest;
    return rc;
}

int lag_checkpoint_verify(const char *dir, struct lag_error *err) {
    struct lag_manifest manifest = {0};
    const int rc = read_verified(dir, &manifest, err);
    if (rc == 0) lag_manifest_deinit(&manifest);
    return rc;
}

static int hash_manifest(const char *dir, struct lag_checkpoint_file *ret, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/manifest.json", dir);
    if (!path) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    struct stat st;
    if (stat(path, &st) != 0) return lag_error_errno(err, errno, "cannot inspect %s", path);
    (void)lag_copy(ret->name, sizeof ret->name, "manifest.json");
    ret->n_bytes = (uint64_t)st.st_size;
    return lag_sha256_file(path, ret->sha256, err);
}

int lag_checkpoint_look(const char *dir, struct lag_checkpoint_look *ret, struct lag_error *err) {
    struct lag_manifest manifest = {0};
    struct lag_checkpoint_look look = {0};
    int rc = lag_manifest_read(dir, &manifest, err);
    if (rc == 0) rc = hash_manifest(dir, &look.files.file[LAG_MANIFEST_FILES], err);
    if (rc == 0) {
        look.step = manifest.step;
        look.schedule_origin = manifest.schedule_origin;
        look.spec = manifest.layout.spec;
        look.masked_until = lag_masked_until(manifest.segments, manifest.n_segments, manifest.step);
        look.meta = manifest.meta;
        look.files.n_files = LAG_CHECKPOINT_FILES;
        memcpy(look.files.file, manifest.file, sizeof manifest.file);
        for (int i = 0; i < LAG_CHECKPOINT_FILES; i++) look.files.n_bytes += look.files.file[i].n_bytes;
        *ret = look;
    }
    lag_manifest_deinit(&manifest);
    return rc;
}

/* The entry of a tensor, with its shape. */
static int expect_tensor(const struct lag_st_header *header, const char *prefix, const struct lag_tensor *tensor,
                         const struct lag_st_entry **ret, struct lag_error *err) {
    char name[96], full[LAG_ST_NAME_SIZE];
    uint64_t dims[2];
    lag_tensor_name(tensor, name);
    snprintf(full, sizeof full, "%s%s", prefix, name);
    const struct lag_st_entry *entry = lag_st_find(header, full);
    if (!entry) return lag_error_set(err, LAG_ECORRUPT, "tensor %s is missing", full);
    const uint32_t n_dims = lag_tensor_dims(tensor, dims);
    if (entry->n_dims != n_dims || entry->dims[0] != dims[0] || (n_dims == 2 && entry->dims[1] != dims[1]))
        return lag_error_set(err, LAG_ECORRUPT, "tensor %s does not have the shape that the spec gives it", full);
    *ret = entry;
    return 0;
}

/* One block of the state (block NULL: only checks that all its tensors are there). */
static int load_block(const struct lag_st_file *file, const char *prefix, const struct lag_layout *layout,
                      lag_real *block, struct lag_error *err) {
    int rc = 0;
    for (int i = 0; rc == 0 && i < layout->n_tensors; i++) {
        const struct lag_st_entry *entry = NULL;
        rc = expect_tensor(&file->header, prefix, &layout->tensors[i], &entry, err);
        if (rc == 0 && block) rc = lag_st_load(file, entry, block + layout->tensors[i].offset, err);
    }
    return rc;
}

/* The n_prefixes blocks lie in the file dir/name, and nothing else does. */
static int load_file(const char *dir, const char *name, const struct lag_layout *layout, const char *const *prefixes,
                     lag_real *const *blocks, int n_prefixes, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/%s", dir, name);
    if (!path) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    struct lag_st_file file = {.fd = -1};
    const int n_tensors = n_prefixes * layout->n_tensors;
    int rc = lag_st_open(path, lag_tensors_header_bytes(n_tensors), &file, err);
    if (rc != 0) return rc;
    for (int i = 0; rc == 0 && i < n_prefixes; i++)
        rc = load_block(&file, prefixes[i], layout, blocks ? blocks[i] : NULL, err);
    if (rc == 0 && file.header.n_entries != (size_t)n_tensors)
        rc = lag_error_set(err, LAG_ECORRUPT, "%zu tensors instead of %d", file.header.n_entries, n_tensors);
    lag_st_close(&file);
    return rc != 0 && err ? lag_error_wrap(err, "%s", path) : rc;
}

static int load_files(const char *dir, const struct lag_layout *layout, struct lag_state *state,
                      struct lag_error *err) {
    static const char *const none[] = {""}, *const moments[] = {"m.", "v."};
    lag_real *const params[] = {state ? state->params : NULL};
    lag_real *const m_and_v[] = {state ? state->m : NULL, state ? state->v : NULL};
    const int rc = load_file(dir, lag_manifest_file_names[0], layout, none, params, 1, err);
    return rc == 0 ? load_file(dir, lag_manifest_file_names[2], layout, moments, m_and_v, 2, err) : rc;
}

int lag_checkpoint_read(const char *dir, struct lag_state **ret, struct lag_checkpoint_meta *ret_meta,
                        struct lag_error *err) {
    struct lag_manifest manifest = {0};
    struct lag_state *state = NULL;
    int rc = read_verified(dir, &manifest, err);
    if (rc != 0) return rc;
    /* The files hold every element before the memory for them is asked for. */
    rc = load_files(dir, &manifest.layout, NULL, err);
    if (rc == 0) rc = lag_state_create(&manifest.layout.spec, &state, err);
    if (rc == 0) rc = load_files(dir, &manifest.layout, state, err);
    if (rc == 0) {
        free(state->segments);
        state->segments = LAG_TAKE(manifest.segments);
        state->n_segments = manifest.n_segments;
        state->step = manifest.step;
        state->schedule_origin = manifest.schedule_origin;
        if (ret_meta) *ret_meta = manifest.meta;
        *ret = LAG_TAKE(state);
    }
    lag_state_destroy(state);
    lag_manifest_deinit(&manifest);
    return rc;
}

/* The length of a checkpoint's name in a leftover's, "<name><mark><digits>"; 0 when it is none. */
static size_t leftover(const char *name, const char *mark) {
    const size_t end = strlen(name);
    size_t start = end;
    while (start > 0 && name[start - 1] >= '0' && name[start - 1] <= '9') start--;
    const size_t n_mark = strlen(mark);
    if (start == end || start <= n_mark || strncmp(name + start - n_mark, mark, n_mark) != 0) return 0;
    return start - n_mark;
}

static int sweep_entry(const char *parent, const char *name, struct lag_error *err) {
    const size_t n_old = leftover(name, ".old-");
    if (n_old == 0 && leftover(name, ".tmp-") == 0) return 0;
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/%s", parent, name);
    LAG_CLEANUP(lag_free_p) char *final = lag_asprintf("%s/%.*s", parent, (int)n_old, name);
    if (!path || !final) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    if (n_old > 0 && !lag_fs_exists(final)) return lag_fs_rename_durable(path, final, err);
    return lag_fs_remove_tree(path, err);
}

int lag_checkpoint_sweep(const char *parent, struct lag_error *err) {
    DIR *dir = opendir(parent);
    if (!dir) return errno == ENOENT ? 0 : lag_error_errno(err, errno, "cannot open folder %s", parent);
    int rc = 0;
    const struct dirent *entry;
    while (rc == 0 && (entry = readdir(dir)) != NULL) rc = sweep_entry(parent, entry->d_name, err);
    (void)closedir(dir);
    return rc;
}
