/* The end of a growth: the winner's probed state becomes the run's. */
#include "checkpoint/asides_internal.h"
#include "checkpoint/checkpoint_internal.h"
#include "growth/growth_internal.h"
#include "plan/batches_internal.h"
#include "plan/shape_internal.h"
#include "records/transact_internal.h"
#include "train/flops_internal.h"
#include "train/run_dataset_internal.h"
#include "train/run_health_internal.h"
#include "train/run_history_internal.h"
#include "train/run_keep_internal.h"
#include "train/run_move_internal.h"
#include "train/run_open_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/ids.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/operators.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <stdlib.h>
#include <string.h>

struct applying {
    struct lagd_round *round;
    struct lag_decision_row decision;
    int index;               /* of the winner */
    struct lag_state *state; /* owned until it is the run's */
    int64_t adopted_step;    /* the winner's points are the run's up to it */
    struct lag_run_row after; /* its batches are what the run's will be */
    struct lag_effect_row *effect; /* what was measured; NULL: nothing was */
};
enum { ADOPT_STEPS = 500 }; /* at once */

static int read_decision(struct lag_db *db, void *arg, struct lag_error *err) {
    struct applying *applying = arg;
    return lag_decision_get(db, applying->round->run->book.growth.id, &applying->decision, err);
}

static int find_winner(struct applying *applying, struct lag_error *err) {
    const struct lagd_round *round = applying->round;
    int rc = lagd_read(round->run->deps, read_decision, applying, err);
    if (rc != 0) return rc;
    for (int i = 0; i < round->n; i++) {
        if (strcmp(round->candidates[i].id, applying->decision.candidate) != 0) continue;
        applying->index = i;
        return 0;
    }
    return lag_error_set(err, LAG_ECORRUPT, "the decision names %s, which is no candidate of growth %s",
                         applying->decision.candidate, round->run->book.growth.id);
}

/* In memory, else on disk, else built again from the parent. */
static int get_state(struct applying *applying, struct lag_error *err) {
    struct lagd_round *round = applying->round;
    const struct lag_candidate_row *row = &round->candidates[applying->index];
    if (round->best && round->best_index == applying->index) {
        applying->state = LAG_TAKE(round->best);
        round->best_index = -1;
        return 0;
    }
    if (row->checkpoint[0] != '\0') {
        if (lagd_checkpoint_load(round->run->deps, row->checkpoint, &applying->state, NULL, err) == 0) return 0;
        lag_log(LAG_LOG_WARNING, "the kept state of candidate %s cannot be read: %s", row->op, err->text);
    }
    return lagd_round_rebuild(round, applying->index, &applying->state, err);
}

/* Beside what the move does: shape and history. */
static int write_applied(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct applying *applying = arg;
    const struct lagd_run *run = applying->round->run;
    const struct lag_spec *spec = &applying->state->layout.spec;
    struct lag_shape shape;
    lagd_shape_of_spec(spec, &shape);
    int rc = lag_run_set_shape(db, run->id, &shape, (int64_t)lag_spec_params(spec), err);
    if (rc == 0) rc = lag_run_set_held(db, run->id, spec->gated, lag_state_masked_until(applying->state), err);
    if (rc == 0 && strcmp(applying->after.batches, run->book.row.batches) != 0)
        rc = lag_run_set_batches(db, run->id, applying->after.batches, err);
    if (rc == 0)
        rc = lag_points_adopt(db, run->id, applying->decision.candidate, applying->adopted_step, INT64_MAX, err);
    if (rc == 0 && applying->effect) rc = lag_effect_put(db, applying->effect, err);
    return rc;
}

static int write_points(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct applying *applying = arg;
    return lag_points_adopt(db, applying->round->run->id, applying->decision.candidate, applying->adopted_step,
                            applying->adopted_step + ADOPT_STEPS, err);
}

/* Most of the winner's points, in transactions that are short however long the lag was; the rest comes with the row of
 * the run. A restart in between finds the growth where it was, and does it again: what is there already stays. Where
 * the growth is given up instead, they go with it (records/leftovers.c). */
static int adopt_points(struct applying *applying, struct lag_error *err) {
    const struct lagd_run *run = applying->round->run;
    const int64_t end = run->book.growth.start_step + run->book.growth.probe_steps;
    int rc = 0;
    applying->adopted_step = run->book.growth.start_step;
    while (rc == 0 && applying->adopted_step + ADOPT_STEPS < end) {
        rc = lagd_write_patiently(run->deps, write_points, applying, &run->wishes.quit, err);
        if (rc == 0) applying->adopted_step += ADOPT_STEPS;
        LAG_FP("growth.adopted");
    }
    return rc;
}

static bool grows(const struct applying *applying) {
    return lagd_operator_grows(applying->round->candidates[applying->index].op);
}

/* What it cannot measure, for want of memory say, is no reason not to grow: the growth then tells less of itself. */
static int measure(struct applying *applying, struct lag_error *err) {
    struct lagd_run *run = applying->round->run;
    struct lag_effect_row *effect = grows(applying) ? lag_calloc(1, sizeof(*effect)) : NULL;
    struct lag_error why = {0};
    if (!effect) return 0;
    const int rc = lagd_round_measure(applying->round, applying->index, effect, &why);
    if (rc == 0) {
        applying->effect = effect;
        return 0;
    }
    free(effect);
    if (rc == LAG_ECANCELED || run->dataset_trouble) return lag_error_set(err, rc, "%s", why.text);
    lag_log(LAG_LOG_WARNING, "what growth %s did could not be measured: %s", run->book.growth.id, why.text);
    return 0;
}

/* Checkpoint and rows in one transaction. The row of the run moves on with it, or not at all. A run that does not grow
 * only trained on: its checkpoint tells of the growth that it came from before, if any. */
static int commit(struct applying *applying, const char *parent_sha256, struct lag_error *err) {
    struct lagd_run *run = applying->round->run;
    const struct lag_candidate_row *row = &applying->round->candidates[applying->index];
    const struct lag_run_row before = run->book.row;
    struct lagd_move move = {.run = run, .growth_event = LAGD_GROWTH_ON_APPLIED, .run_event = LAGD_RUN_ON_GROWTH_ENDED,
                             .progress = true, .ends_growth = true, .extra = write_applied, .extra_arg = applying};
    if (!grows(applying)) move.growth_reason = "no growth was chosen: the model keeps its shape";
    run->book.row.step = applying->state->step;
    run->book.row.tokens = run->book.row.step * lagd_run_step_tokens(run);
    run->book.row.flops += row->flops;
    const struct lagd_checkpoint_request grown = {.kind = "growth", .growth_text = row->strategy,
                                                  .parent_sha256 = parent_sha256, .keep = true};
    const struct lagd_checkpoint_request same = {.kind = "periodic", .growth_text = run->book.origin.growth_text,
                                                 .parent_sha256 = run->book.origin.parent_sha256};
    int rc = 0;
    applying->after = run->book.row;
    if (grows(applying)) /* its probe trained so */
        rc = lagd_batches_add(&applying->after, run->book.growth.start_step, run->book.growth.tokens_per_sequence, err);
    if (rc == 0) rc = lagd_run_keep_patiently(run, applying->state, grows(applying) ? &grown : &same, &move, err);
    if (rc != 0) run->book.row = before;
    return rc;
}

static int take_over(struct applying *applying, const char *parent_sha256, struct lag_error *err) {
    struct lagd_run *run = applying->round->run;
    const char *strategy = applying->round->candidates[applying->index].strategy;
    lag_state_destroy(run->trainer.state);
    run->trainer.state = LAG_TAKE(applying->state);
    run->book.checkpoint_step = run->trainer.state->step;
    run->pace.step_ended_ns = 0;
    lagd_shape_of_spec(&run->trainer.state->layout.spec, &run->book.row.shape);
    run->book.row.n_params = (int64_t)lag_spec_params(&run->trainer.state->layout.spec);
    run->book.row.gated = run->trainer.state->layout.spec.gated;
    run->book.row.masked_until = lag_state_masked_until(run->trainer.state);
    if (grows(applying)) {
        (void)lag_copy(run->book.origin.growth_text, sizeof(run->book.origin.growth_text), strategy);
        (void)lag_copy(run->book.origin.parent_sha256, sizeof(run->book.origin.parent_sha256), parent_sha256);
    }
    (void)lag_copy(run->book.row.batches, sizeof(run->book.row.batches), applying->after.batches);
    int rc = lagd_run_take_batch(run, err);
    if (rc == 0) rc = lagd_run_equip(run, err);
    if (rc == 0) rc = lagd_run_reopen_growth(run, err);
    if (rc == 0) lagd_run_health_read(run);
    return rc;
}

int lagd_round_apply(struct lagd_round *round, struct lag_error *err) {
    struct lagd_run *run = round->run;
    struct applying applying = {.round = round, .index = -1};
    char parent_sha256[LAG_SHA256_HEX];
    int rc = lagd_run_check_path(run, err);
    if (rc == 0) rc = find_winner(&applying, err);
    if (rc != 0) return rc;
    if (lagd_growth_is(run->book.growth.state, LAGD_GROWTH_DECIDED)) {
        struct lagd_move move = {.run = run, .growth_event = LAGD_GROWTH_ON_APPLYING};
        rc = lagd_move_make(&move, err);
        if (rc != 0) return rc;
    }
    LAG_FP("growth.before_apply");
    rc = lagd_checkpoint_model_sha256(run->deps, run->book.growth.parent_checkpoint, parent_sha256, err);
    if (rc == 0) rc = measure(&applying, err);
    if (rc == 0) rc = get_state(&applying, err);
    if (rc == 0) rc = adopt_points(&applying, err);
    if (rc == 0) rc = commit(&applying, parent_sha256, err);
    if (rc == 0) {
        LAG_FP("growth.after_apply");
        lagd_asides_clear_now(run->deps, run->id);
        rc = take_over(&applying, parent_sha256, err);
    }
    lag_state_destroy(applying.state);
    free(applying.effect);
    return rc;
}
