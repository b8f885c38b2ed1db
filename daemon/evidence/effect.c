/* What an applied growth did, from its rows and from the run's validation since. */
#include "evidence/effect_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/daemon/operators.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/grow.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/series.h>
#include <math.h>
#include <string.h>

enum { MOST_POINTS = 5000 }; /* looked at for the recovery */

void lagd_trace_begin(struct lagd_trace *t, int64_t start, double parent, struct lagd_effect *effect) {
    *t = (struct lagd_trace){effect, start, start - 1, parent, 0, 0, false};
    effect->loss_change = NAN;
    effect->spike = 0;
    effect->spike_steps = effect->recovery_steps = -1;
}

void lagd_trace_see(struct lagd_trace *t, int64_t step, double loss) {
    struct lagd_effect *effect = t->effect;
    if (isnan(loss) || step < t->start || t->ended) return;
    const double above = loss - t->parent;
    if (step == t->start) effect->loss_change = above;
    if (above > LAGD_SPIKE_LEAST && above > t->highest) {
        t->highest = effect->spike = above;
        effect->spike_steps = step - t->start;
    } else if (above <= 0 && t->highest > 0) {
        effect->recovery_steps = step - t->start;
        t->ended = true;
    }
    t->last = step;
    t->ended |= ++t->n >= MOST_POINTS;
}

void lagd_trace_end(struct lagd_trace *t) {
    if (t->n > 0 && t->highest == 0) t->effect->spike_steps = t->effect->recovery_steps = 0;
}

static int trace(struct lag_db *db, const char *owner, int64_t from, struct lagd_trace *t, struct lag_error *err) {
    struct lag_series_row series;
    struct lag_point_cursor *cursor;
    int64_t step;
    double loss;
    int rc = lag_series_find(db, owner, "val/loss", &series, err);
    if (rc == LAG_ENOTFOUND) return 0;
    if (rc == 0) rc = lag_point_cursor_open(db, series.id, from, &cursor, err);
    if (rc) return rc;
    while (!t->ended && (rc = lag_point_cursor_next(cursor, &step, &loss, err)) == 1) lagd_trace_see(t, step, loss);
    lag_point_cursor_close(cursor);
    return rc < 0 ? rc : 0;
}

/* The candidate's own points, then those that the run has made since. */
static int follow(struct lag_db *db, const struct lag_growth_row *growth, struct lagd_effect *effect,
                  struct lag_error *err) {
    struct lagd_trace t;
    lagd_trace_begin(&t, growth->start_step, growth->parent_loss, effect);
    if (isnan(growth->parent_loss)) return 0;
    int rc = trace(db, effect->candidate.id, growth->start_step, &t, err);
    if (rc == 0 && !t.ended) rc = trace(db, growth->run_id, t.last + 1, &t, err);
    lagd_trace_end(&t);
    return rc;
}

int lagd_effect_read(struct lag_db *db, const struct lag_growth_row *growth, struct lagd_effect *ret,
                     struct lag_error *err) {
    struct lag_decision_row decision;
    struct lag_strategy strategy;
    *ret = (struct lagd_effect){0};
    if (!lagd_growth_is(growth->state, LAGD_GROWTH_APPLIED)) return 0;
    int rc = lag_decision_get(db, growth->id, &decision, err);
    if (rc == 0) rc = lag_candidate_get(db, decision.candidate, &ret->candidate, err);
    if (rc || !lagd_operator_grows(ret->candidate.op)) return rc;
    ret->is_known = true;
    if (lag_strategy_parse(ret->candidate.strategy, &strategy, NULL) == 0)
        ret->promised = lag_strategy_preserves(&strategy);
    rc = lag_effect_find(db, growth->id, &ret->row, err);
    if (rc < 0) return rc;
    ret->is_measured = rc == 1;
    return follow(db, growth, ret, err);
}

bool lagd_effect_moves(const struct lagd_effect *effect) { return effect->is_known && effect->recovery_steps < 0; }
