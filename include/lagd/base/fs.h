/* Files with the durability that a promise needs: temporary file, fsync, rename, fsync of the folder.
 * An fsync that failed is never retried on the same file. Thread: any. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct lag_error;

/* Writes name in dir atomically and durably; on failure the old file, if any, is as before. */
int lag_fs_write_file(const char *dir, const char *name, const void *data, size_t length, struct lag_error *err);
/* Whole file into memory, NUL-terminated (the NUL is not counted). LAG_ETOOBIG above max_bytes. free(). Regular files
 * only. */
int lag_fs_read_file(const char *path, size_t max_bytes, char **ret_data, size_t *ret_length, struct lag_error *err);
/* Writes all bytes to fd or fails; EINTR and short writes are handled. */
int lag_fs_write_all(int fd, const void *data, size_t length, struct lag_error *err);
int lag_fs_fsync_dir(const char *path, struct lag_error *err);
/* mkdir -p with mode 0750; the names of folders that it makes are durable. */
int lag_fs_mkdirs(const char *path, struct lag_error *err);
/* Removes a folder and everything in it, never following links; a missing one is no error. */
int lag_fs_remove_tree(const char *path, struct lag_error *err);
/* The same, where the file last of that folder says that it is to go: last goes when all else is gone, durably, so that
 * what a crash leaves still says so. A folder without that file goes too. */
int lag_fs_remove_marked(const char *path, const char *last, struct lag_error *err);
/* rename(2), then fsync of the parent folder of to. */
int lag_fs_rename_durable(const char *from, const char *to, struct lag_error *err);
/* Opens the regular file relative (no leading '/') below root read-only: openat2 with BENEATH, NO_SYMLINKS and
 * NO_MAGICLINKS. Refuses devices, FIFOs and folders without blocking. Owned descriptor in *ret_fd. */
int lag_fs_open_beneath(const char *root, const char *relative, int *ret_fd, struct lag_error *err);
/* Is told of each piece that was read; non-zero ends it with LAG_ECANCELED. */
struct lag_fs_watch {
    int (*each)(void *arg, size_t n_bytes);
    void *arg;
};
/* Copies all of from_fd into the new file to, durably but for its name in the folder; blocks are shared where the file
 * system can. *ret_sha256 (LAG_SHA256_HEX bytes, or NULL) is of what was read; watch may be NULL. Nothing is left after
 * a failure. */
int lag_fs_copy(int from_fd, const char *to, char *ret_sha256, const struct lag_fs_watch *watch, struct lag_error *err);
/* Free bytes for unprivileged users on the file system of path. */
int lag_fs_free_bytes(const char *path, uint64_t *ret_bytes, struct lag_error *err);
bool lag_fs_exists(const char *path);
/* /dev/null on each of the descriptors 0, 1 and 2 that is closed, so that no file, lock or socket that is opened later
 * takes its place and gets what is meant for the log. A program's first act. */
int lag_fs_open_standard(struct lag_error *err);
