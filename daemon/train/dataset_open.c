/* Opening a dataset: the file must still be what was registered. */
#include "train/dataset_open_internal.h"

#include "records/folders_internal.h"

#include <lagd/base/fs.h>
#include <lagd/base/hash.h>
#include <lagd/base/mem.h>
#include <lagd/engine/data.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Up to here the whole file is hashed again at each start (about 0.2 s); above it the size alone is compared. */
enum { HASHED_BYTES = 256 * 1024 * 1024 };

static int check_hash(const struct lag_dataset_row *row, const char *path, struct lag_error *err) {
    if (row->n_bytes > HASHED_BYTES || row->sha256[0] == '\0') return 0;
    char hex[LAG_SHA256_HEX];
    int rc = lag_sha256_file(path, hex, err);
    if (rc != 0) return rc;
    if (strcmp(hex, row->sha256) == 0) return 0;
    return lag_error_set(err, LAG_ECORRUPT,
                         "dataset %s: %s is not the file that was registered (its SHA-256 differs); restore it, or "
                         "register the new text as another dataset",
                         row->name, path);
}

int lagd_dataset_open_row(const struct lagd_deps *deps, const struct lag_dataset_row *row, struct lag_dataset **ret,
                          struct lag_error *err) {
    struct lag_dataset_info info = {.n_bytes = (uint64_t)row->n_bytes, .n_tokens = (uint64_t)row->n_tokens,
                                    .max_id = (uint32_t)row->max_id, .vocab_size = (int)row->vocab_size};
    (void)lag_copy(info.sha256, sizeof(info.sha256), row->sha256);
    if (lag_token_format_parse(row->format, &info.format) != 0)
        return lag_error_set(err, LAG_ECORRUPT, "dataset %s has the unknown format \"%s\"", row->name, row->format);
    char path[LAGD_STATE_PATH], folder[LAGD_STATE_PATH];
    lagd_dataset_path(deps, row, path);
    (void)lag_copy(folder, sizeof(folder), path);
    char *slash = strrchr(folder, '/');
    if (!row->path[0] || !slash || slash[1] == '\0')
        return lag_error_set(err, LAG_ECORRUPT, "dataset %s is stored without the name of its file", row->name);
    *slash = '\0';
    int fd = -1;
    int rc = lag_fs_open_beneath(folder[0] ? folder : "/", slash + 1, &fd, err);
    if (rc == 0) {
        rc = check_hash(row, path, err);
        if (rc != 0) {
            (void)close(fd);
            return rc;
        }
        rc = lag_dataset_open(fd, &info, ret, err);
    }
    return rc != 0 ? lag_error_wrap(err, "dataset %s", row->name) : 0;
}
