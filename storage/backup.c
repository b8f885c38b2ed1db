/* A copy of the database as one connection sees it, page by page, while others write. */
#include "db_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <lagd/storage/backup.h>
#include <string.h>
#include <unistd.h>

enum { PAGES_A_STEP = 1024, PAGE_BYTES = 4096 };

static int copy_pages(struct lag_db *db, sqlite3 *to, const struct lag_fs_watch *watch, struct lag_error *err) {
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", db->handle, "main");
    if (!backup) return lag_error_set(err, LAG_EIO, "the copy cannot be begun: %s", sqlite3_errmsg(to));
    int result = SQLITE_OK;
    bool is_stopped = false;
    while (result == SQLITE_OK && !is_stopped) {
        result = sqlite3_backup_step(backup, PAGES_A_STEP);
        is_stopped = watch && watch->each(watch->arg, (size_t)PAGES_A_STEP * PAGE_BYTES);
    }
    int finished = sqlite3_backup_finish(backup);
    if (is_stopped && result == SQLITE_OK) return lag_error_set(err, LAG_ECANCELED, "interrupted");
    if (result == SQLITE_DONE) return 0;
    if ((finished & 0xff) == SQLITE_CORRUPT)
        return lag_error_set(err, LAG_ECORRUPT, "%s is damaged: %s", db->path, sqlite3_errmsg(to));
    return lag_error_set(err, (finished & 0xff) == SQLITE_FULL ? LAG_ENOSPC : LAG_EIO, "the copy of %s stopped: %s",
                         db->path, sqlite3_errmsg(to));
}

int lag_copy_check(const char *path, struct lag_error *err) {
    sqlite3 *copy = NULL;
    sqlite3_stmt *stmt = NULL;
    int result = sqlite3_open_v2(path, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (result == SQLITE_OK) result = sqlite3_prepare_v2(copy, "PRAGMA quick_check(1)", -1, &stmt, NULL);
    if (result == SQLITE_OK) result = sqlite3_step(stmt);
    const char *text = result == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    bool good = text && !strcmp(text, "ok");
    int code = copy && lag_db_refused_read(copy) ? LAG_EIO : LAG_ECORRUPT;
    int rc = good ? 0 : lag_error_set(err, code, "%s, the copy, does not verify: %s", path,
                                      text ? text : sqlite3_errmsg(copy));
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close_v2(copy);
    return rc;
}

int lag_db_copy(struct lag_db *db, const char *path, const struct lag_fs_watch *watch, struct lag_error *err) {
    sqlite3 *to = NULL;
    if (lag_fs_exists(path)) return lag_error_set(err, LAG_EEXIST, "%s is there already", path);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int result = sqlite3_open_v2(path, &to, flags, NULL);
    int rc = result == SQLITE_OK ? 0 : lag_error_set(err, LAG_EIO, "%s cannot be made: %s", path,
                                                     to ? sqlite3_errmsg(to) : "no memory");
    if (!rc) rc = copy_pages(db, to, watch, err);
    (void)sqlite3_close_v2(to);
    return rc ? rc : lag_copy_check(path, err);
}

int lag_copy_leave_out(const char *path, const char *checkpoint_id, struct lag_error *err) {
    sqlite3 *copy = NULL;
    sqlite3_stmt *stmt = NULL;
    int result = sqlite3_open_v2(path, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (result == SQLITE_OK) result = sqlite3_exec(copy, "PRAGMA foreign_keys = ON", NULL, NULL, NULL);
    if (result == SQLITE_OK) result = sqlite3_prepare_v2(copy, "DELETE FROM checkpoints WHERE id = ?", -1, &stmt, NULL);
    if (result == SQLITE_OK) result = sqlite3_bind_text(stmt, 1, checkpoint_id, -1, SQLITE_STATIC);
    if (result == SQLITE_OK) result = sqlite3_step(stmt);
    int rc = result == SQLITE_DONE ? 0 : lag_error_set(err, LAG_EIO, "%s cannot be changed: %s", path,
                                                       copy ? sqlite3_errmsg(copy) : "no memory");
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close_v2(copy);
    return rc;
}

/* SQLite syncs its copies, or not, by its own settings. */
int lag_copy_sync(const char *path, struct lag_error *err) {
    LAG_CLEANUP(lag_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && !fsync(fd) ? 0 : lag_error_errno(err, errno, "cannot sync %s", path);
}
