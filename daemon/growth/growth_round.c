/* A growth as a transaction on a run: a table of phases, entered at the stored state. A restart goes on by the same
 * code: nothing but the rows and the parent's state says where a growth stands. */
#include "growth/growth_round_internal.h"

#include "growth/growth_internal.h"
#include "growth/probe_state_internal.h"
#include "plan/batches_internal.h"
#include "plan/growth_cost_internal.h"
#include "plan/run_config_internal.h"
#include "plan/shape_internal.h"
#include "process/tell_internal.h"
#include "records/causes_internal.h"
#include "records/transact_internal.h"
#include "stages/ahead_internal.h"
#include "train/flops_internal.h"
#include "train/run_dataset_internal.h"
#include "train/run_history_internal.h"
#include "train/run_keep_internal.h"
#include "train/run_move_internal.h"
#include "train/run_open_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/operators.h>
#include <lagd/engine/grow.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <stdlib.h>
#include <string.h>

/* --- phase queued: the parent is fixed --- */

static int write_parent(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_growth_set_parent(db, arg, err);
}

/* The parent's checkpoint, and with it the growth's row; move says from which state to which. */
static int keep_parent(struct lagd_round *round, struct lagd_move *move, struct lag_error *err) {
    struct lagd_run *run = round->run;
    struct lag_growth_row parent = run->book.growth; /* follows once it is committed */
    parent.start_step = run->trainer.state->step;
    parent.n_batches = round->plan.n_batches;
    parent.eval_sequences = round->plan.eval_sequences;
    parent.eval_stride = round->plan.stride;
    lag_id_new("ckpt", parent.parent_checkpoint);
    move->run = run;
    move->run_event = LAGD_RUN_ON_GROWTH_BEGUN;
    move->progress = true;
    move->extra = write_parent;
    move->extra_arg = &parent;
    const struct lagd_checkpoint_request request = {.kind = "pre_growth", .id = parent.parent_checkpoint, .keep = true,
                                                    .growth_text = run->book.origin.growth_text,
                                                    .parent_sha256 = run->book.origin.parent_sha256};
    int rc = lagd_run_keep_patiently(run, run->trainer.state, &request, move, err);
    if (rc != 0) return rc;
    struct lag_growth_row *growth = &run->book.growth;
    growth->start_step = parent.start_step;
    (void)lag_copy(growth->parent_checkpoint, sizeof(growth->parent_checkpoint), parent.parent_checkpoint);
    growth->n_batches = parent.n_batches;
    growth->eval_sequences = parent.eval_sequences;
    growth->eval_stride = parent.eval_stride;
    return 0;
}

/* What the state really is divided into is known now, and nothing has been paid for yet. */
static int check_segments(const struct lagd_round *round, const struct lag_candidate_row *row, struct lag_error *err) {
    const struct lagd_run *run = round->run;
    const struct lag_state *parent = run->trainer.state;
    LAG_CLEANUP(lag_recipe_deinit) struct lag_recipe recipe = {0};
    struct lag_strategy strategy;
    struct lag_spec to = parent->layout.spec;
    struct lag_error why = {0};
    lagd_spec_take_shape(&to, &run->book.growth.to);
    int rc = lag_strategy_parse(row->strategy, &strategy, &why);
    if (rc != 0 || strategy.n_parents > 0 || !lagd_operator_grows(row->op)) return 0; /* its probe tells */
    rc = lag_recipe_restore(&strategy, &parent->layout.spec, &to, row->recipe, &recipe, &why);
    if (rc != 0 || !recipe.width.widens) return 0; /* the first is the candidate's own fault: the others go on */
    rc = lag_grow_check_segments(parent, NULL, &strategy, &recipe, &why);
    return rc == 0 ? 0 : lag_error_set(err, rc, "candidate %s: %.600s", row->op, why.text);
}

static int begin(struct lagd_round *round, struct lag_error *err) {
    const struct lagd_run *run = round->run;
    if (run->book.config.max_steps - run->trainer.state->step < round->plan.steps)
        return lag_error_set(
            err, LAG_EINVAL,
            "a probe of %lld steps from step %lld would end beyond max_steps %lld; ask for a shorter probe",
            (long long)round->plan.steps, (long long)run->trainer.state->step,
            (long long)run->book.config.max_steps);
    for (int i = 0; i < round->n; i++) {
        const int rc = check_segments(round, &round->candidates[i], err);
        if (rc != 0) return rc;
    }
    LAG_FP("growth.parent");
    struct lagd_move move = {.growth_event = LAGD_GROWTH_ON_BEGUN};
    int rc = lagd_run_check_path(round->run, err);
    if (rc == 0) rc = keep_parent(round, &move, err);
    LAG_FP("growth.probing");
    return rc;
}

/* --- phase awaiting_approval --- */

static int await(struct lagd_round *round, struct lag_error *err) {
    struct lagd_run *run = round->run;
    /* Candidates' states lie on disk. */
    lag_state_destroy(round->best);
    round->best = NULL;
    round->best_index = -1;
    (void)lagd_progress_do(&run->progress, LAGD_DOING_AWAITING);
    int rc = 0;
    while (rc == 0) {
        lagd_wishes_wait(&run->wishes, LAGD_WISH_GROWTH | LAGD_WISHES_ENDING);
        rc = lagd_round_check(round, err);
    }
    (void)lagd_progress_do(&run->progress, LAGD_DOING_TRAINING);
    return rc;
}

/* --- the table --- */

static const struct phase {
    enum lagd_growth_state state;
    int (*act)(struct lagd_round *round, struct lag_error *err);
} phases[] = {
    {LAGD_GROWTH_QUEUED, begin},
    {LAGD_GROWTH_PROBING, lagd_round_probe},
    {LAGD_GROWTH_AWAITING, await},
    {LAGD_GROWTH_DECIDED, lagd_round_apply},
    {LAGD_GROWTH_APPLYING, lagd_round_apply},
};

static const struct phase *find_phase(const char *state) {
    for (size_t i = 0; i < LAG_COUNT(phases); i++)
        if (lagd_growth_is(state, phases[i].state)) return &phases[i];
    return NULL;
}

/* --- what a round holds --- */

static int count_candidate(const struct lag_candidate_row *row, void *arg) {
    struct lagd_round *round = arg;
    if (round->candidates) round->candidates[round->n] = *row;
    round->n++;
    return 0;
}

static int read_candidates(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lagd_round *round = arg;
    int rc = lag_candidate_list(db, round->run->book.growth.id, count_candidate, round, err);
    if (rc != 0) return rc;
    round->candidates = lag_calloc((size_t)round->n + 1, sizeof(*round->candidates));
    round->probes = lag_calloc((size_t)round->n + 1, sizeof(struct lagd_probe *));
    round->arrived = lag_calloc((size_t)round->n + 1, sizeof(*round->arrived));
    if (!round->candidates || !round->probes || !round->arrived)
        return lag_error_set(err, LAG_ENOMEM, "out of memory for a growth");
    round->n = 0;
    rc = lag_candidate_list(db, round->run->book.growth.id, count_candidate, round, err);
    return rc == 0 ? lagd_round_read_rungs(round, db, err) : rc;
}

static int open_round(struct lagd_round *round, struct lag_error *err) {
    struct lagd_run *run = round->run;
    lagd_growth_request_defaults(&round->request);
    struct lagd_run_config grown = run->book.config;
    int rc = lag_fields_parse(&lagd_growth_fields, &round->request, run->book.growth.request, err);
    if (rc == 0) rc = lagd_read(run->deps, read_candidates, round, err);
    if (rc == 0) rc = lagd_batches_with(&run->book.row, run->book.growth.tokens_per_sequence, &grown, err);
    if (rc != 0) return rc;
    lagd_run_step_config(&grown, run->book.row.lr_scale, &round->step);
    round->step.schedule = run->trainer.step.schedule;
    rc = lagd_probe_plan_make(&round->request, run->book.growth.first_rung, &grown, &round->step, &round->plan);
    if (rc != 0) return lag_error_set(err, rc, "the probe's evaluations cannot be planned");
    if (lagd_growth_is(run->book.growth.state, LAGD_GROWTH_QUEUED)) return 0;
    round->plan.n_batches = (int)run->book.growth.n_batches;
    round->plan.stride = (int)run->book.growth.eval_stride;
    round->plan.eval_sequences = (int)run->book.growth.eval_sequences;
    return 0;
}

static void close_round(struct lagd_round *round) {
    LAG_ASSERT(round->n_active == 0);
    lag_state_destroy(round->best);
    lag_probe_plan_deinit(&round->plan);
    free(round->candidates);
    free(round->probes);
    free(round->arrived);
}

/* After a restart: the row says growing, and the parent is on disk (its checkpoint may have been damaged). */
static int resume(struct lagd_round *round, struct lag_error *err) {
    struct lagd_run *run = round->run;
    if (lagd_growth_is(run->book.growth.state, LAGD_GROWTH_QUEUED)) return 0;
    struct lagd_move move = {.run = run, .run_event = LAGD_RUN_ON_GROWTH_BEGUN};
    if (run->book.checkpoint_step != run->trainer.state->step) return keep_parent(round, &move, err);
    return lagd_move_make(&move, err);
}

/* Ended by a person: the run goes on as it was. */
static int conclude(struct lagd_round *round, struct lag_error *err) {
    struct lagd_move move = {.run = round->run, .run_event = LAGD_RUN_ON_GROWTH_ENDED, .ends_growth = true};
    LAG_FP("growth.concluding");
    return lagd_move_make(&move, err);
}

static bool is_still(const struct lagd_run *run, const char *growth_id, int state) {
    return run->book.has_growth && strcmp(run->book.growth.id, growth_id) == 0 &&
           lagd_growth_is(run->book.growth.state, (enum lagd_growth_state)state);
}

static int go_through(struct lagd_round *round, struct lag_error *err) {
    struct lagd_run *run = round->run;
    char id[LAG_ROW_ID];
    (void)lag_copy(id, sizeof(id), run->book.growth.id);
    int rc = resume(round, err);
    while (rc == 0 && run->book.has_growth &&
           strcmp(run->book.growth.id, id) == 0) { /* a next one begins at its own step */
        int before = lagd_state_index(LAGD_MACHINE_GROWTH, run->book.growth.state);
        const int64_t revision = run->book.growth.revision;
        const struct phase *phase = find_phase(run->book.growth.state);
        rc = phase ? phase->act(round, err) : conclude(round, err);
        if (rc != LAG_ESTATE) continue;
        /* Someone changed the growth's row: what is to be done is looked up again. Where nobody did, it would only be
         * tried for ever. */
        rc = lagd_run_read_growth(run, err);
        const bool waits = rc == 0 && is_still(run, id, before) && before == (int)LAGD_GROWTH_QUEUED;
        if (waits && run->book.growth.revision != revision) break; /* planned anew: by another round */
        if (rc == 0 && is_still(run, id, before)) rc = LAG_EINTERNAL;
    }
    return rc;
}

/* A probe that was stopped with its growth may have kept a state since the growth's end was stored. */
static void remove_states(const struct lagd_round *round) {
    const struct lagd_run *run = round->run;
    for (int i = 0; i < round->n; i++) lagd_probe_state_remove(run->deps, run->id, round->candidates[i].id);
}

/* The growth cannot be done; the run can go on. */
static int give_up(struct lagd_run *run, struct lag_error *err) {
    const struct lag_error why = *err;
    const struct lagd_about about = {run->id, run->book.growth.id, run->book.row.step, NULL};
    lagd_tell(LAG_LOG_WARNING, &about, "growth %s of %s failed: %s", run->book.growth.id, run->id, why.text);
    if (lagd_growth_is(run->book.growth.state, LAGD_GROWTH_APPLYING)) /* what it took over; the rest goes with it */
        (void)lagd_run_cut_ahead(run, &run->wishes.quit, NULL);
    struct lagd_move move = {
        .run = run, .run_event = LAGD_RUN_ON_GROWTH_ENDED, .growth_event = LAGD_GROWTH_ON_FAILED, .unless_ended = true,
        .reason = why.text, .ends_growth = true};
    return lagd_move_make(&move, err);
}

/* Its turn has come, and the run is not what it was planned for: one before it came to nothing. */
static bool is_stale(const struct lagd_run *run) {
    const struct lag_growth_row *growth = &run->book.growth;
    return lagd_growth_is(growth->state, LAGD_GROWTH_QUEUED) &&
           !lagd_shape_equal(&growth->from, &run->book.row.shape);
}

/* By then it may be another one's turn: the run looks again. */
static int plan_anew(struct lagd_run *run, struct lag_error *err) {
    struct lag_shape to;
    int rc = lagd_ahead_replan(run->deps, &run->book.row, &run->book.growth, &to, err);
    return rc == 0 || rc == LAG_ESTATE ? lagd_run_read_growth(run, err) : rc;
}

static int go_on(struct lagd_run *run, struct lag_error *err) {
    struct lagd_round round = {.run = run, .best_index = -1, .ending = -1};
    int rc = open_round(&round, err);
    if (rc == 0) rc = go_through(&round, err);
    if (!run->book.has_growth) remove_states(&round);
    close_round(&round);
    return rc;
}

int lagd_growth_round(struct lagd_run *run, struct lag_error *err) {
    int rc = is_stale(run) ? plan_anew(run, err) : go_on(run, err);
    /* What lies outside pauses the run, and the growth goes on with it. */
    const bool fails = rc != 0 && run->book.has_growth && !atomic_load(&run->wishes.quit) &&
                       lagd_judge(rc)->ends_growth && !lagd_run_lacks_dataset(run);
    if (fails) rc = give_up(run, err);
    if (rc == 0 && !run->book.has_growth) lagd_ahead_follow(run->deps, run->id); /* it has ended */
    return rc;
}
