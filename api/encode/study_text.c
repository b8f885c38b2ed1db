/* What a study shows, in sentences, a line for each matter. Nothing is called known that one seed, or an interval,
 * cannot tell. */
#include "encode/study_internal.h"
#include "encode/study_look_internal.h"

#include <inttypes.h>
#include <lagd/base/check.h>
#include <math.h>
#include <string.h>

typedef void sentence(const struct lagd_study_result *result, struct lag_strbuf *out);

static const char *plural(int n) { return n == 1 ? "" : "s"; }

static int count_ranked(const struct lagd_study_result *result) {
    int n = 0;
    for (int i = 0; i < result->n_candidates; i++) n += lagd_study_ranked(result, i);
    return n;
}

static void say_seeds(const struct lagd_study_result *result, struct lag_strbuf *out) {
    lag_strbuf_printf(out, "%d candidates were trained for %" PRId64 " steps after the growth, with %d seed%s",
                      count_ranked(result), result->study.horizon, result->n_seeds, plural(result->n_seeds));
    if (result->n_seeds < result->n_planned) lag_strbuf_printf(out, " of %d so far", result->n_planned);
    if (result->n_seeds == 1) lag_strbuf_append(out, "; another seed may tell otherwise");
    lag_strbuf_append(out, ".");
    if (result->report.n_diverged > 0)
        lag_strbuf_printf(out, " %d of these trainings diverged and %s left out.", result->report.n_diverged,
                          result->report.n_diverged == 1 ? "is" : "are");
}

static int worst_of(const struct lagd_study_result *result) {
    int worst = -1;
    for (int i = 0; i < result->n_candidates; i++) {
        const double mean = lagd_study_final_mean(result, i);
        if (!lagd_study_ranked(result, i) || !isfinite(mean)) continue;
        if (worst < 0 || mean > lagd_study_final_mean(result, worst)) worst = i;
    }
    return worst;
}

static void say_spread(const struct lagd_study_result *result, struct lag_strbuf *out) {
    const double spread = result->report.spread, delta = result->study.delta;
    const int best = lagd_study_best(result), worst = worst_of(result);
    lag_strbuf_printf(out, "At the horizon they end %.4f nats apart", spread);
    if (best >= 0 && worst >= 0 && best != worst)
        lag_strbuf_printf(out, ", from %s at %.4f to %s at %.4f", result->candidates[best].label,
                          lagd_study_final_mean(result, best), result->candidates[worst].label,
                          lagd_study_final_mean(result, worst));
    if (spread > delta)
        lag_strbuf_printf(out, ": more than the difference that matters (delta, %.4g), so it matters which one is "
                          "taken.", delta);
    else
        lag_strbuf_printf(out, ": no more than the difference that matters (delta, %.4g), so it does not matter here "
                          "which one is taken.", delta);
}

/* How many share the lowest loss at step 0, the least of the seeds. */
static int tied_at_0(const struct lagd_study_result *result) {
    int n = 0;
    for (int g = 0; g < result->n_seeds; g++)
        n = g == 0 ? result->report.n_tied[g] : LAG_MIN(n, result->report.n_tied[g]);
    return n;
}

static void say_at_0(const struct lagd_study_result *result, struct lag_strbuf *out) {
    const struct lagd_study_point *first = lagd_study_point(result, 0);
    const double random = result->report.random;
    if (!first || first->regret.pick < 0 || !isfinite(first->regret.regret)) return;
    const struct lagd_study_regret *regret = &first->regret;
    const int n_tied = tied_at_0(result);
    if (n_tied > 1)
        lag_strbuf_printf(out, "Right after the growth %d candidates have exactly the same lowest loss, so that it "
                          "cannot choose between them; taking any of these", n_tied);
    else
        lag_strbuf_printf(out, "Right after the growth %s has the lowest loss%s; taking the lowest",
                          result->candidates[regret->pick].label,
                          regret->n_picked < result->n_seeds ? " most often" : "");
    lag_strbuf_printf(out, " then loses %.4f", regret->regret);
    if (isfinite(regret->low) && isfinite(regret->high))
        lag_strbuf_printf(out, " (95 %% interval %.4f to %.4f)", regret->low, regret->high);
    lag_strbuf_printf(out, " against the best, where a random pick loses %.4f on average", random);
    if (regret->low > random)
        lag_strbuf_append(out, ": it misleads.");
    else if (regret->high < random)
        lag_strbuf_append(out, ": it is better than chance.");
    else
        lag_strbuf_append(out, ": whether it is better or worse than chance cannot be told.");
}

static void say_sufficient(const struct lagd_study_result *result, struct lag_strbuf *out) {
    const struct lagd_study_findings *report = &result->report;
    if (report->sufficient_steps == 0)
        lag_strbuf_append(out, "No lag is needed here: already the pick right after the growth, and every later one, "
                          "ends within delta of the best, at 95 %.");
    else if (report->sufficient_steps > 0)
        lag_strbuf_printf(out, "A lag of %" PRId64 " steps, %.1f %% of the horizon, suffices here: from then on what "
                          "is picked ends within delta of the best, at 95 %%.", report->sufficient_steps,
                          report->sufficient_share * 100);
    else
        lag_strbuf_append(out, "No lag shorter than the horizon is known to suffice: at none do the picks from there "
                          "on end within delta of the best, at 95 %.");
    if (result->n_seeds == 1 && report->sufficient_steps >= 0)
        lag_strbuf_append(out, " That rests on one seed and on its validation batches alone.");
}

static void say_transition(const struct lagd_study_result *result, struct lag_strbuf *out) {
    const struct lagd_study_break *at = &result->report.transition, *largest = &result->report.largest;
    if (at->t >= 0 && lagd_study_has_transition(result)) {
        lag_strbuf_printf(out, "The order becomes known at about t = %" PRId64, at->t);
        if (at->low >= 0 && at->high >= 0)
            lag_strbuf_printf(out, " (95 %%: after %" PRId64 ", by %" PRId64 ")", at->low, at->high);
        lag_strbuf_printf(out, ", while the learning rate is constant: %.0f %% of the pairs stand in their final order "
                          "before, %.0f %% from there on.", at->level_before * 100, at->level_after * 100);
    } else if (at->t >= 0) {
        lag_strbuf_printf(out, "In this seed more pairs stand in their final order from t = %" PRId64 " on (%.0f %%, "
                          "before %.0f %%); whether that is a transition cannot be told from one seed.", at->t,
                          at->level_after * 100, at->level_before * 100);
    } else {
        lag_strbuf_append(out, "That the order becomes known at some step cannot be told: the agreement has no rise "
                          "beyond its 95 % interval while the learning rate is constant.");
    }
    if (largest->t >= 0 && largest->t != at->t && largest->into == LAGD_PHASE_DECAY)
        lag_strbuf_printf(out, " The largest jump, at t = %" PRId64 ", comes with the learning rate's decay: it is "
                          "the schedule's.", largest->t);
}

static int64_t first_lag(const struct lagd_study_result *result) {
    for (int k = 0; k < result->report.n_points; k++)
        if (result->report.points[k].t > 0) return result->report.points[k].t;
    return 0;
}

/* Verdicts that claim nothing lose nothing by it. */
static void say_verdicts(const struct lagd_study_result *result, struct lag_strbuf *out) {
    int n = 0, n_verified = 0, n_within = 0;
    for (int i = 0; i < result->n_said; i++) {
        n += result->said[i].n;
        if (strcmp(result->said[i].basis, "verified") != 0) continue;
        n_verified = result->said[i].n;
        n_within = result->said[i].n_within_delta;
    }
    if (n == 0) return;
    lag_strbuf_printf(out, "Of %d verdicts that growths with lags from t = %" PRId64 " on would have given here, %d "
                      "would have been verified", n, first_lag(result), n_verified);
    if (n_verified > 0)
        lag_strbuf_printf(out, ", and the pick of %d of these ends within delta of the best", n_within);
    lag_strbuf_append(out, ".");
}

static void say_none(const struct lagd_study_result *result, struct lag_strbuf *out) {
    const int none = lagd_study_reference(result), best = lagd_study_best(result);
    int n_below = 0, n_seeds = 0, n_known = 0;
    if (none < 0 || best < 0 || !isfinite(lagd_study_final_mean(result, none))) return;
    for (int g = 0; g < result->n_seeds; g++) {
        const double own = lagd_study_final(result, g, best), other = lagd_study_final(result, g, none);
        n_known += isfinite(own) && isfinite(other);
        n_seeds += own < other;
    }
    for (int i = 0; i < result->n_candidates; i++)
        n_below += lagd_study_ranked(result, i) &&
                   lagd_study_final_mean(result, i) < lagd_study_final_mean(result, none);
    lag_strbuf_printf(out, "Not growing (none) ends at %.4f for as many steps; %d of %d candidates end below it, and "
                      "the best does in %d of %d seed%s.", lagd_study_final_mean(result, none), n_below,
                      count_ranked(result), n_seeds, n_known, plural(n_known));
}

static void say_scratch(const struct lagd_study_result *result, struct lag_strbuf *out) {
    if (!lagd_study_has_baseline(&result->request, "scratch")) return;
    if (!isfinite(result->speedup)) {
        lag_strbuf_append(out, "The baseline from scratch has not ended yet, or reaches no loss that growing reaches.");
        return;
    }
    lag_strbuf_printf(out, "A model of the same shape trained from scratch takes %.2f times the FLOPs of growing to "
                      "reach a loss of %.4f, where growing is charged with its parent and with all candidates up to "
                      "t = %" PRId64, result->speedup, result->equal_loss, result->charged_lag);
    lag_strbuf_append(out, result->speedup > 1 ? "." : ": so charged, growing saves nothing here.");
}

void lagd_study_read_out(const struct lagd_study_result *result, struct lag_strbuf *out) {
    static sentence *const all[] = {say_seeds,      say_spread,   say_at_0, say_sufficient,
                                    say_transition, say_verdicts, say_none, say_scratch};
    if (!result->has_report || result->report.n_points == 0) {
        lag_strbuf_printf(out, "There is no result yet: %s.",
                          *result->why_not ? result->why_not : "no candidate was evaluated");
        return;
    }
    for (size_t i = 0; i < LAG_COUNT(all); i++) {
        const size_t before = out->length;
        if (i > 0) lag_strbuf_append(out, "\n");
        const size_t begun = out->length;
        all[i](result, out);
        if (out->length == begun && !out->failed) out->data[out->length = before] = 0;
    }
}
