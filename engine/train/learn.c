/* Training of learned maps. */
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/team.h>
#include <lagd/engine/backend.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/learn.h>
#include <math.h>

struct learning {
    const struct lag_learn_ask *ask;
    const struct lag_dataset *dataset;
    struct lag_work *work;
    struct lag_team *team;
    struct lag_maps *maps;
    struct lag_state *grown;
    int64_t first; /* the run's step whose batch is the first */
};

/* One update of the maps, and the weights that they make then. */
static int learn_step(const struct learning *l, int64_t n_made, double *ret_loss, struct lag_error *err) {
    const struct lag_step_config *config = l->ask->config;
    struct lag_work *work = l->work;
    double loss = 0;
    for (int micro = 0; micro < config->accumulate; micro++) {
        const int rc = lag_dataset_batch(l->dataset, config->seed, l->first + n_made, micro, config->batch,
                                         config->context, work->tokens, work->targets, err);
        if (rc) return rc;
        loss += work->backend->backward(l->grown, work, work->tokens, work->targets, config->batch, config->context,
                                        1.0 / config->accumulate, micro == 0, l->team) / config->accumulate;
    }
    lag_maps_backward(l->maps, lag_work_grads(work), l->team);
    const double norm = lag_grad_norm(lag_maps_grads(l->maps), lag_maps_count(l->maps), l->team);
    *ret_loss = loss;
    if (!isfinite(loss) || !isfinite(norm)) return LAG_TRAIN_NONFINITE;
    lag_maps_update(l->maps, &config->optim);
    lag_maps_apply(l->maps, l->grown->params, l->team);
    return 0;
}

int lag_learn(const struct lag_state *parent, const struct lag_learn_ask *ask, const struct lag_dataset *dataset,
              struct lag_work *work, struct lag_team *team, const struct lag_probe_hooks *hooks,
              struct lag_state *grown, struct lag_error *err) {
    static const struct lag_probe_hooks none = {0};
    LAG_CLEANUP(lag_maps_destroy_p) struct lag_maps *maps = NULL;
    const int64_t n = lag_strategy_learn_steps(ask->strategy);
    const struct lag_probe_hooks *h = hooks ? hooks : &none;
    int rc = lag_maps_create(parent, ask->strategy, ask->recipe, lag_team_size(team), &maps, err);
    if (rc) return rc;
    const struct learning learning = {.ask = ask, .dataset = dataset, .work = work, .team = team, .maps = maps,
                                      .grown = grown, .first = LAG_MAX(0, parent->step - n)};
    for (int64_t i = 0; i < n && rc == 0; i++) {
        struct lag_probe_record record = {.kind = LAG_PROBE_LEARN, .t = i + 1};
        rc = h->begin ? h->begin(h->arg) : 0;
        if (rc) return rc;
        rc = learn_step(&learning, i, &record.step.loss, err);
        if (h->end) h->end(h->arg);
        if (rc == 0 && h->record) h->record(h->arg, &record);
    }
    return rc;
}

int lag_learn_cost(const struct lag_strategy *strategy, const struct lag_spec *from, const struct lag_spec *to,
                   const struct lag_step_config *config, struct lag_learn_cost *ret, struct lag_error *err) {
    LAG_CLEANUP(lag_recipe_deinit) struct lag_recipe recipe = {0};
    struct lag_learn_cost cost = {.steps = lag_strategy_learn_steps(strategy)};
    const double tokens = (double)config->accumulate * config->batch * config->context;
    const int rc = cost.steps ? lag_recipe_build(strategy, from, to, &recipe, err) : 0;
    if (rc == 0 && cost.steps) {
        cost.step_flops = tokens * lag_flops_token_train(&recipe.spec, config->context) +
                          lag_maps_flops(strategy, &recipe, from);
        cost.bytes = lag_maps_bytes(strategy, &recipe, from);
        if (!(cost.step_flops > 0) || cost.bytes == 0)
            return lag_error_set(err, LAG_ENOMEM, "out of memory for the cost of learned maps");
    }
    if (rc == 0) *ret = cost;
    return rc;
}
