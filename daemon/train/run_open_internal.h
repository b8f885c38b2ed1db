/* What a run needs before its first step, and lays down after its last. */
#pragma once
#include "train/run_parts_internal.h"

int lagd_run_open(struct lagd_run *run, struct lag_error *err);
void lagd_run_close(struct lagd_run *run);
/* work and team for the present shape. */
int lagd_run_equip(struct lagd_run *run, struct lag_error *err);
/* work is there again: while candidates are probed the run itself computes nothing and has laid it down. */
int lagd_run_ready(struct lagd_run *run, struct lag_error *err);
void lagd_run_lay_down(struct lagd_run *run);
/* run->growth from the stored rows. */
int lagd_run_read_growth(struct lagd_run *run, struct lag_error *err);
/* The growth is past queued and stands at this step: training must not go on before it has ended. */
bool lagd_run_in_growth(const struct lagd_run *run);
/* The schedule that the next update is made with. */
void lagd_run_take_schedule(struct lagd_run *run);
/* The batches that a state of this step goes on with, in config and trainer.step. */
int lagd_run_take_batch(struct lagd_run *run, struct lag_error *err);
/* Latest good checkpoint, or the initial state of the seed. *ret_step: -1 for the latter. */
int lagd_run_load_state(struct lagd_run *run, struct lag_state **ret, int64_t *ret_step, struct lag_error *err);
