/* Gathers what a growth's report tells, and says what both of its forms say. */
#include "encode/report_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPARK_STEPS 64

void lagd_sparkline(const struct lagd_rank_table *ranks, int position, char ret[LAGD_SPARK_SIZE]) {
    static const char *const heights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < ranks->n_times * ranks->n_candidates; i++) {
        if (!isfinite(ranks->means[i])) continue;
        low = fmin(low, ranks->means[i]);
        high = fmax(high, ranks->means[i]);
    }
    int n = LAG_MIN(ranks->n_times, SPARK_STEPS);
    ret[0] = '\0';
    for (int i = 0; i < n; i++) {
        int k = n < 2 ? 0 : (int)((int64_t)i * (ranks->n_times - 1) / (n - 1));
        double mean = ranks->means[k * ranks->n_candidates + position];
        const char *mark = "·";
        if (isfinite(mean)) mark = heights[high > low ? (int)lround((mean - low) / (high - low) * 7) : 0];
        size_t used = strlen(ret);
        (void)snprintf(ret + used, LAGD_SPARK_SIZE - used, "%s", mark);
    }
}

static const char *allocator_text(const struct lagd_report *report) {
    static const struct { const char *allocator, *text; } texts[] = {
        {"halving", "At each rung before, the worse half of the candidates was stopped. "},
        {"race", "At each rung before, who was behind in an order that studies found to hold was stopped. "},
        {"auto", "At each rung it may be decided before, or be extended while no candidate that grows is ahead of not "
                 "growing. "},
    };
    for (size_t i = 0; i < LAG_COUNT(texts); i++)
        if (strcmp(report->request.allocator, texts[i].allocator) == 0) return texts[i].text;
    return "";
}

void lagd_report_rule(const struct lagd_report *report, char *ret, size_t size) {
    (void)snprintf(ret, size,
                   "After %lld steps of training, the lag, the eligible candidate with the lowest mean validation loss "
                   "over %lld batches of %lld sequences is picked; all candidates are evaluated on the same batches. "
                   "Where those that cannot be told apart lie closer than the difference that matters, the first of "
                   "them by the prior is, or, without one, in the pool. %s%s",
                   (long long)report->growth.probe_steps, (long long)report->growth.n_batches,
                   (long long)report->growth.eval_sequences, allocator_text(report),
                   strcmp(report->growth.mode, "manual") == 0 ? "A person approves, overrides or rejects the pick."
                                                              : "The pick is applied at once.");
}

const struct lag_candidate_row *lagd_report_find(const struct lagd_report *report, const char *candidate_id) {
    const struct lag_candidate_row *rows = report->candidates.rows;
    for (size_t i = 0; i < report->candidates.n; i++) {
        if (*candidate_id && strcmp(rows[i].id, candidate_id) == 0) return &rows[i];
    }
    return NULL;
}

/* --- gathering --------------------------------------------------------------------------------------------------- */

static int add_candidate(const struct lag_candidate_row *row, void *arg) { return lagd_rows_add(arg, row); }
static int add_rung(const struct lag_rung_row *row, void *arg) { return lagd_rows_add(arg, row); }
static int add_file(const struct lag_checkpoint_file_row *row, void *arg) { return lagd_rows_add(arg, row); }

void lagd_report_destroy(struct lagd_report *report) {
    if (!report) return;
    lagd_rows_deinit(&report->candidates);
    lagd_rows_deinit(&report->files);
    lagd_rows_deinit(&report->rungs);
    lagd_rank_table_destroy(report->ranks);
    free(report);
}

static int gather_parent(struct lagd_report *report, struct lag_db *db, struct lag_error *err) {
    struct lag_checkpoint_row checkpoint;
    struct lag_error ignored;
    report->has_parent = *report->growth.parent_checkpoint &&
                         lag_checkpoint_get(db, report->growth.parent_checkpoint, &checkpoint, &ignored) == 0;
    return report->has_parent ? lag_checkpoint_files(db, checkpoint.id, add_file, &report->files, err) : 0;
}

static int gather(struct lagd_report *report, struct lag_db *db, const char *id, struct lag_error *err) {
    struct lag_error ignored;
    int status = lag_growth_get(db, id, &report->growth, err);
    if (status == 0) status = lag_run_get(db, report->growth.run_id, &report->run, err);
    if (status == 0) status = lag_dataset_get(db, report->run.dataset_id, &report->dataset, err);
    if (status == 0) status = lagd_run_config_parse(report->run.config, &report->config, err);
    if (status == 0) status = lag_fields_parse(&lagd_growth_fields, &report->request, report->growth.request, err);
    if (status == 0) status = lag_candidate_list(db, report->growth.id, add_candidate, &report->candidates, err);
    if (status == 0) status = lag_rung_list(db, report->growth.id, add_rung, &report->rungs, err);
    if (status == 0) status = lagd_growth_grew(db, &report->growth, &report->grew, err);
    if (status == 0) status = gather_parent(report, db, err);
    if (status == 0) status = lagd_audit_read(db, &report->growth, &report->audit, err);
    if (status == 0) status = lagd_effect_read(db, &report->growth, &report->effect, err);
    if (status == 0) status = lagd_rank_table_create(db, report->growth.id, &report->ranks, err);
    report->has_decision = status == 0 && lag_decision_get(db, report->growth.id, &report->decision, &ignored) == 0;
    return status;
}

int lagd_report_create(struct lag_db *db, const char *growth, struct lagd_report **ret, struct lag_error *err) {
    struct lagd_report *report = lag_calloc(1, sizeof(*report));
    if (!report) return lag_error_set(err, LAG_EBUSY, "out of memory");
    report->candidates = (struct lagd_rows)LAGD_ROWS_INIT(struct lag_candidate_row);
    report->files = (struct lagd_rows)LAGD_ROWS_INIT(struct lag_checkpoint_file_row);
    report->rungs = (struct lagd_rows)LAGD_ROWS_INIT(struct lag_rung_row);
    int status = gather(report, db, growth, err);
    if (status < 0) {
        lagd_report_destroy(report);
        return status;
    }
    *ret = report;
    return 0;
}
