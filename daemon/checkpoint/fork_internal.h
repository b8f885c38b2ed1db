/* A run made of a checkpoint of another one. Its first checkpoint is a copy of that one, so it stands on its own feet
 * from the beginning: whatever becomes of the origin, the fork goes on.
 *
 * plan, copy, write, settle, in this order; or make, which does all four. Nobody but the owner of a fork may use it
 * meanwhile. */
#pragma once
#include "process/deps_internal.h"

#include <lagd/daemon/fork_request.h>
#include <lagd/daemon/run_from.h>
#include <lagd/engine/checkpoint.h>
#include <lagd/storage/rows.h>
struct lag_db;

#define LAGD_KIND_FORK "fork" /* of its first checkpoint */

struct lagd_fork {
    struct lag_run_row run;                /* as it will be stored; its state is filled in by write */
    struct lagd_run_config config;         /* its configuration, resolved */
    bool has_schedule;                     /* of its own: it does not go on with all that its origin went through */
    struct lagd_run_estimate estimate;     /* what it will take */
    struct lag_checkpoint_row source, own; /* the checkpoint, and the copy */
    struct lag_checkpoint_file_row files[LAG_CHECKPOINT_FILES]; /* of the copy */
    bool begins, moments;                  /* it does not go on, but begins at step 0 from this; begin_internal.h */
    struct lagd_run_source from;
};
/* Looks whether it can be done, and says what it will be; nothing is written. Errors carry pointers ("/checkpoint",
 * "/name", "/schedule/max_steps"). LAG_ENOTFOUND: there is no such run; LAG_EEXIST: the name is taken; LAG_ESTATE: the
 * run has no checkpoint yet. Thread: owner of db. */
int lagd_fork_plan(struct lag_db *db, int n_threads, const struct lagd_fork_request *request, struct lagd_fork *ret,
                   struct lag_error *err);
/* Copies the files, durably, to where nothing but a mark names them yet. It may take as long as reading and writing a
 * checkpoint does. LAG_ESTATE: the checkpoint is being deleted, or was; LAG_EAWAY: its files are not there;
 * LAG_ECORRUPT: they are damaged; LAG_ENOSPC; LAG_ECANCELED, by watch (may be NULL). Nothing is left after a failure.
 * Thread: any but main and storage. */
struct lag_fs_watch;
int lagd_fork_copy(const struct lagd_deps *deps, struct lagd_fork *fork, const struct lag_fs_watch *watch,
                   struct lag_error *err);
/* Rows and events of the fork; a lag_write_fn, for a struct lagd_fork that was copied. LAG_EEXIST: the name was taken
 * meanwhile. Thread: storage, inside a transaction. */
int lagd_fork_write(struct lag_db *db, void *fork, struct lag_error *err);
/* After the transaction, or instead of one: rc is what it returned. Where nothing is stored the files go. Thread: any
 * but the storage thread. */
void lagd_fork_settle(const struct lagd_deps *deps, const struct lagd_fork *fork, int rc);
/* Parts of a plan that begins share. LAG_EEXIST at "/name": the name is taken; id and name of a new run; the row of its
 * first checkpoint, made of fork->source; what the manifest of that says of run and origin. */
int lagd_fork_check_name(struct lag_db *db, const struct lagd_run_config *config, struct lag_error *err);
void lagd_fork_name(const struct lagd_run_config *config, struct lag_run_row *row);
/* What is held back in a run that begins at step with the source's model; its shape is known. */
void lagd_fork_hold(const struct lag_checkpoint_row *source, int64_t step, struct lag_run_row *row);
void lagd_fork_fill_own(struct lagd_fork *fork, const char *kind);
void lagd_fork_fill_meta(const struct lagd_fork *fork, struct lag_checkpoint_meta *meta);
/* All of it, in a transaction of its own. *ret is large. Thread: any but main and storage. */
int lagd_fork_make(const struct lagd_deps *deps, const struct lagd_fork_request *request, struct lagd_fork *ret,
                   struct lag_error *err);
