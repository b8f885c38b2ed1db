/* Queries of the losses that a candidate's probe measured, batch by batch. */
#include "db_internal.h"
#include "q_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/growths.h>
#include <math.h>
#include <stdlib.h>

static const char sql_insert[] =
    "INSERT INTO probe_losses (candidate, t, batch, loss) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
static const char sql_whose[] = "SELECT 1 FROM candidates WHERE number = ?";
static const char sql_stored[] = "SELECT loss FROM probe_losses WHERE candidate = ? AND t = ? AND batch = ?";

static int compare(struct lag_stmt *stored, int64_t number, int64_t t, int batch, double loss, bool *differs,
                   struct lag_error *err) {
    lag_stmt_rewind(stored);
    lag_bind_i64(stored, number);
    lag_bind_i64(stored, t);
    lag_bind_i64(stored, batch);
    int rc = lag_stmt_step(stored, err);
    if (rc == 1 && !lag_same_stored(lag_col_real(stored, "loss"), loss)) *differs = true;
    return rc < 0 ? rc : 0;
}

/* The losses of a candidate that was deleted meanwhile would stay for ever. */
static int check_candidate(struct lag_db *db, int64_t number, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_whose, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, number);
    rc = lag_stmt_step(stmt, err);
    lag_stmt_close(stmt);
    if (rc == 0)
        return lag_error_set(err, LAG_ENOTFOUND, "candidate number %lld does not exist", (long long)number);
    return rc < 0 ? rc : 0;
}

int lag_probe_losses_put(struct lag_db *db, int64_t candidate_number, int64_t t, const double *losses, int n_batches,
                         bool *ret_mismatch, struct lag_error *err) {
    struct lag_stmt *insert = NULL, *stored = NULL;
    bool differs = false;
    int rc = check_candidate(db, candidate_number, err);
    if (!rc) rc = lag_stmt_open(db, sql_insert, &insert, err);
    if (!rc) rc = lag_stmt_open(db, sql_stored, &stored, err);
    for (int i = 0; i < n_batches && !rc; i++) {
        if (isnan(losses[i])) continue; /* left out */
        lag_stmt_rewind(insert);
        lag_bind_i64(insert, candidate_number);
        lag_bind_i64(insert, t);
        lag_bind_i64(insert, i);
        lag_bind_real(insert, losses[i]);
        rc = lag_stmt_step(insert, err);
        if (!rc && lag_db_changes(db) == 0) rc = compare(stored, candidate_number, t, i, losses[i], &differs, err);
    }
    lag_stmt_close(stored);
    lag_stmt_close(insert);
    if (!rc && ret_mismatch) *ret_mismatch = differs;
    return rc;
}

static const char sql_get[] = "SELECT t, batch, loss FROM probe_losses WHERE candidate = ? ORDER BY t, batch";

struct table {
    int64_t *t;
    double *losses;
    size_t cap_t, cap_losses, n;
};

static int add_eval(struct table *table, int64_t t, int n_batches) {
    if (lag_grow_array((void **)&table->t, &table->cap_t, table->n + 1, sizeof *table->t)) return -1;
    size_t need = (table->n + 1) * (size_t)n_batches;
    if (lag_grow_array((void **)&table->losses, &table->cap_losses, need, sizeof *table->losses)) return -1;
    for (int i = 0; i < n_batches; i++) table->losses[table->n * (size_t)n_batches + (size_t)i] = NAN;
    table->t[table->n++] = t;
    return 0;
}

int lag_probe_losses_get(struct lag_db *db, int64_t candidate_number, int n_batches, int64_t **ret_t,
                         double **ret_losses,
                         int *ret_n_evals, struct lag_error *err) {
    if (n_batches < 1) return lag_error_set(err, LAG_EINVAL, "a probe has at least one batch");
    struct table table = {0};
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_get, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, candidate_number);
    while ((rc = lag_stmt_step(stmt, err)) == 1) {
        int64_t t = lag_col_i64(stmt, "t"), batch = lag_col_i64(stmt, "batch");
        if ((!table.n || table.t[table.n - 1] != t) && add_eval(&table, t, n_batches)) {
            rc = lag_error_set(err, LAG_ENOMEM, "no memory for the losses of a probe");
            break;
        }
        if (batch >= 0 && batch < n_batches)
            table.losses[(table.n - 1) * (size_t)n_batches + (size_t)batch] = lag_col_real(stmt, "loss");
    }
    lag_stmt_close(stmt);
    if (rc) {
        free(table.t);
        free(table.losses);
        return rc;
    }
    *ret_t = table.t;
    *ret_losses = table.losses;
    *ret_n_evals = (int)table.n;
    return 0;
}

static const char sql_at[] = "SELECT batch, loss FROM probe_losses WHERE candidate = ? AND t = ? ORDER BY batch";

int lag_probe_losses_at(struct lag_db *db, int64_t candidate_number, int64_t t, int n_batches, double *ret_losses,
                        struct lag_error *err) {
    struct lag_stmt *stmt;
    int found = 0;
    int rc = lag_stmt_open(db, sql_at, &stmt, err);
    if (rc) return rc;
    for (int i = 0; i < n_batches; i++) ret_losses[i] = NAN;
    lag_bind_i64(stmt, candidate_number);
    lag_bind_i64(stmt, t);
    while ((rc = lag_stmt_step(stmt, err)) == 1) {
        const int64_t batch = lag_col_i64(stmt, "batch");
        if (batch >= 0 && batch < n_batches) ret_losses[batch] = lag_col_real(stmt, "loss");
        found = 1;
    }
    lag_stmt_close(stmt);
    return rc < 0 ? rc : found;
}
