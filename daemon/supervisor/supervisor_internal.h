/* The supervisor: what this process holds together. Everything here belongs to the main thread unless it says
 * otherwise. */
#pragma once
#include "commands/commands_internal.h"
#include "config/settings_internal.h"
#include "process/deps_internal.h"
#include "process/listener_internal.h"
#include "process/calendar_internal.h"
#include "process/lock_internal.h"
#include "runs/runs_internal.h"
#include "study/study_internal.h"
#include "supervisor/watch_internal.h"

#include <lagd/base/readings.h>
#include <lagd/daemon/machine.h>
#include <lagd/daemon/supervisor.h>
#include <lagd/storage/rows.h>
#include <pthread.h>

#define LAGD_SAMPLES_MAX (60 * LAGD_N_MACHINE_KEYS)

/* sampling.c */
struct lagd_sampling {
    struct lag_readings_before before;
    struct lag_point points[LAGD_SAMPLES_MAX]; /* not stored yet; until then their series is the place of their key */
    int n;
    int64_t series[LAGD_N_MACHINE_KEYS]; /* once they are opened */
    int64_t at_s, next_ns, flushed_ns, next_coarsen_ns;
    bool opened, troubled;
};

struct lagd_supervisor {
    struct lagd_settings *settings;
    struct lagd_listener *listener;
    struct lagd_deps deps;       /* what threads that work on runs are given */
    struct lagd_runs runs;
    struct lagd_commands commands;
    struct lagd_studies studies;
    struct lagd_watch watch;
    struct lagd_sampling sampling;
    struct lag_db *db;           /* the main thread's reader */
    pthread_mutex_t services_lock; /* that deps.services is there. Thread: any */
    struct lagd_lock lock;
    int signal_fd, wake_fd;
    int64_t next_prune_ns;
    pthread_mutex_t calendar_lock;
    struct lagd_calendar calendar;
    int64_t lost_ns;             /* since when the files under lagd are not its own any more, 0: they are */
    _Atomic bool ready, stop;
    int64_t started_ms;
    char integrity[120];         /* how far the start looked through the database. Set before anything is served */
};

/* loop.c: something happened that the main thread should look at. Thread: any */
void lagd_supervisor_wake(struct lagd_supervisor *s);
/* files.c: on every tick: are the files under lagd still its own? Once they are not, every run writes a checkpoint and
 * ends, and no command is taken. */
void lagd_look_after_files(struct lagd_supervisor *s, int64_t now_ns);
/* 0, or LAG_EIO: time to stop, since nothing can be stored. Lost files are told of for a while first. */
int lagd_storage_verdict(struct lagd_supervisor *s, int64_t now_ns, struct lag_error *err);
/* recovery.c: what an earlier process left, before anything is served */
int lagd_recover(struct lagd_supervisor *s, struct lag_error *err);
/* time.c: what time it is, as an earlier process left it; once, before anything is made. */
int lagd_time_begin(struct lagd_supervisor *s, struct lag_error *err);
/* Looks at the clock, tells when it is doubted, and stores where the calendar stands. */
void lagd_time_look(struct lagd_supervisor *s);
/* stalls.c: on every tick: tells of runs that make no progress */
void lagd_look_for_stalls(struct lagd_supervisor *s, int64_t now_ns);
/* sampling.c: on every tick: what the machine does, as series; and what is not stored yet, at the end. */
void lagd_sample(struct lagd_supervisor *s, int64_t now_ns);
void lagd_sampling_end(struct lagd_supervisor *s);
/* tidy.c: the folders, once the rows are in order */
void lagd_tidy(struct lagd_supervisor *s);
