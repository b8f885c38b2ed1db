/* A growth that is made: its rows, from its plan. */
#pragma once
#include <lagd/daemon/growth_plan.h>
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

struct lagd_growth_rows {
    struct lag_growth_row growth;        /* its state is set as it is inserted */
    const struct lagd_growth_plan *plan; /* of its candidates */
    char pool[LAG_ROW_POOL];             /* what they were chosen from */
};
/* LAG_EINVAL: its texts are too long to be kept. Pure but for a new id and the clock. */
int lagd_growth_rows_fill(const struct lagd_growth_request *request, const char *run_id,
                          const struct lagd_growth_plan *plan, struct lagd_growth_rows *ret, struct lag_error *err);
/* Inside a transaction: the growth with its candidates waits for its turn. */
int lagd_tx_growth_rows_insert(struct lag_db *db, struct lagd_growth_rows *rows, struct lag_error *err);
/* Inside a transaction: one that has not begun is planned for another parent. LAG_ESTATE: it has begun, or ended. */
int lagd_tx_growth_rows_replan(struct lag_db *db, const char *growth_id, const struct lagd_growth_plan *plan,
                               struct lag_error *err);
