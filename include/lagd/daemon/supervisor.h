/* The supervisor: owns runs, growths, timers and signals; one instance a process. */
#pragma once
#include <lagd/base/hash.h>
#include <lagd/daemon/config.h>
#include <stdbool.h>
struct lag_db;
struct lag_error;
struct lag_growth_row;
struct lag_point;
struct lag_run_row;
struct lag_store;
struct lag_study_row;
struct lagd_supervisor;

/* Locks the state directory (LAG_EBUSY names the PID that holds it), opens the store, recovers what a crash left. */
int lagd_supervisor_create(const struct lagd_config *config, struct lagd_supervisor **ret, struct lag_error *err);
/* Works until SIGTERM, SIGINT or lagd_supervisor_stop: then checkpoints every run and returns 0. on_ready is called
 * once the loop is about to serve, on this thread. Thread: main. */
int lagd_supervisor_run(struct lagd_supervisor *supervisor, void (*on_ready)(void *arg), void *arg,
                        struct lag_error *err);
void lagd_supervisor_stop(struct lagd_supervisor *supervisor); /* Thread: any */
void lagd_supervisor_destroy(struct lagd_supervisor *supervisor);

struct lag_store *lagd_supervisor_store(struct lagd_supervisor *supervisor); /* Thread: any */
/* What lagd takes the time for, in ms since 1970: a clock that jumps by years does not change it. What is kept for some
 * time is outlived by this, not by the clock. Thread: any. */
int64_t lagd_supervisor_now_ms(struct lagd_supervisor *supervisor);
/* What a run will still take until its last step, growths that it is still to go through and their probes counted in:
 * FLOPs, NaN where it has ended; seconds by the speeds that were measured, NaN where it does not go on by itself. db:
 * the caller's reader. Thread: any. */
struct lagd_left {
    double seconds, flops;
};
void lagd_supervisor_left(struct lagd_supervisor *supervisor, struct lag_db *db, const struct lag_run_row *run,
                          struct lagd_left *ret);
/* Seconds until the candidates of a growth have been probed, NaN while they are not; and until the runs of a study have
 * ended, one after the other, NaN where it is not under way or that is not known. As above. */
double lagd_supervisor_growth_left(struct lagd_supervisor *supervisor, struct lag_db *db,
                                   const struct lag_growth_row *growth);
double lagd_supervisor_study_left(struct lagd_supervisor *supervisor, struct lag_db *db,
                                  const struct lag_study_row *study);
const char *lagd_supervisor_state_dir(const struct lagd_supervisor *supervisor);
/* SHA-256 of an open regular file, read once since it was last written to. 1: not known, and too large to be read here;
 * LAGD_CHECKPOINT_CHECK reads it. LAG_EBUSY: it is being written to. Thread: any. */
int lagd_supervisor_hash_of(struct lagd_supervisor *supervisor, int fd, char ret_hex[LAG_SHA256_HEX],
                            struct lag_error *err);
/* The configuration in force; a copy, since SIGHUP may change it. Thread: any. */
void lagd_supervisor_config(struct lagd_supervisor *supervisor, struct lagd_config *ret);
/* Where its values come from, as lagd_config_load told; set before run, all "" until then. get: thread any. */
void lagd_supervisor_set_sources(struct lagd_supervisor *supervisor, const struct lagd_config_source *sources);
void lagd_supervisor_origins(struct lagd_supervisor *supervisor, struct lagd_config_origins *ret);
/* fn is called after each commit that wrote events and on every SIGHUP (last_seq 0). Set before run. */
void lagd_supervisor_on_events(struct lagd_supervisor *supervisor, void (*fn)(void *arg, int64_t last_seq), void *arg);
/* fn is called after each commit that wrote points, on the storage thread: see lag_store_on_points. Thread: any. */
void lagd_supervisor_on_points(struct lagd_supervisor *supervisor,
                               void (*fn)(void *arg, const struct lag_point *points, size_t n_points), void *arg);
/* How SIGHUP and LAGD_RELOAD read the configuration again: load gives a checked one or an error. Set before run. */
typedef int lagd_reload_fn(void *arg, struct lagd_config *ret, struct lagd_config_source *ret_sources,
                           struct lag_error *err);
void lagd_supervisor_on_reload(struct lagd_supervisor *supervisor, lagd_reload_fn *load, void *arg);
/* fn tells for how many nanoseconds a question to the server's threads has gone unanswered, without waiting itself; 0:
 * all answer. It is called on every tick while the service manager wants signs of life. Thread of both: main. */
typedef int64_t lagd_watch_fn(void *arg);
void lagd_supervisor_on_watch(struct lagd_supervisor *supervisor, lagd_watch_fn *fn, void *arg);

/* What the machine and the daemon are doing, for /system, /readyz and /metrics. Thread: any. */
struct lagd_status {
    bool ready, draining;
    int n_threads, n_slots_used, n_runs_active, n_probes_active, n_jobs_waiting;
    int64_t steps_total, tokens_total, probe_steps_total, checkpoints_total, checkpoint_bytes_total, rollbacks_total,
        decisions_total, mismatches_total, commands_total;
    double step_seconds_total, probe_seconds_total, checkpoint_seconds_total;
    int64_t memory_limit_bytes, memory_reserved_bytes;
    size_t store_queue;
    bool store_sweeps; /* rows that nobody sees any more are being removed */
    int64_t store_swept_total;
    char fingerprint[128];
    char integrity[120];         /* what the start's look through the database found, a sentence */
    int64_t started_ms;
};
void lagd_supervisor_status(struct lagd_supervisor *supervisor, struct lagd_status *ret);
/* 0 when the database takes writes, else why not. Thread: any. */
int lagd_supervisor_storage(struct lagd_supervisor *supervisor, struct lag_error *err);
/* Memory that admission would grant now, and the compute budget. Thread: any. */
int64_t lagd_supervisor_memory_available(struct lagd_supervisor *supervisor);
int lagd_supervisor_threads(const struct lagd_supervisor *supervisor);
