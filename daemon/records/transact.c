/* Short ways to the store: consistent reads, patient writes, warnings. */
#include "records/transact_internal.h"

#include "process/tell_internal.h"
#include "records/causes_internal.h"

#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/storage/events.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum { SLICE_MS = 20 };

static int of_the_disk(struct lag_error *err) {
    if (err) err->code = LAG_EIO;
    return LAG_EIO;
}

int lagd_read(const struct lagd_deps *deps, lag_write_fn *fn, void *arg, struct lag_error *err) {
    struct lag_db *db = NULL;
    int rc = lag_reader_open(deps->state_dir, &db, err);
    if (rc == LAG_ENOTFOUND) rc = of_the_disk(err); /* it is not what was asked for that is missing */
    if (rc == 0) rc = lag_reader_begin(db, err);
    if (rc == 0) rc = fn(db, arg, err);
    lag_reader_end(db);
    lag_reader_close(db);
    /* SQLite may tell of a single read that failed as of a malformed file. The start looks whether it is one;
     * no run and no growth ends for it. */
    return rc == LAG_ECORRUPT ? of_the_disk(err) : rc;
}

bool lagd_is_undone(int code) {
    return code != LAG_EIO && code != LAG_ECORRUPT && code != LAG_ENOMEM && code != LAG_EINTERNAL;
}

void lagd_pause_ms(int ms, const _Atomic bool *cancel) {
    const struct timespec slice = {.tv_nsec = SLICE_MS * 1000000L};
    for (int slept = 0; slept < ms && !(cancel && atomic_load(cancel)); slept += SLICE_MS)
        (void)nanosleep(&slice, NULL);
}

int lagd_write_patiently(const struct lagd_deps *deps, lag_write_fn *fn, void *arg, const _Atomic bool *cancel,
                         struct lag_error *err) {
    struct lag_error own = {0};
    if (!err) err = &own;
    for (int n_tries = 0;; n_tries++) {
        int rc = lag_store_write(deps->store, fn, arg, err);
        if (!lagd_is_trouble(rc) || !cancel || atomic_load(cancel)) return rc;
        if (n_tries == 0) lag_log(LAG_LOG_WARNING, "storage refuses, waiting until it works again: %s", err->text);
        lagd_pause_ms(LAGD_STORAGE_RETRY_MS, cancel);
    }
}

static int insert_event(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_event_put(db, arg, err);
}

void lagd_warn(const struct lagd_deps *deps, const char *run_id, int64_t step, const char *format, ...) {
    char message[LAG_ROW_TEXT];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    const struct lagd_about about = {run_id, NULL, step, NULL};
    lagd_tell(LAG_LOG_WARNING, &about, "%s%s%s", run_id ? run_id : "", run_id ? ": " : "", message);
    struct lag_event event = {.type = LAG_EVENT_SYSTEM_WARNING, .run_id = run_id, .step = step, .message = message};
    struct lag_error err = {0};
    if (lag_store_write(deps->store, insert_event, &event, &err) != 0)
        lag_log(LAG_LOG_WARNING, "the warning could not be stored: %s", err.text);
}
