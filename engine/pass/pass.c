/* What forward, loss and backward share: pointers and the row tiles. */
#include "pass/pass_internal.h"

#include <lagd/base/check.h>

void lag_pass_init(struct lag_pass *pass, const struct lag_state *state, struct lag_cpu_work *work,
                   const int32_t *tokens, int batch, int context, struct lag_team *team) {
    const struct lag_spec *spec = &state->layout.spec;
    LAG_ASSERT(lag_spec_equal(spec, &work->spec) && lag_team_size(team) <= work->common.shape.n_members);
    LAG_ASSERT(batch >= 1 && batch <= work->common.shape.batch && context >= 1 &&
               context <= work->common.shape.context);
    const int n = batch * context, rows = lag_tile_rows(n);
    *pass = (struct lag_pass){.vec = lag_vec(), .precision = work->common.shape.precision, .state = state, .work = work,
                              .team = team, .tokens = tokens,
                              .batch = batch, .context = context, .n_tokens = n,
                              .C = spec->n_embd, .A = lag_spec_attention(spec), .I = spec->n_inner, .H = spec->n_head,
                              .V = spec->vocab_size, .head = lag_spec_head_dim(spec),
                              .parts = lag_work_clocks(work), .tile_rows = rows, .n_row_tiles = (n + rows - 1) / rows};
    lag_pass_scale(pass);
}

struct lag_acts lag_pass_acts(const struct lag_pass *pass, int layer) {
    const struct lag_cpu_work *work = pass->work;
    const int kept = pass->keep ? layer : 0, i = pass->recompute ? 0 : kept;
    lag_real *stats = lag_slot(work, LAG_SLOT_STATS, kept);
    const size_t n = (size_t)pass->n_tokens;
    return (struct lag_acts){
        .x = lag_slot(work, LAG_SLOT_X, kept),
        .ln1 = lag_slot(work, LAG_SLOT_LN1, pass->recompute ? layer % 2 : kept),
        .qkv = lag_slot(work, LAG_SLOT_QKV, i),
        .att = lag_slot(work, LAG_SLOT_ATT, i),
        .mid = lag_slot(work, LAG_SLOT_MID, i),
        .ln2 = lag_slot(work, LAG_SLOT_LN2, i),
        .fc = lag_slot(work, LAG_SLOT_FC, i),
        .gelu = lag_slot(work, LAG_SLOT_GELU, i),
        .lse = lag_slot(work, LAG_SLOT_LSE, i),
        .next = lag_slot(work, LAG_SLOT_X, pass->keep ? layer + 1 : 0),
        .mean1 = stats, .rstd1 = stats + n, .mean2 = stats + 2 * n, .rstd2 = stats + 3 * n,
    };
}

lag_real *lag_param(const struct lag_layout *layout, lag_real *block, enum lag_role role) {
    return block + lag_layout_tensor(layout, role, 0)->offset;
}

struct lag_weights lag_weights_of(const struct lag_layout *layout, lag_real *block, int layer) {
#define AT(role) (block + lag_layout_tensor(layout, LAG_ROLE_##role, layer)->offset)
    return (struct lag_weights){
        .ln1_w = AT(LN1_W), .ln1_b = AT(LN1_B), .qkv_w = AT(QKV_W), .qkv_b = AT(QKV_B),
        .proj_w = AT(PROJ_W), .proj_b = AT(PROJ_B), .ln2_w = AT(LN2_W), .ln2_b = AT(LN2_B),
        .fc_w = AT(FC_W), .fc_b = AT(FC_B), .fcproj_w = AT(FCPROJ_W), .fcproj_b = AT(FCPROJ_B),
    };
#undef AT
}

int lag_pass_rows(const struct lag_pass *pass, int tile, int *ret_n) {
    const int begin = tile * pass->tile_rows;
    *ret_n = LAG_MIN(pass->tile_rows, pass->n_tokens - begin);
    return begin;
}
