/* AdamW, clipping and learning-rate schedules.
 *
 * AdamW as torch.optim.AdamW (Loshchilov & Hutter, arXiv 1711.05101): decoupled decay, epsilon outside the root, bias
 * correction from each segment's own age in double. Thread: owner of the state. */
#pragma once
#include <lagd/engine/state.h>
struct lag_team;

struct lag_optim {
    double lr;           /* peak */
    double beta1, beta2, eps, weight_decay;
    double grad_clip;    /* global L2 norm; 0 = no clipping */
};

enum lag_schedule_kind { LAG_SCHEDULE_CONSTANT, LAG_SCHEDULE_COSINE, LAG_SCHEDULE_WSD, LAG_N_SCHEDULES };
extern const char *const lag_schedule_names[];              /* NULL-terminated, by kind */
const char *lag_schedule_name(enum lag_schedule_kind kind); /* "?" for no kind */
int lag_schedule_parse(const char *name, enum lag_schedule_kind *ret);
struct lag_schedule {
    enum lag_schedule_kind kind;
    int64_t warmup_steps, max_steps;
    double min_lr;
    double decay_fraction; /* WSD: the last part of the steps, linear decay from lr to min_lr */
};

/* Learning rate of the update number step (0-based) for a schedule that began at origin: warm-up (t+1)/warmup, then
 * the kind over the remaining max_steps - origin - warmup steps. Pure. */
double lag_schedule_lr(const struct lag_schedule *schedule, double peak_lr, int64_t step, int64_t origin);
/* The updates before warm_until belong to the warm-up, those from decays_from on to WSD's decay (INT64_MAX: the kind
 * has none; a cosine falls all along and has no point where it begins). Pure. */
struct lag_phases { int64_t warm_until, decays_from; };
struct lag_phases lag_schedule_phases(const struct lag_schedule *schedule, int64_t origin);
static inline bool lag_is_frozen(const struct lag_segment *segment, int64_t step) {
    return step < segment->frozen_until;
}
/* The factor of a segment's re-warm at step: 1 outside the ramp. Pure. */
double lag_rewarm_factor(const struct lag_segment *segment, int64_t step);
/* What the fastest segment makes of lr in the next update: below lr while the whole model re-warms. Pure. */
double lag_highest_lr(const struct lag_state *state, double lr);

/* L2 norm of n gradients, fixed tile plan, sums in double; NaN or infinity when any element is. */
double lag_grad_norm(const lag_real *grads, size_t n, struct lag_team *team);
/* Makes the gradients of what is frozen zero: clipping sees the norm of what is trained, as torch's clip_grad_norm_
 * does with frozen parameters, which have no gradients. */
void lag_drop_frozen(const struct lag_state *state, lag_real *grads);
/* One update of all segments that are not frozen, with gradients × grad_scale; their ages advance by one. lr: the
 * schedule's value × the run's scale; each segment multiplies it by lr_factor and its re-warm. */
void lag_adamw(struct lag_state *state, const lag_real *grads, const struct lag_optim *optim, double lr,
               double grad_scale, struct lag_team *team);
