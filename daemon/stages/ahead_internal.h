/* Growths that lie ahead of a run: one under way, and those that wait for their turn, each planned for the shape that
 * those before it lead to. Where one before it goes, it is planned anew. */
#pragma once
#include "process/deps_internal.h"

#include <lagd/daemon/growth_plan.h>
#include <lagd/storage/rows.h>
struct lag_db;

#define LAGD_AHEAD_MAX 16 /* growths of a run that have not ended */

struct lagd_ahead {
    struct lag_growth_row *rows; /* in the order of their turn */
    int n;
    size_t capacity;
};
/* Those that have not ended. To free with deinit, on 0. */
int lagd_ahead_read(struct lag_db *db, const char *run_id, struct lagd_ahead *ret, struct lag_error *err);
void lagd_ahead_deinit(struct lagd_ahead *ahead);
/* Where that one begins, or began, as far as it is known. run: as it stands. */
int64_t lagd_ahead_begins(const struct lag_run_row *run, const struct lag_growth_row *growth);
/* The run as a growth that is asked for will find it, in *run, which is as it stands. LAG_ESTATE: it does not fit
 * between the others. */
int lagd_ahead_place(const struct lagd_ahead *ahead, const struct lagd_growth_request *request, struct lag_run_row *run,
                     struct lag_error *err);
/* What a stored growth was asked for, its pool included. */
int lagd_ahead_request(struct lag_db *db, const struct lag_growth_row *growth, struct lagd_growth_request *ret,
                       struct lag_error *err);
/* Plans a growth that has not begun for the parent that run is now. ret_to: the shape that it leads to then; unchanged
 * on an error. LAG_EINVAL: it cannot grow from there; LAG_ESTATE: it has begun, or ended. Thread: any but the storage
 * thread. */
int lagd_ahead_replan(const struct lagd_deps *deps, const struct lag_run_row *run, const struct lag_growth_row *growth,
                      struct lag_shape *ret_to, struct lag_error *err);
/* After a change, also once one has come to an end: each one that waits is planned for the shape that those before it
 * lead to now. What cannot be is left as it is, and told when its turn comes. Thread: any but the storage thread. */
void lagd_ahead_follow(const struct lagd_deps *deps, const char *run_id);
