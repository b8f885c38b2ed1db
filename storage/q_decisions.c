/* Queries of decisions: one a growth. */
#include "table_internal.h"
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/storage/growths.h>

#define COLUMNS(first, next)                                                                                           \
    first(growth_id) next(candidate) next(pick_at_0) next(pick_at_lag) next(runner_up) next(margin) next(margin_low)   \
    next(margin_high) next(tau) next(tau_0) next(flops) next(tied) next(lag_short) next(decided_by) next(verdict)      \
    next(reason) next(decided_ms) next(basis) next(tied_set) next(tied_at_0) next(delta) next(p_now) next(p_end)       \
    next(gain) next(gain_low) next(gain_high) next(short_by) next(run_flops) next(gain_flops) next(gain_flops_low)     \
    next(gain_flops_high) next(gain_flops_t)
#define C(...) LAG_COLUMN(struct lag_decision_row, __VA_ARGS__)
static const struct lag_column column_rows[] = {COLUMNS(C, C)};
static const struct lag_columns columns = LAG_COLUMNS(column_rows);
#undef C

static const char sql_put[] = "INSERT OR REPLACE " LAG_SQL_INTO("decisions", COLUMNS);

int lag_decision_put(struct lag_db *db, const struct lag_decision_row *row, struct lag_error *err) {
    struct lag_decision_row stored = *row;
    if (!stored.decided_ms) stored.decided_ms = lag_clock_wall_ms();
    int rc = lag_row_insert(db, sql_put, columns, &stored, err);
    if (rc == LAG_ENOTFOUND) return lag_error_set(err, rc, "growth %s does not exist", row->growth_id);
    return rc;
}

static const char sql_get[] =
    "SELECT growth_id, candidate, pick_at_0, pick_at_lag, runner_up, margin, margin_low, margin_high, tau, tau_0, "
    "flops, tied, lag_short, decided_by, verdict, reason, decided_ms, basis, tied_set, tied_at_0, delta, p_now, p_end, "
    "gain, gain_low, gain_high, short_by, run_flops, gain_flops, gain_flops_low, gain_flops_high, gain_flops_t "
    "FROM decisions WHERE growth_id = ?";

int lag_decision_get(struct lag_db *db, const char *growth_id, struct lag_decision_row *ret, struct lag_error *err) {
    int rc = lag_row_find(db, sql_get, growth_id, columns, ret, err);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "growth %s has no decision yet", growth_id);
    return rc < 0 ? rc : 0;
}
