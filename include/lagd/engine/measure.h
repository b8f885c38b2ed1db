/* What a growth did to a model, measured right after it: the parent and what it became see the same batch. Thread: the
 * caller leads the team; the parent is only read. */
#pragma once
#include <lagd/engine/grow.h>
#include <lagd/engine/train.h>

struct lag_measure_ask {
    const struct lag_strategy *strategy;
    const struct lag_recipe *recipe; /* of that parent */
    const struct lag_state *const *others; /* the states of the strategy's parents; NULL where it has none */
    const struct lag_step_config *config;
    enum lag_precision precision;
    bool recompute;
    const struct lag_state *grown; /* what became of the parent, where that was learned; NULL: it is made here */
};
struct lag_measure {
    double loss_before, loss_after; /* mean over the parent's next training batch */
    double logit_change;            /* largest difference of a logit, over the largest logit there is */
    double new_share;               /* of the squares of the gradient: what falls on what the parent does not have */
    double connection_rate;
    int n_layers;                   /* of the grown model */
    /* Behind each layer: root mean square of the residual stream, over that behind the parent's layer which the topmost
     * old layer up to here is (before its first layer where there is none). Owned. */
    double *rms_ratio;
};
/* Whether the function is the parent's, as far as numbers of that precision can say. Pure. */
bool lag_measure_preserved(const struct lag_measure *measure, enum lag_precision precision);
/* Takes the memory of one probe. Nothing is trained; the same bits for any team. */
int lag_measure_growth(const struct lag_state *parent, const struct lag_measure_ask *ask,
                       const struct lag_dataset *dataset, struct lag_team *team, struct lag_measure *ret,
                       struct lag_error *err);
void lag_measure_deinit(struct lag_measure *measure);
