/* Rows of a growth and of its candidates, from its plan. */
#include "stages/growth_rows_internal.h"

#include "plan/pool_text_internal.h"
#include "records/post_internal.h"
#include "records/turns_internal.h"

#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/growths.h>
#include <math.h>
#include <string.h>

/* What of the row follows from the plan alone. */
static void take_plan(const struct lagd_growth_plan *plan, struct lag_growth_row *row) {
    row->from = plan->from;
    row->to = plan->to;
    row->tokens_per_sequence = plan->tokens_per_sequence;
    row->first_rung = plan->first_rung;
    row->n_batches = plan->n_batches;
    row->eval_sequences = plan->eval_sequences;
    row->eval_stride = plan->eval_stride;
    row->prior_cases = plan->prior_cases;
    (void)lag_copy(row->prior_of, sizeof(row->prior_of), plan->prior_of);
    (void)lag_copy(row->prior_like, sizeof(row->prior_like), plan->prior_like);
}

int lagd_growth_rows_fill(const struct lagd_growth_request *request, const char *run_id,
                          const struct lagd_growth_plan *plan, struct lagd_growth_rows *ret, struct lag_error *err) {
    struct lag_growth_row *row = &ret->growth;
    ret->plan = plan;
    lag_id_new("gr", row->id);
    (void)lag_copy(row->run_id, sizeof(row->run_id), run_id);
    (void)lag_copy(row->reason, sizeof(row->reason), request->reason);
    (void)lag_copy(row->mode, sizeof(row->mode), request->mode);
    row->at_step = request->at_step;
    row->start_step = -1;
    row->probe_steps = request->probe_steps;
    take_plan(plan, row);
    row->parent_loss = NAN;
    const bool studied = strcmp(request->mode, "study") == 0; /* to its end already */
    if (request->audit && !studied) (void)lag_copy(row->audit, sizeof(row->audit), "wanted");
    row->revision = 1;
    row->created_ms = row->updated_ms = lag_clock_wall_ms();
    struct lag_strbuf text = LAG_STRBUF_INIT;
    lag_fields_format(&lagd_growth_fields, request, &text);
    int rc = text.failed ? LAG_ENOMEM : 0;
    if (rc == 0 && lag_copy(row->request, sizeof(row->request), text.data) < 0) rc = LAG_ETOOBIG;
    lag_strbuf_deinit(&text);
    if (rc != 0) return lag_error_set(err, rc, "the growth request cannot be stored: shorten its reason");
    return lagd_pool_format(request, ret->pool, err);
}

static int insert_candidate(struct lag_db *db, const char *growth_id, const struct lagd_candidate_plan *plan,
                            int position, struct lag_error *err) {
    struct lag_candidate_row row = {.position = position,
                                    .eligible = plan->eligible,
                                    .n_params = plan->n_params,
                                    .rewarm_steps = plan->rewarm_steps,
                                    .loss_at_0 = NAN,
                                    .loss_at_lag = NAN,
                                    .prior = plan->prior};
    lag_id_new("cand", row.id);
    (void)lag_copy(row.growth_id, sizeof(row.growth_id), growth_id);
    (void)lag_copy(row.op, sizeof(row.op), plan->op);
    (void)lag_copy(row.strategy, sizeof(row.strategy), plan->strategy);
    (void)lag_copy(row.names, sizeof(row.names), plan->names);
    (void)lag_copy(row.recipe, sizeof(row.recipe), plan->recipe);
    const struct lagd_post post = {.machine = LAGD_MACHINE_CANDIDATE, .event = LAGD_CANDIDATE_ON_CREATED, .row = &row};
    return lagd_tx_post(db, &post, NULL, err);
}

static int insert_candidates(struct lag_db *db, const char *growth_id, const struct lagd_growth_plan *plan,
                             struct lag_error *err) {
    int rc = 0;
    for (int i = 0; i < plan->n_candidates && rc == 0; i++)
        rc = insert_candidate(db, growth_id, &plan->candidates[i], i, err);
    return rc;
}

/* What is fused must be there now: from here on it is kept until the growth has ended. */
static int insert_parents(struct lag_db *db, const char *growth_id, const struct lagd_growth_plan *plan,
                          struct lag_error *err) {
    int rc = lag_growth_parents_delete(db, growth_id, err);
    for (int i = 0; i < plan->n_parents && rc == 0; i++) {
        struct lag_growth_parent_row row = plan->parents[i];
        struct lag_checkpoint_row checkpoint;
        (void)lag_copy(row.growth_id, sizeof(row.growth_id), growth_id);
        rc = lag_checkpoint_get(db, row.checkpoint_id, &checkpoint, err);
        if (rc == LAG_ENOTFOUND)
            return lag_error_at(err, LAG_EINVAL, "/pool", "checkpoint %s of run %s, which is to be fused, was just "
                                "deleted: name another one", row.checkpoint_id, row.run_name);
        if (rc == 0) rc = lag_growth_parent_insert(db, &row, err);
    }
    return rc;
}

int lagd_tx_growth_rows_insert(struct lag_db *db, struct lagd_growth_rows *rows, struct lag_error *err) {
    const struct lagd_post post = {.machine = LAGD_MACHINE_GROWTH, .event = LAGD_GROWTH_ON_CREATED,
                                   .row = &rows->growth, .reason = rows->growth.reason, .step = LAG_NO_STEP};
    int rc = lagd_tx_post(db, &post, NULL, err);
    if (rc == 0) rc = lag_growth_set_pool(db, rows->growth.id, rows->pool, err);
    if (rc == 0) rc = insert_candidates(db, rows->growth.id, rows->plan, err);
    if (rc == 0) rc = insert_parents(db, rows->growth.id, rows->plan, err);
    return rc == 0 ? lagd_tx_growth_turn(db, rows->growth.run_id, NULL, err) : rc;
}

int lagd_tx_growth_rows_replan(struct lag_db *db, const char *growth_id, const struct lagd_growth_plan *plan,
                               struct lag_error *err) {
    struct lag_growth_row row;
    int rc = lag_growth_get(db, growth_id, &row, err);
    if (rc == 0 && !lagd_growth_is(row.state, LAGD_GROWTH_QUEUED))
        rc = lag_error_set(err, LAG_ESTATE, "growth %s is %s now", growth_id, row.state);
    if (rc != 0) return rc;
    take_plan(plan, &row);
    rc = lag_growth_set_plan(db, &row, err);
    if (rc == 0) rc = lag_candidates_delete(db, growth_id, err);
    if (rc == 0) rc = insert_candidates(db, growth_id, plan, err);
    return rc == 0 ? insert_parents(db, growth_id, plan, err) : rc;
}
