/* Looking things up in the result of a study. */
#include "encode/study_look_internal.h"

#include <math.h>

int lagd_study_time_index(const struct lagd_study_result *result, int64_t t) {
    for (int k = 0; k < result->n_times; k++)
        if (result->times[k] == t) return k;
    return -1;
}

const struct lagd_study_point *lagd_study_point(const struct lagd_study_result *result, int64_t t) {
    for (int k = 0; result->has_report && k < result->report.n_points; k++)
        if (result->report.points[k].t == t) return &result->report.points[k];
    return NULL;
}

bool lagd_study_has_transition(const struct lagd_study_result *result) {
    return result->has_report && result->n_seeds > 1 && result->report.transition.t >= 0;
}

int64_t lagd_study_lag(const struct lagd_study_result *result, const char **ret_what) {
    const struct lagd_study_findings *report = &result->report;
    *ret_what = "";
    if (!result->has_report || report->n_points == 0) return -1;
    if (report->sufficient_steps >= 0) {
        *ret_what = "the lag that suffices";
        return report->sufficient_steps;
    }
    if (report->transition.t >= 0) {
        *ret_what = "the transition";
        return report->transition.t;
    }
    const double eighth = (double)result->study.horizon / 8;
    int64_t nearest = report->points[0].t;
    for (int k = 1; k < report->n_points; k++)
        if (fabs((double)report->points[k].t - eighth) < fabs((double)nearest - eighth)) nearest = report->points[k].t;
    *ret_what = "an eighth of the horizon";
    return nearest;
}

double lagd_study_loss(const struct lagd_study_result *result, int seed, int candidate, int64_t t) {
    const int k = lagd_study_time_index(result, t);
    return k < 0 ? NAN : result->candidates[candidate].losses[seed * result->n_times + k];
}

double lagd_study_final(const struct lagd_study_result *result, int seed, int candidate) {
    return result->has_report ? result->report.finals[seed * result->n_candidates + candidate] : NAN;
}

double lagd_study_final_mean(const struct lagd_study_result *result, int candidate) {
    double sum = 0;
    int n = 0;
    for (int g = 0; g < result->n_seeds; g++) {
        const double loss = lagd_study_final(result, g, candidate);
        if (!isfinite(loss)) continue;
        sum += loss;
        n++;
    }
    return n ? sum / n : NAN;
}

bool lagd_study_ranked(const struct lagd_study_result *result, int candidate) {
    return result->candidates[candidate].eligible && !result->candidates[candidate].reference;
}

int lagd_study_best(const struct lagd_study_result *result) {
    int best = -1;
    for (int i = 0; i < result->n_candidates; i++) {
        const double mean = lagd_study_final_mean(result, i);
        if (!lagd_study_ranked(result, i) || !isfinite(mean)) continue;
        if (best < 0 || mean < lagd_study_final_mean(result, best)) best = i;
    }
    return best;
}

int lagd_study_reference(const struct lagd_study_result *result) {
    for (int i = 0; i < result->n_candidates; i++)
        if (result->candidates[i].reference) return i;
    return -1;
}
