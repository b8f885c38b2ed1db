/* The verdict of a growth in sentences. */
#include "evidence/decide_internal.h"

#include <lagd/base/check.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAMED = 4 }; /* members of a set that a sentence names */

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

static void say_name(struct sentence *out, const struct lagd_curves *set, int index) {
    char label[LAGD_LABEL];
    lagd_candidate_label(set->candidates, set->n, index, label);
    say(out, "%s", label);
}

/* "stack, midas and 3 more": those whose flag is up, but not the one of index skip. */
static void say_names(struct sentence *out, const struct lagd_curves *set, const bool *flags, int skip) {
    int n = 0, said = 0;
    for (int i = 0; i < set->n; i++) n += flags[i] && i != skip;
    const int named = n <= NAMED + 1 ? n : NAMED; /* never "and 1 more" */
    for (int i = 0; i < set->n && said < named; i++) {
        if (!flags[i] || i == skip) continue;
        if (said > 0) say(out, said == n - 1 ? " and " : ", ");
        say_name(out, set, i);
        said++;
    }
    if (said < n) say(out, " and %d more", n - said);
}

/* --- on what basis --- */

static void say_evaluations(struct sentence *out, const struct lag_verdict *verdict) {
    if (verdict->n_tail > 1) say(out, "Over its last %d evaluations", verdict->n_tail);
    else say(out, "At that evaluation");
}

/* An allocator stopped some before. */
static void say_stopped(struct sentence *out, const struct lag_verdict *verdict) {
    if (verdict->n_stopped == 0) return;
    say(out, " %d %s stopped before, ", verdict->n_stopped, verdict->n_stopped == 1 ? "was" : "were");
    if (verdict->n_open == 0) say(out, "behind it at 95 %%.");
    else if (verdict->n_open == verdict->n_stopped) say(out, "without being behind it at 95 %%.");
    else say(out, "%d of them without being behind it at 95 %%.", verdict->n_open);
}

static void say_margin(struct sentence *out, const struct lagd_curves *set, const struct lag_verdict *verdict) {
    if (verdict->runner_up < 0) {
        say(out, ". No other candidate is left to compare it with.");
        say_stopped(out, verdict);
        return;
    }
    say(out, ". ");
    say_evaluations(out, verdict);
    say(out, " it is %.4f %s ", fabs(verdict->margin), verdict->margin >= 0 ? "ahead of" : "behind");
    say_name(out, set, verdict->runner_up);
    if (isfinite(verdict->margin_low) && isfinite(verdict->margin_high))
        say(out, " (95 %% interval %.4f to %.4f).", verdict->margin_low, verdict->margin_high);
    else say(out, " (one batch: no interval).");
    say_stopped(out, verdict);
}

/* Of the orders like this one that this database's studies saw. */
static void say_p_end(struct sentence *out, double p_end) {
    if (isnan(p_end))
        say(out, " How often such an order holds to the end is not known: fewer than three studies.");
    else say(out, " Of such orders %.0f %% held to the end in the studies here.", 100 * p_end);
}

/* Where losses decide nothing. */
static void say_taken(struct sentence *out, const struct lagd_curves *set, const struct lag_verdict *verdict) {
    if (verdict->by_prior) {
        say(out, "The prior, the %s of %lld growths here%s, takes ",
            strcmp(set->growth.prior_of, "finals") == 0 ? "final ranks" : "ranks at the lag",
            (long long)set->growth.prior_cases, strcmp(set->growth.prior_like, "any") == 0 ? "" : " like this one");
        say_name(out, set, verdict->pick);
        say(out, ".");
        return;
    }
    say_name(out, set, verdict->pick);
    say(out, " is the first of them in the pool, and is taken.");
}

static void say_basis(struct sentence *out, const struct lagd_curves *set, const struct lag_verdict *verdict,
                      const bool *tied) {
    switch (verdict->basis) {
    case LAG_BASIS_VERIFIED:
        say(out, " Verified: it is better than every other at 95 %%%s.",
            isnan(verdict->gain) ? "" : ", and than not growing");
        say_p_end(out, set->p_end);
        break;
    case LAG_BASIS_TIED:
        say(out, " Tied: %d candidates cannot be told apart at 95 %% (validation batches only, one seed): ",
            verdict->n_tied);
        say_names(out, set, tied, -1);
        say(out, ".");
        break;
    case LAG_BASIS_NOTHING_TO_DECIDE:
        say(out, " Nothing to decide%s: %d candidates cannot be told apart, and lie within %.4f, less than the %.4g "
                 "that matters: ", verdict->lag_short ? " yet" : "", verdict->n_tied, verdict->range, set->delta);
        say_names(out, set, tied, -1);
        say(out, ". ");
        say_taken(out, set, verdict);
        break;
    default:
        if (verdict->runner_up >= 0)
            say(out, " Provisional: the others are behind it at 95 %%, but it is not verified.");
        if (verdict->runner_up >= 0) say_p_end(out, set->p_end);
    }
}

/* --- step 0, and not growing --- */

static void say_step_0(struct sentence *out, const struct lagd_curves *set, const struct lag_verdict *verdict,
                       const bool *tied, const int *ranks) {
    const int pick = verdict->pick_at_0;
    if (pick < 0) return;
    if (verdict->n_at_0 > 1) {
        say(out, " Ranking at step 0 cannot choose: %d candidates have the same loss there.", verdict->n_at_0);
        return;
    }
    say(out, " Ranking at step 0 would have picked ");
    if (pick == verdict->pick) {
        say(out, "it too.");
        return;
    }
    say_name(out, set, pick);
    if (tied[pick]) say(out, ", which cannot be told apart from it.");
    else if (ranks[pick] > 0) say(out, ", which is number %d at the lag.", ranks[pick]);
    else if (set->curves[pick].stopped > 0)
        say(out, ", which was stopped after %lld steps.", (long long)set->candidates[pick].t);
    else say(out, ".");
}

static int find_reference(const struct lagd_curves *set) {
    for (int i = 0; i < set->n; i++)
        if (set->curves[i].reference) return i;
    return -1;
}

static void say_gain(struct sentence *out, const struct lagd_curves *set, const struct lag_verdict *verdict,
                     const double *means) {
    const int reference = find_reference(set);
    if (reference < 0 || isnan(verdict->gain)) return;
    const bool is_worse = verdict->gain >= 0; /* not growing is */
    const double low = is_worse ? verdict->gain_low : -verdict->gain_high;
    const double high = is_worse ? verdict->gain_high : -verdict->gain_low;
    if (!(low > 0)) say(out, " Whether growing has paid off is open:");
    else say(out, " Growing has %spaid off %s:", is_worse ? "" : "not ",
             isnan(verdict->gain_flops) ? "within this lag" : "at equal steps");
    say(out, " not growing is at %.4f, ", means[reference]);
    if (verdict->n_tail > 1) say(out, "and over the last %d evaluations ", verdict->n_tail);
    say(out, "%s by %.4f", is_worse ? "worse" : "better", fabs(verdict->gain));
    if (isfinite(low) && isfinite(high)) say(out, " (95 %% interval %.4f to %.4f)", low, high);
    say(out, ".");
}

/* A larger model's step costs more, so that equal steps flatter it. */
static void say_gain_flops(struct sentence *out, const struct lagd_curves *set, const struct lag_verdict *verdict) {
    const double gain = verdict->gain_flops;
    if (isnan(gain)) return;
    const double low = gain >= 0 ? verdict->gain_flops_low : -verdict->gain_flops_high;
    const double high = gain >= 0 ? verdict->gain_flops_high : -verdict->gain_flops_low;
    say(out, " At equal FLOPs, its step %.0f, growing is %s by %.4f", verdict->gain_flops_t,
        gain >= 0 ? "ahead" : "behind", fabs(gain));
    if (isfinite(low) && isfinite(high)) say(out, " (%.4f to %.4f)", low, high);
    const bool overruled = verdict->pick >= 0 && verdict->pick != verdict->pick_at_lag &&
                           set->curves[verdict->pick].reference;
    say(out, overruled ? ": not growing is taken." : ".");
}

/* --- a short lag --- */

/* By bit of enum lag_short. */
const char *const lagd_short_names[] = {"none_ahead", "rewarm", "warmup", "decay", "evaluations", "flops", NULL};

static const struct {
    enum lag_short flag;
    const char *text;
} reasons[] = {
    {LAG_SHORT_NONE_AHEAD, "the first has not been ahead of not growing at the last two evaluations"},
    {LAG_SHORT_REWARM, "a re-warm of the learning rate, or a freeze of old layers, has hardly ended"},
    {LAG_SHORT_WARMUP, "a warm-up of the learning rate has hardly ended"},
    {LAG_SHORT_DECAY, "the schedule's decay began within the probe, and changes orders"},
    {LAG_SHORT_EVALUATIONS, "its last half has fewer than three full evaluations, and a curve wobbles from one to the "
                            "next"},
    {LAG_SHORT_FLOPS, "at equal FLOPs it is not ahead of not growing, which may be picked"},
};

static void say_short(struct sentence *out, const struct lag_verdict *verdict) {
    bool first = true;
    for (size_t i = 0; i < LAG_COUNT(reasons); i++) {
        if (!(verdict->lag_short & reasons[i].flag)) continue;
        say(out, "%s%s", first ? " The lag is short: " : "; ", reasons[i].text);
        first = false;
    }
    if (!first) say(out, ".");
}

void lagd_verdict_write(const struct lagd_curves *set, const struct lag_verdict *verdict, const bool *tied,
                        const double *means, const int *ranks, char *ret, size_t size) {
    struct sentence out = {ret, size, 0};
    if (verdict->pick_at_lag < 0) {
        say(&out, "No candidate can win: all that may were dropped. The run goes on as it was.");
        return;
    }
    say(&out, "After a lag of %lld steps ", (long long)set->growth.probe_steps);
    say_name(&out, set, verdict->pick_at_lag);
    say(&out, " has the lowest validation loss, %.4f", means[verdict->pick_at_lag]);
    say_margin(&out, set, verdict);
    say_basis(&out, set, verdict, tied);
    say_short(&out, verdict);
    say_gain(&out, set, verdict, means);
    say_step_0(&out, set, verdict, tied, ranks);
    say_gain_flops(&out, set, verdict);
}
