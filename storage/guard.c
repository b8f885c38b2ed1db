/* The files under the open database, by device and inode; their contents by token, salts and length. Descriptors of its
 * own, which stay open as long as SQLite's: closing one of lagd.db drops the locks of the whole process. */
#include "guard_internal.h"
#include "db_internal.h"
#include "mark_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DB, LOG, SHM, N_FILES };
static const char *const suffixes[N_FILES] = {"", "-wal", "-shm"};

struct lag_guard {
    pthread_mutex_t held;         /* guards all below the line */
    char *dir, *paths[N_FILES];   /* from here on: set once */
    dev_t devices[N_FILES];
    ino_t inodes[N_FILES];
    int db_fd, log_fd;            /* only read from */
    uint32_t page_bytes;
    /* --- */
    int mark_fd;                  /* -1: it could not be written, and was removed */
    struct lag_mark mark;
    bool is_due;                  /* the next transaction writes a new token */
    char pending[LAG_LOG_TOKEN];      /* written in this transaction */
    int64_t n_bytes;              /* of lagd.db, as last seen to be good */
    struct timespec changed;
};

/* In mark.n_frames: the log could not be read after the last commit, so the mark says nothing of it until the next. */
#define LOG_UNREAD 0

/* --- looking ----------------------------------------------------------------------------------------------------- */

static int lost(const struct lag_guard *guard, int file, const char *what, struct lag_error *err) {
    return lag_error_set(err, LAG_EIO, "%s was %s while lagd works with it: nothing that is written now would be kept. "
                         "Stop lagd, put the state directory in order (its own files, or a whole backup), and start it "
                         "again", guard->paths[file], what);
}

/* The next reader makes a log or index where none is, so who removed one and who replaced it cannot be told apart. */
#define GONE "removed or replaced"

static int look_at_paths(const struct lag_guard *guard, struct lag_error *err) {
    struct stat info;
    for (int i = 0; i < N_FILES; i++) {
        if (stat(guard->paths[i], &info)) {
            if (errno == ENOENT || errno == ENOTDIR) return lost(guard, i, i == DB ? "removed" : GONE, err);
            continue; /* not to be examined now: no memory, say. That tells nothing about the file. */
        }
        if (info.st_ino != guard->inodes[i] || info.st_dev != guard->devices[i])
            return lost(guard, i, i == DB ? "replaced by another file" : GONE, err);
    }
    return 0;
}

static bool is_known(const struct lag_guard *guard, const char *token) {
    return !strcmp(token, guard->mark.file) || !strcmp(token, guard->mark.newest);
}

/* A file that was copied over keeps its inode. Its time tells that somebody wrote; then its token, that it was not a
 * mere copy of the log. Held. */
static int look_into_db(struct lag_guard *guard, struct lag_error *err) {
    struct stat info;
    struct lag_log_token token;
    if (fstat(guard->db_fd, &info)) return 0;
    if (info.st_size == guard->n_bytes && info.st_mtim.tv_sec == guard->changed.tv_sec &&
        info.st_mtim.tv_nsec == guard->changed.tv_nsec)
        return 0;
    int found = lag_log_token_read(guard->db_fd, guard->mark.page, guard->page_bytes, &token, NULL);
    if (found < 0) return 0; /* the next look asks again */
    if (!found || !is_known(guard, token.now)) return lost(guard, DB, "overwritten", err);
    guard->n_bytes = info.st_size;
    guard->changed = info.st_mtim;
    return 0;
}

/* Nothing of the log is needed any more: the file has it all, perhaps by another program, which must not, but may.
 * 1, 0, or negative: that cannot be seen now. */
static int is_copied(const struct lag_guard *guard) {
    const struct lag_mark *mark = &guard->mark;
    struct lag_log_token token;
    if (mark->n_copied >= mark->n_frames) return 1;
    if (!strcmp(mark->file, mark->newest)) return 0;
    int found = lag_log_token_read(guard->db_fd, mark->page, guard->page_bytes, &token, NULL);
    return found == 1 ? !strcmp(token.now, mark->newest) : found;
}

/* The log never becomes shorter than what was committed, and begins anew only once it is copied. Held. */
static int look_into_log(const struct lag_guard *guard, struct lag_error *err) {
    const struct lag_mark *mark = &guard->mark;
    struct stat info;
    uint32_t salts[2];
    if (fstat(guard->log_fd, &info) || is_copied(guard) != 0) return 0;
    if (info.st_size < lag_log_bytes(mark->n_frames, guard->page_bytes))
        return lost(guard, LOG, "cut", err);
    int found = lag_log_salts(guard->log_fd, salts, NULL);
    if (found == 0 || (found == 1 && memcmp(salts, mark->salts, sizeof salts)))
        return lost(guard, LOG, "overwritten", err);
    return 0;
}

int lag_guard_look(struct lag_guard *guard, struct lag_error *err) {
    int rc = look_at_paths(guard, err);
    if (rc || pthread_mutex_trylock(&guard->held)) return rc;
    rc = look_into_db(guard, err);
    if (!rc) rc = look_into_log(guard, err);
    pthread_mutex_unlock(&guard->held);
    return rc;
}

/* --- marking ----------------------------------------------------------------------------------------------------- */

void lag_guard_hold(struct lag_guard *guard) {
    pthread_mutex_lock(&guard->held);
    guard->pending[0] = '\0'; /* of a transaction that was rolled back */
}

void lag_guard_release(struct lag_guard *guard) { pthread_mutex_unlock(&guard->held); }

/* A mark that cannot be written would soon say what is not true: without one the log is only checked by itself. */
static void drop_mark(struct lag_guard *guard) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/" LAG_MARK_NAME, guard->dir);
    if (path) (void)unlink(path);
    (void)close(guard->mark_fd);
    guard->mark_fd = -1;
}

static void write_mark(struct lag_guard *guard, bool durable) {
    if (guard->mark_fd >= 0 && lag_mark_write(guard->mark_fd, &guard->mark, durable, NULL)) drop_mark(guard);
}

static const char sql_renew[] = "UPDATE log_mark SET previous = token, token = lower(hex(randomblob(16))) WHERE id = 1";
static const char sql_token[] = "SELECT token FROM log_mark WHERE id = 1";

void lag_guard_want_token(struct lag_guard *guard) { guard->is_due = true; }

int lag_guard_renew(struct lag_guard *guard, struct lag_db *db, struct lag_error *err) {
    struct lag_stmt *stmt;
    guard->pending[0] = '\0';
    if (!guard->is_due) return 0;
    int rc = lag_stmt_open(db, sql_renew, &stmt, err);
    if (!rc) rc = lag_stmt_run(stmt, err);
    if (!rc) rc = lag_stmt_open(db, sql_token, &stmt, err);
    if (rc) return rc;
    if ((rc = lag_stmt_step(stmt, err)) == 1) lag_col_text(stmt, "token", guard->pending, sizeof guard->pending);
    lag_stmt_close(stmt);
    return rc < 0 ? rc : 0;
}

int lag_guard_committed(struct lag_guard *guard, int64_t n_frames, struct lag_error *err) {
    int rc = look_at_paths(guard, err);
    if (!rc) rc = look_into_db(guard, err);
    if (rc) return rc;
    if (guard->pending[0]) {
        memcpy(guard->mark.newest, guard->pending, LAG_LOG_TOKEN);
        guard->is_due = false;
    }
    guard->pending[0] = '\0';
    uint32_t salts[2];
    int found = lag_log_salts(guard->log_fd, salts, NULL);
    if (found == 0) return n_frames ? lost(guard, LOG, "overwritten", err) : 0;
    if (found == 1) {
        if (memcmp(salts, guard->mark.salts, sizeof salts)) guard->mark.n_copied = 0; /* it began anew */
        memcpy(guard->mark.salts, salts, sizeof salts);
    }
    guard->mark.n_frames = found == 1 ? n_frames : LOG_UNREAD;
    if ((rc = look_into_log(guard, err))) return rc;
    LAG_FP("store.before_mark");
    write_mark(guard, false);
    return 0;
}

int lag_guard_copied(struct lag_guard *guard, int64_t n_frames, int64_t n_copied, struct lag_error *err) {
    struct lag_log_token token;
    struct stat info;
    int found = lag_log_token_read(guard->db_fd, guard->mark.page, guard->page_bytes, &token, NULL);
    if (found < 0 && n_copied < n_frames) return 0; /* an older mark says too little, which is safe */
    if (found == 0 || (found == 1 && !is_known(guard, token.now) && !is_known(guard, token.before)))
        return lost(guard, DB, "overwritten", err);
    /* Copied whole, the file has the newest token, read or not. */
    memcpy(guard->mark.file, found == 1 ? token.now : guard->mark.newest, LAG_LOG_TOKEN);
    if (guard->mark.n_frames != LOG_UNREAD || n_copied == n_frames) guard->mark.n_frames = n_frames;
    guard->mark.n_copied = n_copied;
    if (n_frames == 0) memset(guard->mark.salts, 0, sizeof guard->mark.salts);
    if (found == 1 && !fstat(guard->db_fd, &info)) {
        guard->n_bytes = info.st_size;
        guard->changed = info.st_mtim;
    }
    guard->is_due = true;
    write_mark(guard, true); /* the log may now begin anew, and a power cut must not bring an older mark back */
    return 0;
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static int find_page(struct lag_guard *guard, struct lag_db *db, struct lag_error *err) {
    int64_t page_bytes = 0;
    int rc = lag_db_integer(db, "SELECT rootpage FROM sqlite_schema WHERE name = 'log_mark'", &guard->mark.page, err);
    if (!rc) rc = lag_db_integer(db, "PRAGMA page_size", &page_bytes, err);
    guard->page_bytes = (uint32_t)page_bytes;
    return rc;
}

/* The log exists from the first read on, the index too. */
static int open_files(struct lag_guard *guard, struct lag_error *err) {
    struct stat info;
    for (int i = 0; i < N_FILES; i++) {
        guard->paths[i] = lag_asprintf("%s/lagd.db%s", guard->dir, suffixes[i]);
        if (!guard->paths[i]) return lag_error_set(err, LAG_ENOMEM, "no memory to open the database");
        if (stat(guard->paths[i], &info)) return lag_error_errno(err, errno, "cannot examine %s", guard->paths[i]);
        guard->devices[i] = info.st_dev;
        guard->inodes[i] = info.st_ino;
    }
    guard->db_fd = open(guard->paths[DB], O_RDONLY | O_CLOEXEC);
    guard->log_fd = open(guard->paths[LOG], O_RDONLY | O_CLOEXEC);
    if (guard->db_fd < 0 || guard->log_fd < 0)
        return lag_error_errno(err, errno, "cannot open %s", guard->paths[guard->db_fd < 0 ? DB : LOG]);
    if (fstat(guard->db_fd, &info)) return lag_error_errno(err, errno, "cannot examine %s", guard->paths[DB]);
    guard->n_bytes = info.st_size;
    guard->changed = info.st_mtim;
    return 0;
}

LAG_DEFINE_CLEANUP(struct lag_guard, guard_close_p, lag_guard_close)

int lag_guard_open(const char *dir, struct lag_db *db, int64_t n_frames, struct lag_guard **ret,
                   struct lag_error *err) {
    LAG_CLEANUP(guard_close_p) struct lag_guard *guard = lag_calloc(1, sizeof *guard);
    if (!guard) return lag_error_set(err, LAG_ENOMEM, "no memory to open the database");
    guard->db_fd = guard->log_fd = guard->mark_fd = -1;
    pthread_mutex_init(&guard->held, NULL);
    lag_mark_boot(guard->mark.boot);
    if (!(guard->dir = lag_strdup(dir))) return lag_error_set(err, LAG_ENOMEM, "no memory to open the database");
    struct lag_log_token token;
    int rc = find_page(guard, db, err);
    if (!rc) rc = lag_mark_create(dir, &guard->mark_fd, err);
    if (!rc) rc = open_files(guard, err);
    if (rc) return rc;
    int found = lag_log_token_read(guard->db_fd, guard->mark.page, guard->page_bytes, &token, err);
    if (found == 0)
        return lag_error_set(err, LAG_ECORRUPT, "%s is damaged (log_mark): restore it from a backup, or begin in "
                             "another state directory", guard->paths[DB]);
    if (found == 1) found = n_frames > 0 ? lag_log_salts(guard->log_fd, guard->mark.salts, err) : 0;
    if (found < 0) return found;
    memcpy(guard->mark.file, token.now, LAG_LOG_TOKEN);
    memcpy(guard->mark.newest, token.now, LAG_LOG_TOKEN);
    guard->mark.n_frames = found ? n_frames : 0;
    guard->is_due = true;
    write_mark(guard, true);
    *ret = LAG_TAKE(guard);
    return 0;
}

void lag_guard_close(struct lag_guard *guard) {
    if (!guard) return;
    if (guard->db_fd >= 0) (void)close(guard->db_fd);
    if (guard->log_fd >= 0) (void)close(guard->log_fd);
    if (guard->mark_fd >= 0) (void)close(guard->mark_fd);
    for (int i = 0; i < N_FILES; i++) free(guard->paths[i]);
    free(guard->dir);
    pthread_mutex_destroy(&guard->held);
    free(guard);
}
