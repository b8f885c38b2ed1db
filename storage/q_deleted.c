/* What a deleted run leaves, and how it is removed a few rows at a time. */
#include "q_internal.h"
#include "db_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>

/* Series are hidden under a name that no owner has; their numbers are never given again. */
static const char sql_note_series[] =
    "INSERT INTO deleted (kind, id) SELECT 'series', id FROM series WHERE owner = ?1 UNION ALL "
    "SELECT 'series', s.id FROM growths AS g JOIN candidates AS c ON c.growth_id = g.id JOIN series AS s "
    "ON s.owner = c.id WHERE g.run_id = ?1";
static const char sql_note_candidates[] =
    "INSERT INTO deleted (kind, id) SELECT 'candidate', c.number FROM growths AS g JOIN candidates AS c "
    "ON c.growth_id = g.id WHERE g.run_id = ?";
static const char sql_hide_own[] =
    "UPDATE series SET owner = '" LAG_DELETED_OWNER "' || id, n_points = 0 WHERE owner = ?";
static const char sql_hide_candidates[] =
    "UPDATE series SET owner = '" LAG_DELETED_OWNER "' || id, n_points = 0 WHERE owner IN "
    "(SELECT c.id FROM growths AS g JOIN candidates AS c ON c.growth_id = g.id WHERE g.run_id = ?)";

int lag_deleted_note_run(struct lag_db *db, const char *run_id, struct lag_error *err) {
    static const char *const steps[] = {sql_note_series, sql_note_candidates, sql_hide_candidates, sql_hide_own};
    for (size_t i = 0; i < LAG_COUNT(steps); i++) {
        struct lag_stmt *stmt;
        int rc = lag_stmt_open(db, steps[i], &stmt, err);
        if (rc) return rc;
        lag_bind_text(stmt, run_id);
        if ((rc = lag_stmt_run(stmt, err))) return rc;
    }
    db->leaves_rows = true;
    return 0;
}

static const char sql_next[] = "SELECT kind, id FROM deleted LIMIT 1";

/* 1 = there is one. */
static int find_next(struct lag_db *db, bool *ret_is_series, int64_t *ret_id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_next, &stmt, err);
    if (rc) return rc;
    if ((rc = lag_stmt_step(stmt, err)) == 1) {
        char kind[16];
        lag_col_text(stmt, "kind", kind, sizeof kind);
        *ret_id = lag_col_i64(stmt, "id");
        *ret_is_series = !strcmp(kind, "series");
    }
    lag_stmt_close(stmt);
    return rc;
}

/* All evaluations of one time go together. */
static const char sql_points[] =
    "DELETE FROM points WHERE series = ?1 AND step <= (SELECT max(step) FROM "
    "(SELECT step FROM points WHERE series = ?1 ORDER BY step LIMIT ?2))";
static const char sql_losses[] =
    "DELETE FROM probe_losses WHERE candidate = ?1 AND t <= (SELECT max(t) FROM "
    "(SELECT t FROM probe_losses WHERE candidate = ?1 ORDER BY t LIMIT ?2))";
static const char sql_series[] = "DELETE FROM series WHERE id = ?";
static const char sql_done[] = "DELETE FROM deleted WHERE kind = ? AND id = ?";

static int remove_some(struct lag_db *db, bool is_series, int64_t id, int limit, int64_t *ret_n,
                       struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, is_series ? sql_points : sql_losses, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, id);
    lag_bind_i64(stmt, limit);
    if ((rc = lag_stmt_run(stmt, err))) return rc;
    *ret_n = lag_db_changes(db);
    return 0;
}

static int forget(struct lag_db *db, bool is_series, int64_t id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = 0;
    if (is_series) {
        if ((rc = lag_stmt_open(db, sql_series, &stmt, err))) return rc;
        lag_bind_i64(stmt, id);
        rc = lag_stmt_run(stmt, err);
    }
    if (!rc) rc = lag_stmt_open(db, sql_done, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, is_series ? "series" : "candidate");
    lag_bind_i64(stmt, id);
    return lag_stmt_run(stmt, err);
}

int lag_deleted_sweep(struct lag_db *db, int limit, int64_t *ret_n, struct lag_error *err) {
    bool is_series = false;
    int64_t id = 0, n = 0;
    int rc = find_next(db, &is_series, &id, err);
    if (rc == 1) {
        rc = remove_some(db, is_series, id, limit, &n, err);
        if (!rc && n == 0) {
            rc = forget(db, is_series, id, err);
            n = 1;
        }
    }
    if (rc < 0) return rc;
    *ret_n = n;
    return 0;
}
