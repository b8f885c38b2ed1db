/* The CPU as a backend: passes over this process's memory by a team of threads. */
#include "pass/pass_internal.h"

#include <lagd/base/check.h>
#include <lagd/engine/backend.h>

#define LOGIT_COLS 512

static double loss(const struct lag_state *state, struct lag_work *work, const int32_t *tokens, const int32_t *targets,
                   int batch, int context, struct lag_team *team) {
    struct lag_pass pass;
    lag_pass_init(&pass, state, lag_cpu_work_of(work), tokens, batch, context, team);
    pass.targets = targets;
    lag_pass_forward(&pass);
    return lag_pass_loss(&pass, false);
}

static double backward(const struct lag_state *state, struct lag_work *work, const int32_t *tokens,
                       const int32_t *targets, int batch, int context, double scale, bool clear,
                       struct lag_team *team) {
    struct lag_pass pass;
    lag_pass_init(&pass, state, lag_cpu_work_of(work), tokens, batch, context, team);
    pass.targets = targets;
    pass.keep = true;
    pass.recompute = work->shape.recompute;
    pass.scale = scale;
    pass.beta = clear ? 0 : 1;
    lag_pass_forward(&pass);
    const double mean = lag_pass_loss(&pass, true);
    lag_pass_backward(&pass);
    return mean;
}

static void next_logits(const struct lag_state *state, struct lag_work *work, const int32_t *tokens, int n_tokens,
                        lag_real *ret_logits, struct lag_team *team) {
    struct lag_pass pass;
    lag_pass_init(&pass, state, lag_cpu_work_of(work), tokens, 1, n_tokens, team);
    lag_pass_forward(&pass);
    lag_gemm(LAG_FP32, lag_pass_pack(&pass, 0), 1, pass.V, pass.C, 1,
             (struct lag_matrix){lag_row(lag_slot(pass.work, LAG_SLOT_LNF, 0), n_tokens - 1, pass.C), pass.C, false},
             (struct lag_matrix){lag_param(&state->layout, state->params, LAG_ROLE_WTE), pass.C, true}, 0, ret_logits,
             pass.V);
}

static double grad_norm(const struct lag_state *state, struct lag_work *work, struct lag_team *team) {
    lag_drop_frozen(state, lag_slot(lag_cpu_work_of(work), LAG_SLOT_GRADS, 0));
    return lag_grad_norm(lag_work_grads(work), state->layout.n_elements, team);
}

static void update(struct lag_state *state, struct lag_work *work, const struct lag_optim *optim, double lr,
                   double grad_scale, struct lag_team *team) {
    lag_adamw(state, lag_work_grads(work), optim, lr, grad_scale, team);
}

const struct lag_backend lag_cpu = {
    .name = "cpu",
    .work_create = lag_cpu_work_create,
    .work_destroy = lag_cpu_work_destroy,
    .work_bytes = lag_cpu_work_bytes,
    .loss = loss,
    .backward = backward,
    .next_logits = next_logits,
    .grad_norm = grad_norm,
    .update = update,
};

void lag_model_logits(const struct lag_state *state, struct lag_work *work, const int32_t *tokens, int batch,
                      int context, lag_real *ret_logits, struct lag_team *team) {
    struct lag_pass pass;
    lag_pass_init(&pass, state, lag_cpu_work_of(work), tokens, batch, context, team);
    lag_pass_forward(&pass);
    struct lag_gemm_job head = {.precision = pass.precision,
                                .pack = lag_pass_pack(&pass, 0),
                                .m = pass.n_tokens,
                                .n = pass.V,
                                .k = pass.C,
                                .alpha = 1,
                                .a = {lag_slot(pass.work, LAG_SLOT_LNF, 0), pass.C, false},
                                .b = {lag_param(&state->layout, state->params, LAG_ROLE_WTE), pass.C, true},
                                .c = ret_logits,
                                .c_stride = pass.V,
                                .tile_rows = pass.tile_rows,
                                .tile_cols = LAG_MIN(pass.V, LOGIT_COLS)};
    struct lag_region region = {0};
    lag_region_add(&region, lag_gemm_job_tile, &head, lag_gemm_job_tiles(&head));
    lag_region_run(&region, team);
}
