/* SQLite sleeps between its tries for a lock, ten seconds in all where each is refused, and that for every statement: a
 * stop would take minutes. So its files are opened by a file system that is the system's but for the sleeping. */
#include "lock_wait_internal.h"
#include <lagd/base/clock.h>
#include <lagd/storage/store.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stddef.h>

#define HURRIED_US 5000 /* of a hundred tries for a lock: half a second in all */

/* Global, as SQLite's list of file systems is, and as its sleep knows no connection. */
static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *system;
    _Atomic int64_t hurry_ns;
    pthread_once_t once;
    int result;
} waits = {.hurry_ns = INT64_MAX, .once = PTHREAD_ONCE_INIT};

static int sleep_us(sqlite3_vfs *vfs, int us) {
    if (us > HURRIED_US && lag_clock_mono_ns() >= atomic_load(&waits.hurry_ns)) us = HURRIED_US;
    return waits.system->xSleep(waits.system, us);
}

static void set_up(void) {
    waits.system = sqlite3_vfs_find(NULL);
    waits.result = waits.system ? SQLITE_OK : SQLITE_NOMEM;
    if (!waits.system) return;
    waits.vfs = *waits.system;
    waits.vfs.pNext = NULL;
    waits.vfs.zName = "lagd";
    waits.vfs.xSleep = sleep_us;
    waits.result = sqlite3_vfs_register(&waits.vfs, 0);
}

const char *lag_lock_wait_vfs(void) {
    (void)pthread_once(&waits.once, set_up);
    return waits.result == SQLITE_OK ? waits.vfs.zName : NULL;
}

void lag_store_hurry_at(int64_t mono_ns) { atomic_store(&waits.hurry_ns, mono_ns); }
