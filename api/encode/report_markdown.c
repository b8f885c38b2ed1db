/* A growth's report as Markdown (tables as in GitHub Flavored Markdown). */
#include "encode/report_internal.h"
#include "encode/words_internal.h"

#include <inttypes.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/ranking.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void label(struct lag_strbuf *out, const struct lagd_report *report, int position) {
    char text[LAGD_LABEL];
    lagd_candidate_label(report->candidates.rows, (int)report->candidates.n, position, text);
    lagd_markdown_words(out, text);
}

static void loss(struct lag_strbuf *out, double value) {
    if (isfinite(value))
        lag_strbuf_printf(out, " %.4f |", value);
    else
        lag_strbuf_append(out, " – |");
}

static void rank_cell(struct lag_strbuf *out, int rank) {
    if (rank > 0)
        lag_strbuf_printf(out, " %d |", rank);
    else
        lag_strbuf_append(out, " – |");
}

static void candidate_row(struct lag_strbuf *out, const struct lagd_report *report, int position) {
    const struct lag_candidate_row *all = report->candidates.rows, *row = all + position;
    size_t n = report->candidates.n;
    char spark[LAGD_SPARK_SIZE];
    bool won = report->has_decision && strcmp(report->decision.candidate, row->id) == 0;
    lagd_sparkline(report->ranks, position, spark);
    lag_strbuf_printf(out, "| %s", won ? "**" : "");
    lagd_markdown_words(out, row->names);
    lag_strbuf_printf(out, "%s |", won ? "**" : "");
    loss(out, row->loss_at_0);
    loss(out, row->loss_at_lag);
    rank_cell(out, lagd_candidate_rank(row, all, n, false));
    rank_cell(out, lagd_candidate_rank(row, all, n, true));
    lag_strbuf_printf(out, " %s | %" PRId64 " | %.3g | %s%s |\n", spark, row->n_params, row->flops, row->state,
                      row->eligible ? "" : ", may not win");
}

static void candidates(struct lag_strbuf *out, const struct lagd_report *report) {
    lag_strbuf_printf(out,
                      "## Candidates\n\n| candidate | loss at 0 | loss at %" PRId64
                      " | rank at 0 | rank at %" PRId64
                      " | curve | parameters | FLOPs | state |\n|---|---:|---:|---:|---:|---|---:|---:|---|\n",
                      report->growth.probe_steps, report->growth.probe_steps);
    for (size_t i = 0; i < report->candidates.n; i++) candidate_row(out, report, (int)i);
    lag_strbuf_append(out, "\nLosses are means over the validation batches, in nats. All curves share one scale.\n\n");
}

/* Where the allocator looked, and why candidates were stopped. */
static void rungs(struct lag_strbuf *out, const struct lagd_report *report) {
    const struct lag_candidate_row *rows = report->candidates.rows;
    const struct lag_rung_row *rung = report->rungs.rows;
    if (report->rungs.n == 0) return;
    lag_strbuf_printf(out, "## Rungs\n\nAllocator: %s.\n\n", report->request.allocator);
    lag_strbuf_append(out, "| rung | step | basis | what it says |\n|---:|---:|---|---|\n");
    for (size_t i = 0; i < report->rungs.n; i++, rung++) {
        lag_strbuf_printf(out, "| %" PRId64 " | %" PRId64 " | %s | ", rung->r, rung->t, rung->basis);
        lagd_markdown_words(out, rung->reason);
        lag_strbuf_append(out, " |\n");
    }
    lag_strbuf_append(out, "\n");
    for (size_t i = 0; i < report->candidates.n; i++) {
        if (!lagd_candidate_is(rows[i].state, LAGD_CANDIDATE_STOPPED)) continue;
        lag_strbuf_append(out, "- ");
        label(out, report, (int)i);
        lag_strbuf_append(out, ": ");
        lagd_markdown_words(out, rows[i].reason);
        lag_strbuf_append(out, "\n");
    }
    lag_strbuf_append(out, "\n");
}

static void ranks(struct lag_strbuf *out, const struct lagd_report *report) {
    const struct lagd_rank_table *table = report->ranks;
    if (table->n_times == 0) return;
    lag_strbuf_append(out, "## Rank at every evaluated step\n\n| candidate |");
    for (int k = 0; k < table->n_times; k++) lag_strbuf_printf(out, " %" PRId64 " |", table->times[k]);
    lag_strbuf_append(out, "\n|---|");
    for (int k = 0; k < table->n_times; k++) lag_strbuf_append(out, "---:|");
    lag_strbuf_append(out, "\n");
    for (int i = 0; i < table->n_candidates; i++) {
        lag_strbuf_append(out, "| ");
        label(out, report, i);
        lag_strbuf_append(out, " |");
        for (int k = 0; k < table->n_times; k++) rank_cell(out, table->ranks[k * table->n_candidates + i]);
        lag_strbuf_append(out, "\n");
    }
    lag_strbuf_append(out, "\n");
}

static void choice(struct lag_strbuf *out, const struct lagd_report *report, const char *what, const char *id) {
    const struct lag_candidate_row *row = lagd_report_find(report, id);
    lag_strbuf_printf(out, "- %s: ", what);
    if (row) {
        label(out, report, (int)(row - (const struct lag_candidate_row *)report->candidates.rows));
        lag_strbuf_printf(out, " (%s)\n", row->id);
    } else {
        lag_strbuf_append(out, "–\n");
    }
}

/* ids: with a comma between. */
static void choices(struct lag_strbuf *out, const struct lagd_report *report, const char *what, const char *ids) {
    const char *between = "";
    char id[LAG_ROW_ID];
    if (!*ids) return;
    lag_strbuf_printf(out, "- %s: ", what);
    for (size_t n; *ids; ids += n + (ids[n] == ',')) {
        n = strcspn(ids, ",");
        (void)snprintf(id, sizeof(id), "%.*s", (int)n, ids);
        const struct lag_candidate_row *row = lagd_report_find(report, id);
        lag_strbuf_append(out, between);
        if (row) label(out, report, (int)(row - (const struct lag_candidate_row *)report->candidates.rows));
        between = ", ";
    }
    lag_strbuf_append(out, "\n");
}

static void difference(struct lag_strbuf *out, const char *what, double value, double low, double high) {
    if (isfinite(value))
        lag_strbuf_printf(out, "- %s: %.4f nats, 95 %% interval %.4f to %.4f\n", what, value, low, high);
}

/* What the decision has lost, once an audit has found it. */
static void audit(struct lag_strbuf *out, const struct lagd_report *report) {
    const struct lagd_audit *found = &report->audit;
    if (!found->state[0]) return;
    lag_strbuf_printf(out, "- audit: %s", found->state);
    if (*found->study) {
        lag_strbuf_append(out, ", study ");
        lagd_markdown_words(out, found->study_name);
    }
    if (*found->reason) {
        lag_strbuf_append(out, ": ");
        lagd_markdown_words(out, found->reason);
    }
    lag_strbuf_append(out, "\n");
    if (!isfinite(found->regret)) return;
    choice(out, report, "best at the end", found->best);
    difference(out, "regret of what was applied, at the end", found->regret, found->low, found->high);
    if (isfinite(found->of_spread))
        lag_strbuf_printf(out, "- of the range of the finals: %.2f (0 the best, 1 the worst)\n", found->of_spread);
}

static void decision(struct lag_strbuf *out, const struct lagd_report *report) {
    const struct lag_decision_row *row = &report->decision;
    lag_strbuf_append(out, "## Decision\n\n");
    if (!report->has_decision) {
        lag_strbuf_append(out, "Nothing was decided.\n\n");
        return;
    }
    lagd_markdown_words(out, row->verdict);
    lag_strbuf_append(out, "\n\n");
    lag_strbuf_printf(out, "- basis: %s\n", row->basis);
    choice(out, report, "winner", row->candidate);
    choice(out, report, "lowest at the lag", row->pick_at_lag);
    if (row->tied) choices(out, report, "cannot be told apart", row->tied_set);
    if (*row->tied_at_0) choices(out, report, "step 0 cannot choose between", row->tied_at_0);
    else choice(out, report, "lowest at step 0", row->pick_at_0);
    choice(out, report, "runner-up", row->runner_up);
    difference(out, "margin to the runner-up", row->margin, row->margin_low, row->margin_high);
    difference(out, "not growing is behind the winner by", row->gain, row->gain_low, row->gain_high);
    if (isfinite(row->p_now)) lag_strbuf_printf(out, "- best now with a probability of at least %.3f\n", row->p_now);
    if (isfinite(row->tau))
        lag_strbuf_printf(out, "- rank stability, half the lag against the lag: Kendall τ %.3f\n", row->tau);
    if (isfinite(row->tau_0)) lag_strbuf_printf(out, "- step 0 against the lag: Kendall τ %.3f\n", row->tau_0);
    if (row->lag_short) lag_strbuf_append(out, "- the lag is short: the sentence above says why\n");
    lag_strbuf_printf(out, "- decided by: %s\n", strcmp(row->decided_by, "user") == 0 ? "a person" : "the rule");
    if (*row->reason) {
        lag_strbuf_append(out, "- reason: ");
        lagd_markdown_words(out, row->reason);
        lag_strbuf_append(out, "\n");
    }
    audit(out, report);
    lag_strbuf_append(out, "\n");
}

/* What it did to the model, once it is applied. */
static void effect(struct lag_strbuf *out, const struct lagd_report *report) {
    const struct lagd_effect *found = &report->effect;
    if (!found->is_known) return;
    lag_strbuf_append(out, "## What it did\n\n");
    if (isfinite(found->loss_change))
        lag_strbuf_printf(out, "- validation loss right after it: %+.4f nats\n", found->loss_change);
    if (found->spike > 0)
        lag_strbuf_printf(out, "- spike: %.4f nats above the parent's loss, after %" PRId64 " steps\n", found->spike,
                          found->spike_steps);
    if (found->spike > 0 && found->recovery_steps > 0)
        lag_strbuf_printf(out, "- back at the parent's loss after %" PRId64 " steps\n", found->recovery_steps);
    if (found->is_measured) {
        lag_strbuf_printf(out, "- the function: %s (the largest change of a logit is %.2g of the largest)%s\n",
                          found->row.preserved ? "kept" : "changed", found->row.logit_change,
                          found->promised && !found->row.preserved ? ", though it was to be kept" : "");
        lag_strbuf_printf(out, "- new parts: %.0f %% of the squares of the first gradient\n",
                          100 * found->row.new_share);
        lag_strbuf_printf(out, "- connection rate: %.2f\n", found->row.connection_rate);
        lag_strbuf_printf(out, "- RMS of the residual stream behind each layer, over the parent's: %s\n",
                          found->row.rms_ratios);
    }
    lag_strbuf_append(out, "\n");
}

static void cost(struct lag_strbuf *out, const struct lagd_report *report) {
    const struct lag_candidate_row *rows = report->candidates.rows;
    double flops = 0;
    int64_t steps = 0;
    for (size_t i = 0; i < report->candidates.n; i++) {
        flops += rows[i].flops;
        steps += rows[i].t;
    }
    lag_strbuf_printf(out, "## Cost\n\n%" PRId64 " probe steps, %.3g FLOPs", steps, flops);
    const double run_flops = report->has_decision ? report->decision.run_flops : NAN;
    if (run_flops > 0)
        lag_strbuf_printf(out, ": %.3g times what the run itself had spent up to then", flops / run_flops);
    lag_strbuf_append(out, ".\n\n");
}

static void origin(struct lag_strbuf *out, const struct lagd_report *report) {
    const struct lag_candidate_row *rows = report->candidates.rows;
    lag_strbuf_printf(out, "## To do it again\n\n- seed of the run: %" PRId64 "\n- dataset ", report->config.seed);
    lagd_markdown_words(out, report->dataset.name);
    lag_strbuf_printf(out, ": sha256 `%s`\n", report->dataset.sha256);
    if (report->growth.start_step >= 0)
        lag_strbuf_printf(out, "- parent: checkpoint `%s` of step %" PRId64 "%s\n", report->growth.parent_checkpoint,
                          report->growth.start_step, report->has_parent ? "" : ", removed since");
    for (size_t i = 0; i < report->files.n; i++) {
        const struct lag_checkpoint_file_row *file = (struct lag_checkpoint_file_row *)report->files.rows + i;
        lag_strbuf_printf(out, "  - %s: sha256 `%s`\n", file->name, file->sha256);
    }
    lag_strbuf_append(out, "- strategies, with the layers that each new layer comes from:\n");
    for (size_t i = 0; i < report->candidates.n; i++) {
        lag_strbuf_printf(out, "  - `%s`", rows[i].strategy);
        if (*rows[i].recipe) lag_strbuf_printf(out, ": `%s`", rows[i].recipe);
        lag_strbuf_append(out, "\n");
    }
}

void lagd_report_write_markdown(struct lag_strbuf *out, const struct lagd_report *report) {
    const struct lag_growth_row *growth = &report->growth;
    char rule[512], change[LAGD_SHAPE_CHANGE];
    lag_strbuf_append(out, "# Growth of ");
    lagd_markdown_words(out, report->run.name);
    lagd_shape_change(&growth->from, &growth->to, change);
    lag_strbuf_printf(out, " from %s\n\n", change);
    if (lagd_growth_is(growth->state, LAGD_GROWTH_APPLIED) && !report->grew)
        lag_strbuf_append(out, "**No growth was chosen: the model keeps its shape.**\n\n");
    lag_strbuf_printf(out, "Growth `%s` of run `%s`, %s", growth->id, report->run.id, growth->state);
    if (growth->start_step >= 0) lag_strbuf_printf(out, ", probed from step %" PRId64, growth->start_step);
    if (isfinite(growth->parent_loss)) lag_strbuf_printf(out, ", parent's loss %.4f", growth->parent_loss);
    lag_strbuf_append(out, ".\n\n");
    if (*report->request.reason) {
        lag_strbuf_append(out, "Asked for because: ");
        lagd_markdown_words(out, report->request.reason);
        lag_strbuf_append(out, "\n\n");
    }
    lagd_report_rule(report, rule, sizeof(rule));
    lag_strbuf_printf(out, "## Rule\n\n%s\n\n", rule);
    decision(out, report);
    effect(out, report);
    candidates(out, report);
    rungs(out, report);
    ranks(out, report);
    cost(out, report);
    origin(out, report);
}
