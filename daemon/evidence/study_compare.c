/* Loss against FLOPs: growing with all that its probes take, and from scratch. */
#include "evidence/study_compare_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- paths ------------------------------------------------------------------------------------------------------- */

static int path_init(struct lagd_study_path *path, size_t capacity, struct lag_error *err) {
    path->flops = lag_calloc(capacity + 1, sizeof(*path->flops));
    path->losses = lag_calloc(capacity + 1, sizeof(*path->losses));
    if (path->flops && path->losses) return 0;
    lagd_study_path_deinit(path);
    return lag_error_set(err, LAG_ENOMEM, "out of memory while comparing what a study's candidates cost");
}

void lagd_study_path_deinit(struct lagd_study_path *path) {
    free(path->flops);
    free(path->losses);
    *path = (struct lagd_study_path){0};
}

static void add(struct lagd_study_path *path, double flops, double loss) {
    if (!(flops > 0) || !isfinite(flops) || !isfinite(loss)) return;
    path->flops[path->n] = flops;
    path->losses[path->n++] = loss;
}

static double lowest(const struct lagd_study_path *path) {
    double low = NAN;
    for (int i = 0; i < path->n; i++) low = fmin(low, path->losses[i]);
    return low;
}

double lagd_study_path_reach(const struct lagd_study_path *path, double loss) {
    for (int i = 0; i < path->n; i++) {
        if (!(path->losses[i] <= loss)) continue;
        if (i == 0) return path->flops[0];
        const double above = path->losses[i - 1], below = path->losses[i], share = (above - loss) / (above - below);
        return path->flops[i - 1] * pow(path->flops[i] / path->flops[i - 1], share);
    }
    return NAN;
}

/* --- growing ----------------------------------------------------------------------------------------------------- */

/* The last point of the report that is not after t. */
static const struct lagd_study_point *point_until(const struct lagd_study_findings *report, int64_t t) {
    const struct lagd_study_point *found = NULL;
    for (int k = 0; k < report->n_points && report->points[k].t <= t; k++) found = &report->points[k];
    return found;
}

static int grow(struct lagd_study_result *result, struct lag_error *err) {
    const struct lagd_study_findings *report = &result->report;
    const int64_t lag = report->sufficient_steps >= 0 ? report->sufficient_steps : result->study.horizon;
    const struct lagd_study_point *decided = point_until(report, lag);
    if (!decided || decided->regret.pick < 0) return 0;
    const struct lagd_study_candidate *pick = &result->candidates[decided->regret.pick];
    int rc = path_init(&result->grown, (size_t)result->n_times, err);
    if (rc < 0) return rc;
    result->charged_lag = lag;
    for (int k = 0; k < result->n_times; k++) {
        const int64_t t = result->times[k];
        const struct lagd_study_point *probed = point_until(report, t < lag ? t : lag);
        const double lost = probed ? probed->regret.lost_flops : NAN;
        const double own = pick->learn_flops + (double)t * pick->step_flops;
        add(&result->grown, result->study.parent_flops + own + lost, pick->means[k]);
    }
    return 0;
}

/* --- from scratch ------------------------------------------------------------------------------------------------ */

static double loss_at_step(const struct lagd_study_scratch *scratch, int64_t step) {
    for (int i = 0; i < scratch->n_points; i++)
        if (scratch->steps[i] == step) return scratch->losses[i];
    return NAN;
}

static int from_scratch(struct lagd_study_result *result, struct lag_error *err) {
    const struct lagd_study_scratch *first = NULL;
    int n = 0;
    for (int i = 0; i < result->n_scratch; i++) {
        if (!result->scratch[i].has_ended) continue;
        if (!first) first = &result->scratch[i];
        n++;
    }
    if (!first) return 0;
    int rc = path_init(&result->from_scratch, (size_t)first->n_points, err);
    for (int k = 0; rc == 0 && k < first->n_points; k++) {
        double sum = 0;
        for (int i = 0; i < result->n_scratch; i++)
            if (result->scratch[i].has_ended) sum += loss_at_step(&result->scratch[i], first->steps[k]);
        add(&result->from_scratch, (double)first->steps[k] * first->step_flops, sum / n);
    }
    return rc;
}

int lagd_study_compare(struct lagd_study_result *result, struct lag_error *err) {
    int rc = result->has_report ? grow(result, err) : 0;
    if (rc == 0) rc = from_scratch(result, err);
    if (rc < 0 || result->grown.n == 0 || result->from_scratch.n == 0) return rc;
    result->equal_loss = fmax(lowest(&result->grown), lowest(&result->from_scratch));
    result->grown_flops = lagd_study_path_reach(&result->grown, result->equal_loss);
    result->scratch_flops = lagd_study_path_reach(&result->from_scratch, result->equal_loss);
    result->speedup = result->scratch_flops / result->grown_flops;
    return 0;
}
