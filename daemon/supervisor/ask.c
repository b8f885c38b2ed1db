/* What others may ask of the supervisor at any time. */
#include "checkpoint/hashes_internal.h"
#include "commands/importing_internal.h"
#include "commands/making_internal.h"
#include "commands/registering_internal.h"
#include "exec/pool_internal.h"
#include "exec/slots_internal.h"
#include "supervisor/supervisor_internal.h"

#include <lagd/base/mailbox.h>
#include <lagd/base/mem.h>
#include <lagd/engine/train.h>
#include <lagd/storage/store.h>

struct lag_store *lagd_supervisor_store(struct lagd_supervisor *s) { return s->deps.store; }
int lagd_supervisor_storage(struct lagd_supervisor *s, struct lag_error *err) {
    return lag_store_check(s->deps.store, err);
}
const char *lagd_supervisor_state_dir(const struct lagd_supervisor *s) { return s->deps.state_dir; }
int lagd_supervisor_threads(const struct lagd_supervisor *s) { return s->deps.n_threads; }

void lagd_supervisor_config(struct lagd_supervisor *s, struct lagd_config *ret) { lagd_settings_get(s->settings, ret); }

void lagd_supervisor_set_sources(struct lagd_supervisor *s, const struct lagd_config_source *sources) {
    lagd_settings_set_sources(s->settings, sources);
}

void lagd_supervisor_origins(struct lagd_supervisor *s, struct lagd_config_origins *ret) {
    lagd_settings_origins(s->settings, ret);
}

void lagd_supervisor_on_events(struct lagd_supervisor *s, void (*fn)(void *arg, int64_t last_seq), void *arg) {
    lagd_listener_on_events(s->listener, fn, arg);
}

void lagd_supervisor_on_points(struct lagd_supervisor *s,
                               void (*fn)(void *arg, const struct lag_point *points, size_t n_points), void *arg) {
    lagd_listener_on_points(s->listener, fn, arg);
}

void lagd_supervisor_on_reload(struct lagd_supervisor *s, lagd_reload_fn *load, void *arg) {
    lagd_settings_on_reload(s->settings, load, arg);
}

void lagd_supervisor_on_watch(struct lagd_supervisor *s, lagd_watch_fn *fn, void *arg) {
    s->watch.http_fn = fn;
    s->watch.http_arg = arg;
}

void lagd_supervisor_stop(struct lagd_supervisor *s) {
    atomic_store(&s->stop, true);
    lagd_supervisor_wake(s);
}

enum { SMALL_BYTES = 1 << 20 }; /* read at once; a larger file is a job */

int lagd_supervisor_hash_of(struct lagd_supervisor *s, int fd, char ret_hex[LAG_SHA256_HEX], struct lag_error *err) {
    int64_t n_bytes;
    if (lagd_hashes_find(s->deps.hashes, fd, ret_hex, &n_bytes)) return 0;
    if (n_bytes > SMALL_BYTES) return 1;
    return lagd_hashes_compute(s->deps.hashes, fd, NULL, ret_hex, err);
}

int lagd_supervisor_post(struct lagd_supervisor *s, struct lagd_command *command) {
    if (atomic_load(&s->deps.draining)) return LAG_ECANCELED;
    return lag_mailbox_post(s->commands.mailbox, command);
}

int64_t lagd_supervisor_memory_available(struct lagd_supervisor *s) { return lagd_admission_available(&s->runs); }

static int jobs_waiting(struct lagd_supervisor *s) {
    (void)pthread_mutex_lock(&s->services_lock);
    size_t n = lagd_pool_waiting(s->deps.probes) + (s->deps.services ? lagd_pool_waiting(s->deps.services) : 0);
    if (s->deps.services) n += lagd_registrations_waiting(s->commands.registrations);
    if (s->deps.services) n += lagd_imports_waiting(s->commands.imports);
    if (s->deps.services) n += lagd_makings_waiting(s->commands.makings);
    (void)pthread_mutex_unlock(&s->services_lock);
    return (int)n;
}

void lagd_supervisor_status(struct lagd_supervisor *s, struct lagd_status *ret) {
    struct lagd_totals *totals = &s->deps.totals;
    *ret = (struct lagd_status){.ready = atomic_load(&s->ready) && !atomic_load(&s->deps.draining),
                                .draining = atomic_load(&s->deps.draining),
                                .n_threads = s->deps.n_threads,
                                .n_slots_used = lagd_slots_used(s->deps.slots),
                                .n_runs_active = atomic_load(&totals->runs_active),
                                .n_probes_active = atomic_load(&totals->probes_active),
                                .n_jobs_waiting = jobs_waiting(s),
                                .steps_total = atomic_load(&totals->steps),
                                .tokens_total = atomic_load(&totals->tokens),
                                .probe_steps_total = atomic_load(&totals->probe_steps),
                                .checkpoints_total = atomic_load(&totals->checkpoints),
                                .checkpoint_bytes_total = atomic_load(&totals->checkpoint_bytes),
                                .rollbacks_total = atomic_load(&totals->rollbacks),
                                .decisions_total = atomic_load(&totals->decisions),
                                .mismatches_total = atomic_load(&totals->mismatches),
                                .commands_total = atomic_load(&totals->commands),
                                .step_seconds_total = (double)atomic_load(&totals->step_ns) * 1e-9,
                                .probe_seconds_total = (double)atomic_load(&totals->probe_ns) * 1e-9,
                                .checkpoint_seconds_total = (double)atomic_load(&totals->checkpoint_ns) * 1e-9,
                                .memory_limit_bytes = lagd_admission_limit(&s->runs),
                                .memory_reserved_bytes = atomic_load(&s->runs.reserved_bytes),
                                .store_queue = lag_store_queue_length(s->deps.store),
                                .started_ms = s->started_ms};
    ret->store_sweeps = lag_store_sweeps(s->deps.store, &ret->store_swept_total);
    (void)lag_copy(ret->integrity, sizeof(ret->integrity), s->integrity);
    (void)lag_copy(ret->fingerprint, sizeof(ret->fingerprint), lag_fingerprint(LAG_FP32));
}
