/* The report of a study as Markdown (tables as in GitHub Flavored Markdown). */
#include "encode/study_internal.h"
#include "encode/study_look_internal.h"
#include "encode/words_internal.h"

#include <lagd/daemon/shape.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void cell(struct lag_strbuf *out, const char *format, double value) {
    char text[48];
    (void)snprintf(text, sizeof(text), format, value);
    lag_strbuf_printf(out, " %s |", isfinite(value) ? text : "–");
}

static void interval(struct lag_strbuf *out, double value, double low, double high, int digits) {
    if (isfinite(value) && isfinite(low) && isfinite(high))
        lag_strbuf_printf(out, " %.*f [%.*f, %.*f] |", digits, value, digits, low, digits, high);
    else if (isfinite(value))
        lag_strbuf_printf(out, " %.*f |", digits, value);
    else
        lag_strbuf_append(out, " – |");
}

/* --- what was asked ---------------------------------------------------------------------------------------------- */

static void setting(struct lag_strbuf *out, const struct lagd_study_result *result) {
    const struct lag_study_row *study = &result->study;
    lag_strbuf_append(out, "- parent: ");
    lagd_markdown_words(out, study->parent_name);
    lag_strbuf_printf(out, " (%s) at step %" PRId64 ", checkpoint %s, %.4g FLOPs\n", study->parent_run,
                      study->start_step, study->parent_checkpoint, study->parent_flops);
    char target[LAGD_SHAPE_CHANGE];
    lagd_shape_words(&result->request.target, target);
    lag_strbuf_printf(out, "- target: %s; horizon: %" PRId64 " steps; delta: %.4g nats\n", target, study->horizon,
                      study->delta);
    lag_strbuf_append(out, "- seeds:");
    for (int g = 0; g < result->n_seeds; g++)
        lag_strbuf_printf(out, "%s %" PRId64 " (growth %s)", g ? "," : "", result->seeds[g].seed,
                          result->seeds[g].growth);
    lag_strbuf_printf(out, "%s, %d of %d\n- state: %s\n- made by: lagd %s\n", result->n_seeds ? "" : " none yet",
                      result->n_seeds, result->n_planned, study->state, LAGD_VERSION);
}

/* --- candidates -------------------------------------------------------------------------------------------------- */

static void candidate_row(struct lag_strbuf *out, const struct lagd_study_result *result, int index) {
    const struct lagd_study_candidate *candidate = &result->candidates[index];
    lag_strbuf_append(out, "| ");
    lagd_markdown_words(out, candidate->label);
    lag_strbuf_append(out, candidate->reference ? " (not growing) |" : candidate->eligible ? " |" : " (not ranked) |");
    cell(out, "%.4f", lagd_study_final_mean(result, index));
    for (int g = 0; g < result->n_seeds; g++) cell(out, "%.4f", lagd_study_final(result, g, index));
    cell(out, "%.4f", result->n_times > 0 ? candidate->means[0] : NAN);
    lag_strbuf_printf(out, " %" PRId64 " |", candidate->n_params);
    cell(out, "%.3g", candidate->step_flops);
    lag_strbuf_append(out, "\n");
}

static void candidates(struct lag_strbuf *out, const struct lagd_study_result *result) {
    lag_strbuf_append(out, "## Candidates\n\n| candidate | final loss, mean |");
    for (int g = 0; g < result->n_seeds; g++) lag_strbuf_printf(out, " seed %" PRId64 " |", result->seeds[g].seed);
    lag_strbuf_append(out, " loss at 0, mean | parameters | FLOPs a step |\n|---|---:|");
    for (int g = 0; g < result->n_seeds; g++) lag_strbuf_append(out, "---:|");
    lag_strbuf_append(out, "---:|---:|---:|\n");
    for (int i = 0; i < result->n_candidates; i++) candidate_row(out, result, i);
    lag_strbuf_append(out, "\nLosses are means over the validation batches, in nats; – means that the candidate has "
                      "diverged, or was not evaluated then.\n\n");
}

/* --- what each lag tells ----------------------------------------------------------------------------------------- */

static void point_row(struct lag_strbuf *out, const struct lagd_study_result *result,
                      const struct lagd_study_point *point) {
    const struct lagd_study_agreement *agreement = &point->agreement;
    const struct lagd_study_regret *regret = &point->regret;
    lag_strbuf_printf(out, "| %" PRId64 " | %s |", point->t, lagd_phase_names[point->phase]);
    cell(out, "%.2f", agreement->spearman);
    interval(out, agreement->pair_accuracy, agreement->low, agreement->high, 2);
    lag_strbuf_append(out, " ");
    lagd_markdown_words(out, regret->pick >= 0 ? result->candidates[regret->pick].label : "–");
    if (regret->n_picked < result->n_seeds) lag_strbuf_printf(out, " (%d of %d)", regret->n_picked, result->n_seeds);
    lag_strbuf_append(out, " |");
    interval(out, regret->regret, regret->low, regret->high, 4);
    cell(out, "%.0f", regret->probe_steps);
    lag_strbuf_append(out, "\n");
}

/* What could be known before anything was trained. */
static void prior(struct lag_strbuf *out, const struct lagd_study_result *result) {
    if (result->prior_pick < 0 || !isfinite(result->report.prior)) return;
    lag_strbuf_append(out, result->prior_cases > 0 ? "The prior's pick, " : "Without a prior the pool's first, ");
    lagd_markdown_words(out, result->candidates[result->prior_pick].label);
    lag_strbuf_printf(out, ", loses %.4f", result->report.prior);
    if (result->prior_cases > 0)
        lag_strbuf_printf(out, "; it comes from %" PRId64 " growths here", result->prior_cases);
    lag_strbuf_append(out, ".\n\n");
}

static void points(struct lag_strbuf *out, const struct lagd_study_result *result) {
    const struct lagd_study_findings *report = &result->report;
    lag_strbuf_append(out, "## What each lag tells\n\n| t | learning rate | Spearman | pair accuracy [95 %] | pick | "
                      "regret [95 %] | probe steps |\n|---:|---|---:|---:|---|---:|---:|\n");
    for (int k = 0; k < report->n_points; k++) point_row(out, result, &report->points[k]);
    lag_strbuf_printf(out, "\nA random pick loses %.4f on average. Pair accuracy is the share of pairs of candidates "
                      "that stand in the order in which they end; 0.5 is a coin toss", report->random);
    if (isfinite(report->ceiling_accuracy))
        lag_strbuf_printf(out, ", and a second measurement of the finals would have %.2f", report->ceiling_accuracy);
    lag_strbuf_append(out, ". Regret is how far the final loss of the pick lies above the best.\n\n");
    prior(out, result);
}

/* Beside the lags of the table above: what who decides along the way would have lost, and taken. */
static void allocators(struct lag_strbuf *out, const struct lagd_study_result *result) {
    if (result->n_allocators == 0) return;
    lag_strbuf_append(out, "## What allocators would have done\n\n| allocator | lag | at most | regret | probe steps | "
                      "share of training all |\n|---|---:|---:|---:|---:|---:|\n");
    for (int i = 0; i < result->n_allocators; i++) {
        const struct lagd_study_allocator *one = &result->allocators[i];
        lag_strbuf_printf(out, "| %s | %" PRId64 " | %" PRId64 " |", one->name, one->lag, one->max_steps);
        cell(out, "%.4f", one->regret);
        cell(out, "%.0f", one->probe_steps);
        cell(out, "%.3f", one->share_of_all);
        lag_strbuf_append(out, "\n");
    }
    lag_strbuf_append(out, "\nReplayed from the stored losses, with the looks at the evaluations nearest to their "
                      "rungs.\n\n");
}

static void verdicts(struct lag_strbuf *out, const struct lagd_study_result *result) {
    if (result->n_said == 0) return;
    lag_strbuf_append(out, "## What verdicts would have been worth\n\n| basis | verdicts | picks within delta of the "
                      "best | largest regret |\n|---|---:|---:|---:|\n");
    for (int i = 0; i < result->n_said; i++) {
        const struct lagd_study_said *said = &result->said[i];
        lag_strbuf_printf(out, "| %s | %d | %d |", said->basis, said->n, said->n_within_delta);
        cell(out, "%.4f", said->largest_regret);
        lag_strbuf_append(out, "\n");
    }
    lag_strbuf_append(out, "\nOn all candidates, in every seed, at the lags of the evaluations; those of one seed hang "
                      "together.\n\n");
}

/* --- the report -------------------------------------------------------------------------------------------------- */

static void figures(struct lag_strbuf *out) {
    static const char *const captions[] = {
        "final loss against loss right after the growth, and after a lag", "agreement with the final order against t",
        "losses of the candidates against t", "regret against what the probing takes", "loss against FLOPs"};
    lag_strbuf_append(out, "## Figures\n\n");
    for (int i = 0; lagd_study_figures[i]; i++)
        lag_strbuf_printf(out, "![%s](report?format=svg&figure=%s)\n\n", captions[i], lagd_study_figures[i]);
}

/* The sentences, as a list. */
static void reading(struct lag_strbuf *out, const struct lagd_study_result *result) {
    struct lag_strbuf text = LAG_STRBUF_INIT;
    char *line, *rest = NULL;
    lagd_study_read_out(result, &text);
    out->failed = out->failed || text.failed;
    for (line = text.failed ? NULL : strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        lag_strbuf_append(out, "- ");
        lagd_markdown_words(out, line);
        lag_strbuf_append(out, "\n");
    }
    lag_strbuf_append(out, "\n");
    lag_strbuf_deinit(&text);
}

void lagd_study_write_markdown(const struct lagd_study_result *result, struct lag_strbuf *out) {
    lag_strbuf_append(out, "# Study ");
    lagd_markdown_words(out, result->study.name);
    lag_strbuf_append(out, "\n\n## What it shows\n\n");
    reading(out, result);
    lag_strbuf_append(out, "## What was asked\n\n");
    setting(out, result);
    lag_strbuf_append(out, "\n");
    if (result->n_candidates > 0) candidates(out, result);
    if (result->has_report) points(out, result);
    if (result->has_report) allocators(out, result);
    if (result->has_report) verdicts(out, result);
    figures(out);
    lag_strbuf_printf(out, "To cite it: study %s (%s) of lagd %s, parent %s at step %" PRId64 ", %d seed%s. It is "
                      "computed anew from the stored losses each time, to the same last bit.\n", result->study.name,
                      result->study.id, LAGD_VERSION, result->study.parent_name, result->study.start_step,
                      result->n_seeds, result->n_seeds == 1 ? "" : "s");
}
