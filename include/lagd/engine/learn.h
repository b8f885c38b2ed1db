/* The steps in which the maps of a learned growth are trained, before the grown model is (maps.h).
 *
 * A step is the gradient of the grown model on a batch, taken back through the maps, and one update of these by
 * AdamW at a fixed rate, with the run's betas and epsilon. Its batches are those of the run's last steps before the
 * growth, in their order: as many as there are steps to learn, from step 0 on where the run has made fewer. So no
 * batch that the run has not come to is used up, and every candidate trains on the same ones afterwards. All of it
 * is a pure function of parent, strategy, recipe and data: who learns again comes to the same bits, for any team. */
#pragma once
#include <lagd/engine/maps.h>
#include <lagd/engine/probe.h>

struct lag_learn_ask {
    const struct lag_strategy *strategy;
    const struct lag_recipe *recipe; /* of that parent */
    const struct lag_step_config *config;
};
/* grown: what lag_grow_by made of parent; its weights become those of the learned maps, all else stays. work: of its
 * shape, for config's batch; of the CPU. hooks as a probe's, or NULL: each step has a record, and what begin returns
 * ends it. LAG_TRAIN_NONFINITE: a loss or a gradient is not finite. On any failure grown is of no use. Thread: the
 * caller owns grown and work, and leads the team. */
int lag_learn(const struct lag_state *parent, const struct lag_learn_ask *ask, const struct lag_dataset *dataset,
              struct lag_work *work, struct lag_team *team, const struct lag_probe_hooks *hooks,
              struct lag_state *grown, struct lag_error *err);

struct lag_learn_cost {
    int64_t steps;
    double step_flops; /* of one of them: model and maps */
    uint64_t bytes;    /* in memory, while they are made */
};
/* All 0 of a strategy that does not learn. Pure. */
int lag_learn_cost(const struct lag_strategy *strategy, const struct lag_spec *from, const struct lag_spec *to,
                   const struct lag_step_config *config, struct lag_learn_cost *ret, struct lag_error *err);
