/* Datasets: a file below the configured roots, or an uploaded one that is moved in. Scanned by a services worker. */
#include "commands/command_internal.h"
#include "commands/commands_internal.h"
#include "exec/pool_internal.h"
#include "exec/slots_internal.h"
#include "records/folders_internal.h"
#include "records/post_internal.h"
#include "records/transact_internal.h"
#include "records/unlisted_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/ids.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <lagd/base/stamp.h>
#include <lagd/engine/data.h>
#include <lagd/storage/events.h>
#include <lagd/storage/runs.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the watchdog allows a scan, five times over: a slow disk reads 20 MB/s. */
#define SCAN_LEAST_NS (60 * INT64_C(1000000000))
#define SCAN_NS_A_BYTE 50

struct dataset_job {
    struct lagd_job job; /* first: the pool knows only this */
    struct lagd_deps *deps;
    struct lagd_command *command;
    int fd;
    int rc;
    struct lag_dataset_row row;
};

/* --- opening ----------------------------------------------------------------------------------------------------- */

/* path below root (which has no '/' at its end, but for "/" itself): the part after it, else NULL. */
static const char *part_below(const char *path, const char *root) {
    size_t length = strlen(root);
    while (length > 1 && root[length - 1] == '/') length--;
    if (length == 1 && root[0] == '/') return path[0] == '/' && path[1] ? path + 1 : NULL;
    if (strncmp(path, root, length) != 0 || path[length] != '/') return NULL;
    const char *rest = path + length + strspn(path + length, "/");
    return *rest ? rest : NULL;
}

static int open_in(const char *root, const char *relative, struct dataset_job *job, struct lag_error *err) {
    int length = snprintf(job->row.path, sizeof(job->row.path), "%s/%s", strcmp(root, "/") == 0 ? "" : root, relative);
    if (length < 0 || (size_t)length >= sizeof(job->row.path)) {
        return lag_error_at(err, LAG_ETOOBIG, "/path", "the path of the dataset is longer than %d bytes",
                            LAG_ROW_PATH - 1);
    }
    struct lag_error inner = {0};
    int rc = lag_fs_open_beneath(root, relative, &job->fd, &inner);
    if (rc == 0) return 0;
    if (rc != LAG_EDENIED) return lag_error_at(err, rc, "/path", "%s", inner.text);
    return lag_error_at(err, rc, "/path", "%s (a dataset must be a plain file below a folder of storage/dataset_roots, "
                        "reached without links)", inner.text);
}

static int open_below_roots(const char *path, const char *roots, struct dataset_job *job, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *copy = lag_strdup(roots);
    if (!copy) return lag_error_set(err, LAG_ENOMEM, "out of memory while adding a dataset");
    if (path[0] != '/') {
        if (copy[0] && !strchr(copy, ',')) return open_in(copy, path, job, err);
        return lag_error_at(err, LAG_EINVAL, "/path",
                            "a relative path needs exactly one folder in storage/dataset_roots of "
                            "lagd.conf; give an absolute path below one of: %.300s",
                            roots[0] ? roots : "(none is set)");
    }
    char *rest = *copy ? copy : NULL;
    for (char *root; (root = strsep(&rest, ",")) != NULL;) {
        const char *relative = part_below(path, root);
        if (relative) return open_in(root, relative, job, err);
    }
    return lag_error_at(err, LAG_EDENIED, "/path",
                        "%.300s is not below a folder of storage/dataset_roots in lagd.conf (%.200s); "
                        "add its folder there, or upload the file",
                        path, roots[0] ? roots : "none is set");
}

static int open_upload(const char *path, struct dataset_job *job, struct lag_error *err) {
    job->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return job->fd < 0 ? lag_error_errno(err, errno, "cannot open the upload") : 0;
}

/* --- the job ----------------------------------------------------------------------------------------------------- */

/* The uploaded file gets its place in the state directory, durably, before the row that points to it. */
static int move_in(struct dataset_job *job, struct lag_error *err) {
    const struct lagd_dataset_add *add = job->command->u.dataset;
    if (fsync(job->fd) < 0) return lag_error_errno(err, errno, "cannot write the upload to disk");
    const char *name = strcmp(job->row.format, "text") == 0 ? "data.txt" : "data.bin";
    if (lag_name_valid(add->file_name)) name = add->file_name;
    char dir[LAGD_STATE_PATH], path[LAGD_STATE_PATH];
    (void)snprintf(dir, sizeof(dir), "%s/datasets/%s", job->deps->state_dir, job->row.id);
    int rc = lagd_unlisted_mark(dir, err);
    if (rc < 0) return rc;
    (void)snprintf(job->row.path, sizeof(job->row.path), "datasets/%s/%s", job->row.id, name);
    lagd_dataset_path(job->deps, &job->row, path);
    return lag_fs_rename_durable(add->upload, path, err);
}

static int insert_dataset(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_dataset_row *row = arg;
    int rc = lag_dataset_insert(db, row, err);
    const struct lag_event event = {.type = LAG_EVENT_DATASET_ADDED, .message = row->name};
    return rc < 0 ? rc : lag_event_put(db, &event, err);
}

static void list_upload(const struct dataset_job *job) {
    LAG_CLEANUP(lag_free_p) char *dir = lag_asprintf("%s/datasets/%s", job->deps->state_dir, job->row.id);
    if (dir) lagd_unlisted_unmark(dir);
}

/* Of an upload it is another one once it has got its place. */
static void put_stamp(const struct lag_stamp *stamp, struct lag_dataset_row *row) {
    row->device = stamp->device;
    row->inode = stamp->inode;
    row->mtime_ns = stamp->mtime_ns;
    row->ctime_ns = stamp->ctime_ns;
}

static int scan(struct dataset_job *job, struct lag_error *err) {
    const struct lagd_dataset_add *add = job->command->u.dataset;
    struct lag_dataset_info info;
    LAG_FP("dataset.scan");
    const char *format = add->format[0] && strcmp(add->format, "auto") != 0 ? add->format : NULL;
    struct lag_stamp before, after;
    const int64_t began_ms = lag_clock_wall_ms();
    int rc = lag_stamp_of_fd(job->fd, &before, err);
    if (rc == 0)
        rc = lag_dataset_inspect(job->fd, add->file_name, format, (int)add->vocab_size,
                                 (const volatile bool *)&job->job.cancelled, &info, err);
    if (rc == 0) rc = lag_stamp_of_fd(job->fd, &after, err);
    if (rc < 0) return rc;
    if (!lag_stamp_equal(&before, &after))
        return lag_error_set(err, LAG_EINVAL, "%s: the file changed while it was read: register it when nothing writes "
                             "to it", add->file_name);
    if (!add->upload[0] && !lag_stamp_is_fresh(&before, began_ms)) put_stamp(&before, &job->row);
    (void)lag_copy(job->row.format, sizeof(job->row.format), lag_token_format_name(info.format));
    (void)lag_copy(job->row.sha256, sizeof(job->row.sha256), info.sha256);
    job->row.n_bytes = (int64_t)info.n_bytes;
    job->row.n_tokens = (int64_t)info.n_tokens;
    job->row.max_id = (int64_t)info.max_id;
    job->row.vocab_size = info.vocab_size;
    job->row.created_ms = lag_clock_wall_ms();
    if (add->upload[0]) rc = move_in(job, err);
    LAG_FP("dataset.moved");
    if (rc == 0) rc = lagd_command_write(job->deps->store, job->command, job->row.id, insert_dataset, &job->row);
    if (rc == 0 && add->upload[0]) list_upload(job);
    return rc;
}

/* What a failed upload leaves: its temporary file, or the folder that it was moved to. */
static void drop_upload(struct lagd_deps *deps, const struct lagd_dataset_add *add, const char *id) {
    if (!add->upload[0]) return;
    (void)unlink(add->upload);
    LAG_CLEANUP(lag_free_p) char *dir = id[0] ? lag_asprintf("%s/datasets/%s", deps->state_dir, id) : NULL;
    if (dir) (void)lagd_unlisted_remove(dir, NULL);
}

static void run_scan(struct lagd_job *base) {
    struct dataset_job *job = (struct dataset_job *)base;
    job->rc = scan(job, &job->command->err);
}

static void end_scan(struct lagd_job *base) {
    struct dataset_job *job = (struct dataset_job *)base;
    struct lagd_command *command = job->command;
    if (!base->ran) job->rc = lag_error_set(&command->err, LAG_ECANCELED, "lagd is stopping");
    if (job->fd >= 0) (void)close(job->fd);
    /* Where the row may be there the next start knows, and looks at the mark. */
    if (job->rc < 0) drop_upload(job->deps, command->u.dataset, lagd_is_undone(job->rc) ? job->row.id : "");
    else (void)lag_copy(command->id, sizeof(command->id), job->row.id);
    int rc = job->rc;
    free(job);
    lagd_command_answer(command, rc);
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

static int check_add(struct lagd_commands *c, const struct lagd_dataset_add *add, struct lag_error *err) {
    struct lag_dataset_row row;
    int rc = lag_name_check(add->name, err);
    if (rc != 0) return rc;
    if (lag_dataset_get(c->db, add->name, &row, NULL) == 0) {
        return lag_error_at(err, LAG_EEXIST, "/name", "a dataset with the name %s exists already; choose another",
                            add->name);
    }
    if (lagd_pool_waiting(c->deps->services) >= LAGD_SERVICES_WAITING_MAX) {
        return lag_error_set(err, LAG_EBUSY, "too many datasets and samples wait; try again in a moment");
    }
    return 0;
}

static int make_job(struct lagd_commands *c, struct lagd_command *command, struct dataset_job *job) {
    const struct lagd_dataset_add *add = command->u.dataset;
    struct lagd_config config;
    lagd_settings_get(c->settings, &config);
    int rc = add->upload[0] ? open_upload(add->upload, job, &command->err)
                            : open_below_roots(add->path, config.dataset_roots, job, &command->err);
    if (rc < 0) return rc;
    (void)lag_copy(job->row.name, sizeof(job->row.name), add->name);
    (void)lag_copy(job->row.origin, sizeof(job->row.origin), add->upload[0] ? "upload" : "file");
    lag_id_new("ds", job->row.id);
    job->deps = c->deps;
    job->command = command;
    job->job.run = run_scan;
    struct stat file;
    if (fstat(job->fd, &file) == 0) job->job.longest_ns = SCAN_LEAST_NS + (int64_t)file.st_size * SCAN_NS_A_BYTE;
    job->job.done = end_scan;
    return 0;
}

int lagd_cmd_dataset_add(struct lagd_commands *c, struct lagd_command *command) {
    struct lagd_dataset_add *add = command->u.dataset;
    if (!add->file_name[0]) {
        const char *slash = strrchr(add->path, '/');
        (void)lag_copy(add->file_name, sizeof(add->file_name), slash ? slash + 1 : add->path);
    }
    struct dataset_job *job = lag_calloc(1, sizeof(*job));
    int rc = job ? check_add(c, add, &command->err)
                 : lag_error_set(&command->err, LAG_ENOMEM, "out of memory while adding a dataset");
    if (job) job->fd = -1;
    if (rc == 0) rc = make_job(c, command, job);
    if (rc == 0 && lagd_pool_submit(c->deps->services, &job->job) == 0) return LAGD_LATER;
    if (rc == 0) rc = lag_error_set(&command->err, LAG_ECANCELED, "lagd is stopping");
    if (job && job->fd >= 0) (void)close(job->fd);
    free(job);
    drop_upload(c->deps, add, "");
    return rc;
}

static int write_deleted(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_dataset_row *row = arg;
    int rc = lag_dataset_delete(db, row->id, err);
    const struct lag_event event = {.type = LAG_EVENT_DATASET_DELETED, .message = row->name};
    return rc < 0 ? rc : lag_event_put(db, &event, err);
}

int lagd_cmd_dataset_delete(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_dataset_row row;
    int rc = lag_dataset_get(c->db, command->target, &row, &command->err);
    if (rc < 0) return rc;
    bool uploaded = strcmp(row.origin, "upload") == 0;
    LAG_CLEANUP(lag_free_p) char *dir = lag_asprintf("%s/datasets/%s", c->deps->state_dir, row.id);
    if (uploaded && dir) (void)lagd_unlisted_mark(dir, NULL); /* a full disk must not keep from deleting */
    rc = lag_store_write(c->deps->store, write_deleted, &row, &command->err);
    LAG_FP("dataset.deleted");
    if (rc < 0) {
        if (uploaded && dir && lagd_is_undone(rc)) lagd_unlisted_unmark(dir);
        return rc;
    }
    (void)lag_copy(command->id, sizeof(command->id), row.id);
    if (!uploaded) return 0;
    struct lag_error err = {0};
    if (!dir || lagd_unlisted_remove(dir, &err) < 0) {
        lag_log(LAG_LOG_WARNING, "the files of the deleted dataset %s could not be removed: %s", row.name, err.text);
    }
    return 0;
}
