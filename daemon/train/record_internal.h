/* Points of one owner (run or candidate) on their way to the store. Thread: one owner at a time. */
#pragma once
#include "process/deps_internal.h"

/* When a row is told next where its owner is, after a report that began and ended at these times: not sooner than in
 * 250 ms, such that reports, which wait for the disk, take at most one part in fifty of the time, and in 10 s at the
 * latest, however long one took. Pure. */
int64_t lagd_report_due_ns(int64_t began_ns, int64_t ended_ns);

enum lagd_key { LAGD_TRAIN_LOSS, LAGD_LR, LAGD_GRAD_NORM, LAGD_VAL_LOSS, LAGD_VAL_BPB, LAGD_TOKENS_PER_S, LAGD_STEP_MS,
                LAGD_N_KEYS };

struct lagd_recorder {
    struct lagd_deps *deps;
    int64_t series[LAGD_N_KEYS];
    struct lag_point points[256];
    size_t n_points;
    int64_t flushed_ns;
    double bpb; /* bits of a byte of text where a token has a nat; 0: what text tokens stand for is not known */
};
/* Finds or makes the series; those of speed only for runs. Does not keep owner. */
int lagd_recorder_open(struct lagd_recorder *recorder, struct lagd_deps *deps, const char *owner, bool with_speed,
                       const _Atomic bool *cancel, struct lag_error *err);
/* Keeps the point until 250 ms are over or many wait; then they are queued for group commit. A validation loss is told
 * in bits a byte, too, so that vocabularies compare. */
int lagd_recorder_add(struct lagd_recorder *recorder, enum lagd_key key, int64_t step, double value,
                      struct lag_error *err);
/* Queues all: writes made after it see them. */
int lagd_recorder_flush(struct lagd_recorder *recorder, struct lag_error *err);
