/* A run forked from another one, or that begins from a model or a checkpoint. Its files are made by a job on a services
 * worker, with which the command comes back to the mailbox; then it is stored. */
#include "checkpoint/begin_internal.h"
#include "commands/command_internal.h"
#include "commands/commands_internal.h"
#include "exec/pool_internal.h"
#include "stages/growth_rows_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/mailbox.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/growth_plan.h>
#include <stdio.h>
#include <stdlib.h>

struct fork_job {
    struct lagd_job job; /* first: the pool knows only this */
    struct lagd_deps *deps;
    struct lag_mailbox *mailbox;
    struct lagd_command *command;
    int rc;
};

static int watch(void *arg, size_t n_bytes) {
    struct lagd_job *job = arg;
    (void)n_bytes;
    lagd_job_beat(job);
    return atomic_load(&job->cancelled);
}

static void run_fork(struct lagd_job *base) {
    struct fork_job *job = (struct fork_job *)base;
    const struct lag_fs_watch watching = {watch, base};
    if (job->command->copied->begins) lagd_job_waits(base); /* for the disk, without a sign of life */
    job->rc = lagd_fork_copy(job->deps, job->command->copied, &watching, &job->command->err);
}

/* What cannot come back is not stored: its files go. */
static void end_fork(struct lagd_job *base) {
    struct fork_job *job = (struct fork_job *)base;
    struct lagd_command *command = job->command;
    int rc = base->ran ? job->rc : lag_error_set(&command->err, LAG_ECANCELED, "lagd is stopping");
    if (rc == 0) {
        rc = lag_mailbox_post(job->mailbox, command);
        if (rc != 0) {
            (void)lag_error_set(&command->err, rc, rc == LAG_EBUSY ? "too many commands wait" : "lagd is stopping");
            lagd_fork_settle(job->deps, command->copied, LAG_ECANCELED);
        } else {
            command = NULL;
        }
    }
    free(job);
    if (command) lagd_command_answer(command, rc);
}

static int begin(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_error *err = &command->err;
    if (!c->deps->services) return lag_error_set(err, LAG_ECANCELED, "lagd is stopping");
    if (lagd_pool_waiting(c->deps->services) >= LAGD_SERVICES_WAITING_MAX)
        return lag_error_set(err, LAG_EBUSY, "too many samples and files wait; try again in a moment");
    struct fork_job *job = lag_calloc(1, sizeof(*job));
    if (!job) return lag_error_set(err, LAG_ENOMEM, "out of memory while forking a run");
    *job = (struct fork_job){.job = {.run = run_fork, .done = end_fork}, .deps = c->deps, .mailbox = c->mailbox,
                             .command = command};
    if (lagd_pool_submit(c->deps->services, &job->job) == 0) return LAGD_LATER;
    free(job);
    return lag_error_set(err, LAG_ECANCELED, "lagd is stopping");
}

/* What is wrong with its growth stands below "/growth" in the body. */
static int point_below(struct lag_error *err, int rc) {
    char pointer[sizeof(err->pointer)];
    if (rc >= 0) return rc;
    (void)lag_copy(pointer, sizeof(pointer), err->pointer);
    (void)snprintf(err->pointer, sizeof(err->pointer), "/growth%.100s", pointer);
    return rc;
}

/* Of the run as it will stand; it must have room together with its growth. */
static int plan_growth(struct lagd_commands *c, struct lagd_command *command, const struct lagd_fork *fork) {
    const struct lagd_growth_request *growth = command->u.fork->growth;
    struct lag_error *err = &command->err;
    if (growth->extend_to > 0)
        return lag_error_at(err, LAG_EINVAL, "/growth/extend", "where the fork ends is told by its own "
                            "schedule/max_steps: leave extend out");
    int rc = point_below(err, lagd_growth_plan_read(c->db, growth, &fork->run, c->deps->n_threads, &command->grown,
                                                    err));
    if (rc < 0) return rc;
    return lagd_admission_check(c->runs, "the run with its growth",
                                LAG_MAX(fork->estimate.memory_bytes, command->grown->memory_peak_bytes), true, err);
}

static int plan(struct lagd_commands *c, struct lagd_command *command) {
    LAG_CLEANUP(lag_free_p) struct lagd_fork *fork = lag_calloc(1, sizeof(*fork));
    if (!fork) return lag_error_set(&command->err, LAG_ENOMEM, "out of memory while forking a run");
    (void)lag_copy(command->u.fork->run, sizeof(command->u.fork->run), command->target);
    int rc = lagd_fork_plan(c->db, c->deps->n_threads, command->u.fork, fork, &command->err);
    if (rc == 0) rc = lagd_command_admit(c, &fork->config, &fork->estimate, &command->err);
    if (rc == 0 && command->u.fork->growth) rc = plan_growth(c, command, fork);
    if (rc == 0) command->copied = LAG_TAKE(fork);
    return rc;
}

struct forking {
    struct lagd_fork *fork;
    struct lagd_growth_rows growth; /* where it begins with one */
};

static int write_fork(struct lag_db *db, void *arg, struct lag_error *err) {
    struct forking *forking = arg;
    int rc = lagd_fork_write(db, forking->fork, err);
    return rc == 0 && forking->growth.plan ? lagd_tx_growth_rows_insert(db, &forking->growth, err) : rc;
}

static int store(struct lagd_commands *c, struct lagd_command *command) {
    LAG_CLEANUP(lag_free_p) struct forking *forking = lag_calloc(1, sizeof(*forking));
    struct lag_error *err = &command->err;
    if (!forking) return lag_error_set(err, LAG_ENOMEM, "out of memory while forking a run");
    forking->fork = command->copied;
    const char *id = command->copied->run.id;
    int rc = command->grown ? point_below(err, lagd_growth_rows_fill(command->u.fork->growth, id, command->grown,
                                                                     &forking->growth, err)) : 0;
    return rc == 0 ? lagd_command_write(c->deps->store, command, id, write_fork, forking) : rc;
}

/* rc: of what stored it. */
static int settle(struct lagd_commands *c, struct lagd_command *command, int rc) {
    const struct lagd_fork *fork = command->copied;
    LAG_FP("fork.written");
    lagd_fork_settle(c->deps, fork, rc);
    if (rc < 0) return rc;
    (void)lag_copy(command->id, sizeof(command->id), fork->run.id);
    (void)lag_copy(command->state, sizeof(command->state), fork->run.state);
    c->runs->next_schedule_ns = 0;
    return 0;
}

int lagd_cmd_run_fork(struct lagd_commands *c, struct lagd_command *command) {
    if (command->copied) return settle(c, command, store(c, command));
    int rc = plan(c, command);
    return rc == 0 ? begin(c, command) : rc;
}

/* --- from a model or a checkpoint -------------------------------------------------------------------------------- */

static int plan_begin(struct lagd_commands *c, struct lagd_command *command) {
    LAG_CLEANUP(lag_free_p) struct lagd_fork *fork = lag_calloc(1, sizeof(*fork));
    if (!fork) return lag_error_set(&command->err, LAG_ENOMEM, "out of memory while making a run");
    int rc = lagd_begin_plan(c->db, c->deps->n_threads, command->from, command->u.run, fork, &command->err);
    if (rc == 0) rc = lagd_command_admit(c, &fork->config, &fork->estimate, &command->err);
    if (rc == 0) command->copied = LAG_TAKE(fork);
    return rc;
}

int lagd_cmd_run_begin(struct lagd_commands *c, struct lagd_command *command) {
    if (!command->copied) {
        int rc = plan_begin(c, command);
        return rc == 0 ? begin(c, command) : rc;
    }
    return settle(c, command, lagd_command_write(c->deps->store, command, command->copied->run.id, lagd_fork_write,
                                                 command->copied));
}
