/* How fast each run trains on this machine, as measured. The time of a growth is predicted from it. The table keeps the
 * runs that worked last. A process that ends in order saves it, and the next one loads it. Thread: any. */
#pragma once
#include <lagd/base/error.h>
#include <stdbool.h>
struct lagd_speeds;

/* Floating-point operations a second of one thread, counted as in engine/cost.h; 0 = not known. */
struct lagd_speed {
    double train, eval;             /* of one thread of the team that makes the run's own steps and validations */
    double alone;                   /* of the one thread that made some of the run's early steps by itself */
    double probe_train, probe_eval; /* of the one thread of a probe, in its steps and evaluations: the latest probes */
};
enum lagd_speed_of {
    LAGD_SPEED_TRAIN,
    LAGD_SPEED_EVAL,
    LAGD_SPEED_ALONE,
    LAGD_SPEED_PROBE_TRAIN,
    LAGD_SPEED_PROBE_EVAL,
    LAGD_N_SPEEDS,
};

int lagd_speeds_create(struct lagd_speeds **ret, struct lag_error *err);
void lagd_speeds_destroy(struct lagd_speeds *speeds);
/* flops in compute_ns by n_threads. speeds NULL: nothing is kept. */
void lagd_speeds_add(struct lagd_speeds *speeds, const char *run_id, enum lagd_speed_of what, double flops,
                     long long compute_ns, int n_threads);
/* The run's own speed, and true. A run that has none yet gets that of the run whose steps are most like its own of
 * step_flops, and false; all are 0 when none is, and when speeds is NULL. */
bool lagd_speeds_get(struct lagd_speeds *speeds, const char *run_id, double step_flops, struct lagd_speed *ret);
/* Writes the file "speeds" of dir; loads it where there is one that machine (what makes speeds comparable: one line)
 * wrote. A table that was just created takes what is loaded; lines that cannot be read are passed over. */
int lagd_speeds_save(struct lagd_speeds *speeds, const char *dir, const char *machine, struct lag_error *err);
int lagd_speeds_load(struct lagd_speeds *speeds, const char *dir, const char *machine, struct lag_error *err);
