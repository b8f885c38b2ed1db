/* The runs that have a thread: starting, watching, joining. */
#include "exec/slots_internal.h"
#include "records/causes_internal.h"
#include "records/post_internal.h"
#include "runs/runs_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/studies.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lagd_active *lagd_active_find(struct lagd_runs *runs, const char *run_id) {
    for (int i = 0; i < runs->n_active; i++) {
        if (strcmp(runs->active[i]->id, run_id) == 0) return runs->active[i];
    }
    return NULL;
}

/* On the run's thread. Nothing of entry may be touched after the flag is set but the descriptor, which outlives it. */
static void on_ended(void *arg, const char *run_id) {
    struct lagd_active *entry = arg;
    int fd = entry->runs->wake_fd;
    (void)run_id;
    atomic_store(&entry->ended, true);
    uint64_t one = 1;
    ssize_t ignored = write(fd, &one, sizeof(one));
    (void)ignored;
}

/* Joins and forgets the index-th, and tells of it. */
static void remove_active(struct lagd_runs *runs, int index) {
    struct lagd_active *entry = runs->active[index];
    lagd_run_join(entry->run);
    runs->active[index] = runs->active[--runs->n_active];
    if (runs->on_joined) runs->on_joined(runs->on_joined_arg, entry->id);
    free(entry);
    runs->next_schedule_ns = 0;
}

void lagd_active_reap(struct lagd_runs *runs) {
    for (int i = 0; i < runs->n_active;) {
        if (atomic_load(&runs->active[i]->ended)) remove_active(runs, i);
        else i++;
    }
}

void lagd_active_await(struct lagd_runs *runs, const char *run_id) {
    for (int i = 0; i < runs->n_active; i++) {
        if (strcmp(runs->active[i]->id, run_id) != 0) continue;
        remove_active(runs, i);
        return;
    }
}

static int start_run(struct lagd_runs *runs, const struct lag_run_row *row, struct lag_error *err) {
    struct lagd_active *entry = lag_calloc(1, sizeof(*entry));
    if (!entry) return lag_error_set(err, LAG_ENOMEM, "out of memory while starting run %s", row->id);
    entry->runs = runs;
    (void)lag_copy(entry->id, sizeof(entry->id), row->id);
    (void)lag_copy(entry->name, sizeof(entry->name), row->name);
    int rc = lagd_run_start(runs->deps, row, on_ended, entry, &entry->run, err);
    if (rc < 0) {
        free(entry);
        return rc;
    }
    runs->active[runs->n_active++] = entry;
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

static void give_up(struct lagd_runs *runs, const struct lag_run_row *row, const struct lag_error *why) {
    const struct lagd_judgement *judgement = lagd_judge(why->code);
    char reason[LAG_ROW_TEXT];
    struct lag_error err = {0};
    (void)snprintf(reason, sizeof(reason), "%.600s%s", why->text, judgement->hint);
    lag_log(LAG_LOG_ERROR, "run %s (%s) cannot start: %s", row->id, row->name, reason);
    if (lagd_put_run_event(runs->deps, row->id, judgement->run_event, reason, &err) < 0) {
        lag_log(LAG_LOG_ERROR, "run %s: that it cannot start could not be stored: %s", row->id, err.text);
    }
}

/* Of a study of low priority while others want to compute: it is not started, but paused by its study soon. */
static bool gives_way(struct lagd_runs *runs, const char *run_id) {
    struct lag_study_run_row item;
    struct lag_study_row study;
    if (lag_study_of_run(runs->db, run_id, &item, NULL) != 1) return false;
    if (lag_study_get(runs->db, item.study_id, &study, NULL) != 0 || study.priority >= 0) return false;
    return lag_study_gives_way(runs->db, study.id, NULL) == 1;
}

bool lagd_active_may_give_way(struct lagd_runs *runs) {
    for (int i = 0; i < runs->n_active; i++) {
        struct lag_study_run_row item;
        struct lag_study_row study;
        if (lag_study_of_run(runs->db, runs->active[i]->id, &item, NULL) == 1 &&
            lag_study_get(runs->db, item.study_id, &study, NULL) == 0 && study.priority < 0)
            return true;
    }
    return false;
}

/* false: it has to wait, and those behind it too, so that a large run is not overtaken for ever. */
static bool try_start(struct lagd_runs *runs, const struct lag_run_row *row) {
    struct lag_error err = {0};
    int64_t need = 0;
    int rc = lagd_admission_need(runs, row, &need, &err);
    if (rc == 0) {
        rc = lagd_admission_check(runs, row->name, need, false, &err);
        if (rc == LAG_EFIT && lagd_admission_check(runs, row->name, need, true, NULL) == 0) return false;
    }
    if (rc == 0) rc = start_run(runs, row, &err);
    if (rc < 0) give_up(runs, row, &err);
    else lagd_admission_count(runs);
    return true;
}

void lagd_active_schedule(struct lagd_runs *runs) {
    runs->next_schedule_ns = lag_clock_mono_ns() + 2 * INT64_C(1000000000);
    lagd_admission_count(runs);
    if (atomic_load(&runs->deps->draining)) return;
    struct lagd_config config;
    lagd_settings_get(runs->settings, &config);
    int places = (int)LAG_MIN(config.max_runs, LAGD_RUNS_MAX);
    if (runs->n_active >= places) return;
    struct queue queue = {0};
    const char *queued = lagd_state_name(LAGD_MACHINE_RUN, LAGD_RUN_QUEUED);
    struct lag_error err = {0};
    if (lag_run_list(runs->db, queued, "", INT32_MAX, collect_queued, &queue, &err) < 0) {
        lag_log(LAG_LOG_ERROR, "the queue of runs cannot be read: %s", err.text);
    }
    for (size_t i = queue.n; i-- > 0 && runs->n_active < places;) {
        struct lag_run_row row;
        if (lagd_active_find(runs, queue.ids[i])) continue; /* started, has not written so yet */
        if (lag_run_get(runs->db, queue.ids[i], &row, NULL) < 0 || !lagd_run_is(row.state, LAGD_RUN_QUEUED)) continue;
        if (gives_way(runs, row.id)) continue;
        if (!try_start(runs, &row)) break;
    }
    free(queue.ids);
}

void lagd_active_stop_all(struct lagd_runs *runs) {
    for (int i = 0; i < runs->n_active; i++)
        lagd_run_wish(runs->active[i]->run, LAGD_WISH_STOP, "the daemon was stopped");
    lagd_slots_wake(runs->deps->slots);
}

void lagd_active_end_all(struct lagd_runs *runs) {
    if (runs->n_active > 0) lagd_active_stop_all(runs);
    while (runs->n_active > 0) remove_active(runs, runs->n_active - 1);
}
