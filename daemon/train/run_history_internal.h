/* A run that went back to an older state: its row and its growths follow. */
#pragma once
#include "train/run_parts_internal.h"

/* A state from before a growth that was applied already (checkpoints were damaged) takes the first such growth back to
 * decided, so that the run reaches it again and rebuilds the same winner. After a load, and after each growth. */
int lagd_run_reopen_growth(struct lagd_run *run, struct lag_error *err);
/* The row goes back to the step of run->state: what was computed after it is computed again. */
int lagd_run_rewind(struct lagd_run *run, struct lag_error *err);
/* What was spent on training up to the end of the last growth before the loaded state, and from where the rest counts:
 * the same whenever it is asked. */
struct lagd_spent {
    double flops;
    int64_t from;
    struct lag_spec spec; /* of the steps from there on, … */
    int context;          /* … and tokens of their sequences */
};
int lagd_run_spent(struct lagd_run *run, struct lagd_spent *ret, struct lag_error *err);
/* And up to a step behind it. */
double lagd_run_spent_at(const struct lagd_run *run, const struct lagd_spent *spent, int64_t step);
/* Before that: drops most of them from their end, in transactions that are short whatever there is to drop. A crash in
 * between is one before the run went back: what is missing is computed again. */
int lagd_run_cut_ahead(struct lagd_run *run, const _Atomic bool *cancel, struct lag_error *err);
/* Drops the points of the run (arg) beyond the step of its row, for the transaction that stores that step. */
int lagd_run_drop_ahead(struct lag_db *db, void *arg, struct lag_error *err);
