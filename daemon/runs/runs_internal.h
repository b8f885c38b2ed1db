/* The runs that have a thread: starting, watching, joining; and the memory that they may take. Thread: main, unless
 * said otherwise. */
#pragma once
#include "config/settings_internal.h"
#include "process/deps_internal.h"
#include "runs/run_internal.h"

struct lag_db;
struct lagd_runs;

/* A run with a thread. */
struct lagd_active {
    struct lagd_runs *runs;
    struct lagd_run *run;
    char id[LAG_ROW_ID], name[LAG_ROW_NAME];
    _Atomic bool ended; /* set on the run's thread, which is then joined by the main one */
    bool stalled;       /* it makes no progress, and that was told */
};
/* Paused runs that were short of what may come back, and when each is tried next. */
struct lagd_retries {
    struct lagd_retry *rows;
    size_t n, capacity;
};
struct lagd_runs {
    struct lagd_deps *deps;
    struct lagd_settings *settings;
    struct lag_db *db; /* the main thread's reader */
    int wake_fd;       /* written to when a thread ends */
    void (*on_joined)(void *arg, const char *run_id); /* a thread has ended, and its run is no longer active */
    void *on_joined_arg;
    struct lagd_active *active[LAGD_RUNS_MAX];
    int n_active;
    int64_t next_schedule_ns;       /* monotonic; 0 = at once */
    struct lagd_retries retries;
    _Atomic int64_t reserved_bytes; /* predicted peaks of all active runs and their growths. Thread: any */
};

/* --- active.c --- */
struct lagd_active *lagd_active_find(struct lagd_runs *runs, const char *run_id);
/* Joins the threads that have ended. */
void lagd_active_reap(struct lagd_runs *runs);
/* Joins the thread of a run whose stored state says that it is just ending. */
void lagd_active_await(struct lagd_runs *runs, const char *run_id);
/* Starts queued runs, oldest first, as far as places and memory go. */
void lagd_active_schedule(struct lagd_runs *runs);
/* Whether a run of a study of low priority has a thread: it and its memory go when others want to compute. */
bool lagd_active_may_give_way(struct lagd_runs *runs);
void lagd_active_stop_all(struct lagd_runs *runs); /* wishes it */
void lagd_active_end_all(struct lagd_runs *runs);  /* and waits for it */

/* --- retry.c --- */
/* Queues those again whose time has come: after 2 s, then ever later, at most a minute apart. Each second or so. */
void lagd_retry_waiting(struct lagd_runs *runs, int64_t now_ns);
void lagd_retry_deinit(struct lagd_runs *runs);

/* --- admission.c --- */
/* All runs together; and what would be granted now beside what is reserved. Thread: any. */
int64_t lagd_admission_limit(struct lagd_runs *runs);
int64_t lagd_admission_available(struct lagd_runs *runs);
/* What a stored run will need at its present shape, its growth included. */
int lagd_admission_need(struct lagd_runs *runs, const struct lag_run_row *row, int64_t *ret_bytes,
                        struct lag_error *err);
/* LAG_ENOMEM with the numbers when need_bytes are not there. alone: as if nothing else ran. */
int lagd_admission_check(struct lagd_runs *runs, const char *what, int64_t need_bytes, bool alone,
                         struct lag_error *err);
void lagd_admission_count(struct lagd_runs *runs); /* brings reserved_bytes up to date */
