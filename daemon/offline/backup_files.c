/* The files of a backup: checkpoints and uploads. */
#include "offline/backup_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/backup.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/runs.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define TELL_NS (2 * INT64_C(1000000000))

/* --- what there is ----------------------------------------------------------------------------------------------- */

struct listing {
    struct lagd_backup *backup;
    struct lag_db *db;
    struct lag_error *err;
    const struct lag_checkpoint_row *checkpoint;
    int n_missing;
};

/* Room in *ret for a file of that folder. */
static int add_file(struct listing *listing, const char *folder, const char *name, struct lagd_backup_file **ret) {
    struct lagd_backup *backup = listing->backup;
    if (lag_grow_array((void **)&backup->files, &backup->capacity, backup->n_files + 1, sizeof(*backup->files)) < 0)
        return lag_error_set(listing->err, LAG_ENOMEM, "out of memory while listing the files");
    struct lagd_backup_file *file = &backup->files[backup->n_files];
    *file = (struct lagd_backup_file){.fd = -1};
    (void)lag_copy(file->folder, sizeof(file->folder), folder);
    int n = snprintf(file->path, sizeof(file->path), "%s/%s", folder, name);
    if (n < 0 || (size_t)n >= sizeof(file->path))
        return lag_error_set(listing->err, LAG_ETOOBIG, "the path %.200s is too long", folder);
    backup->n_files++;
    *ret = file;
    return 0;
}

static int pin(struct listing *listing, struct lagd_backup_file *file) {
    char path[2200];
    struct stat info;
    (void)snprintf(path, sizeof(path), "%s/%s", listing->backup->state_dir, file->path);
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file->fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        listing->n_missing++;
        return 0;
    }
    if (file->fd < 0 && (errno == EMFILE || errno == ENFILE))
        return lag_error_set(listing->err, LAG_EIO, "there are more files to copy than this process may have open: "
                             "raise the limit (ulimit -n)");
    if (file->fd < 0) return lag_error_errno(listing->err, errno, "cannot open %s", path);
    if (fstat(file->fd, &info) == 0) listing->backup->total_bytes += info.st_size;
    return 0;
}

static int add_checkpoint_file(const struct lag_checkpoint_file_row *row, void *arg) {
    struct listing *listing = arg;
    struct lagd_backup_file *file;
    int rc = add_file(listing, listing->checkpoint->path, row->name, &file);
    if (rc < 0) return rc;
    (void)lag_copy(file->checkpoint_id, sizeof(file->checkpoint_id), row->checkpoint_id);
    (void)lag_copy(file->sha256, sizeof(file->sha256), row->sha256);
    (void)snprintf(file->what, sizeof(file->what), "checkpoint %s", row->checkpoint_id);
    return pin(listing, file);
}

/* The manifest is in no list of files: it holds the list. */
static int add_checkpoint(const struct lag_checkpoint_row *row, void *arg) {
    struct listing *listing = arg;
    listing->checkpoint = row;
    listing->backup->n_checkpoints++;
    size_t first = listing->backup->n_files;
    int rc = lag_checkpoint_files(listing->db, row->id, add_checkpoint_file, listing, listing->err);
    bool has_manifest = false;
    for (size_t i = first; i < listing->backup->n_files; i++)
        has_manifest = has_manifest || strstr(listing->backup->files[i].path, "/manifest.json");
    if (rc < 0 || has_manifest) return rc;
    const struct lag_checkpoint_file_row manifest = {.name = "manifest.json"};
    struct lag_checkpoint_file_row whole = manifest;
    (void)lag_copy(whole.checkpoint_id, sizeof(whole.checkpoint_id), row->id);
    return add_checkpoint_file(&whole, listing);
}

static int add_dataset(const struct lag_dataset_row *row, void *arg) {
    struct listing *listing = arg;
    struct lagd_backup_file *file;
    char folder[LAG_ROW_PATH];
    if (lagd_dataset_is(row->state, LAGD_DATASET_FAILED)) return 0; /* it has no file, and no run */
    if (row->path[0] == '/') {
        listing->backup->n_outside++;
        return 0;
    }
    listing->backup->n_uploads++;
    (void)lag_copy(folder, sizeof(folder), row->path);
    char *slash = strrchr(folder, '/');
    if (!slash) return lag_error_set(listing->err, LAG_ECORRUPT, "dataset %s has no folder", row->name);
    *slash = '\0';
    int rc = add_file(listing, folder, slash + 1, &file);
    if (rc < 0) return rc;
    (void)lag_copy(file->sha256, sizeof(file->sha256), row->sha256);
    (void)snprintf(file->what, sizeof(file->what), "dataset %s", row->name);
    return pin(listing, file);
}

int lagd_backup_pin(struct lagd_backup *backup, struct lag_db *db, int *ret_missing, struct lag_error *err) {
    struct listing listing = {.backup = backup, .db = db, .err = err};
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    backup->n_checkpoints = backup->n_uploads = backup->n_outside = 0;
    backup->total_bytes = 0;
    int rc = lag_checkpoint_list(db, NULL, add_checkpoint, &listing, err);
    if (rc == 0) rc = lag_dataset_list(db, add_dataset, &listing, err);
    *ret_missing = listing.n_missing;
    return rc;
}

void lagd_backup_unpin(struct lagd_backup *backup) {
    for (size_t i = 0; i < backup->n_files; i++)
        if (backup->files[i].fd >= 0) (void)close(backup->files[i].fd);
    free(backup->files);
    backup->files = NULL;
    backup->n_files = backup->capacity = 0;
}

/* --- copying ----------------------------------------------------------------------------------------------------- */

int lagd_backup_progress(void *arg, size_t n_bytes) {
    struct lagd_backup *backup = arg;
    int64_t now_ns = lag_clock_mono_ns();
    backup->n_bytes += (int64_t)n_bytes;
    if (now_ns >= backup->next_ns) {
        char done[16], all[16];
        lag_bytes_text((uint64_t)backup->n_bytes, done);
        lag_bytes_text((uint64_t)LAG_MAX(backup->total_bytes, backup->n_bytes), all);
        if (backup->next_ns > 0) fprintf(backup->out, "lagd: %s: %s of %s\n", backup->doing, done, all);
        backup->next_ns = now_ns + TELL_NS;
    }
    return *backup->stop;
}

/* 0, 1: it is not whole (err says why), or an error. */
static int copy_file(struct lagd_backup *backup, const struct lagd_backup_file *file, struct lag_error *err) {
    const struct lag_fs_watch watch = {lagd_backup_progress, backup};
    char sha256[LAG_SHA256_HEX];
    LAG_CLEANUP(lag_free_p) char *folder = lag_asprintf("%s/%s", backup->staging, file->folder);
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/%s", backup->staging, file->path);
    if (!folder || !path) return lag_error_set(err, LAG_ENOMEM, "out of memory while copying %s", file->path);
    if (file->fd < 0) return lag_error_set(err, 1, "%s is missing", file->path);
    int rc = lag_fs_mkdirs(folder, err);
    if (rc == 0) rc = lag_fs_copy(file->fd, path, sha256, &watch, err);
    if (rc < 0 || !file->sha256[0] || strcmp(file->sha256, sha256) == 0) return rc;
    return lag_error_set(err, 1, "%s has changed: its SHA-256 is not the one that was stored", file->path);
}

static int leave_out(struct lagd_backup *backup, const struct lagd_backup_file *file, const struct lag_error *why,
                     struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *folder = lag_asprintf("%s/%s", backup->staging, file->folder);
    LAG_CLEANUP(lag_free_p) char *db = lag_asprintf("%s/lagd.db", backup->staging);
    if (!folder || !db) return lag_error_set(err, LAG_ENOMEM, "out of memory while copying %s", file->path);
    fprintf(backup->out, "lagd: left out %s: %s\n", file->what, why->text);
    backup->n_left_out++;
    int rc = lag_fs_remove_tree(folder, err);
    /* The row of a dataset stays, since runs name it; they pause until its file is back. */
    if (rc == 0 && file->checkpoint_id[0]) rc = lag_copy_leave_out(db, file->checkpoint_id, err);
    return rc;
}

int lagd_backup_copy(struct lagd_backup *backup, struct lag_error *err) {
    for (size_t i = 0; i < backup->n_files; i++) {
        const struct lagd_backup_file *file = &backup->files[i];
        struct lag_error why = {0};
        int rc = copy_file(backup, file, &why);
        if (rc < 0) {
            *err = why;
            return rc;
        }
        if (rc == 0) continue;
        if ((rc = leave_out(backup, file, &why, err)) < 0) return rc;
        while (i + 1 < backup->n_files && strcmp(backup->files[i + 1].folder, file->folder) == 0) i++;
    }
    return 0;
}
