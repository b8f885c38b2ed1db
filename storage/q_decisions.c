#include "db_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/storage/growths.h>

#define C(member) LAG_COLUMN(struct lag_decision_row, member)
static const struct lag_column columns[] = {
    C(growth_id), C(candidate), C(pick_at_0), C(pick_at_lag), C(runner_up), C(margin), C(margin_low), C(margin_high),
    C(tau), C(tau_0), C(flops), C(tied), C(lag_short), C(decided_by), C(verdict), C(reason), C(decided_ms),
};
#undef C

static const char sql_put[] =
    "INSERT OR REPLACE INTO decisions (growth_id, candidate, pick_at_0, pick_at_lag, runner_up, margin, margin_low, "
    "margin_high, tau, tau_0, flops, tied, lag_short, decided_by, verdict, reason, decided_ms) VALUES (:growth_id, "
    ":candidate, :pick_at_0, :pick_at_lag, :runner_up, :margin, :margin_low, :margin_high, :tau, :tau_0, :flops, "
    ":tied, :lag_short, :decided_by, :verdict, :reason, :decided_ms)";

int lag_decision_put(struct lag_db *db, const struct lag_decision_row *row, struct lag_error *err) {
    struct lag_decision_row stored = *row;
    if (!stored.decided_ms) stored.decided_ms = lag_clock_wall_ms();
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_put, &stmt, err);
    if (rc) return rc;
    lag_bind_row(stmt, columns, LAG_COUNT(columns), &stored);
    rc = lag_stmt_run(stmt, err);
    if (rc == LAG_ENOTFOUND) return lag_error_set(err, rc, "growth %s does not exist", row->growth_id);
    return rc;
}

static const char sql_get[] =
    "SELECT growth_id, candidate, pick_at_0, pick_at_lag, runner_up, margin, margin_low, margin_high, tau, tau_0, "
    "flops, tied, lag_short, decided_by, verdict, reason, decided_ms FROM decisions WHERE growth_id = ?";

int lag_decision_get(struct lag_db *db, const char *growth_id, struct lag_decision_row *ret, struct lag_error *err) {
    struct lag_decision_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_get, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, growth_id);
    rc = lag_stmt_one(stmt, columns, LAG_COUNT(columns), &row, err);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "growth %s has no decision yet", growth_id);
    if (rc < 0) return rc;
    *ret = row;
    return 0;
}
