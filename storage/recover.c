/* The way on from a log that a start refuses, once a person has asked for it. */
#include "db_internal.h"
#include "start_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <lagd/storage/store.h>

/* dir/name to dir/name.before-recovery-<time>. A missing one is no error. */
static int keep_copy(const char *dir, const char *name, int64_t now_ms, struct lag_strbuf *said,
                     struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *from = lag_asprintf("%s/%s", dir, name);
    LAG_CLEANUP(lag_free_p) char *to = lag_asprintf("%s.before-recovery-%" PRId64, from ? from : "", now_ms);
    if (!from || !to) return lag_error_set(err, LAG_ENOMEM, "no memory to copy %s", name);
    LAG_CLEANUP(lag_close_p) int fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) return 0;
    if (fd < 0) return lag_error_errno(err, errno, "cannot open %s", from);
    int rc = lag_fs_copy(fd, to, NULL, NULL, err);
    if (!rc) rc = lag_fs_fsync_dir(dir, err);
    if (!rc) lag_strbuf_printf(said, "Copied %s to %s.before-recovery-%" PRId64 ".\n", name, name, now_ms);
    return rc;
}

/* SQLite would do so in memory; cut, the log says the same to everybody. */
static int cut_log(const char *dir, int64_t n_bytes, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/lagd.db-wal", dir);
    if (!path) return lag_error_set(err, LAG_ENOMEM, "no memory to cut the log");
    LAG_CLEANUP(lag_close_p) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && !ftruncate(fd, n_bytes) && !fsync(fd)) return 0;
    return lag_error_errno(err, errno, "cannot cut %s", path);
}

static int drop_bad(const char *dir, const struct lag_start *start, struct lag_strbuf *said, struct lag_error *err) {
    char name[64];
    int rc = 0;
    if (start->sets_log_aside) {
        rc = lag_start_set_log_aside(dir, name, sizeof name, err);
        if (!rc) lag_strbuf_printf(said, "The log is not used: it is now %s.\n", name);
    } else if (start->finding == LAG_START_DAMAGED) {
        rc = cut_log(dir, start->good_bytes, err);
        lag_strbuf_append(said, "The log is used up to its damage.\n");
    }
    return rc ? rc : lag_mark_remove(dir, err);
}

static int check_rest(const char *dir, struct lag_strbuf *said, struct lag_error *err) {
    struct lag_store *store = NULL;
    struct lag_db *db = NULL;
    int rc = lag_store_open(dir, &store, err);
    if (!rc) rc = lag_reader_open(dir, &db, err);
    if (!rc) rc = lag_db_check(db, 0, err);
    lag_reader_close(db);
    lag_store_close(store);
    if (!rc) lag_strbuf_append(said, "What is left was read through and is whole. Start lagd again: its runs go on "
                               "from their newest checkpoints.\n");
    return rc;
}

int lag_store_recover(const char *dir, char **ret_text, struct lag_error *err) {
    struct lag_start start;
    struct lag_strbuf said = LAG_STRBUF_INIT;
    int rc = lag_start_inspect(dir, &start, err);
    if (rc) return rc;
    if (!lag_start_is_refused(start.finding)) {
        lag_strbuf_append(&said, "The log and the database belong together and are whole: there is nothing to "
                          "recover, and nothing was changed.\n");
    } else {
        int64_t now_ms = lag_clock_wall_ms();
        lag_strbuf_printf(&said, "Found: %s.\n", start.text);
        rc = keep_copy(dir, "lagd.db", now_ms, &said, err);
        if (!rc) rc = keep_copy(dir, "lagd.db-wal", now_ms, &said, err);
        if (!rc) rc = drop_bad(dir, &start, &said, err);
        if (!rc) rc = check_rest(dir, &said, err);
    }
    char *text = lag_strbuf_take(&said);
    if (!rc && !text) rc = lag_error_set(err, LAG_ENOMEM, "no memory to tell what was done");
    if (!rc) *ret_text = LAG_TAKE(text);
    free(text);
    return rc;
}
