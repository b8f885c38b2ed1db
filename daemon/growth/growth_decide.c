/* The decision of a growth: computed from the stored rows, and stored before it is acted on. */
#include "evidence/decide_internal.h"
#include "growth/growth_internal.h"
#include "process/tell_internal.h"
#include "records/transact_internal.h"
#include "train/run_dataset_internal.h"
#include "train/run_move_internal.h"

#include <lagd/base/clock.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/messages.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <string.h>

struct deciding {
    const struct lagd_run *run;
    struct lag_decision_row row;
};

/* An allocator knew it at its last rung. */
static int know_end(struct lag_db *db, struct lagd_curves *curves, struct lag_error *err) {
    double p_end[LAGD_STRATEGIES_MAX + 1];
    const int64_t lag = curves->growth.probe_steps;
    curves->p_end = curves->last_p_end;
    if (curves->n_looks > 0) return 0;
    int rc = lagd_p_end_know(db, curves, lag, p_end, err);
    if (rc == 0) curves->p_end = lag_least_p_end(curves->curves, curves->n, (int)curves->growth.n_batches, lag, p_end);
    return rc;
}

static int compute(struct lag_db *db, void *arg, struct lag_error *err) {
    struct deciding *deciding = arg;
    struct lagd_curves *curves = NULL;
    int rc = lagd_curves_load(db, deciding->run->book.growth.id, &curves, err);
    if (rc == 0) rc = know_end(db, curves, err);
    if (rc == 0) rc = lagd_decide(curves, &deciding->row, err);
    lagd_curves_destroy(curves);
    /* Losses that are missing are a defect here, not a state that may pass. */
    return rc == LAG_ESTATE ? LAG_EINTERNAL : rc;
}

static int store(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct deciding *deciding = arg;
    const struct lag_decision_row *row = &deciding->row;
    int rc = lag_decision_put(db, row, err);
    const struct lag_event event = {.type = LAG_EVENT_GROWTH_DECISION, .run_id = deciding->run->id,
                                    .growth_id = row->growth_id, .candidate_id = row->candidate,
                                    .step = deciding->run->book.growth.start_step, .value = row->margin,
                                    .message = row->verdict};
    return rc == 0 ? lag_event_put(db, &event, err) : rc;
}

int lagd_round_decide(struct lagd_round *round, struct lag_error *err) {
    struct lagd_run *run = round->run;
    struct deciding deciding = {.run = run};
    int rc = lagd_run_check_dataset(run, true, err);
    if (rc == 0) rc = lagd_run_check_path(run, err);
    if (rc == 0) rc = lagd_read(run->deps, compute, &deciding, err);
    if (rc != 0) return rc;
    deciding.row.decided_ms = lag_clock_wall_ms();
    deciding.row.run_flops = run->book.row.flops;
    struct lagd_move move = {.run = run, .extra = store, .extra_arg = &deciding};
    if (deciding.row.candidate[0] == '\0') {
        move.growth_event = LAGD_GROWTH_ON_FAILED;
        move.reason = deciding.row.verdict;
        move.run_event = LAGD_RUN_ON_GROWTH_ENDED;
        move.ends_growth = true;
    } else {
        bool manual = strcmp(run->book.growth.mode, "manual") == 0;
        move.growth_event = manual ? LAGD_GROWTH_ON_RANKED : LAGD_GROWTH_ON_DECIDED;
    }
    LAG_FP("decision.before_commit");
    rc = lagd_move_make(&move, err);
    if (rc != 0) return rc;
    LAG_FP("decision.after_commit");
    atomic_fetch_add(&run->deps->totals.decisions, 1);
    const struct lagd_about about = {run->id, deciding.row.growth_id, run->trainer.state->step,
                                     LAGD_MESSAGE_GROWTH_DECIDED};
    lagd_tell(LAG_LOG_INFO, &about, "growth %s of %s is decided: %s", deciding.row.growth_id, run->id,
              deciding.row.verdict);
    return 0;
}
