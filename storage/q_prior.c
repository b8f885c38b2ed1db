/* Queries of what the prior is made of: growths that have a decision, newest first, and their candidates. */
#include "q_internal.h"
#include "table_internal.h"
#include <lagd/storage/growths.h>

/* --- growths --- */

#define GROWTHS(first, next)                                                                                           \
    first(growth_id) next(mode) next(basis) next(pick_at_lag) next(tied) LAG_SHAPE_COLUMNS(next, from_, from)          \
    LAG_SHAPE_COLUMNS(next, to_, to) next(start_step) next(max_steps) next(study_state)
#define C(...) LAG_COLUMN(struct lag_prior_growth_row, __VA_ARGS__)
static const struct lag_column growth_rows[] = {GROWTHS(C, C)};
static const struct lag_columns growth_columns = LAG_COLUMNS(growth_rows);
#undef C

static const char sql_growths[] =
    "SELECT d.growth_id, g.mode, d.basis, d.pick_at_lag, d.tied, g.from_n_layer, g.from_n_head, g.from_n_embd, "
    "g.from_n_inner, g.from_n_positions, g.from_vocab_size, g.from_head_dim, g.to_n_layer, g.to_n_head, g.to_n_embd, "
    "g.to_n_inner, g.to_n_positions, g.to_vocab_size, g.to_head_dim, g.start_step, r.max_steps, "
    "s.state AS study_state "
    "FROM decisions AS d JOIN growths AS g ON g.id = d.growth_id JOIN runs AS r ON r.id = g.run_id "
    "LEFT JOIN study_runs AS m ON m.run_id = g.run_id AND m.growth_id = g.id "
    "LEFT JOIN studies AS s ON s.id = m.study_id ORDER BY d.growth_id DESC LIMIT ?";

int lag_prior_growths(struct lag_db *db, int limit, int (*each)(const struct lag_prior_growth_row *, void *), void *arg,
                      struct lag_error *err) {
    struct lag_prior_growth_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_growths, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, limit);
    while ((rc = lag_row_next(stmt, growth_columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

/* --- candidates --- */

#define CANDIDATES(first, next) first(id) next(op) next(state) next(eligible) next(loss_at_lag)
#define C(...) LAG_COLUMN(struct lag_prior_candidate_row, __VA_ARGS__)
static const struct lag_column candidate_rows[] = {CANDIDATES(C, C)};
static const struct lag_columns candidate_columns = LAG_COLUMNS(candidate_rows);
#undef C

static const char sql_candidates[] = LAG_SQL_SELECT(CANDIDATES, "candidates") "WHERE growth_id = ? ORDER BY position";

int lag_prior_candidates(struct lag_db *db, const char *growth_id,
                         int (*each)(const struct lag_prior_candidate_row *, void *), void *arg,
                         struct lag_error *err) {
    struct lag_prior_candidate_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_candidates, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, growth_id);
    while ((rc = lag_row_next(stmt, candidate_columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}
