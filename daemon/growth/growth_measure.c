/* What the winner of a growth did to the model, measured before it is applied: the parent grown once more, and one
 * batch through both. It is a pure function of what is stored, so a restart in between measures the same again. A
 * growth that was learned is learned once more, to the same bits: its state at step 0 is kept nowhere. */
#include "checkpoint/checkpoint_internal.h"
#include "exec/slots_internal.h"
#include "growth/growth_internal.h"
#include "plan/run_config_internal.h"
#include "plan/shape_internal.h"
#include "train/run_open_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/team.h>
#include <lagd/engine/learn.h>
#include <lagd/engine/measure.h>
#include <stdio.h>

static void write_row(const struct lag_measure *measure, enum lag_precision precision, struct lag_effect_row *row) {
    size_t used = 0;
    *row = (struct lag_effect_row){.loss_before = measure->loss_before, .loss_after = measure->loss_after,
                                   .logit_change = measure->logit_change, .new_share = measure->new_share,
                                   .connection_rate = measure->connection_rate,
                                   .preserved = lag_measure_preserved(measure, precision),
                                   .measured_ms = lag_clock_wall_ms()};
    for (int i = 0; i < measure->n_layers && used < sizeof(row->rms_ratios); i++)
        used += (size_t)snprintf(row->rms_ratios + used, sizeof(row->rms_ratios) - used, "%s%.5g", i ? " " : "",
                                 measure->rms_ratio[i]);
}

/* With the slots of a validation. */
static int measure(const struct lagd_round *round, const struct lag_measure_ask *ask, struct lag_measure *ret,
                   struct lag_error *err) {
    struct lagd_run *run = round->run;
    int n_slots = 0;
    (void)lagd_progress_do(&run->progress, LAGD_DOING_QUEUED);
    int rc = lagd_slots_acquire(run->deps->slots, run->trainer.n_members, &run->wishes.quit, &n_slots);
    (void)lagd_progress_do(&run->progress, LAGD_DOING_VALIDATING);
    if (rc) return lag_error_set(err, rc, "interrupted");
    lag_team_set_active(run->trainer.team, n_slots);
    rc = lag_measure_growth(run->trainer.state, ask, run->trainer.dataset, run->trainer.team, ret, err);
    lagd_slots_release(run->deps->slots, n_slots);
    (void)lagd_progress_do(&run->progress, LAGD_DOING_TRAINING);
    return rc;
}

/* What it is to be measured by, read from its row; others: room for the models that a fusion takes in. */
struct reading {
    struct lag_strategy strategy;
    struct lag_recipe recipe;
    struct lag_state *others[LAG_FUSE_MAX];
};

static void reading_deinit(struct reading *reading) {
    lag_recipe_deinit(&reading->recipe);
    for (int i = 0; i < LAG_FUSE_MAX; i++) lag_state_destroy(reading->others[i]);
}

static int read_row(const struct lagd_round *round, const struct lag_candidate_row *row, struct reading *ret,
                    struct lag_error *err) {
    const struct lagd_run *run = round->run;
    const struct lag_state *parent = run->trainer.state;
    struct lag_spec to = parent->layout.spec;
    lagd_spec_take_shape(&to, &run->book.growth.to);
    int rc = lag_strategy_parse(row->strategy, &ret->strategy, err);
    if (rc == 0 && row->rewarm_steps > 0) ret->strategy.rewarm_steps = row->rewarm_steps;
    for (int i = 0; rc == 0 && i < ret->strategy.n_parents; i++)
        rc = lagd_checkpoint_load(run->deps, ret->strategy.parents[i].name, &ret->others[i], NULL, err);
    if (rc == 0) lag_strategy_know_parents(&ret->strategy, (const struct lag_state *const *)ret->others);
    return rc ? rc : lag_recipe_restore(&ret->strategy, &parent->layout.spec, &to, row->recipe, &ret->recipe, err);
}

/* --- what was learned, once more --- */

struct relearning {
    struct lagd_round *round;
    struct lag_error *err;
    int n_slots;
};

static int begin_step(void *arg) {
    struct relearning *again = arg;
    struct lagd_run *run = again->round->run;
    int rc = lagd_round_check(again->round, again->err);
    if (rc != 0) return rc;
    (void)lagd_progress_do(&run->progress, LAGD_DOING_QUEUED);
    rc = lagd_slots_acquire(run->deps->slots, run->trainer.n_members, &run->wishes.quit, &again->n_slots);
    (void)lagd_progress_do(&run->progress, LAGD_DOING_PROBING);
    if (rc != 0) return lag_error_set(again->err, rc, "interrupted");
    lag_team_set_active(run->trainer.team, again->n_slots);
    return 0;
}

static void end_step(void *arg) {
    struct relearning *again = arg;
    lagd_slots_release(again->round->run->deps->slots, again->n_slots);
}

/* The state that the winner's probe began with, to the bit; NULL: nothing of it is learned. */
static int learn_again(struct lagd_round *round, const struct reading *reading, struct lag_state **ret,
                       struct lag_error *err) {
    struct lagd_run *run = round->run;
    struct relearning again = {.round = round, .err = err};
    LAG_CLEANUP(lag_state_destroy_p) struct lag_state *grown = NULL;
    LAG_CLEANUP(lag_work_destroy_p) struct lag_work *work = NULL;
    const struct lag_probe_hooks hooks = {.arg = &again, .begin = begin_step, .end = end_step};
    const struct lag_learn_ask ask = {&reading->strategy, &reading->recipe, &round->step};
    const struct lag_work_shape shape = {.batch = round->step.batch, .context = round->step.context,
                                         .n_members = run->trainer.n_members,
                                         .precision = lagd_run_precision(&run->book.config),
                                         .recompute = run->book.config.recompute};
    if (lag_strategy_learn_steps(&reading->strategy) == 0) return 0;
    int rc = lag_grow_by(run->trainer.state, NULL, &reading->strategy, &reading->recipe, &grown, err);
    if (rc == 0) rc = lag_work_create(&grown->layout.spec, &shape, &work, err);
    if (rc == 0)
        rc = lag_learn(run->trainer.state, &ask, run->trainer.dataset, work, run->trainer.team, &hooks, grown, err);
    (void)lagd_progress_do(&run->progress, LAGD_DOING_TRAINING);
    if (rc == LAG_TRAIN_NONFINITE) return lag_error_set(err, LAG_ENONFINITE, "what it learned is not finite this time");
    if (rc == 0) *ret = LAG_TAKE(grown);
    return rc;
}

int lagd_round_measure(struct lagd_round *round, int index, struct lag_effect_row *ret, struct lag_error *err) {
    const struct lagd_run *run = round->run;
    LAG_CLEANUP(reading_deinit) struct reading reading = {0};
    LAG_CLEANUP(lag_measure_deinit) struct lag_measure measured = {0};
    LAG_CLEANUP(lag_state_destroy_p) struct lag_state *grown = NULL;
    struct lag_measure_ask ask = {.strategy = &reading.strategy, .recipe = &reading.recipe,
                                        .others = (const struct lag_state *const *)reading.others,
                                        .config = &run->trainer.step,
                                        .precision = lagd_run_precision(&run->book.config),
                                        .recompute = run->book.config.recompute};
    int rc = read_row(round, &round->candidates[index], &reading, err);
    if (rc == 0 && !run->trainer.team) rc = lagd_run_ready(round->run, err);
    lagd_run_lay_down(round->run);
    if (rc == 0) rc = learn_again(round, &reading, &grown, err);
    ask.grown = grown;
    if (rc == 0) rc = measure(round, &ask, &measured, err);
    if (rc) return rc;
    write_row(&measured, ask.precision, ret);
    (void)lag_copy(ret->growth_id, sizeof(ret->growth_id), run->book.growth.id);
    return 0;
}
