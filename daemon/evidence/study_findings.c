/* The engine's report of a study as the daemon tells it. */
#include <lagd/daemon/study_findings.h>

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/study.h>
#include <stdlib.h>
#include <string.h>

const char *const lagd_phase_names[] = {
    [LAGD_PHASE_WARM] = "warm", [LAGD_PHASE_CONSTANT] = "constant", [LAGD_PHASE_DECAY] = "decay", NULL};
static_assert((int)LAGD_PHASE_WARM == (int)LAG_PHASE_WARM && (int)LAGD_PHASE_CONSTANT == (int)LAG_PHASE_CONSTANT &&
                  (int)LAGD_PHASE_DECAY == (int)LAG_PHASE_DECAY && (int)LAGD_N_PHASES == (int)LAG_N_PHASES,
              "phases have the engine's numbers");

static struct lagd_study_agreement agreement_of(const struct lag_study_agreement *from) {
    return (struct lagd_study_agreement){
        .pearson = from->pearson, .spearman = from->spearman, .tau_b = from->tau_b,
        .pair_accuracy = from->pair_accuracy, .low = from->low, .high = from->high,
        .beyond_delta = from->beyond_delta, .without_low = from->without_low, .without_high = from->without_high};
}

static struct lagd_study_regret regret_of(const struct lag_study_regret *from) {
    return (struct lagd_study_regret){
        .pick = from->pick, .n_picked = from->n_picked, .regret = from->regret, .low = from->low, .high = from->high,
        .of_spread = from->of_spread, .probe_steps = from->probe_steps, .probe_flops = from->probe_flops,
        .lost_flops = from->lost_flops};
}

static struct lagd_study_break break_of(const struct lag_study_break *from) {
    return (struct lagd_study_break){
        .t = from->t, .before = from->before, .low = from->low, .high = from->high,
        .level_before = from->level_before, .level_after = from->level_after, .height = from->height,
        .height_low = from->height_low, .height_high = from->height_high, .into = (enum lagd_phase)from->into};
}

int lagd_study_findings_init(const struct lag_study_report *report, struct lagd_study_findings *ret,
                             struct lag_error *err) {
    const size_t n_points = (size_t)report->n_points, n_seeds = (size_t)report->n_groups,
                 n_finals = n_seeds * (size_t)report->n_candidates;
    struct lagd_study_findings findings = {
        .n_points = report->n_points, .n_seeds = report->n_groups, .n_candidates = report->n_candidates,
        .n_diverged = report->n_diverged, .spread = report->spread, .random = report->random, .prior = report->prior,
        .ceiling = report->ceiling, .ceiling_accuracy = report->ceiling_accuracy,
        .transition = break_of(&report->transition), .largest = break_of(&report->largest),
        .sufficient_steps = report->sufficient_steps, .sufficient_share = report->sufficient_share};
    findings.points = lag_calloc(n_points + 1, sizeof(*findings.points));
    findings.finals = lag_calloc(n_finals + 1, sizeof(*findings.finals));
    findings.n_tied = lag_calloc(n_points * n_seeds + 1, sizeof(*findings.n_tied));
    if (!findings.points || !findings.finals || !findings.n_tied) {
        lagd_study_findings_deinit(&findings);
        return lag_error_set(err, LAG_ENOMEM, "out of memory while reading a study");
    }
    for (size_t k = 0; k < n_points; k++) {
        const struct lag_study_point *from = &report->points[k];
        findings.points[k] = (struct lagd_study_point){from->t, from->share, (enum lagd_phase)from->phase,
                                                       agreement_of(&from->agreement), regret_of(&from->regret)};
    }
    memcpy(findings.finals, report->finals, n_finals * sizeof(*findings.finals));
    memcpy(findings.n_tied, report->n_tied, n_points * n_seeds * sizeof(*findings.n_tied));
    *ret = findings;
    return 0;
}

void lagd_study_findings_deinit(struct lagd_study_findings *findings) {
    free(findings->points);
    free(findings->finals);
    free(findings->n_tied);
    *findings = (struct lagd_study_findings){0};
}
