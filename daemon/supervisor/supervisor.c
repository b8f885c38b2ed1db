/* Making and unmaking the supervisor, and what others may ask it at any time. */
#include <lagd/daemon/supervisor.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <errno.h>

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/host.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/engine/train.h>
#include "process/lock_internal.h"
#include "process/notify_internal.h"
#include "process/signals_internal.h"
#include "plan/speeds_internal.h"
#include "supervisor/supervisor_internal.h"

void lagd_tell_listener(struct lagd_supervisor *s, int64_t last_seq) {
    (void)pthread_mutex_lock(&s->events_lock);
    if (s->events_fn) s->events_fn(s->events_arg, last_seq);
    (void)pthread_mutex_unlock(&s->events_lock);
}

static void on_commit(void *arg, int64_t last_seq) { lagd_tell_listener(arg, last_seq); }

static void on_points(void *arg, const struct lag_point *points, size_t n_points) {
    struct lagd_supervisor *s = arg;
    (void)pthread_mutex_lock(&s->events_lock);
    if (s->points_fn) s->points_fn(s->points_arg, points, n_points);
    (void)pthread_mutex_unlock(&s->events_lock);
}

static int open_files(struct lagd_supervisor *s, struct lag_error *err) {
    const char *dir = s->config.state_dir;
    int status = lagd_lock_take(dir, &s->lock_fd, err);
    /* A new version may have to convert it, after a copy. */
    lagd_notify("STATUS=opening the database\nEXTEND_TIMEOUT_USEC=%d", 600 * 1000000);
    if (status == 0) status = lag_store_open(dir, &s->store, err);
    if (status < 0) return status;
    lag_store_on_events(s->store, on_commit, s);
    lag_store_on_points(s->store, on_points, s);
    s->deps.store = s->store;
    return lag_reader_open(dir, &s->db, err);
}

/* Speeds are known for predictions only: without the file a daemon works as well. */
static void name_machine(const struct lagd_deps *deps, char ret[160]) {
    (void)snprintf(ret, 160, "%d threads; %s", deps->n_threads, lag_fingerprint(LAG_FP32));
}

static void load_speeds(struct lagd_supervisor *s) {
    struct lag_error err = {0};
    char machine[160];
    name_machine(&s->deps, machine);
    if (lagd_speeds_load(s->deps.speeds, s->deps.state_dir, machine, &err) != 0)
        lag_log(LAG_LOG_WARNING, "how fast runs were is not known: %s", err.text);
}

static void save_speeds(struct lagd_supervisor *s) {
    struct lag_error err = {0};
    char machine[160];
    if (!s->deps.speeds || s->lock_fd < 0) return;
    name_machine(&s->deps, machine);
    if (lagd_speeds_save(s->deps.speeds, s->deps.state_dir, machine, &err) != 0)
        lag_log(LAG_LOG_WARNING, "how fast runs were is not kept: %s", err.text);
}

static int make_parts(struct lagd_supervisor *s, struct lag_error *err) {
    struct lagd_deps *deps = &s->deps;
    deps->n_threads = (int)(s->config.threads > 0 ? s->config.threads : lag_host_cpus());
    deps->keep_checkpoints = s->config.keep_checkpoints;
    deps->min_free_bytes = s->config.min_free_bytes;
    (void)lag_copy(deps->state_dir, sizeof(deps->state_dir), s->config.state_dir);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->wake_fd < 0) return lag_error_errno(err, errno, "cannot make an eventfd");
    int status = lag_mailbox_create(LAGD_COMMANDS_MAX, &s->mailbox, err);
    if (status == 0) status = lagd_slots_create(deps->n_threads, &deps->slots, err);
    if (status == 0) status = lagd_pool_create("probe", deps->n_threads, &deps->probes, err);
    if (status == 0) status = lagd_pool_create("service", LAGD_SERVICES, &deps->services, err);
    if (status == 0) status = lagd_speeds_create(&deps->speeds, err);
    if (status == 0) load_speeds(s);
    return status;
}

int lagd_supervisor_create(const struct lagd_config *config, struct lagd_supervisor **ret, struct lag_error *err) {
    struct lagd_supervisor *s = lag_calloc(1, sizeof(*s));
    if (!s) return lag_error_set(err, LAG_ENOMEM, "out of memory while starting");
    s->config = *config;
    s->lock_fd = s->wake_fd = s->signal_fd = -1;
    s->started_ms = lag_clock_wall_ms();
    s->watchdog_ns = lagd_notify_watchdog_ns();
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_mutex_init(&s->events_lock, NULL);
    int status = lagd_signals_open(&s->signal_fd, err);
    if (status == 0) status = open_files(s, err);
    if (status == 0) status = make_parts(s, err);
    lagd_notify("STATUS=finding out where the runs stand\nEXTEND_TIMEOUT_USEC=%d", 600 * 1000000);
    if (status == 0) status = lagd_recover(s, err);
    if (status < 0) {
        lagd_supervisor_destroy(s);
        return status;
    }
    *ret = s;
    return 0;
}

void lagd_supervisor_destroy(struct lagd_supervisor *s) {
    if (!s) return;
    atomic_store(&s->deps.draining, true);
    if (s->n_active > 0) lagd_active_stop_all(s);
    while (s->n_active > 0) {
        struct lagd_active *entry = s->active[--s->n_active];
        lagd_run_join(entry->run);
        for (int i = 0; i < entry->n_stops; i++) lagd_command_answer(entry->stops[i].command, LAG_ECANCELED);
        if (entry->resume) lagd_command_answer(entry->resume, LAG_ECANCELED);
        free(entry);
    }
    lagd_pool_destroy(s->deps.services);
    lagd_pool_destroy(s->deps.probes);
    if (s->mailbox) {
        lag_mailbox_close(s->mailbox);
        lagd_commands_refuse(s);
        lag_mailbox_destroy(s->mailbox);
    }
    lagd_slots_destroy(s->deps.slots);
    save_speeds(s);
    lagd_speeds_destroy(s->deps.speeds);
    if (s->db) lag_reader_close(s->db);
    if (s->store) lag_store_close(s->store);
    if (s->wake_fd >= 0) (void)close(s->wake_fd);
    if (s->lock_fd >= 0) (void)close(s->lock_fd);
    lagd_signals_close();
    (void)pthread_mutex_destroy(&s->events_lock);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

/* --- asked by others --------------------------------------------------------------------------------------------- */

struct lag_store *lagd_supervisor_store(struct lagd_supervisor *s) { return s->store; }
int lagd_supervisor_storage(struct lagd_supervisor *s, struct lag_error *err) { return lag_store_check(s->store, err); }
const char *lagd_supervisor_state_dir(const struct lagd_supervisor *s) { return s->deps.state_dir; }
int lagd_supervisor_threads(const struct lagd_supervisor *s) { return s->deps.n_threads; }

void lagd_supervisor_config(struct lagd_supervisor *s, struct lagd_config *ret) {
    (void)pthread_mutex_lock(&s->lock);
    *ret = s->config;
    (void)pthread_mutex_unlock(&s->lock);
}

void lagd_supervisor_set_sources(struct lagd_supervisor *s, const struct lagd_config_source *sources) {
    memcpy(s->origins.sources, sources, lagd_config_fields.n_rows * sizeof(*sources));
}

void lagd_supervisor_origins(struct lagd_supervisor *s, struct lagd_config_origins *ret) {
    (void)pthread_mutex_lock(&s->lock);
    *ret = s->origins;
    (void)pthread_mutex_unlock(&s->lock);
}

void lagd_supervisor_on_events(struct lagd_supervisor *s, void (*fn)(void *arg, int64_t last_seq), void *arg) {
    (void)pthread_mutex_lock(&s->events_lock);
    s->events_fn = fn;
    s->events_arg = arg;
    (void)pthread_mutex_unlock(&s->events_lock);
}

void lagd_supervisor_on_points(struct lagd_supervisor *s,
                               void (*fn)(void *arg, const struct lag_point *points, size_t n_points), void *arg) {
    (void)pthread_mutex_lock(&s->events_lock);
    s->points_fn = fn;
    s->points_arg = arg;
    (void)pthread_mutex_unlock(&s->events_lock);
}

void lagd_supervisor_on_reload(struct lagd_supervisor *s, lagd_reload_fn *load, void *arg) {
    s->reload_fn = load;
    s->reload_arg = arg;
}

void lagd_supervisor_on_watch(struct lagd_supervisor *s, lagd_watch_fn *fn, void *arg) {
    s->watch_fn = fn;
    s->watch_arg = arg;
}

void lagd_supervisor_stop(struct lagd_supervisor *s) {
    atomic_store(&s->stop, true);
    uint64_t one = 1;
    ssize_t ignored = write(s->wake_fd, &one, sizeof(one));
    (void)ignored;
}

static int jobs_waiting(struct lagd_supervisor *s) {
    (void)pthread_mutex_lock(&s->lock);
    size_t n = lagd_pool_waiting(s->deps.probes) + (s->deps.services ? lagd_pool_waiting(s->deps.services) : 0);
    (void)pthread_mutex_unlock(&s->lock);
    return (int)n;
}

void lagd_supervisor_status(struct lagd_supervisor *s, struct lagd_status *ret) {
    struct lagd_totals *totals = &s->deps.totals;
    *ret = (struct lagd_status){
        .ready = atomic_load(&s->ready) && !atomic_load(&s->deps.draining), .draining = atomic_load(&s->deps.draining),
        .n_threads = s->deps.n_threads, .n_slots_used = lagd_slots_used(s->deps.slots),
        .n_runs_active = atomic_load(&totals->runs_active), .n_probes_active = atomic_load(&totals->probes_active),
        .n_jobs_waiting = jobs_waiting(s), .steps_total = atomic_load(&totals->steps),
        .tokens_total = atomic_load(&totals->tokens), .probe_steps_total = atomic_load(&totals->probe_steps),
        .checkpoints_total = atomic_load(&totals->checkpoints),
        .checkpoint_bytes_total = atomic_load(&totals->checkpoint_bytes),
        .rollbacks_total = atomic_load(&totals->rollbacks), .decisions_total = atomic_load(&totals->decisions),
        .mismatches_total = atomic_load(&totals->mismatches), .commands_total = atomic_load(&totals->commands),
        .step_seconds_total = (double)atomic_load(&totals->step_ns) * 1e-9,
        .probe_seconds_total = (double)atomic_load(&totals->probe_ns) * 1e-9,
        .checkpoint_seconds_total = (double)atomic_load(&totals->checkpoint_ns) * 1e-9,
        .memory_limit_bytes = lagd_admission_limit(s), .memory_reserved_bytes = atomic_load(&s->reserved_bytes),
        .store_queue = lag_store_queue_length(s->store), .started_ms = s->started_ms};
    (void)lag_copy(ret->fingerprint, sizeof(ret->fingerprint), lag_fingerprint(LAG_FP32));
}
