/* When a stage of a growth plan begins: a pure function of where its run is and of the losses that are stored of it. */
#pragma once
#include <lagd/daemon/plan_request.h>

enum lagd_trigger_kind {
    LAGD_TRIGGER_NONE, LAGD_TRIGGER_STEP, LAGD_TRIGGER_TOKENS, LAGD_TRIGGER_FLOPS, LAGD_TRIGGER_SLOPE, LAGD_N_TRIGGERS
};
enum lagd_trigger_kind lagd_trigger_kind(const struct lagd_trigger *trigger);

/* Where a run is. */
struct lagd_trajectory {
    int64_t since;             /* the step at which the stage before began, or the plan was set */
    int64_t step, tokens;
    double flops;              /* spent on training */
    const double *losses;      /* of the last n_losses steps, the step's own last; none before since is looked at */
    int64_t n_losses;
};
/* Losses that it looks at, at most. */
int64_t lagd_trigger_needs(const struct lagd_trigger *trigger);
/* May its answer change at this step? Between these, nothing need be asked. */
bool lagd_trigger_looks_at(const struct lagd_trigger *trigger, int64_t since, int64_t step);
/* why: LAG_ROW_TEXT bytes, written where it fires. */
bool lagd_trigger_fires(const struct lagd_trigger *trigger, const struct lagd_trajectory *at, char *why);
/* How fast the loss falls at that look (0 = now, 1 = the one before …): nats per 1000 steps; NaN where it is not known.
 */
double lagd_trigger_decline(const struct lagd_trigger *trigger, const struct lagd_trajectory *at, int64_t look);

/* Of a run that goes on from there with that many tokens and FLOPs a step: the earliest step at which it can fire. */
int64_t lagd_trigger_earliest(const struct lagd_trigger *trigger, const struct lagd_trajectory *from,
                              int64_t step_tokens, double step_flops);
/* Where shape i of n begins, i from 1, when they take lengths in proportion to i^alpha of steps (MIDAS, Prop-alpha;
 * Saunshi et al., arXiv 2409.19044): start for the first. */
int64_t lagd_prop_alpha(int64_t start, int64_t steps, double alpha, int n, int i);

/* As it is stored, and back. LAG_ENOMEM. */
int lagd_trigger_format(const struct lagd_trigger *trigger, char ret[LAG_ROW_TEXT], struct lag_error *err);
int lagd_trigger_parse(const char *text, struct lagd_trigger *ret, struct lag_error *err);
