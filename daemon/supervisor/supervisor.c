/* Making and unmaking the supervisor: its parts in order, and what each is given of the others. */
#include "supervisor/supervisor_internal.h"

#include "checkpoint/hashes_internal.h"
#include "commands/importing_internal.h"
#include "commands/loaded_internal.h"
#include "commands/making_internal.h"
#include "commands/registering_internal.h"
#include "exec/pool_internal.h"
#include "exec/slots_internal.h"
#include "plan/speeds_internal.h"
#include "process/signals_internal.h"
#include "records/transact_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/host.h>
#include <lagd/base/log.h>
#include <lagd/base/mailbox.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/notify.h>
#include <lagd/engine/train.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    PATIENCE_USEC = 600 * 1000000, /* asked of the service manager for what may take long */
    SERVICES = 2,    /* workers for samples and files that are read */
    CHECK_MS = 3000, /* longest that a start waits for the database to be read: about 300 MB */
};

/* A damaged database is noticed before anything is done by what it says. */
static int check_database(struct lagd_supervisor *s, struct lag_error *err) {
    int rc = lag_db_check(s->db, CHECK_MS, err);
    (void)snprintf(s->integrity, sizeof(s->integrity),
                   rc == 1 ? "the start read the database for %d s and found no damage; it is too large to read all"
                           : "the start read the whole database and found no damage", CHECK_MS / 1000);
    if (rc == 1) lag_log(LAG_LOG_INFO, "%s", s->integrity);
    return rc < 0 ? rc : 0;
}

static int open_files(struct lagd_supervisor *s, struct lag_error *err) {
    const char *dir = s->deps.state_dir;
    int rc = lagd_lock_take(dir, &s->lock, err);
    /* A new version may have to convert it, after a copy. */
    lagd_notify("STATUS=opening the database\nEXTEND_TIMEOUT_USEC=%d", PATIENCE_USEC);
    if (rc == 0) rc = lag_store_open(dir, &s->deps.store, err);
    if (rc != 0) return rc;
    lag_store_on_events(s->deps.store, lagd_listener_events, s->listener);
    lag_store_on_points(s->deps.store, lagd_listener_points, s->listener);
    rc = lag_reader_open(dir, &s->db, err);
    return rc == 0 ? check_database(s, err) : rc;
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
    if (!s->deps.speeds || s->lock.fd < 0 || s->lost_ns) return;
    name_machine(&s->deps, machine);
    if (lagd_speeds_save(s->deps.speeds, s->deps.state_dir, machine, &err) != 0)
        lag_log(LAG_LOG_WARNING, "how fast runs were is not kept: %s", err.text);
}

/* What the parts are given of each other. */
static void connect(struct lagd_supervisor *s) {
    s->runs.deps = &s->deps;
    s->runs.settings = s->settings;
    s->runs.db = s->db;
    s->runs.wake_fd = s->wake_fd;
    s->runs.on_joined = lagd_waiting_joined;
    s->runs.on_joined_arg = &s->commands;
    s->commands.deps = &s->deps;
    s->commands.settings = s->settings;
    s->commands.listener = s->listener;
    s->commands.runs = &s->runs;
    s->commands.db = s->db;
    s->studies.commands = &s->commands;
    s->studies.wake_fd = s->wake_fd;
}

static int make_parts(struct lagd_supervisor *s, const struct lagd_config *config, struct lag_error *err) {
    struct lagd_deps *deps = &s->deps;
    deps->n_threads = (int)(config->threads > 0 ? config->threads : lag_host_cpus());
    deps->keep_checkpoints = config->keep_checkpoints;
    deps->min_free_bytes = config->min_free_bytes;
    deps->probe_checkpoint_s = config->probe_checkpoint_s;
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->wake_fd < 0) return lag_error_errno(err, errno, "cannot make an eventfd");
    int rc = lagd_commands_open(&s->commands, err);
    if (rc == 0) rc = lagd_slots_create(deps->n_threads, &deps->slots, err);
    if (rc == 0) rc = lagd_pool_create("probe", deps->n_threads, &deps->probes, err);
    if (rc == 0) rc = lagd_pool_create("service", SERVICES, &deps->services, err);
    if (rc == 0) rc = lagd_pool_create("chore", 1, &deps->chores, err);
    if (rc == 0) rc = lagd_registrations_create(deps, &s->commands.registrations, err);
    if (rc == 0) rc = lagd_imports_create(deps, &s->commands.imports, err);
    if (rc == 0) rc = lagd_makings_create(deps, &s->commands.makings, err);
    if (rc == 0) rc = lagd_loaded_create(deps, &s->commands.loaded, err);
    if (rc == 0) rc = lagd_speeds_create(&deps->speeds, err);
    if (rc == 0) rc = lagd_hashes_create(&deps->hashes, err);
    if (rc != 0) return rc;
    load_speeds(s);
    connect(s);
    return 0;
}

/* What the files under the database told, where people should know of it. */
static void tell_found(const struct lagd_supervisor *s) {
    const char *found = lag_store_found(s->deps.store);
    if (*found) lagd_warn(&s->deps, NULL, -1, "%s", found);
}

int lagd_supervisor_create(const struct lagd_config *config, struct lagd_supervisor **ret, struct lag_error *err) {
    struct lagd_supervisor *s = lag_calloc(1, sizeof(*s));
    if (!s) return lag_error_set(err, LAG_ENOMEM, "out of memory while starting");
    s->lock = (struct lagd_lock)LAGD_LOCK_INIT;
    s->wake_fd = s->signal_fd = -1;
    s->started_ms = lag_clock_wall_ms();
    s->watch.watchdog_ns = lagd_notify_watchdog_ns();
    (void)lag_copy(s->deps.state_dir, sizeof(s->deps.state_dir), config->state_dir);
    (void)pthread_mutex_init(&s->services_lock, NULL);
    (void)pthread_mutex_init(&s->calendar_lock, NULL);
    int rc = lagd_settings_create(config, &s->settings, err);
    if (rc == 0) rc = lagd_listener_create(&s->listener, err);
    if (rc == 0) rc = lagd_signals_open(&s->signal_fd, err);
    if (rc == 0) rc = open_files(s, err);
    if (rc == 0) rc = lagd_time_begin(s, err);
    if (rc == 0) rc = make_parts(s, config, err);
    lagd_notify("STATUS=finding out where the runs stand\nEXTEND_TIMEOUT_USEC=%d", PATIENCE_USEC);
    if (rc == 0) tell_found(s);
    if (rc == 0) rc = lagd_recover(s, err);
    if (rc == 0) rc = lagd_datasets_go_on(&s->commands, err);
    if (rc == 0) rc = lagd_models_go_on(&s->commands, err);
    if (rc == 0) rc = lagd_tokenizers_go_on(&s->commands, err);
    if (rc != 0) {
        lagd_supervisor_destroy(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void lagd_supervisor_destroy(struct lagd_supervisor *s) {
    if (!s) return;
    atomic_store(&s->deps.draining, true);
    lagd_active_end_all(&s->runs);
    lagd_retry_deinit(&s->runs);
    lagd_pool_destroy(s->deps.services);
    lagd_pool_destroy(s->deps.chores);
    lagd_registrations_destroy(s->commands.registrations);
    lagd_imports_destroy(s->commands.imports);
    lagd_makings_destroy(s->commands.makings);
    lagd_loaded_destroy(s->commands.loaded);
    lagd_pool_destroy(s->deps.probes);
    lagd_commands_close(&s->commands);
    lag_mailbox_destroy(s->commands.mailbox);
    lagd_slots_destroy(s->deps.slots);
    save_speeds(s);
    lagd_speeds_destroy(s->deps.speeds);
    lagd_hashes_destroy(s->deps.hashes);
    lag_reader_close(s->db);
    lag_store_close(s->deps.store);
    if (s->wake_fd >= 0) (void)close(s->wake_fd);
    lagd_lock_give(&s->lock);
    lagd_signals_close();
    lagd_listener_destroy(s->listener);
    lagd_settings_destroy(s->settings);
    (void)pthread_mutex_destroy(&s->services_lock);
    (void)pthread_mutex_destroy(&s->calendar_lock);
    free(s);
}
