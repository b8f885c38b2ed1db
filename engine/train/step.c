/* One optimisation step, and evaluation on the fixed validation batches. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/engine/backend.h>
#include <lagd/engine/train.h>

#include <math.h>

#define CLIP_EPS 1e-6 /* as torch.nn.utils.clip_grad_norm_ */

static int check_batch(const struct lag_work *work, int batch, int context, struct lag_error *err) {
    if (batch < 1 || batch > work->shape.batch || context < 1 || context > work->shape.context)
        return lag_error_set(err, LAG_EINTERNAL, "batch %d × context %d does not fit the work's %d × %d", batch,
                             context, work->shape.batch, work->shape.context);
    return 0;
}

/* Gradients of the mean over all micro batches, and its loss. */
static int accumulate(struct lag_state *state, struct lag_work *work, const struct lag_dataset *dataset,
                      const struct lag_step_config *config, struct lag_team *team, double *ret_loss,
                      struct lag_error *err) {
    double loss = 0;
    for (int micro = 0; micro < config->accumulate; micro++) {
        const int rc = lag_dataset_batch(dataset, config->seed, state->step, micro, config->batch, config->context,
                                         work->tokens, work->targets, err);
        if (rc) return rc;
        loss += work->backend->backward(state, work, work->tokens, work->targets, config->batch, config->context,
                                        1.0 / config->accumulate, micro == 0, team) / config->accumulate;
    }
    *ret_loss = loss;
    return 0;
}

int lag_train_step(struct lag_state *state, struct lag_work *work, const struct lag_dataset *dataset,
                   const struct lag_step_config *config, struct lag_team *team, struct lag_step_result *ret,
                   struct lag_error *err) {
    int rc = check_batch(work, config->batch, config->context, err);
    if (rc) return rc;
    struct lag_step_result result;
    rc = accumulate(state, work, dataset, config, team, &result.loss, err);
    if (rc) return rc;
    result.grad_norm = work->backend->grad_norm(state, work, team);
    const double lr = lag_schedule_lr(&config->schedule, config->optim.lr, state->step, state->schedule_origin) *
                      config->lr_scale;
    result.lr = lag_highest_lr(state, lr);
    *ret = result;
    if (!isfinite(result.loss) || !isfinite(result.grad_norm)) return LAG_TRAIN_NONFINITE;
    const double clip = config->optim.grad_clip;
    const double scale = clip > 0 ? fmin(1, clip / (result.grad_norm + CLIP_EPS)) : 1;
    work->backend->update(state, work, &config->optim, lr, scale, team);
    state->step++;
    lag_state_fold_masks(state);
    return 0;
}

/* Of a batch of the set: its windows in parts of context tokens, each read without the one before it. */
static int batch_loss(const struct lag_state *state, struct lag_work *work, const struct lag_dataset *dataset,
                      const struct lag_eval_set *set, int index, int context, double *ret_loss, struct lag_team *team,
                      struct lag_error *err) {
    const int window = set->window > 0 ? set->window : context;
    double loss = 0;
    for (int begin = 0; begin < window; begin += context) {
        const int n = LAG_MIN(context, window - begin);
        const int rc = lag_dataset_validation(dataset, set, index, begin, n, work->tokens, work->targets, err);
        if (rc) return rc;
        const double share = (double)n / window;
        loss += share * work->backend->loss(state, work, work->tokens, work->targets, set->rows, n, team);
    }
    *ret_loss = loss;
    return 0;
}

int lag_evaluate(const struct lag_state *state, struct lag_work *work, const struct lag_dataset *dataset,
                 const struct lag_eval_set *set, bool full, int context, double *ret_losses, struct lag_team *team,
                 struct lag_error *err) {
    int rc = check_batch(work, set->rows, context, err);
    for (int i = 0; !rc && i < set->n_batches; i++) {
        ret_losses[i] = NAN;
        if (!full && i % set->stride != 0) continue;
        rc = batch_loss(state, work, dataset, set, i, context, &ret_losses[i], team, err);
    }
    return rc;
}
