/* The watchdog and the status line: what the service manager is told while lagd works. */
#include "supervisor/watch_internal.h"

#include "commands/importing_internal.h"
#include "commands/making_internal.h"
#include "commands/registering_internal.h"
#include "exec/pool_internal.h"
#include "process/tell_internal.h"
#include "supervisor/supervisor_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/log.h>
#include <lagd/daemon/messages.h>
#include <lagd/daemon/notify.h>
#include <stdio.h>
#include <string.h>

#define STATUS_NS (10 * INT64_C(1000000000))

/* --- who is stuck ------------------------------------------------------------------------------------------------ */

static bool run_is_stuck(struct lagd_supervisor *s, int64_t now_ns, char *ret, size_t size) {
    for (int i = 0; i < s->runs.n_active; i++) {
        const struct lagd_active *entry = s->runs.active[i];
        if (!lagd_progress_stuck(lagd_run_progress(entry->run), now_ns)) continue;
        (void)snprintf(ret, size, "run %s (%s)", entry->id, entry->name);
        return true;
    }
    return false;
}

static bool pool_is_stuck(struct lagd_supervisor *s, int64_t now_ns, char *ret, size_t size) {
    (void)pthread_mutex_lock(&s->services_lock);
    bool probes = lagd_pool_stuck(s->deps.probes, now_ns);
    bool services = s->deps.services && lagd_pool_stuck(s->deps.services, now_ns);
    bool scans = s->deps.services && lagd_registrations_stuck(s->commands.registrations, now_ns);
    bool imports = s->deps.services && lagd_imports_stuck(s->commands.imports, now_ns);
    bool makings = s->deps.services && lagd_makings_stuck(s->commands.makings, now_ns);
    (void)pthread_mutex_unlock(&s->services_lock);
    const char *whose = probes ? "probes" : services ? "samples" : scans ? "datasets" : imports ? "models"
        : "tokenizers";
    const bool any = probes || services || scans || imports || makings;
    if (any) (void)snprintf(ret, size, "a worker of the %s", whose);
    return any;
}

/* An answer is due at once; what counts is how long it stays out. */
static bool store_is_stuck(struct lagd_supervisor *s, int64_t now_ns, char *ret, size_t size) {
    if (s->lost_ns) return false; /* told, and lagd stops by itself */
    if (lag_store_silence_ns(s->deps.store) <= lagd_patience_ns(1)) return false;
    (void)snprintf(ret, size, "the storage thread");
    return true;
}

static bool http_is_stuck(struct lagd_supervisor *s, int64_t now_ns, char *ret, size_t size) {
    if (!s->watch.http_fn || s->watch.http_fn(s->watch.http_arg) <= lagd_patience_ns(1)) return false;
    (void)snprintf(ret, size, "a thread of the HTTP server");
    return true;
}

/* First those for whom others wait. The supervisor itself is not in the table: it is who asks. */
static bool (*const parts[])(struct lagd_supervisor *s, int64_t now_ns, char *ret, size_t size) = {
    store_is_stuck, http_is_stuck, pool_is_stuck, run_is_stuck};

void lagd_watch(struct lagd_supervisor *s, int64_t now_ns) {
    char who[sizeof(s->watch.stuck)] = "";
    if (s->watch.watchdog_ns == 0) return;
    /* All are asked on every tick: questions must be out before answers can be missed. */
    for (size_t i = 0; i < LAG_COUNT(parts); i++) {
        char name[sizeof(s->watch.stuck)] = "";
        if (parts[i](s, now_ns, name, sizeof(name)) && !who[0]) memcpy(who, name, sizeof(who));
    }
    if (who[0] && strcmp(who, s->watch.stuck) != 0) {
        const struct lagd_about about = {.step = -1, .message_id = LAGD_MESSAGE_WATCHDOG_MISS};
        lagd_tell(LAG_LOG_ERROR, &about, "%s makes no progress: the service manager is not told that all is well", who);
        lagd_notify("STATUS=no progress: %s", who);
    } else if (!who[0] && s->watch.stuck[0]) {
        lag_log(LAG_LOG_WARNING, "every thread makes progress again");
    }
    memcpy(s->watch.stuck, who, sizeof(s->watch.stuck));
    if (who[0] || now_ns < s->watch.next_watchdog_ns) return;
    s->watch.next_watchdog_ns = now_ns + s->watch.watchdog_ns / 2;
    lagd_notify("WATCHDOG=1");
}

/* --- the status line --------------------------------------------------------------------------------------------- */

void lagd_say_status(struct lagd_supervisor *s, int64_t now_ns, const char *prefix) {
    struct lagd_snapshot runs[LAGD_RUNS_MAX];
    char line[400];
    uint64_t sign;
    if (s->watch.stuck[0]) return; /* that stands there */
    for (int i = 0; i < s->runs.n_active; i++)
        lagd_snapshot_take(lagd_run_progress(s->runs.active[i]->run), s->runs.active[i]->name, &runs[i]);
    lagd_status_line(runs, s->runs.n_active, line, sizeof(line), &sign);
    if (now_ns < s->watch.next_status_ns && sign == s->watch.status_sign) return;
    s->watch.next_status_ns = now_ns + STATUS_NS;
    s->watch.status_sign = sign;
    lagd_notify("%sSTATUS=%s", prefix, line);
}
