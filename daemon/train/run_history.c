/* The growths that a run has been through, read from their rows: which of them are still ahead of the loaded state, and
 * what was spent up to it. */
#include "train/run_history_internal.h"

#include "plan/batches_internal.h"
#include "plan/shape_internal.h"
#include "records/transact_internal.h"
#include "train/flops_internal.h"
#include "train/run_move_internal.h"
#include "train/run_open_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/operators.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <stdlib.h>
#include <string.h>

enum { CUT_STEPS = 500 }; /* at once */

/* --- applied growths that are ahead again --- */

static int find_applied(const struct lag_growth_row *growth, void *arg) {
    struct lagd_run *run = arg;
    bool ahead = lagd_growth_is(growth->state, LAGD_GROWTH_APPLIED) && growth->start_step >= run->trainer.state->step;
    if (!ahead || (run->book.has_growth && run->book.growth.start_step <= growth->start_step)) return 0;
    run->book.growth = *growth;
    run->book.has_growth = true;
    return 0;
}

static int list_growths(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lagd_run *run = arg;
    return lag_growth_list(db, run->id, INT32_MAX, find_applied, run, err);
}

struct reopening {
    struct lagd_run *run;
    struct lagd_leftovers leftovers;
};

static int reopen_growth(struct lag_db *db, void *arg, struct lag_error *err) {
    struct reopening *reopening = arg;
    struct lagd_run *run = reopening->run;
    const struct lag_spec *spec = &run->trainer.state->layout.spec;
    static const char why[] = "an earlier growth has to be applied again first";
    struct lag_growth_row waiting;
    struct lag_shape shape;
    int rc = 0;
    lagd_shape_of_spec(spec, &shape);
    if (run->book.row.growth_id[0] != '\0' && strcmp(run->book.row.growth_id, run->book.growth.id) != 0) {
        rc = lag_growth_get(db, run->book.row.growth_id, &waiting, err);
        if (rc == 0 && !lagd_growth_is(waiting.state, LAGD_GROWTH_QUEUED)) /* else its turn comes again */
            rc = lagd_tx_growth_end(db, &waiting, LAGD_GROWTH_ON_WITHDRAWN, why, &reopening->leftovers, err);
    }
    if (rc == 0) rc = lag_run_set_shape(db, run->id, &shape, (int64_t)lag_spec_params(spec), err);
    if (rc == 0) rc = lag_run_set_held(db, run->id, spec->gated, lag_state_masked_until(run->trainer.state), err);
    if (rc == 0) rc = lag_run_set_growth(db, run->id, run->book.growth.id, err);
    return rc;
}

/* run->book.growth as read before, which the search overwrites. */
struct place {
    bool has_growth;
    struct lag_growth_row growth;
};

static int search(struct lagd_run *run, bool *ret_found, struct lag_error *err) {
    struct place *before = lag_calloc(1, sizeof(*before));
    if (!before) return lag_error_set(err, LAG_ENOMEM, "out of memory while looking at a run's growths");
    *before = (struct place){run->book.has_growth, run->book.growth};
    run->book.has_growth = false;
    int rc = lagd_read(run->deps, list_growths, run, err);
    *ret_found = rc == 0 && run->book.has_growth;
    if (!*ret_found) {
        run->book.has_growth = before->has_growth;
        run->book.growth = before->growth;
    }
    free(before);
    return rc;
}

int lagd_run_reopen_growth(struct lagd_run *run, struct lag_error *err) {
    bool found = false;
    int rc = search(run, &found, err);
    if (rc != 0) return rc;
    if (!found) {
        char change[LAGD_SHAPE_CHANGE];
        struct lag_shape loaded;
        lagd_shape_of_spec(&run->trainer.state->layout.spec, &loaded);
        if (lagd_shape_equal(&loaded, &run->book.row.shape)) return 0;
        lagd_shape_change(&loaded, &run->book.row.shape, change);
        return lag_error_set(err, LAG_ECORRUPT,
                             "the newest good checkpoint has another shape than the run, and no growth explains it "
                             "(%s)",
                             change);
    }
    struct reopening reopening = {.run = run};
    struct lagd_move move = {.run = run,
                             .growth_event = LAGD_GROWTH_ON_LOST,
                             .reason = "its checkpoint was damaged: applied again",
                             .extra = reopen_growth,
                             .extra_arg = &reopening};
    rc = lagd_write_patiently(run->deps, lagd_move_write, &move, &run->wishes.quit, err);
    if (rc != 0) {
        lagd_leftovers_drop(&reopening.leftovers);
        return rc;
    }
    lagd_leftovers_remove(run->deps, &reopening.leftovers);
    lagd_move_committed(&move);
    lagd_shape_of_spec(&run->trainer.state->layout.spec, &run->book.row.shape);
    run->book.row.gated = run->trainer.state->layout.spec.gated;
    run->book.row.masked_until = lag_state_masked_until(run->trainer.state);
    (void)lag_copy(run->book.row.growth_id, sizeof(run->book.row.growth_id), run->book.growth.id);
    return 0;
}

struct cut {
    const char *run_id;
    int64_t step;
};

static int find_last(const struct lag_series_row *series, void *arg) {
    struct cut *cut = arg;
    cut->step = LAG_MAX(cut->step, series->last_step);
    return 0;
}

static int read_last(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_series_list(db, ((struct cut *)arg)->run_id, find_last, arg, err);
}

static int write_cut(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct cut *cut = arg;
    return lag_points_truncate(db, cut->run_id, cut->step, err);
}

int lagd_run_cut_ahead(struct lagd_run *run, const _Atomic bool *cancel, struct lag_error *err) {
    struct cut cut = {.run_id = run->id};
    int rc = lagd_read(run->deps, read_last, &cut, err);
    for (cut.step -= CUT_STEPS; rc == 0 && cut.step > run->book.row.step; cut.step -= CUT_STEPS) {
        rc = lagd_write_patiently(run->deps, write_cut, &cut, cancel, err);
        LAG_FP("run.cut");
    }
    return rc;
}

int lagd_run_drop_ahead(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lagd_run *run = arg;
    return lag_points_truncate(db, run->id, run->book.row.step, err);
}

/* --- FLOPs up to the loaded state --- */

struct stage {
    char growth_id[LAG_ROW_ID];
    int64_t start_step, probe_steps;
    bool grows; /* the winner has the shape to */
    struct lag_shape to;
    int64_t tokens_per_sequence; /* of what it trains on then; 0: as before */
    double flops; /* of the winner's probe */
};
struct history {
    struct lagd_run *run;
    struct lagd_run_config first; /* its batches as the run began with them */
    struct stage *stages;
    size_t n, capacity;
};

static int collect_stage(const struct lag_growth_row *growth, void *arg) {
    struct history *history = arg;
    bool before = growth->start_step < history->run->trainer.state->step;
    if (!before || !lagd_growth_is(growth->state, LAGD_GROWTH_APPLIED)) return 0;
    if (lag_grow_array((void **)&history->stages, &history->capacity, history->n + 1, sizeof(*history->stages)) != 0)
        return LAG_ENOMEM;
    struct stage *stage = &history->stages[history->n++];
    *stage = (struct stage){.start_step = growth->start_step, .probe_steps = growth->probe_steps,
                            .to = growth->to, .tokens_per_sequence = growth->tokens_per_sequence};
    (void)lag_copy(stage->growth_id, sizeof(stage->growth_id), growth->id);
    return 0;
}

static int read_history(struct lag_db *db, void *arg, struct lag_error *err) {
    struct history *history = arg;
    int rc = lag_growth_list(db, history->run->id, INT32_MAX, collect_stage, history, err);
    for (size_t i = 0; rc == 0 && i < history->n; i++) {
        struct stage *stage = &history->stages[i];
        struct lag_decision_row decision;
        struct lag_candidate_row winner;
        rc = lag_decision_get(db, stage->growth_id, &decision, err);
        if (rc == 0) rc = lag_candidate_get(db, decision.candidate, &winner, err);
        if (rc != 0) break;
        stage->flops = winner.flops;
        stage->grows = lagd_operator_grows(winner.op);
    }
    return rc;
}

static int by_start(const void *left, const void *right) {
    const struct stage *a = left, *b = right;
    return (a->start_step > b->start_step) - (a->start_step < b->start_step);
}

static void sum_flops(const struct history *history, struct lagd_spent *ret) {
    const struct lagd_run *run = history->run;
    struct lag_spec spec = run->trainer.state->layout.spec;
    int64_t at = run->book.row.origin_step; /* what was spent before is the origin's */
    int context = (int)history->first.tokens_per_sequence;
    lagd_spec_take_shape(&spec, &run->book.config.shape);
    double sum = at == 0 ? lagd_run_first_flops(run, context) : 0;
    for (size_t i = 0; i < history->n; i++) {
        const struct stage *stage = &history->stages[i];
        sum += lagd_run_flops(run, &spec, context, at, stage->start_step) + stage->flops;
        at = stage->start_step + stage->probe_steps;
        if (!stage->grows) continue;
        lagd_spec_take_shape(&spec, &stage->to);
        if (stage->tokens_per_sequence > 0) context = (int)stage->tokens_per_sequence;
    }
    *ret = (struct lagd_spent){sum, at, spec, context};
}

int lagd_run_spent(struct lagd_run *run, struct lagd_spent *ret, struct lag_error *err) {
    struct history history = {.run = run};
    int rc = lagd_batches_at(&run->book.row, 0, &history.first, err);
    if (rc == 0) rc = lagd_read(run->deps, read_history, &history, err);
    if (rc == LAG_ENOMEM) (void)lag_error_set(err, rc, "out of memory while looking at a run's growths");
    if (rc == 0 && history.n > 0) qsort(history.stages, history.n, sizeof(*history.stages), by_start);
    if (rc == 0) sum_flops(&history, ret);
    free(history.stages);
    return rc;
}

double lagd_run_spent_at(const struct lagd_run *run, const struct lagd_spent *spent, int64_t step) {
    return step == 0 ? 0 : spent->flops + lagd_run_flops(run, &spent->spec, spent->context, spent->from, step);
}

int lagd_run_rewind(struct lagd_run *run, struct lag_error *err) {
    const int64_t step = run->trainer.state->step;
    struct lagd_spent spent = {0};
    int rc = step > 0 ? lagd_run_spent(run, &spent, err) : 0;
    if (rc != 0) return rc;
    run->book.row.flops = lagd_run_spent_at(run, &spent, step);
    run->book.row.step = step;
    run->book.row.tokens = step * lagd_run_step_tokens(run);
    return 0;
}
