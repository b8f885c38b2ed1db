/* The rungs of a growth: what an allocator says of its candidates is stored, with what it does to them, before it is
 * acted on. A restart finds the rung that comes next by the rows alone. */
#include "evidence/decide_internal.h"
#include "growth/growth_internal.h"
#include "process/tell_internal.h"
#include "records/post_internal.h"
#include "records/transact_internal.h"
#include "train/run_dataset_internal.h"
#include "train/run_move_internal.h"
#include "train/run_open_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- where the round stands --- */

static int count_rung(const struct lag_rung_row *row, void *arg) {
    struct lagd_round *round = arg;
    round->n_looked++;
    round->is_looked_out = strcmp(row->action, lag_step_names[LAG_STEP_END]) == 0;
    return 0;
}

int lagd_round_read_rungs(struct lagd_round *round, struct lag_db *db, struct lag_error *err) {
    round->n_looked = 0;
    round->is_looked_out = false;
    round->n_rungs = lagd_rungs_of(&round->run->book.growth, &round->request, round->rungs);
    return lag_rung_list(db, round->run->book.growth.id, count_rung, round, err);
}

bool lagd_round_has_rung(const struct lagd_round *round) {
    return round->n_looked < round->n_rungs && !round->is_looked_out;
}

int64_t lagd_round_target(const struct lagd_round *round) {
    if (round->n_rungs == 0) return round->plan.steps;
    return lagd_round_has_rung(round) ? round->rungs[round->n_looked] : round->run->book.growth.probe_steps;
}

/* --- a look --- */

struct looking {
    const struct lagd_round *round;
    struct lagd_rung_decision decision;
};

static int know_orders(struct lag_db *db, const struct lagd_curves *curves, double *ret_p_end, struct lag_error *err) {
    int rc = lagd_p_end_know(db, curves, lagd_rung_next(curves), ret_p_end, err);
    const bool holds = LAG_FP_FAIL("rung.order_holds");
    for (int i = 0; holds && i < curves->n; i++) ret_p_end[i] = 1;
    return rc;
}

static int decide(struct lag_db *db, void *arg, struct lag_error *err) {
    struct looking *looking = arg;
    struct lagd_curves *curves = NULL;
    double p_end[LAGD_STRATEGIES_MAX + 1];
    int rc = lagd_curves_load(db, looking->round->run->book.growth.id, &curves, err);
    if (rc == 0) rc = know_orders(db, curves, p_end, err);
    if (rc == 0) rc = lagd_rung_decide(curves, p_end, &looking->decision, err);
    lagd_curves_destroy(curves);
    /* Losses that are missing are a defect here, not a state that may pass. */
    return rc == LAG_ESTATE ? LAG_EINTERNAL : rc;
}

/* Those that are kept have completed where the probe ends. */
static enum lagd_candidate_event event_of(const struct looking *looking, int index) {
    const bool is_over = looking->decision.step == LAG_STEP_END;
    switch (looking->decision.fates[index]) {
    case LAG_FATE_KEPT: return is_over ? LAGD_CANDIDATE_ON_COMPLETED : LAGD_CANDIDATE_ON_NOTHING;
    case LAG_FATE_STOPPED: return LAGD_CANDIDATE_ON_DROPPED;
    case LAG_FATE_TAKEN_UP: return LAGD_CANDIDATE_ON_TAKEN_UP;
    default: return LAGD_CANDIDATE_ON_NOTHING;
    }
}

static int write_fate(struct lag_db *db, const struct looking *looking, int index, struct lag_error *err) {
    const struct lagd_rung_decision *decision = &looking->decision;
    const char *id = looking->round->candidates[index].id;
    const enum lagd_candidate_event event = event_of(looking, index);
    const struct lagd_post post = {.machine = LAGD_MACHINE_CANDIDATE, .event = event, .id = id,
                                   .reason = decision->words[index], .step = decision->row.t,
                                   .value = decision->means[index]};
    if (event == LAGD_CANDIDATE_ON_NOTHING) return 0;
    int rc = event == LAGD_CANDIDATE_ON_COMPLETED
                 ? lag_candidate_set_losses(db, id, NAN, decision->means[index], err) : 0;
    return rc == 0 ? lagd_tx_post(db, &post, NULL, err) : rc;
}

static int tell_look(struct lag_db *db, const struct lag_growth_row *growth, const struct lag_rung_row *rung,
                     struct lag_error *err) {
    const struct lag_event event = {.type = LAG_EVENT_GROWTH_RUNG, .run_id = growth->run_id, .growth_id = growth->id,
                                    .step = rung->t, .value = LAG_NO_VALUE, .message = rung->reason};
    return lag_event_put(db, &event, err);
}

/* How far the probe goes is known anew where it ends or is extended. */
static int write_look(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct looking *looking = arg;
    const struct lagd_rung_decision *decision = &looking->decision;
    struct lag_growth_row growth;
    int rc = lag_growth_get(db, decision->row.growth_id, &growth, err);
    if (rc == 0 && !lagd_growth_is(growth.state, LAGD_GROWTH_PROBING))
        return lag_error_set(err, LAG_ESTATE, "growth %s is %s now", growth.id, growth.state);
    if (rc == 0) rc = lag_rung_insert(db, &decision->row, err);
    if (rc == 0) rc = tell_look(db, &growth, &decision->row, err);
    for (int i = 0; rc == 0 && i < looking->round->n; i++) rc = write_fate(db, looking, i, err);
    const int64_t steps = decision->step == LAG_STEP_END      ? decision->row.t
                          : decision->step == LAG_STEP_EXTEND ? decision->next
                                                              : growth.probe_steps;
    return rc == 0 ? lag_growth_set_probe_steps(db, growth.id, steps, err) : rc;
}

static int add_candidate(const struct lag_candidate_row *row, void *arg) {
    struct lagd_round *round = arg;
    if (row->position < round->n) round->candidates[row->position] = *row;
    return 0;
}

static int read_again(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lagd_round *round = arg;
    int rc = lag_candidate_list(db, round->run->book.growth.id, add_candidate, round, err);
    return rc == 0 ? lagd_round_read_rungs(round, db, err) : rc;
}

/* The rows say what goes on. */
static int follow(struct lagd_round *round, struct lag_error *err) {
    int rc = lagd_run_read_growth(round->run, err);
    if (rc == 0) rc = lagd_read(round->run->deps, read_again, round, err);
    memset(round->arrived, 0, (size_t)round->n * sizeof(*round->arrived));
    return rc;
}

int lagd_round_look(struct lagd_round *round, struct lag_error *err) {
    struct lagd_run *run = round->run;
    LAG_CLEANUP(lag_free_p) struct looking *looking = lag_calloc(1, sizeof(*looking));
    if (!looking) return lag_error_set(err, LAG_ENOMEM, "out of memory for a rung");
    looking->round = round;
    int rc = lagd_run_check_dataset(run, true, err);
    if (rc == 0) rc = lagd_read(run->deps, decide, looking, err);
    if (rc != 0) return rc;
    looking->decision.row.decided_ms = lag_clock_wall_ms();
    LAG_FP("rung.before_commit");
    rc = lagd_write_patiently(run->deps, write_look, looking, &run->wishes.quit, err);
    if (rc != 0) return rc;
    LAG_FP("rung.after_commit");
    const struct lagd_about about = {run->id, run->book.growth.id, run->book.row.step, NULL};
    lagd_tell(LAG_LOG_INFO, &about, "growth %s of %s, rung %lld: %s", run->book.growth.id, run->id,
              (long long)looking->decision.row.r, looking->decision.row.reason);
    return follow(round, err);
}
