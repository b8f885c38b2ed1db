/* The files under lagd: should anybody remove or replace the lock, the database or its log, then nothing that lagd
 * writes is kept. It says so, lets every run write a checkpoint, and stops in order. */
#include "supervisor/supervisor_internal.h"

#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/daemon/notify.h>
#include <lagd/storage/store.h>

#define TOLD_NS (10 * INT64_C(1000000000)) /* so long clients are answered with the reason, at least */

static void lose(struct lagd_supervisor *s, const struct lag_error *why, int64_t now_ns) {
    s->lost_ns = now_ns;
    atomic_store(&s->deps.files_lost, true);
    lag_log(LAG_LOG_ERROR, "%s. Runs write a checkpoint, then lagd stops", why->text);
    lagd_notify("STATUS=%.300s", why->text);
    lagd_active_stop_all(&s->runs);
}

void lagd_look_after_files(struct lagd_supervisor *s, int64_t now_ns) {
    struct lag_error err = {0};
    if (s->lost_ns) return;
    int rc = lagd_lock_look(s->deps.state_dir, &s->lock, &err);
    if (rc < 0) lag_store_break(s->deps.store, &err);
    if (rc == 0) rc = lag_store_look(s->deps.store, &err);
    if (rc < 0) lose(s, &err, now_ns);
}

int lagd_storage_verdict(struct lagd_supervisor *s, int64_t now_ns, struct lag_error *err) {
    int rc = lag_store_check(s->deps.store, err);
    if (rc != LAG_EIO) return 0; /* a full disk passes */
    lagd_look_after_files(s, now_ns);
    /* Runs would wait for ever; after a restart they go on from what is on disk, as after a crash. */
    if (!s->lost_ns) return rc;
    return s->runs.n_active == 0 && now_ns - s->lost_ns >= TOLD_NS ? rc : 0;
}
