/* The learning-rate schedules that a run goes through: one, and one more each time that it was extended. Each is in
 * force from a step on, so that a run which has to go back trains as it did before. Pure. Thread: any. */
#pragma once
#include <lagd/daemon/run_config.h>
#include <lagd/engine/optim.h>
struct lag_error;

#define LAGD_SCHEDULES_MAX 16
struct lagd_schedule_piece {
    int64_t from;                 /* the first update that it is for */
    struct lag_schedule schedule; /* its max_steps is where it ends; behind that the rate stays */
    bool restarts;                /* its warm-up begins at from */
};
struct lagd_schedules {
    int n; /* at least 1; the first is from 0 on */
    struct lagd_schedule_piece of[LAGD_SCHEDULES_MAX];
};
/* Of a run's row and its configuration. LAG_ECORRUPT: the text cannot be read. */
int lagd_schedules_of(const struct lag_run_row *row, const struct lagd_run_config *config, struct lagd_schedules *ret,
                      struct lag_error *err);
/* The one that update number step is made with, borrowed. */
const struct lagd_schedule_piece *lagd_schedules_at(const struct lagd_schedules *schedules, int64_t step);
/* Where the schedule of a state began: origin as the state has it, or where the piece restarts. */
int64_t lagd_schedule_origin(const struct lagd_schedule_piece *piece, int64_t origin);
/* The piece is in force from its step on; those that would begin there or later go. LAG_ESTATE: there are too many. */
int lagd_schedules_add(struct lagd_schedules *schedules, const struct lagd_schedule_piece *piece,
                       struct lag_error *err);
/* Text for storage. ret: LAG_ROW_SCHEDULES bytes. */
void lagd_schedules_format(const struct lagd_schedules *schedules, char *ret);
