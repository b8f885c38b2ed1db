/* What the parts of the daemon that work on runs are given: one struct that the supervisor makes and that outlives
 * them. */
#pragma once
#include <lagd/base/error.h>
#include <lagd/daemon/config.h>
#include <lagd/storage/store.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
struct lagd_slots;
struct lagd_pool;
struct lagd_speeds;
struct lagd_hashes;

/* Sums since the start, for /metrics. Doubles are kept as nanoseconds. */
struct lagd_totals {
    _Atomic int64_t steps, tokens, probe_steps, checkpoints, checkpoint_bytes, rollbacks, decisions, mismatches,
        commands;
    _Atomic int64_t step_ns, probe_ns, checkpoint_ns;
    _Atomic int runs_active, probes_active;
};

struct lagd_deps {
    struct lag_store *store;
    char state_dir[1024];
    struct lagd_slots *slots;    /* compute slots: never more than the budget are out */
    struct lagd_pool *probes;    /* workers for candidates */
    struct lagd_pool *services;  /* workers for text samples and files that are read */
    struct lagd_pool *chores;    /* a worker for folders that go; NULL: lagd is stopping */
    struct lagd_speeds *speeds;  /* how fast each run is here; NULL: nobody asks */
    struct lagd_hashes *hashes;  /* of checkpoints' files that are served */
    struct lagd_totals totals;
    int n_threads;               /* the budget */
    _Atomic int64_t keep_checkpoints; /* SIGHUP may change these two */
    _Atomic int64_t min_free_bytes;
    int64_t probe_checkpoint_s;  /* train/probe_checkpoint_s */
    _Atomic bool draining;       /* SIGTERM came: no new work */
    _Atomic bool files_lost;     /* the database was removed or replaced under lagd: nothing can be stored any more */
};
