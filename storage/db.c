/* Connections: how the file is opened, guarded, read and checked, and what its errors are called. */
#include "db_internal.h"
#include "lock_wait_internal.h"
#include "migrate_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/store.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

LAG_DEFINE_CLEANUP(struct lag_db, db_close_p, lag_db_close)

/* Writers wait for readers only at a checkpoint; readers wait for a writer only while it recovers the log. */
#define BUSY_TIMEOUT_MS 5000

static const char *const writer_pragmas[] = {
    "PRAGMA journal_mode = WAL",          /* readers never block the writer, nor it them */
    "PRAGMA synchronous = FULL",          /* a commit returns after fsync of the log: acknowledged = durable */
    "PRAGMA wal_autocheckpoint = 0",      /* the storage thread decides when, between transactions */
    "PRAGMA journal_size_limit = 4194304",/* a log that grew behind a slow reader gives its space back */
    "PRAGMA secure_delete = FAST",        /* deleted rows are overwritten where that costs no extra page write */
    "PRAGMA temp_store = MEMORY",         /* no temporary files in folders nobody named */
};
static const char *const reader_pragmas[] = {
    "PRAGMA query_only = ON",
    "PRAGMA wal_autocheckpoint = 0", /* readers never checkpoint: only one connection may */
};
static const char *const common_pragmas[] = {
    "PRAGMA mmap_size = 0",       /* an I/O error is a code, not SIGBUS, and stray writes cannot reach the file */
    "PRAGMA trusted_schema = OFF",/* a crafted file cannot make its views or triggers call functions */
    "PRAGMA cell_size_check = ON",/* corrupt pages are noticed when read */
    "PRAGMA foreign_keys = ON",
};

/* SQLite 3.40 forgets errno when a commit fails; the file of the log still has it. */
static int system_error_of(sqlite3 *handle) {
    sqlite3_file *log = NULL;
    int number = sqlite3_system_errno(handle);
    if (!number && !sqlite3_file_control(handle, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &log) && log && log->pMethods)
        (void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &number);
    return number;
}

int lag_db_refused_read(sqlite3 *handle) {
    static const int files[] = {SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        sqlite3_file *file = NULL;
        int number = 0;
        if (!sqlite3_file_control(handle, NULL, files[i], &file) && file && file->pMethods)
            (void)file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &number);
        if (number == EIO || number == ENXIO || number == ERANGE) return number; /* which SQLite holds for damage */
    }
    return 0;
}

static int code_of_io(sqlite3 *handle, int result) {
    int number = system_error_of(handle);
    bool is_write = result == SQLITE_IOERR_WRITE;
    /* A quota and a file size limit are a full disk too; an fsync that failed is not: it must never be tried again. */
    return is_write && (number == ENOSPC || number == EDQUOT || number == EFBIG) ? LAG_ENOSPC : LAG_EIO;
}

/* SQLite does not always keep why a file could not be opened: no descriptor is free, or none may be opened here. */
static int code_of_open(sqlite3 *handle) {
    int number = system_error_of(handle);
    int fd = number ? -1 : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0) (void)close(fd);
    else if (!number) number = errno;
    int code = number ? lag_code_of_errno(number) : LAG_EDENIED;
    return lag_code_cause(code) == LAG_CAUSE_PASSES ? code : LAG_EDENIED;
}

static int code_of(sqlite3 *handle, int result) {
    if (result == SQLITE_CONSTRAINT_FOREIGNKEY) return LAG_ENOTFOUND;
    if (result == SQLITE_CONSTRAINT_UNIQUE || result == SQLITE_CONSTRAINT_PRIMARYKEY) return LAG_EEXIST;
    if (result == SQLITE_IOERR_NOMEM) return LAG_ENOMEM;
    switch (result & 0xff) {
    case SQLITE_FULL: return LAG_ENOSPC;
    case SQLITE_IOERR: return code_of_io(handle, result);
    case SQLITE_BUSY:
    case SQLITE_PROTOCOL: /* the log's locks were refused too often; nothing is wrong with what is stored */
    case SQLITE_LOCKED: return LAG_EBUSY;
    case SQLITE_NOMEM: return LAG_ENOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return LAG_ECORRUPT;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return LAG_EDENIED;
    case SQLITE_CANTOPEN: return code_of_open(handle);
    case SQLITE_INTERRUPT: return LAG_ECANCELED;
    case SQLITE_TOOBIG: return LAG_ETOOBIG;
    default: return LAG_EINTERNAL;
    }
}

int lag_db_error(struct lag_db *db, int result, const char *what, struct lag_error *err) {
    int extended = sqlite3_extended_errcode(db->handle);
    if ((extended & 0xff) == (result & 0xff)) result = extended;
    int code = code_of(db->handle, result), refused = code == LAG_ECORRUPT ? lag_db_refused_read(db->handle) : 0;
    if (refused)
        return lag_error_set(err, LAG_EIO, "%s: %s: the file cannot be read: %s", db->path, what, strerror(refused));
    int system_error = system_error_of(db->handle);
    if (code == LAG_ENOSPC)
        return lag_error_set(err, code, "%s: %s: the disk is full: free some space there", db->path, what);
    bool tell_system = system_error && ((result & 0xff) == SQLITE_IOERR || (result & 0xff) == SQLITE_CANTOPEN);
    return lag_error_set(err, code, "%s: %s: %s%s%s", db->path, what, sqlite3_errmsg(db->handle),
                         tell_system ? ": " : "",
                         tell_system ? strerror(system_error) : "");
}

int lag_db_exec(struct lag_db *db, const char *sql, struct lag_error *err) {
    int result = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? 0 : lag_db_error(db, result, "the database refused a command", err);
}

int lag_db_integer(struct lag_db *db, const char *sql, int64_t *ret, struct lag_error *err) {
    sqlite3_stmt *stmt = NULL;
    int result = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);
    if (result == SQLITE_OK) result = sqlite3_step(stmt);
    if (result == SQLITE_ROW) *ret = sqlite3_column_int64(stmt, 0);
    int rc = result == SQLITE_ROW ? 0 : lag_db_error(db, result, "cannot be read", err);
    (void)sqlite3_finalize(stmt);
    return rc;
}

int64_t lag_db_changes(struct lag_db *db) { return sqlite3_changes64(db->handle); }

static int exec_all(struct lag_db *db, const char *const *pragmas, size_t n, struct lag_error *err) {
    for (size_t i = 0; i < n; i++) {
        int rc = lag_db_exec(db, pragmas[i], err);
        if (rc) return rc;
    }
    return 0;
}

static int set_guards(struct lag_db *db, struct lag_error *err) {
    static const struct {
        int option, value;
    } options[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},      {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0}, {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},          {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1}, /* the store does it knowingly */
    };
    (void)sqlite3_extended_result_codes(db->handle, 1);
    (void)sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        int now = -1;
        int result = sqlite3_db_config(db->handle, options[i].option, options[i].value, &now);
        if (result != SQLITE_OK || now != options[i].value)
            return lag_error_set(err, LAG_EUNSUPPORTED, "SQLite %s lacks a protection that lagd needs (option %d)",
                                 sqlite3_libversion(), options[i].option);
    }
    return 0;
}

static int check_folder(const char *dir, enum lag_db_mode mode, struct lag_error *err) {
    struct stat st;
    if (stat(dir, &st)) return lag_error_errno(err, errno, "the state directory %s", dir);
    if (!S_ISDIR(st.st_mode)) return lag_error_set(err, LAG_EINVAL, "the state directory %s is not a directory", dir);
    if (mode == LAG_DB_WRITER && access(dir, W_OK | X_OK))
        return lag_error_errno(err, errno, "cannot write in the state directory %s", dir);
    return 0;
}

static int check_file(const char *path, enum lag_db_mode mode, struct lag_error *err) {
    struct stat st;
    if (stat(path, &st)) {
        if (errno == ENOENT && mode == LAG_DB_WRITER) return 0;
        return lag_error_errno(err, errno, "the database %s", path);
    }
    if (!S_ISREG(st.st_mode)) return lag_error_set(err, LAG_EINVAL, "%s is not a regular file", path);
    if (mode == LAG_DB_WRITER && access(path, R_OK | W_OK))
        return lag_error_errno(err, errno, "cannot write the database %s", path);
    return 0;
}

/* SQLite stays in another mode without an error where shared memory files cannot be had (network file systems). */
static int check_log_mode(struct lag_db *db, struct lag_error *err) {
    int64_t is_wal;
    int rc = lag_db_integer(db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &is_wal, err);
    if (rc || is_wal) return rc;
    return lag_error_set(err, LAG_EUNSUPPORTED,
                         "%s: a write-ahead log is not possible there: put the state directory on a "
                         "local file system", db->path);
}

int lag_db_open(const char *dir, enum lag_db_mode mode, struct lag_db **ret, struct lag_error *err) {
    int rc = check_folder(dir, mode, err);
    if (rc) return rc;
    LAG_CLEANUP(db_close_p) struct lag_db *db = lag_calloc(1, sizeof *db);
    if (!db || !(db->path = lag_asprintf("%s/lagd.db", dir)))
        return lag_error_set(err, LAG_ENOMEM, "no memory to open the database");
    if ((rc = check_file(db->path, mode, err))) return rc;
    db->writer = mode == LAG_DB_WRITER;
    /* NOMUTEX: a connection is used by one thread at a time, so SQLite need not lock it. */
    int flags = db->writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    int result = sqlite3_open_v2(db->path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, lag_lock_wait_vfs());
    if (!db->handle) return lag_error_set(err, LAG_ENOMEM, "no memory to open the database");
    if (result != SQLITE_OK) return lag_db_error(db, result, "cannot be opened", err);
    rc = set_guards(db, err);
    if (!rc) rc = exec_all(db, common_pragmas, sizeof common_pragmas / sizeof *common_pragmas, err);
    /* The writer's pragmas change the file: first look whose it is. */
    int version;
    if (!rc && db->writer) rc = lag_schema_inspect(db, lag_migrations, lag_n_migrations, &version, err);
    if (rc) return rc;
    rc = db->writer ? exec_all(db, writer_pragmas, sizeof writer_pragmas / sizeof *writer_pragmas, err)
                    : exec_all(db, reader_pragmas, sizeof reader_pragmas / sizeof *reader_pragmas, err);
    if (!rc) rc = check_log_mode(db, err);
    if (!rc) *ret = LAG_TAKE(db);
    return rc;
}

void lag_db_close(struct lag_db *db) {
    if (!db) return;
    for (size_t i = 0; i < db->n_stmts; i++) {
        (void)sqlite3_finalize(db->stmts[i]->handle);
        free(db->stmts[i]);
    }
    free(db->stmts);
    (void)sqlite3_close_v2(db->handle);
    free(db->path);
    free(db);
}

int lag_reader_open(const char *dir, struct lag_db **ret, struct lag_error *err) {
    LAG_CLEANUP(db_close_p) struct lag_db *db = NULL;
    int rc = lag_db_open(dir, LAG_DB_READER, &db, err);
    if (rc) return rc;
    (void)sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
    int version;
    rc = lag_schema_inspect(db, lag_migrations, lag_n_migrations, &version, err);
    if (!rc && version != lag_n_migrations)
        rc = lag_error_set(err, LAG_ESTATE,
                           "%s has schema %d and this lagd needs %d: start the daemon once, it upgrades",
                           db->path, version, lag_n_migrations);
    if (!rc) *ret = LAG_TAKE(db);
    return rc;
}

void lag_reader_close(struct lag_db *db) { lag_db_close(db); }

#define STEPS_BETWEEN_LOOKS 4000 /* of SQLite's machine: some hundred microseconds */

static int look(void *arg) { return *(const _Atomic bool *)arg; }

void lag_reader_stop_when(struct lag_db *db, const _Atomic bool *stop) {
    sqlite3_progress_handler(db->handle, stop ? STEPS_BETWEEN_LOOKS : 0, stop ? look : NULL, (void *)(uintptr_t)stop);
}

int lag_reader_begin(struct lag_db *db, struct lag_error *err) { return lag_db_exec(db, "BEGIN", err); }

void lag_reader_end(struct lag_db *db) {
    if (db && !sqlite3_get_autocommit(db->handle)) (void)sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL);
}

bool lag_db_is_damaged(struct lag_db *db) { return (sqlite3_errcode(db->handle) & 0xff) == SQLITE_CORRUPT; }

int lag_db_schema_version(struct lag_db *db) {
    int64_t version = 0;
    return lag_db_integer(db, "PRAGMA user_version", &version, NULL) ? -1 : (int)version;
}

/* Only stat(2): opening and closing the file here would drop SQLite's own locks on it (POSIX record locks). */
static uint64_t file_bytes(const char *dir, const char *name) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/%s", dir, name);
    struct stat st;
    return path && !stat(path, &st) ? (uint64_t)st.st_size : 0;
}

uint64_t lag_store_db_bytes(const char *dir) { return file_bytes(dir, "lagd.db"); }
uint64_t lag_store_wal_bytes(const char *dir) { return file_bytes(dir, "lagd.db-wal"); }
const char *lag_sqlite_version(void) { return sqlite3_libversion(); }
