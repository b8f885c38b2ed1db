/* The decision of a growth from its stored losses, and its verdict in words. */
#include "evidence/decide_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the verdict in words ---------------------------------------------------------------------------------------- */

struct sentence {
    char *text;
    size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void say(struct sentence *out, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out->text + out->used, out->size - out->used, format, args);
    va_end(args);
    if (n > 0) out->used = LAG_MIN(out->used + (size_t)n, out->size - 1);
}

static const char *op_of(const struct lagd_curves *set, int index) { return set->candidates[index].op; }

static void say_margin(struct sentence *out, const struct lagd_curves *set, const struct lag_verdict *verdict) {
    if (verdict->runner_up < 0) {
        say(out, "; no other candidate is left to compare it with.");
        return;
    }
    const char *second = op_of(set, verdict->runner_up);
    if (!isfinite(verdict->margin_low) || !isfinite(verdict->margin_high)) {
        say(out, ", %.4f ahead of %s (one batch: no interval).", verdict->margin, second);
    } else if (verdict->tied) {
        say(out,
            ", but it is tied with %s: the difference of %.4f has a 95 %% interval of %.4f to %.4f, which contains 0.",
            second, verdict->margin, verdict->margin_low, verdict->margin_high);
    } else {
        say(out, ", %.4f ahead of %s (95 %% interval %.4f to %.4f).", verdict->margin, second, verdict->margin_low,
            verdict->margin_high);
    }
}

static void say_step_0(struct sentence *out, const struct lagd_curves *set, const struct lag_verdict *verdict,
                       const int *ranks) {
    if (verdict->pick_at_0 < 0) return;
    if (verdict->pick_at_0 == verdict->pick_at_lag) {
        say(out, " Step 0 would have picked it too.");
    } else if (ranks[verdict->pick_at_0] > 0) {
        say(out, " Step 0 would have picked %s, which is number %d at the lag.", op_of(set, verdict->pick_at_0),
            ranks[verdict->pick_at_0]);
    } else {
        say(out, " Step 0 would have picked %s.", op_of(set, verdict->pick_at_0));
    }
}

static void say_reference(struct sentence *out, const struct lagd_curves *set, const struct lag_verdict *verdict,
                          const double *means) {
    for (int i = 0; i < set->n; i++) {
        if (strcmp(op_of(set, i), "none") != 0 || i == verdict->pick_at_lag || !isfinite(means[i])) continue;
        double gain = means[i] - means[verdict->pick_at_lag];
        say(out, " Not growing is at %.4f there, %.4f %s.", means[i], fabs(gain), gain >= 0 ? "above it" : "below it");
    }
}

static void write_verdict(const struct lagd_curves *set, const struct lag_verdict *verdict, const double *means,
                          const int *ranks, char *ret, size_t size) {
    struct sentence out = {ret, size, 0};
    int64_t lag = set->growth.probe_steps;
    if (verdict->pick_at_lag < 0) {
        say(&out, "No candidate can win: all that may were dropped. The run goes on as it was.");
        return;
    }
    say(&out, "After a lag of %lld steps %s has the lowest validation loss, %.4f", (long long)lag,
        op_of(set, verdict->pick_at_lag), means[verdict->pick_at_lag]);
    say_margin(&out, set, verdict);
    say_step_0(&out, set, verdict, ranks);
    say_reference(&out, set, verdict, means);
    if (verdict->lag_short) {
        say(&out,
            " The lag is short: a re-warm is not over, or the winner has not yet come back to the parent's loss.");
    }
}

/* --- the record -------------------------------------------------------------------------------------------------- */

static void put_id(const struct lagd_curves *set, int index, char ret[LAG_ROW_ID]) {
    (void)lag_copy(ret, LAG_ROW_ID, index < 0 ? "" : set->candidates[index].id);
}

int lagd_decide(const struct lagd_curves *set, struct lag_decision_row *ret, struct lag_error *err) {
    int64_t lag = set->growth.probe_steps;
    struct lag_verdict verdict;
    if (lag_select(set->curves, set->n, (int)set->growth.n_batches, lag, set->growth.parent_loss, &verdict) != 0)
        return lag_error_set(err, LAG_ESTATE, "not every candidate of growth %s has been evaluated at step %lld yet",
                             set->growth.id, (long long)lag);
    double *means = lag_calloc((size_t)set->n + 1, sizeof(*means));
    int *ranks = lag_calloc((size_t)set->n + 1, sizeof(*ranks));
    if (!means || !ranks) {
        free(means);
        free(ranks);
        return lag_error_set(err, LAG_ENOMEM, "out of memory while deciding growth %s", set->growth.id);
    }
    lag_rank_at(set->curves, set->n, (int)set->growth.n_batches, lag, means, ranks);
    struct lag_decision_row row = {.margin = verdict.margin, .margin_low = verdict.margin_low,
                                   .margin_high = verdict.margin_high, .tau = verdict.tau_half, .tau_0 = verdict.tau_0,
                                   .tied = verdict.tied, .lag_short = verdict.lag_short, .decided_by = "lag"};
    (void)lag_copy(row.growth_id, sizeof(row.growth_id), set->growth.id);
    put_id(set, verdict.pick_at_lag, row.candidate);
    put_id(set, verdict.pick_at_lag, row.pick_at_lag);
    put_id(set, verdict.pick_at_0, row.pick_at_0);
    put_id(set, verdict.runner_up, row.runner_up);
    for (int i = 0; i < set->n; i++) {
        if (isfinite(set->candidates[i].flops)) row.flops += set->candidates[i].flops;
    }
    write_verdict(set, &verdict, means, ranks, row.verdict, sizeof(row.verdict));
    free(means);
    free(ranks);
    *ret = row;
    return 0;
}
