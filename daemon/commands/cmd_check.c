/* Reading a checkpoint's files before they are served: a job on a services worker, which leaves what it found to the
 * table of hashes. */
#include "checkpoint/hashes_internal.h"
#include "commands/command_internal.h"
#include "commands/commands_internal.h"
#include "exec/pool_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <lagd/storage/checkpoints.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILES_MAX = 8 };

struct check_job {
    struct lagd_job job;
    struct lagd_deps *deps;
    struct lagd_command *command;
    struct lag_checkpoint_row row;
    struct lag_checkpoint_file_row files[FILES_MAX]; /* that are to be read */
    int n_files, rc;
};

static int collect(const struct lag_checkpoint_file_row *file, void *arg) {
    struct check_job *job = arg;
    const char *wanted = job->command->u.file;
    if (wanted[0] != '\0' && strcmp(wanted, file->name) != 0) return 0;
    if (job->n_files < FILES_MAX) job->files[job->n_files++] = *file;
    return 0;
}

static int read_file(struct check_job *job, const struct lag_checkpoint_file_row *file, struct lag_error *err) {
    char path[LAG_ROW_PATH + 80], hex[LAG_SHA256_HEX];
    int64_t n_bytes;
    int fd = -1;
    (void)snprintf(path, sizeof(path), "%s/%s", job->row.path, file->name);
    int rc = lag_fs_open_beneath(job->deps->state_dir, path, &fd, err);
    if (rc == LAG_ENOTFOUND) return 0; /* who asked looks again, and tells which case it is */
    if (rc != 0) return rc;
    if (!lagd_hashes_find(job->deps->hashes, fd, hex, &n_bytes))
        rc = lagd_hashes_compute(job->deps->hashes, fd, &job->job.cancelled, hex, err);
    (void)close(fd);
    return rc;
}

static void run_check(struct lagd_job *base) {
    struct check_job *job = (struct check_job *)base;
    for (int i = 0; i < job->n_files && job->rc == 0; i++) {
        job->rc = read_file(job, &job->files[i], &job->command->err);
        lagd_job_beat(base);
    }
}

static void end_check(struct lagd_job *base) {
    struct check_job *job = (struct check_job *)base;
    struct lagd_command *command = job->command;
    int rc = base->ran ? job->rc : lag_error_set(&command->err, LAG_ECANCELED, "lagd is stopping");
    free(job);
    lagd_command_answer(command, rc);
}

int lagd_cmd_checkpoint_check(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_error *err = &command->err;
    if (lagd_pool_waiting(c->deps->services) >= LAGD_SERVICES_WAITING_MAX)
        return lag_error_set(err, LAG_EBUSY, "too many samples and files wait; try again in a moment");
    struct check_job *job = lag_calloc(1, sizeof(*job));
    if (!job) return lag_error_set(err, LAG_ENOMEM, "out of memory while reading a checkpoint");
    job->deps = c->deps;
    job->command = command;
    job->job.run = run_check;
    job->job.done = end_check;
    int rc = lag_checkpoint_get(c->db, command->target, &job->row, err);
    if (rc == 0) rc = lag_checkpoint_files(c->db, job->row.id, collect, job, err);
    if (rc == 0 && lagd_pool_submit(c->deps->services, &job->job) == 0) return LAGD_LATER;
    free(job);
    return rc < 0 ? rc : lag_error_set(err, LAG_ECANCELED, "lagd is stopping");
}
