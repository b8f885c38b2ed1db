/* The schema: whose file it is, which version it has, and how it comes to the newest. */
#include "migrate_internal.h"
#include "db_internal.h"
#include <errno.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/hash.h>
#include <lagd/base/mem.h>
#include <lagd/storage/backup.h>
#include <stdio.h>
#include <string.h>

/* SQLite compares the length of the file with its header, the log counted in, before it reads anything else. */
static int refuse_damaged(struct lag_db *db, struct lag_error *err) {
    bool is_foreign = sqlite3_errcode(db->handle) == SQLITE_NOTADB;
    int refused = lag_db_refused_read(db->handle);
    if (refused) return lag_error_errno(err, refused, "cannot read %s", db->path);
    return lag_error_set(err, LAG_ECORRUPT, "%s is %s: restore it from a backup, or move it away to start anew",
                         db->path,
                         is_foreign ? "not a SQLite database" : "damaged or cut short");
}

static const char sql_written_by[] = "SELECT program FROM schema_history ORDER BY version DESC LIMIT 1";

static int refuse_newer(struct lag_db *db, int64_t version, int known, struct lag_error *err) {
    char program[64] = "a newer version";
    struct lag_stmt *stmt;
    if (!lag_stmt_open(db, sql_written_by, &stmt, NULL)) {
        if (lag_stmt_step(stmt, NULL) == 1) lag_col_text(stmt, "program", program, sizeof program);
        lag_stmt_close(stmt);
    }
    return lag_error_set(err, LAG_EVERSION,
                         "%s has schema %lld, written by lagd %s, but this is lagd %s, which knows schemas up to %d: "
                         "start that lagd again, or restore the copy made before the upgrade",
                         db->path, (long long)version, program, LAGD_VERSION, known);
}

static const char sql_history[] = "SELECT version, sha256 FROM schema_history ORDER BY version";

/* Migrations are never edited after a release; a different text means a file of an unreleased build. */
static int check_history(struct lag_db *db, const struct lag_migration *migrations, int version,
                         struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_history, &stmt, err);
    if (rc) return rc;
    int n = 0;
    while ((rc = lag_stmt_step(stmt, err)) == 1) {
        char stored[LAG_SHA256_HEX], known[LAG_SHA256_HEX];
        int64_t number = lag_col_i64(stmt, "version");
        lag_col_text(stmt, "sha256", stored, sizeof stored);
        if (number != ++n || n > version) break;
        lag_sha256_bytes(migrations[n - 1].sql, strlen(migrations[n - 1].sql), known);
        if (strcmp(stored, known)) break;
    }
    lag_stmt_close(stmt);
    if (rc < 0) return rc;
    if (rc == 0 && n == version) return 0;
    return lag_error_set(err, LAG_ECORRUPT,
                         "%s: the history row of schema %d does not match this lagd %s (written by an unreleased "
                         "build?): use the lagd that wrote it, or another state directory",
                         db->path, rc ? n : version, LAGD_VERSION);
}

int lag_schema_inspect(struct lag_db *db, const struct lag_migration *migrations, int n, int *ret_version,
                       struct lag_error *err) {
    int64_t n_pages, id, version;
    int rc = lag_db_integer(db, "PRAGMA page_count", &n_pages, err);
    if (!rc) rc = lag_db_integer(db, "PRAGMA application_id", &id, err);
    if (!rc) rc = lag_db_integer(db, "PRAGMA user_version", &version, err);
    if (rc == LAG_ECORRUPT) return refuse_damaged(db, err);
    if (rc) return rc;
    if (n_pages == 0) {
        *ret_version = 0;
        return 0;
    }
    /* A new file between its first page and its first migration has no tables, no mark and no version. */
    int64_t n_objects;
    if ((rc = lag_db_integer(db, "SELECT count(*) FROM sqlite_schema", &n_objects, err))) return rc;
    bool is_blank = n_objects == 0 && id == 0 && version == 0;
    if (!is_blank && id != LAG_APPLICATION_ID)
        return lag_error_set(err, LAG_ECORRUPT, "%s belongs to another program (application_id 0x%08x, not 0x%08x): "
                             "move it away, or choose another state directory",
                             db->path, (unsigned)id, LAG_APPLICATION_ID);
    if (version > n) return refuse_newer(db, version, n, err);
    if (!is_blank && (rc = check_history(db, migrations, (int)version, err))) return rc;
    *ret_version = (int)version;
    return 0;
}

static const char sql_copy[] = "VACUUM INTO ?";

static int keep_copy(struct lag_db *db, int version, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s.schema-%d", db->path, version);
    if (!path) return lag_error_set(err, LAG_ENOMEM, "no memory to upgrade the database");
    if (remove(path) && errno != ENOENT) return lag_error_errno(err, errno, "cannot replace %s", path);
    sqlite3_stmt *stmt = NULL;
    int result = sqlite3_prepare_v2(db->handle, sql_copy, -1, &stmt, NULL);
    if (result == SQLITE_OK) result = sqlite3_bind_text(stmt, 1, path, -1, SQLITE_STATIC);
    if (result == SQLITE_OK) result = sqlite3_step(stmt);
    int rc = result == SQLITE_DONE ? 0 : lag_db_error(db, result, "cannot be copied before the upgrade", err);
    (void)sqlite3_finalize(stmt);
    if (rc) return rc;
    if ((rc = lag_copy_check(path, err))) return rc;
    return lag_copy_sync(path, err); /* VACUUM INTO does not sync its result */
}

static const char sql_record[] =
    "INSERT INTO schema_history (version, program, sha256, applied_ms) VALUES (?, ?, ?, ?)";

static int record(struct lag_db *db, const struct lag_migration *migration, struct lag_error *err) {
    char sha[LAG_SHA256_HEX], pragma[96];
    lag_sha256_bytes(migration->sql, strlen(migration->sql), sha);
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_record, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, migration->number);
    lag_bind_text(stmt, LAGD_VERSION);
    lag_bind_text(stmt, sha);
    lag_bind_i64(stmt, lag_clock_wall_ms());
    if ((rc = lag_stmt_run(stmt, err))) return rc;
    int64_t broken = 0;
    if ((rc = lag_db_integer(db, "SELECT count(*) FROM pragma_foreign_key_check", &broken, err))) return rc;
    if (broken) return lag_error_set(err, LAG_ECORRUPT, "%lld rows refer to missing ones", (long long)broken);
    (void)snprintf(pragma, sizeof pragma, "PRAGMA application_id = %d; PRAGMA user_version = %d", LAG_APPLICATION_ID,
                   migration->number);
    return lag_db_exec(db, pragma, err);
}

static int apply(struct lag_db *db, const struct lag_migration *migration, struct lag_error *err) {
    int rc = lag_db_exec(db, "BEGIN IMMEDIATE", err);
    if (rc) return rc;
    rc = lag_db_exec(db, migration->sql, err);
    if (!rc) rc = record(db, migration, err);
    if (!rc) rc = lag_db_exec(db, "COMMIT", err);
    if (!rc) return 0;
    if (!sqlite3_get_autocommit(db->handle)) (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    (void)lag_error_wrap(err, "schema %d (%s) was not applied, nothing changed", migration->number, migration->name);
    return rc;
}

int lag_schema_migrate(struct lag_db *db, const struct lag_migration *migrations, int n, struct lag_error *err) {
    int version;
    int rc = lag_schema_inspect(db, migrations, n, &version, err);
    if (rc || version == n) return rc;
    if (version > 0 && (rc = keep_copy(db, version, err))) return rc;
    /* Tables that are rebuilt must not cascade; the check before each commit stands in. */
    if ((rc = lag_db_exec(db, "PRAGMA foreign_keys = OFF", err))) return rc;
    for (int i = version; i < n && !rc; i++) rc = apply(db, &migrations[i], err);
    int again = lag_db_exec(db, "PRAGMA foreign_keys = ON", rc ? NULL : err);
    return rc ? rc : again;
}
