/* The runs that have a thread: starting, watching, joining. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/storage/runs.h>
#include "supervisor/supervisor_internal.h"

#define STOP_NS (10 * INT64_C(1000000000)) /* a request waits so long for the run to reach a step boundary */

struct lagd_active *lagd_active_find(struct lagd_supervisor *s, const char *run_id) {
    for (int i = 0; i < s->n_active; i++) {
        if (strcmp(s->active[i]->id, run_id) == 0) return s->active[i];
    }
    return NULL;
}

/* On the run's thread. Nothing of entry may be touched after the flag is set but the descriptor, which outlives it. */
static void on_ended(void *arg, const char *run_id) {
    struct lagd_active *entry = arg;
    int fd = entry->supervisor->wake_fd;
    (void)run_id;
    atomic_store(&entry->ended, true);
    uint64_t one = 1;
    ssize_t ignored = write(fd, &one, sizeof(one));
    (void)ignored;
}

/* A pause and a resume that crossed: now that the run is paused, it can be resumed. */
static void resume_now(struct lagd_supervisor *s, struct lagd_command *command) {
    int status = atomic_load(&s->deps.draining) ? lag_error_set(&command->err, LAG_ECANCELED, "lagd is stopping")
                                                : lagd_cmd_run_resume(s, command);
    lagd_command_answer(command, status);
}

/* --- commands that wait for the run to stop --- */

int lagd_active_wait(struct lagd_active *entry, struct lagd_command *command, const char *wanted) {
    if (entry->n_stops == LAGD_STOPS_MAX) return 0;
    entry->stops[entry->n_stops++] = (struct lagd_stop){command, wanted, lag_clock_mono_ns() + STOP_NS};
    return LAGD_LATER;
}

static int judge_stop(struct lagd_supervisor *s, const char *run_id, const struct lagd_stop *stop) {
    struct lagd_command *command = stop->command;
    struct lag_run_row row;
    int status = lag_run_get(s->db, run_id, &row, &command->err);
    if (status < 0 || strcmp(row.state, stop->wanted) == 0) return status;
    if (atomic_load(&s->deps.draining)) return lag_error_set(&command->err, LAG_ECANCELED, "lagd is stopping");
    (void)lag_copy(command->state, sizeof(command->state), row.state);
    return lag_error_set(&command->err, LAG_ESTATE, "run %s is %s now", row.name, row.state);
}

static void answer_stops(struct lagd_supervisor *s, struct lagd_active *entry) {
    for (int i = 0; i < entry->n_stops; i++)
        lagd_command_answer(entry->stops[i].command, judge_stop(s, entry->id, &entry->stops[i]));
    entry->n_stops = 0;
}

/* The run's state in the answer tells that it has not stopped yet. */
void lagd_active_answer_late(struct lagd_supervisor *s, int64_t now_ns) {
    for (int i = 0; i < s->n_active; i++) {
        struct lagd_active *entry = s->active[i];
        int n_left = 0;
        for (int j = 0; j < entry->n_stops; j++) {
            struct lagd_stop stop = entry->stops[j];
            if (now_ns < stop.due_ns) entry->stops[n_left++] = stop;
            else lagd_command_answer(stop.command, 0);
        }
        entry->n_stops = n_left;
    }
}

/* Joins, answers and forgets the index-th. */
static void remove_active(struct lagd_supervisor *s, int index) {
    struct lagd_active *entry = s->active[index];
    lagd_run_join(entry->run);
    s->active[index] = s->active[--s->n_active];
    answer_stops(s, entry);
    if (entry->resume) resume_now(s, entry->resume);
    free(entry);
    s->next_schedule_ns = 0;
}

void lagd_active_reap(struct lagd_supervisor *s) {
    for (int i = 0; i < s->n_active;) {
        if (atomic_load(&s->active[i]->ended)) remove_active(s, i);
        else i++;
    }
}

void lagd_active_await(struct lagd_supervisor *s, const char *run_id) {
    for (int i = 0; i < s->n_active; i++) {
        if (strcmp(s->active[i]->id, run_id) != 0) continue;
        remove_active(s, i);
        return;
    }
}

static int start_run(struct lagd_supervisor *s, const struct lag_run_row *row, struct lag_error *err) {
    struct lagd_active *entry = lag_calloc(1, sizeof(*entry));
    if (!entry) return lag_error_set(err, LAG_ENOMEM, "out of memory while starting run %s", row->id);
    entry->supervisor = s;
    (void)lag_copy(entry->id, sizeof(entry->id), row->id);
    (void)lag_copy(entry->name, sizeof(entry->name), row->name);
    int status = lagd_run_start(&s->deps, row, on_ended, entry, &entry->run, err);
    if (status < 0) {
        free(entry);
        return status;
    }
    s->active[s->n_active++] = entry;
    return 0;
}

/* Ids of the queued runs, newest first. Rows are large, and the queue may be long. */
struct queue {
    char (*ids)[LAG_ROW_ID];
    size_t n, capacity;
};

static int collect_queued(const struct lag_run_row *row, void *arg) {
    struct queue *queue = arg;
    if (lag_grow_array((void **)&queue->ids, &queue->capacity, queue->n + 1, sizeof(*queue->ids)) < 0) return 1;
    (void)lag_copy(queue->ids[queue->n++], LAG_ROW_ID, row->id);
    return 0;
}

/* What may pass (memory, a full disk) leaves the run paused, where a person can resume it; the rest fails it. */
static void give_up(struct lagd_supervisor *s, const struct lag_run_row *row, const struct lag_error *why) {
    bool may_pass = why->code == LAG_ENOMEM || why->code == LAG_EIO || why->code == LAG_ENOSPC;
    struct lag_error err = {0};
    lag_log(LAG_LOG_ERROR, "run %s (%s) cannot start: %s", row->id, row->name, why->text);
    if (lagd_put_run_state(&s->deps, row->id, may_pass ? "paused" : "failed", why->text, &err) < 0) {
        lag_log(LAG_LOG_ERROR, "run %s: that it cannot start could not be stored: %s", row->id, err.text);
    }
}

/* false: it has to wait, and those behind it too, so that a large run is not overtaken for ever. */
static bool try_start(struct lagd_supervisor *s, const struct lag_run_row *row) {
    struct lag_error err = {0};
    int64_t need = 0;
    int status = lagd_admission_need(s, row, &need, &err);
    if (status == 0) {
        status = lagd_admission_check(s, row->name, need, false, &err);
        if (status == LAG_ENOMEM && lagd_admission_check(s, row->name, need, true, NULL) == 0) return false;
    }
    if (status == 0) status = start_run(s, row, &err);
    if (status < 0) give_up(s, row, &err);
    else lagd_admission_count(s);
    return true;
}

void lagd_active_schedule(struct lagd_supervisor *s) {
    s->next_schedule_ns = lag_clock_mono_ns() + 2 * INT64_C(1000000000);
    lagd_admission_count(s);
    if (atomic_load(&s->deps.draining)) return;
    struct lagd_config config;
    lagd_supervisor_config(s, &config);
    int places = (int)LAG_MIN(config.max_runs, LAGD_ACTIVE_MAX);
    if (s->n_active >= places) return;
    struct queue queue = {0};
    struct lag_error err = {0};
    if (lag_run_list(s->db, "queued", 0, "", INT32_MAX, collect_queued, &queue, &err) < 0) {
        lag_log(LAG_LOG_ERROR, "the queue of runs cannot be read: %s", err.text);
    }
    for (size_t i = queue.n; i-- > 0 && s->n_active < places;) {
        struct lag_run_row row;
        if (lagd_active_find(s, queue.ids[i])) continue; /* started, has not written so yet */
        if (lag_run_get(s->db, queue.ids[i], &row, NULL) < 0 || strcmp(row.state, "queued") != 0) continue;
        if (!try_start(s, &row)) break;
    }
    free(queue.ids);
}

void lagd_active_stop_all(struct lagd_supervisor *s) {
    for (int i = 0; i < s->n_active; i++) lagd_run_wish(s->active[i]->run, LAGD_WISH_STOP, "the daemon was stopped");
    lagd_slots_wake(s->deps.slots);
}
