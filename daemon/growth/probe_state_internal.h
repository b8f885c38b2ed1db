/* The state of a probe on its way, on disk: after a crash the probe goes on from it. It is a folder
 * runs/<run>/probe-<candidate> in the format of a checkpoint, but none of the run's checkpoints, and has no row.
 * Thread: the probe's worker. */
#pragma once
#include "growth/probe_internal.h"

/* When a state is worth its writing: a period after the last one (train/probe_checkpoint_s), and such that writing
 * takes at most one part in fifty of the probe's time. */
struct lagd_probe_keeper {
    int64_t computed_ns; /* of steps and evaluations since the last one was written, or could not be */
    int64_t cost_ns;     /* of writing one: expected at first, then measured */
    bool told;           /* that one could not be written */
};
void lagd_probe_keeper_init(struct lagd_probe_keeper *keeper, const struct lagd_deps *deps,
                            const struct lag_spec *shape);
bool lagd_probe_keeper_due(const struct lagd_probe_keeper *keeper, const struct lagd_deps *deps);
/* Everything that the probe has said up to the state must be stored before. A failure is logged, and the probe goes on
 * without. */
void lagd_probe_keeper_write(struct lagd_probe_keeper *keeper, const struct lagd_deps *deps,
                             const struct lagd_probe_spec *spec, const struct lag_state *state);
/* Of a probe that will not be needed again. Thread: any. */
void lagd_probe_state_remove(const struct lagd_deps *deps, const char *run_id, const char *candidate_id);
/* The stored state, when there is a good one of just this probe; NULL: the probe begins at 0. One that is damaged, or
 * not of this probe, is removed. An error: it could not be looked at (no memory, no rights); it stays. */
int lagd_probe_state_load(const struct lagd_deps *deps, const struct lagd_probe_spec *spec, struct lag_state **ret,
                          struct lag_error *err);
