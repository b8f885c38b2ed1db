/* Runs that make no progress are told of, once each time, also where no service manager watches. */
#include "exec/pool_internal.h"
#include "supervisor/supervisor_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/storage/events.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND_NS INT64_C(1000000000)

/* The event of one stall. A worker stores it: the storage thread may be what stands still, and the main thread, which
 * notices that, must not wait for it. */
struct stall {
    struct lagd_job job;
    struct lag_store *store;
    char run_id[LAG_ROW_ID], message[200];
    int64_t step;
};

static int put_event(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct stall *stall = arg;
    const struct lag_event event = {.type = LAG_EVENT_RUN_STALLED, .run_id = stall->run_id, .step = stall->step,
                                    .message = stall->message};
    return lag_event_put(db, &event, err);
}

static void store(struct lagd_job *job) {
    struct stall *stall = (struct stall *)job;
    struct lag_error err = {0};
    if (lag_store_write(stall->store, put_event, stall, &err) != 0)
        lag_log(LAG_LOG_WARNING, "that run %s makes no progress could not be stored: %s", stall->run_id, err.text);
}

static void forget(struct lagd_job *job) { free(job); }

static void tell(struct lagd_supervisor *s, const struct lagd_active *entry, int64_t now_ns) {
    static const char *const doings[LAGD_N_DOING] = {
        [LAGD_DOING_OPENING] = "while it is opened", [LAGD_DOING_TRAINING] = "in a training step",
        [LAGD_DOING_VALIDATING] = "in a validation", [LAGD_DOING_CHECKPOINTING] = "while a checkpoint is written",
        [LAGD_DOING_VERIFYING] = "while its dataset is read", [LAGD_DOING_PROBING] = "while candidates are probed"};
    const struct lagd_progress *progress = lagd_run_progress(entry->run);
    struct stall *stall = lag_calloc(1, sizeof(*stall));
    if (!stall) return;
    int doing = atomic_load(&progress->doing);
    int64_t silence_ns = now_ns - atomic_load(&progress->beat_ns);
    stall->job.run = store;
    stall->job.done = forget;
    stall->store = s->deps.store;
    stall->step = atomic_load(&progress->step);
    (void)lag_copy(stall->run_id, sizeof(stall->run_id), entry->id);
    (void)snprintf(stall->message, sizeof(stall->message), "no sign of life for %lld s %s; look at the disk of the "
                   "state directory, and at what else computes on this machine", (long long)(silence_ns / SECOND_NS),
                   doings[doing] ? doings[doing] : "");
    lag_log(LAG_LOG_WARNING, "run %s (%s): %s", entry->id, entry->name, stall->message);
    if (!s->deps.chores || lagd_pool_submit(s->deps.chores, &stall->job) != 0) free(stall);
}

void lagd_look_for_stalls(struct lagd_supervisor *s, int64_t now_ns) {
    const bool probes_stuck = lagd_pool_stuck(s->deps.probes, now_ns);
    for (int i = 0; i < s->runs.n_active; i++) {
        struct lagd_active *entry = s->runs.active[i];
        const struct lagd_progress *progress = lagd_run_progress(entry->run);
        bool probing = atomic_load(&progress->doing) == LAGD_DOING_PROBING;
        bool stalled = lagd_progress_stuck(progress, now_ns) || (probing && probes_stuck);
        if (stalled && !entry->stalled) tell(s, entry, now_ns);
        entry->stalled = stalled;
    }
}
