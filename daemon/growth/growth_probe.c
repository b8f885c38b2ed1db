/* Phase probing of a growth: each candidate that has not ended becomes a job; its end is one transaction. */
#include "checkpoint/checkpoint_internal.h"
#include "exec/slots_internal.h"
#include "growth/growth_internal.h"
#include "growth/probe_state_internal.h"
#include "plan/growth_cost_internal.h"
#include "plan/run_config_internal.h"
#include "plan/shape_internal.h"
#include "process/tell_internal.h"
#include "records/causes_internal.h"
#include "records/post_internal.h"
#include "records/transact_internal.h"
#include "train/flops_internal.h"
#include "train/run_dataset_internal.h"
#include "train/run_open_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/ids.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/base/team.h>
#include <lagd/daemon/operators.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/learn.h>
#include <lagd/storage/growths.h>
#include <math.h>
#include <string.h>

static bool waits_for_probe(const struct lagd_round *round, int index) {
    return !lagd_state_has_ended(LAGD_MACHINE_CANDIDATE, round->candidates[index].state) && !round->arrived[index];
}

/* --- the parent's loss, from which divergence is measured --- */

static int write_parent_loss(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_growth_row *growth = arg;
    return lag_growth_set_parent_loss(db, growth->id, growth->parent_loss, growth->parent_flops, err);
}

/* On what the candidates are validated on: it is bit-equal to the validation of `none`, and, where windows stay as they
 * are, to the run's own at this step. */
static int evaluate_parent(struct lagd_round *round, struct lag_error *err) {
    struct lagd_run *run = round->run;
    if (!isnan(run->book.growth.parent_loss)) return 0;
    const struct lag_eval_set set = lagd_eval_set(&round->plan);
    int n_slots = 0;
    LAG_CLEANUP(lag_free_p) double *losses = lag_calloc((size_t)set.n_batches, sizeof(*losses));
    if (!losses) return lag_error_set(err, LAG_ENOMEM, "out of memory for the parent's validation");
    int rc = lagd_run_ready(run, err);
    if (rc != 0) return rc;
    (void)lagd_progress_do(&run->progress, LAGD_DOING_QUEUED);
    rc = lagd_slots_acquire(run->deps->slots, run->trainer.n_members, &run->wishes.quit, &n_slots);
    (void)lagd_progress_do(&run->progress, LAGD_DOING_VALIDATING);
    if (rc != 0) return lag_error_set(err, rc, "interrupted");
    lag_team_set_active(run->trainer.team, n_slots);
    rc = lag_evaluate(run->trainer.state, run->trainer.work, run->trainer.dataset, &set, false,
                      run->trainer.step.context, losses, run->trainer.team, err);
    lagd_slots_release(run->deps->slots, n_slots);
    if (rc == 0) rc = lagd_run_check_dataset(run, true, err);
    if (rc != 0) return rc;
    run->book.growth.parent_loss = lag_small_mean(losses, set.n_batches, set.stride);
    run->book.growth.parent_flops = lagd_run_evaluation_flops(run, &run->trainer.state->layout.spec,
                                                              run->trainer.step.context);
    return lagd_write_patiently(run->deps, write_parent_loss, &run->book.growth, &run->wishes.quit, err);
}

/* Afterwards the run keeps its state only, which the candidates read. */
static int know_parent_loss(struct lagd_round *round, struct lag_error *err) {
    int rc = evaluate_parent(round, err);
    if (rc == 0) lagd_run_lay_down(round->run);
    return rc;
}

/* --- transitions of one candidate --- */

struct candidate_move {
    const struct lagd_round *round;
    struct lag_candidate_row *row; /* follows once committed */
    enum lagd_candidate_event event; /* NOTHING: it has come to a rung, and its state stays */
    const char *reason;
    const struct lagd_probe_result *result; /* NULL at the start */
    const char *checkpoint_id;              /* NULL = none */
    int to;                                 /* the state afterwards, once written */
};

static int post(struct lag_db *db, struct candidate_move *move, struct lag_error *err) {
    const struct lagd_probe_result *result = move->result;
    const struct lagd_post post = {.machine = LAGD_MACHINE_CANDIDATE, .event = move->event, .id = move->row->id,
                                   .reason = move->reason, .step = result ? result->t : 0,
                                   .value = result ? result->loss_at_lag : LAG_NO_VALUE};
    return lagd_tx_post(db, &post, &move->to, err);
}

static int write_candidate(struct lag_db *db, void *arg, struct lag_error *err) {
    struct candidate_move *move = arg;
    const struct lagd_probe_result *result = move->result;
    const char *id = move->row->id;
    struct lag_growth_row growth;
    int rc = lag_growth_get(db, move->row->growth_id, &growth, err);
    if (rc == 0 && !lagd_growth_is(growth.state, LAGD_GROWTH_PROBING))
        return lag_error_set(err, LAG_ESTATE, "growth %s is %s now", growth.id, growth.state);
    if (rc == 0 && result) rc = lag_candidate_set_progress(db, id, result->t, result->flops, err);
    if (rc == 0 && result && move->event != LAGD_CANDIDATE_ON_NOTHING)
        rc = lag_candidate_set_losses(db, id, NAN, result->loss_at_lag, err);
    if (rc == 0 && move->checkpoint_id) rc = lag_candidate_set_checkpoint(db, id, move->checkpoint_id, err);
    return rc == 0 && move->event != LAGD_CANDIDATE_ON_NOTHING ? post(db, move, err) : rc;
}

static void follow(const struct candidate_move *move) {
    struct lag_candidate_row *row = move->row;
    if (move->event != LAGD_CANDIDATE_ON_NOTHING)
        (void)lag_copy(row->state, sizeof(row->state), lagd_state_name(LAGD_MACHINE_CANDIDATE, move->to));
    if (move->checkpoint_id) (void)lag_copy(row->checkpoint, sizeof(row->checkpoint), move->checkpoint_id);
    if (!move->result) return;
    row->t = move->result->t;
    row->flops = move->result->flops;
    if (move->event != LAGD_CANDIDATE_ON_NOTHING) row->loss_at_lag = move->result->loss_at_lag;
}

/* Mode manual: any candidate may be chosen by a person later, so each state is kept on disk. Without room it is rebuilt
 * when it is chosen. *ret_done: the checkpoint was written, and move with it. */
static int keep_on_disk(struct candidate_move *move, struct lag_state *state, bool *ret_done, struct lag_error *err) {
    struct lagd_run *run = move->round->run;
    char id[LAG_ID_SIZE];
    lag_id_new("ckpt", id);
    const struct lagd_checkpoint_request request = {.run_id = run->id,
                                                    .candidate_id = move->row->id,
                                                    .kind = "candidate",
                                                    .id = id,
                                                    .growth_text = move->row->strategy,
                                                    .tokens = state->step * lagd_run_step_tokens(run),
                                                    .seed = (uint64_t)run->book.config.seed,
                                                    .precision = lagd_run_precision(&run->book.config),
                                                    .keep = true,
                                                    .retention = lagd_retention_of(&run->book.config),
                                                    .extra = write_candidate,
                                                    .extra_arg = move};
    move->checkpoint_id = id;
    int rc = lagd_checkpoint_make(run->deps, state, &request, NULL, err);
    *ret_done = rc == 0;
    if (rc == 0) follow(move);
    move->checkpoint_id = NULL;
    if (!lagd_is_trouble(rc)) return rc;
    lagd_warn(run->deps, run->id, run->book.row.step, "the state of candidate %s is not kept: %.400s", move->row->op,
              err->text);
    return 0;
}

static int move_candidate(struct candidate_move *move, struct lag_error *err) {
    struct lagd_run *run = move->round->run;
    int rc = lagd_write_patiently(run->deps, write_candidate, move, &run->wishes.quit, err);
    if (rc == 0) follow(move);
    return rc;
}

/* The same order as lag_select: lowest mean, then position. */
static void keep_best(struct lagd_round *round, int index, struct lagd_probe_result *result) {
    const struct lag_candidate_row *row = &round->candidates[index];
    double loss = result->loss_at_lag;
    const struct lag_candidate_row *best = round->best_index >= 0 ? &round->candidates[round->best_index] : NULL;
    bool better = !best || loss < best->loss_at_lag || (loss == best->loss_at_lag && index < round->best_index);
    if (!row->eligible || isnan(loss) || !better) return;
    if (best) lagd_probe_state_remove(round->run->deps, round->run->id, best->id);
    lag_state_destroy(round->best);
    round->best = LAG_TAKE(result->state);
    round->best_index = index;
}

/* --- the round --- */

/* What the probe of a candidate is asked. again: it has ended before. */
static int describe(const struct lagd_round *round, int index, bool again, struct lagd_probe_spec *ret,
                    struct lag_error *err) {
    const struct lagd_run *run = round->run;
    const struct lag_candidate_row *row = &round->candidates[index];
    const struct lag_growth_row *growth = &run->book.growth;
    struct lagd_probe_spec spec = {.candidate_number = row->number, .start_step = growth->start_step, .again = again,
                                   .to = lagd_round_target(round), .is_kept = round->n_rungs > 0 && !again};
    struct lag_probe_spec *engine = &spec.engine;
    *engine = (struct lag_probe_spec){.target = run->trainer.state->layout.spec,
                                      .config = run->trainer.step,
                                      .precision = lagd_run_precision(&run->book.config),
                                      .recompute = run->book.config.recompute,
                                      .lag = round->plan.steps,
                                      .eval = lagd_eval_set(&round->plan),
                                      .parent_loss = growth->parent_loss,
                                      .divergence_bound = round->request.divergence_bound,
                                      .divergence_grace = round->request.probe_steps / 4};
    int rc = lag_strategy_parse(row->strategy, &engine->strategy, err);
    if (rc != 0) return rc;
    if (row->rewarm_steps > 0) engine->strategy.rewarm_steps = row->rewarm_steps;
    (void)lag_copy(engine->recipe, sizeof(engine->recipe), row->recipe);
    if (lagd_operator_grows(row->op)) {
        lagd_spec_take_shape(&engine->target, &growth->to);
        engine->config = round->step;
    }
    struct lag_learn_cost learning;
    rc = lag_learn_cost(&engine->strategy, &run->trainer.state->layout.spec, &engine->target, &engine->config,
                        &learning, err);
    if (rc != 0) return rc;
    spec.learn_steps = learning.steps;
    spec.learn_step_flops = learning.step_flops;
    spec.step_flops =
        (double)lagd_run_step_tokens(run) * lag_flops_token_train(&engine->target, engine->config.context);
    spec.small_flops = lag_probe_small_flops(&engine->target, &engine->config, &round->plan);
    (void)lag_copy(spec.run_id, sizeof(spec.run_id), run->id);
    (void)lag_copy(spec.growth_id, sizeof(spec.growth_id), growth->id);
    (void)lag_copy(spec.candidate_id, sizeof(spec.candidate_id), row->id);
    (void)lag_copy(spec.strategy, sizeof(spec.strategy), row->strategy);
    rc = lagd_checkpoint_model_sha256(run->deps, growth->parent_checkpoint, spec.parent_sha256, err);
    if (rc == 0) *ret = spec;
    return rc;
}

static int start_probe(struct lagd_round *round, int index, bool again, struct lag_error *err) {
    struct lagd_run *run = round->run;
    const struct lagd_probe_loans loans = {.deps = run->deps, .parent = run->trainer.state,
                                           .dataset = run->trainer.dataset, .plan = &round->plan,
                                           .waiter = &run->wishes};
    struct lagd_probe_spec spec;
    int rc = describe(round, index, again, &spec, err);
    if (rc == 0) rc = lagd_probe_start(&spec, &loans, &round->probes[index], err);
    if (rc == 0) round->n_active++;
    return rc;
}

/* The probe begins while its row is written. */
static int start_one(struct lagd_round *round, int index, struct lag_error *err) {
    struct lag_candidate_row *row = &round->candidates[index];
    int rc = start_probe(round, index, false, err);
    if (rc != 0) return rc;
    if (!lagd_candidate_is(row->state, LAGD_CANDIDATE_QUEUED)) return 0;
    struct candidate_move move = {.round = round, .row = row, .event = LAGD_CANDIDATE_ON_STARTED};
    return move_candidate(&move, err);
}

static int start_more(struct lagd_round *round, struct lag_error *err) {
    int limit = round->run->deps->n_threads, rc = 0;
    if (round->request.parallel > 0) limit = (int)LAG_MIN(limit, round->request.parallel);
    for (int i = 0; rc == 0 && i < round->n && round->n_active < limit; i++) {
        bool waits = i != round->ending && waits_for_probe(round, i);
        if (!round->probes[i] && waits) rc = start_one(round, i, err);
    }
    return rc;
}

static void name_end(struct candidate_move *move) {
    const struct lagd_probe_result *result = move->result;
    bool diverged = result->rc == LAG_PROBE_DIVERGED;
    const bool at_rung = lagd_round_has_rung(move->round);
    move->event = result->rc == 0 ? at_rung ? LAGD_CANDIDATE_ON_NOTHING : LAGD_CANDIDATE_ON_COMPLETED
                  : diverged      ? LAGD_CANDIDATE_ON_DIVERGED
                                  : LAGD_CANDIDATE_ON_FAILED;
    move->reason = result->rc == 0 ? "" : diverged ? result->reason : result->err.text;
}

static void tell_ended(const struct lagd_round *round, const struct candidate_move *move) {
    const struct lagd_about about = {round->run->id, round->run->book.growth.id, round->run->book.row.step, NULL};
    lagd_tell(LAG_LOG_INFO, &about, "candidate %s of %s: %s%s%s", move->row->op, round->run->book.growth.id,
              move->row->state, move->reason[0] ? ": " : "", move->reason);
}

/* At a rung the state lies on disk already. In mode manual it goes there and is not kept here; in mode auto the worst
 * of two goes at once. */
static int end_candidate(struct lagd_round *round, int index, struct lagd_probe_result *result, struct lag_error *err) {
    struct candidate_move move = {.round = round, .row = &round->candidates[index], .result = result};
    bool done = false, manual = strcmp(round->run->book.growth.mode, "manual") == 0;
    int rc = 0;
    name_end(&move);
    if (result->state && manual) rc = keep_on_disk(&move, result->state, &done, err);
    if (rc != 0) return rc;
    if (result->state && !manual) keep_best(round, index, result);
    lag_state_destroy(result->state);
    result->state = NULL;
    /* Its worker need not wait for the disk. Nothing is lost: a candidate whose end was not stored is probed again. */
    round->ending = index;
    rc = start_more(round, err);
    if (rc == 0 && !done) rc = move_candidate(&move, err);
    round->ending = -1;
    if (rc != 0) return rc;
    round->arrived[index] = move.event == LAGD_CANDIDATE_ON_NOTHING;
    /* The best one's stays: a crash loses what is in memory, and it is built again from there. */
    if (round->best_index != index && !round->arrived[index])
        lagd_probe_state_remove(round->run->deps, round->run->id, move.row->id);
    LAG_FP("candidate.completed");
    if (!round->arrived[index]) tell_ended(round, &move);
    return 0;
}

/* Takes one that has ended out of round->probes; -1 when all run on. Under run->wishes.lock. */
static int find_ended(const struct lagd_round *round) {
    for (int i = 0; i < round->n; i++)
        if (round->probes[i] && lagd_probe_ended(round->probes[i])) return i;
    return -1;
}

static bool has_wish(const struct lagd_run *run) {
    return run->wishes.posted & (LAGD_WISHES_ENDING | LAGD_WISH_GROWTH | LAGD_WISH_VERIFY);
}

/* Waits for the end of a probe, or (wishes) for a wish. Returns the index, or -1. */
static int wait_ended(struct lagd_round *round, bool wishes) {
    struct lagd_run *run = round->run;
    (void)pthread_mutex_lock(&run->wishes.lock);
    int index = find_ended(round);
    while (index < 0 && !(wishes && has_wish(run))) {
        (void)pthread_cond_wait(&run->wishes.woken, &run->wishes.lock);
        index = find_ended(round);
    }
    (void)pthread_mutex_unlock(&run->wishes.lock);
    return index;
}

static void take_result(struct lagd_round *round, int index, struct lagd_probe_result *ret) {
    lagd_probe_finish(round->probes[index], ret);
    round->probes[index] = NULL;
    round->n_active--;
}

static void stop_all(struct lagd_round *round) {
    for (int i = 0; i < round->n; i++)
        if (round->probes[i]) lagd_probe_cancel(round->probes[i]);
    lagd_slots_wake(round->run->deps->slots);
    while (round->n_active > 0) take_result(round, wait_ended(round, false), NULL);
}

int lagd_round_check(struct lagd_round *round, struct lag_error *err) {
    struct lagd_run *run = round->run;
    char before[LAG_ROW_STATE];
    if (atomic_load(&run->wishes.interrupt)) return lag_error_set(err, LAG_ECANCELED, "interrupted");
    if (lagd_wishes_take(&run->wishes, LAGD_WISH_VERIFY, NULL)) {
        int rc = lagd_run_check_dataset(run, true, err);
        if (rc != 0) return rc;
    }
    if (!lagd_wishes_take(&run->wishes, LAGD_WISH_GROWTH, NULL)) return 0;
    LAG_FP("growth.looking");
    (void)lag_copy(before, sizeof(before), run->book.growth.state);
    int rc = lagd_run_read_growth(run, err);
    if (rc == 0 && (!run->book.has_growth || strcmp(run->book.growth.state, before) != 0))
        rc = lag_error_set(err, LAG_ESTATE, "the growth is not %s any more", before);
    return rc;
}

static int collect(struct lagd_round *round, int index, struct lag_error *err) {
    struct lagd_probe_result result;
    take_result(round, index, &result);
    int rc = 0;
    if (result.rc == LAG_ECANCELED)
        rc = lag_error_set(err, LAG_ECANCELED, "the probe was cancelled");
    else if (result.rc < 0 && (!lagd_judge(result.rc)->ends_growth || lagd_run_lacks_dataset(round->run)))
        rc = lag_error_set(err, result.rc, "candidate %s: %s", round->candidates[index].op,
                           result.err.text); /* no fault of the candidate: it goes on with the run */
    else
        rc = lagd_run_check_dataset(round->run, true, err);
    if (rc == 0) rc = end_candidate(round, index, &result, err);
    if (result.rc == 0) lag_state_destroy(result.state);
    return rc;
}

static void tell_progress(struct lagd_round *round) {
    int n_ended = 0;
    for (int i = 0; i < round->n; i++) n_ended += !waits_for_probe(round, i);
    atomic_store(&round->run->progress.n_candidates, round->n);
    atomic_store(&round->run->progress.n_ended, n_ended);
}

/* All candidates see the same batches, and the parent the same validation: from here on each is read once. That saves
 * time only: without the memory for it the growth goes on. */
static void keep_batches(const struct lagd_round *round) {
    const struct lagd_run *run = round->run;
    struct lag_kept_batches batches;
    struct lag_error err = {0};
    lagd_growth_batches(&round->step, &round->plan, run->trainer.state->step, &batches);
    if (lag_dataset_keep(run->trainer.dataset, &batches, &err) != 0)
        lag_log(LAG_LOG_WARNING, "growth %s: each candidate reads its batches itself: %s", run->book.growth.id,
                err.text);
}

int lagd_round_probe(struct lagd_round *round, struct lag_error *err) {
    keep_batches(round);
    int rc = know_parent_loss(round, err);
    (void)lagd_progress_do(&round->run->progress, LAGD_DOING_PROBING);
    while (rc == 0) {
        tell_progress(round);
        rc = start_more(round, err);
        if (rc == 0 && round->n_active == 0 && lagd_round_has_rung(round)) {
            rc = lagd_round_look(round, err);
            continue;
        }
        if (rc != 0 || round->n_active == 0) break;
        int index = wait_ended(round, true);
        rc = lagd_round_check(round, err);
        if (rc == 0 && index >= 0) rc = collect(round, index, err);
    }
    stop_all(round);
    lag_dataset_forget(round->run->trainer.dataset);
    (void)lagd_progress_do(&round->run->progress, LAGD_DOING_TRAINING);
    return rc == 0 ? lagd_round_decide(round, err) : rc;
}

int lagd_round_rebuild(struct lagd_round *round, int index, struct lag_state **ret, struct lag_error *err) {
    struct lagd_probe_result result = {0};
    lag_log(LAG_LOG_INFO, "growth %s: the state of %s is %s", round->run->book.growth.id, round->candidates[index].op,
            round->n_rungs > 0 ? "read again, or built again from the parent" : "built again from the parent");
    int rc = know_parent_loss(round, err);
    if (rc == 0) rc = start_probe(round, index, true, err);
    if (rc != 0) return rc;
    (void)lagd_progress_do(&round->run->progress, LAGD_DOING_PROBING);
    while (wait_ended(round, true) < 0) {
        rc = lagd_round_check(round, err);
        if (rc == LAG_ECANCELED || round->run->dataset_trouble) {
            stop_all(round);
            return rc;
        }
    }
    (void)lagd_progress_do(&round->run->progress, LAGD_DOING_TRAINING);
    take_result(round, index, &result);
    if (result.rc == 0) {
        *ret = result.state;
        return 0;
    }
    return lag_error_set(err, result.rc < 0 ? result.rc : LAG_EINTERNAL, "candidate %s could not be built again: %s",
                         round->candidates[index].op, result.rc < 0 ? result.err.text : result.reason);
}
