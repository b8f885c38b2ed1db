/* The model's entry points. */
#include "pass/work_internal.h"

#include <lagd/base/check.h>

#define LOGIT_COLS 512

double lag_model_loss(const struct lag_state *state, struct lag_work *work, const int32_t *tokens,
                      const int32_t *targets, int batch, int context, struct lag_team *team) {
    struct lag_pass pass;
    lag_pass_init(&pass, state, work, tokens, batch, context, team);
    pass.targets = targets;
    lag_pass_forward(&pass);
    return lag_pass_loss(&pass, false);
}

double lag_model_backward(const struct lag_state *state, struct lag_work *work, const int32_t *tokens,
                          const int32_t *targets, int batch, int context, double scale, bool clear,
                          struct lag_team *team) {
    struct lag_pass pass;
    lag_pass_init(&pass, state, work, tokens, batch, context, team);
    pass.targets = targets;
    pass.keep = true;
    pass.recompute = work->shape.recompute;
    pass.scale = scale;
    pass.beta = clear ? 0 : 1;
    lag_pass_forward(&pass);
    const double loss = lag_pass_loss(&pass, true);
    lag_pass_backward(&pass);
    return loss;
}

void lag_model_logits(const struct lag_state *state, struct lag_work *work, const int32_t *tokens, int batch,
                      int context, lag_real *ret_logits, struct lag_team *team) {
    struct lag_pass pass;
    lag_pass_init(&pass, state, work, tokens, batch, context, team);
    lag_pass_forward(&pass);
    struct lag_gemm_job head = {.precision = pass.precision,
                                .pack = lag_pass_pack(&pass, 0),
                                .m = pass.n_tokens,
                                .n = pass.V,
                                .k = pass.C,
                                .alpha = 1,
                                .a = {lag_slot(work, LAG_SLOT_LNF, 0), pass.C, false},
                                .b = {lag_param(&state->layout, state->params, LAG_ROLE_WTE), pass.C, true},
                                .c = ret_logits,
                                .c_stride = pass.V,
                                .tile_rows = pass.tile_rows,
                                .tile_cols = LAG_MIN(pass.V, LOGIT_COLS)};
    struct lag_region region = {0};
    lag_region_add(&region, lag_gemm_job_tile, &head, lag_gemm_job_tiles(&head));
    lag_region_run(&region, team);
}
