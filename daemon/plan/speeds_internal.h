/* How fast each run trains here, as measured: what a growth will take is predicted from it. The table knows the runs that
 * worked last. It is saved when the process ends in order, so that a run that goes on afterwards is known at once. Thread: any. */
#pragma once
#include <lagd/base/error.h>
#include <stdbool.h>
struct lagd_speeds;

/* Floating-point operations a second of one thread, counted as in engine/cost.h; 0 = not known. */
struct lagd_speed {
    double train, eval;             /* of the run's own steps and validations, a thread of its team */
    double alone;                   /* of the run's own steps by one thread */
    double probe_train, probe_eval; /* of its latest probes */
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
/* What is known of the run; where it is not known, what all other runs reach on average; all 0 when nothing is known.
 * Returns true when it is the run's own. speeds NULL: all 0. */
bool lagd_speeds_get(struct lagd_speeds *speeds, const char *run_id, struct lagd_speed *ret);
/* Writes the file "speeds" of dir; loads it where there is one that machine (what makes speeds comparable: one line) wrote.
 * A table that was just created takes what is loaded; lines that cannot be read are passed over. */
int lagd_speeds_save(struct lagd_speeds *speeds, const char *dir, const char *machine, struct lag_error *err);
int lagd_speeds_load(struct lagd_speeds *speeds, const char *dir, const char *machine, struct lag_error *err);
