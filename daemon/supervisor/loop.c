/* The supervisor's loop: commands, signals, ended runs, timers; and the orderly stop. */
#include "commands/importing_internal.h"
#include "commands/making_internal.h"
#include "commands/registering_internal.h"
#include "exec/pool_internal.h"
#include "exec/slots_internal.h"
#include "supervisor/supervisor_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/log.h>
#include <lagd/base/mailbox.h>
#include <lagd/daemon/notify.h>
#include <lagd/storage/keys.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define DAY_MS (24 * 3600 * INT64_C(1000))
#define TICK_MS 1000
#define DRAIN_TICK_MS 50
#define LOCKS_NS (10 * SECOND_NS) /* locks of the database that the system refuses: a statement waits as long, alone */
#define EXTEND_NS (2 * SECOND_NS) /* of the 30 s asked for each time */

/* --- timers ------------------------------------------------------------------------------------------------------ */

static void prune(struct lagd_supervisor *s, int64_t now_ns) {
    if (now_ns < s->next_prune_ns) return;
    s->next_prune_ns = now_ns + 3600 * SECOND_NS;
    lagd_time_look(s);
    struct lagd_config config;
    lagd_settings_get(s->settings, &config);
    int64_t days = config.event_retention_days, now_ms = lagd_supervisor_now_ms(s);
    lag_store_prune(s->deps.store, days > 0 ? now_ms - days * DAY_MS : 0, now_ms - LAG_KEY_LIFE_MS);
}

static void on_tick(struct lagd_supervisor *s) {
    int64_t now_ns = lag_clock_mono_ns();
    lagd_active_reap(&s->runs);
    lagd_waiting_answer_late(&s->commands, now_ns);
    lagd_look_after_files(s, now_ns);
    lagd_registrations_answer_late(s->commands.registrations, now_ns);
    lagd_watch(s, now_ns);
    if (s->lost_ns) return;
    lagd_look_for_stalls(s, now_ns);
    if (!atomic_load(&s->deps.draining)) lagd_retry_waiting(&s->runs, now_ns);
    lagd_studies_look(&s->studies, now_ns);
    if (now_ns >= s->runs.next_schedule_ns) lagd_active_schedule(&s->runs);
    lagd_say_status(s, now_ns, "");
    lagd_sample(s, now_ns);
    prune(s, now_ns);
}

static void work(struct lagd_supervisor *s) {
    struct lag_error why = {0};
    if (s->lost_ns) {
        (void)lag_store_check(s->deps.store, &why);
        lagd_commands_refuse(&s->commands, &why);
    } else {
        lagd_commands_work(&s->commands);
    }
}

void lagd_supervisor_wake(struct lagd_supervisor *s) {
    uint64_t one = 1;
    ssize_t ignored = write(s->wake_fd, &one, sizeof(one));
    (void)ignored;
}

/* --- waiting ----------------------------------------------------------------------------------------------------- */

static void read_signals(struct lagd_supervisor *s) {
    unsigned char number;
    while (read(s->signal_fd, &number, 1) == 1) {
        if (number == SIGHUP) {
            if (!atomic_load(&s->deps.draining)) (void)lagd_commands_reload(&s->commands, NULL);
        } else {
            lag_log(LAG_LOG_INFO, "received signal %d: stopping", number);
            atomic_store(&s->stop, true);
        }
    }
}

static int wait_for_work(struct lagd_supervisor *s, int timeout_ms, struct lag_error *err) {
    struct pollfd fds[] = {{.fd = lag_mailbox_fd(s->commands.mailbox), .events = POLLIN},
                           {.fd = s->signal_fd, .events = POLLIN},
                           {.fd = s->wake_fd, .events = POLLIN}};
    int n = poll(fds, LAG_COUNT(fds), timeout_ms);
    if (n < 0 && errno != EINTR) return lag_error_errno(err, errno, "cannot wait for work");
    if (n > 0 && fds[2].revents) {
        uint64_t count;
        ssize_t ignored = read(s->wake_fd, &count, sizeof(count));
        (void)ignored;
    }
    read_signals(s);
    return 0;
}

/* --- the stop ---------------------------------------------------------------------------------------------------- */

/* The services go first: what they do is cut short and answered, and nobody submits to them any more. */
static void end_services(struct lagd_supervisor *s) {
    (void)pthread_mutex_lock(&s->services_lock);
    struct lagd_pool *services = s->deps.services;
    s->deps.services = NULL;
    (void)pthread_mutex_unlock(&s->services_lock);
    lagd_slots_wake(s->deps.slots);
    lagd_pool_destroy(services);
    lagd_pool_destroy(s->deps.chores);
    s->deps.chores = NULL;
    lagd_registrations_stop(s->commands.registrations);
    lagd_imports_stop(s->commands.imports);
    lagd_makings_stop(s->commands.makings);
}

static int drain(struct lagd_supervisor *s, struct lag_error *err) {
    atomic_store(&s->deps.draining, true);
    lagd_notify("STOPPING=1\nSTATUS=stopping, runs that write a checkpoint: %d\nEXTEND_TIMEOUT_USEC=30000000",
                s->runs.n_active);
    lag_log(LAG_LOG_INFO, "stopping; runs that write a checkpoint first: %d", s->runs.n_active);
    lag_store_hurry_at(lag_clock_mono_ns() + LOCKS_NS);
    lagd_active_stop_all(&s->runs);
    end_services(s);
    int64_t extend_ns = lag_clock_mono_ns() + EXTEND_NS;
    for (lagd_active_reap(&s->runs); s->runs.n_active > 0; lagd_active_reap(&s->runs)) {
        lagd_commands_refuse(&s->commands, NULL);
        lagd_waiting_answer_late(&s->commands, lag_clock_mono_ns());
        int rc = wait_for_work(s, DRAIN_TICK_MS, err);
        if (rc < 0) return rc;
        int64_t now_ns = lag_clock_mono_ns();
        lagd_watch(s, now_ns);
        if (now_ns < extend_ns) continue;
        extend_ns = now_ns + EXTEND_NS;
        lagd_notify("EXTEND_TIMEOUT_USEC=30000000\nSTATUS=stopping, runs that write a checkpoint: %d",
                    s->runs.n_active);
    }
    lagd_commands_close(&s->commands);
    lagd_sampling_end(s);
    int rc = lag_store_flush(s->deps.store, err);
    if (rc == LAG_ENOSPC) rc = lag_store_flush(s->deps.store, err); /* the first may tell of what is long over */
    return rc;
}

/* Without order: everyone who waits for an answer gets it, since the HTTP server ends before the runs do. */
static int break_off(struct lagd_supervisor *s, int rc, const struct lag_error *why) {
    atomic_store(&s->deps.draining, true);
    lag_log(LAG_LOG_ERROR, "stopping at once: %s", why->text);
    lag_store_hurry_at(lag_clock_mono_ns());
    lagd_active_stop_all(&s->runs);
    end_services(s);
    lagd_commands_close(&s->commands);
    lagd_waiting_refuse(&s->commands, why->text);
    return rc;
}

static int serve(struct lagd_supervisor *s, struct lag_error *err) {
    int tick_ms = s->watch.watchdog_ns > 0 ? (int)LAG_MIN(TICK_MS, s->watch.watchdog_ns / 4000000 + 1) : TICK_MS;
    int rc = 0;
    while (rc == 0 && !atomic_load(&s->stop)) {
        on_tick(s);
        work(s);
        rc = wait_for_work(s, tick_ms, err);
        if (rc == 0) rc = lagd_storage_verdict(s, lag_clock_mono_ns(), err);
    }
    return rc == 0 ? drain(s, err) : rc;
}

int lagd_supervisor_run(struct lagd_supervisor *s, void (*on_ready)(void *arg), void *arg, struct lag_error *err) {
    lagd_active_schedule(&s->runs);
    atomic_store(&s->ready, true);
    lagd_say_status(s, lag_clock_mono_ns(), "READY=1\n");
    if (on_ready) on_ready(arg);
    int rc = serve(s, err);
    return rc < 0 ? break_off(s, rc, err) : rc;
}
