/* A checkpoint of one run as the first one of another: the same files, under a manifest of its own. */
#include "checkpoint/manifest_internal.h"
#include "format/sink_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_MODE = 0750 };

/* No link is followed: what the manifest names lies in its folder. */
static int open_source(const char *path, const struct lag_checkpoint_file *file, int *ret, struct lag_error *err) {
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) return lag_error_set(err, LAG_ENOTFOUND, "%s is missing", path);
    if (fd < 0 && errno != ELOOP) return lag_error_errno(err, errno, "cannot open %s", path);
    bool whole = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (uint64_t)info.st_size == file->n_bytes;
    if (whole) {
        *ret = fd;
        return 0;
    }
    if (fd >= 0) (void)close(fd);
    return lag_error_set(err, LAG_ECORRUPT, "%s is no regular file of %" PRIu64 " bytes", path, file->n_bytes);
}

static int copy_file(const char *from, const char *to, const struct lag_checkpoint_file *file,
                     const struct lag_fs_watch *watch, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *source = lag_asprintf("%s/%s", from, file->name);
    LAG_CLEANUP(lag_free_p) char *target = lag_asprintf("%s/%s", to, file->name);
    LAG_CLEANUP(lag_close_p) int fd = -1;
    char sha256[LAG_SHA256_HEX];
    if (!source || !target) return lag_error_set(err, LAG_ENOMEM, "out of memory while copying %s", from);
    int rc = open_source(source, file, &fd, err);
    if (rc == 0) rc = lag_fs_copy(fd, target, sha256, watch, err);
    if (rc != 0 || strcmp(sha256, file->sha256) == 0) return rc;
    return lag_error_set(err, LAG_ECORRUPT, "%s is damaged: its SHA-256 is not that which was written", source);
}

static int write_manifest(const char *dir, const struct lag_manifest *manifest, const struct lag_checkpoint_meta *meta,
                          struct lag_checkpoint_files *files, struct lag_error *err) {
    const struct lag_state state = {.layout = manifest->layout, .segments = manifest->segments,
                                    .n_segments = manifest->n_segments, .step = manifest->step,
                                    .schedule_origin = manifest->schedule_origin};
    struct lag_checkpoint_file *last = &files->file[LAG_MANIFEST_FILES];
    struct lag_strbuf text = LAG_STRBUF_INIT;
    struct lag_sink sink = {.fd = -1};
    int rc = lag_manifest_format(&state, meta, manifest->file, &text, err);
    if (rc == 0) rc = lag_sink_open(dir, "manifest.json", 0, &sink, err);
    if (rc == 0) rc = lag_sink_write(&sink, text.data, text.length, err);
    if (rc == 0) {
        last->n_bytes = sink.n_bytes;
        (void)lag_copy(last->name, sizeof last->name, "manifest.json");
        rc = lag_sink_finish(&sink, last->sha256, err);
    }
    lag_sink_deinit(&sink);
    lag_strbuf_deinit(&text);
    return rc;
}

static int fill(const char *from, const char *dir, const struct lag_manifest *manifest,
                const struct lag_checkpoint_meta *meta, const struct lag_fs_watch *watch,
                struct lag_checkpoint_files *files, struct lag_error *err) {
    if (mkdir(dir, DIR_MODE) != 0) return lag_error_errno(err, errno, "cannot create folder %s", dir);
    int rc = 0;
    for (int i = 0; rc == 0 && i < LAG_MANIFEST_FILES; i++) {
        rc = copy_file(from, dir, &manifest->file[i], watch, err);
        files->file[i] = manifest->file[i];
        LAG_FP("checkpoint.copied_file");
    }
    if (rc == 0) rc = write_manifest(dir, manifest, meta, files, err);
    if (rc == 0) rc = lag_fs_fsync_dir(dir, err);
    files->n_files = LAG_CHECKPOINT_FILES;
    for (int i = 0; i < LAG_CHECKPOINT_FILES; i++) files->n_bytes += files->file[i].n_bytes;
    return rc;
}

int lag_checkpoint_copy(const char *from, const char *to, const struct lag_checkpoint_meta *meta,
                        const struct lag_fs_watch *watch, struct lag_checkpoint_files *ret, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *temporary = lag_asprintf("%s.tmp-%ld", to, (long)getpid());
    struct lag_manifest manifest = {0};
    struct lag_checkpoint_files files = {0};
    if (!temporary) return lag_error_set(err, LAG_ENOMEM, "out of memory while copying %s", from);
    if (lag_fs_exists(to)) return lag_error_set(err, LAG_EEXIST, "%s is there already", to);
    int rc = lag_manifest_read(from, &manifest, err);
    if (rc != 0) return rc;
    rc = fill(from, temporary, &manifest, meta, watch, &files, err);
    lag_manifest_deinit(&manifest);
    bool placed = rc == 0 && (rc = lag_fs_rename_durable(temporary, to, err)) == 0;
    if (placed) rc = lag_checkpoint_verify(to, err);
    if (rc == 0) *ret = files;
    else (void)lag_fs_remove_tree(placed ? to : temporary, NULL);
    return rc;
}
