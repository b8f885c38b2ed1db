/* Gates and masks as factors: a layer's branch adds g (mask ⊙ a) W + g mask ⊙ b to the residual stream, where a are the
 * heads' outputs or the FFN's inner activations. They are read once a pass, since they depend on weights and step only.
 * A model without them has none of this: nothing is read, and nothing multiplied. */
#include "pass/pass_internal.h"

#include <lagd/base/check.h>
#include <lagd/engine/optim.h>

static const struct {
    enum lag_role gate, weight, bias;
} ROLES[LAG_N_BRANCHES] = {
    [LAG_BRANCH_ATTENTION] = {LAG_ROLE_PROJ_GATE, LAG_ROLE_PROJ_W, LAG_ROLE_PROJ_B},
    [LAG_BRANCH_FFN] = {LAG_ROLE_FCPROJ_GATE, LAG_ROLE_FCPROJ_W, LAG_ROLE_FCPROJ_B},
};

/* A layer's part of the slot: a head of LAG_SCALE_HEAD numbers, then units, masks of biases and whole biases. */
enum head { HEAD_GATES, HEAD_ACTIVE = LAG_N_BRANCHES, HEAD_MASKS };

static size_t n_units(const struct lag_pass *pass, enum lag_branch branch) {
    return (size_t)(branch == LAG_BRANCH_ATTENTION ? pass->A : pass->I);
}

static lag_real *head_of(const struct lag_pass *pass, int layer) {
    return lag_slot(pass->work, LAG_SLOT_SCALES, layer);
}

static lag_real *units_of(const struct lag_pass *pass, int layer, enum lag_branch branch) {
    return head_of(pass, layer) + LAG_SCALE_HEAD + (branch == LAG_BRANCH_ATTENTION ? 0 : pass->A);
}

static lag_real *bias_masks_of(const struct lag_pass *pass, int layer, enum lag_branch branch) {
    return units_of(pass, layer, LAG_BRANCH_FFN) + pass->I + (size_t)branch * (size_t)pass->C;
}

static lag_real *biases_of(const struct lag_pass *pass, int layer, enum lag_branch branch) {
    return bias_masks_of(pass, layer, branch) + LAG_N_BRANCHES * (size_t)pass->C;
}

static void fill(size_t n, lag_real value, lag_real *x) {
    for (size_t i = 0; i < n; i++) x[i] = value;
}

static void open_layer(const struct lag_pass *pass, int layer) {
    lag_real *head = head_of(pass, layer);
    fill(LAG_SCALE_HEAD, 0, head);
    for (int b = 0; b < LAG_N_BRANCHES; b++) {
        const enum lag_branch branch = (enum lag_branch)b;
        head[HEAD_GATES + b] = 1;
        if (pass->state->layout.spec.gated)
            head[HEAD_GATES + b] =
                pass->state->params[lag_layout_tensor(&pass->state->layout, ROLES[b].gate, layer)->offset];
        if (head[HEAD_GATES + b] != 1) head[HEAD_ACTIVE] = 1;
        fill(n_units(pass, branch), 1, units_of(pass, layer, branch));
        fill((size_t)pass->C, 1, bias_masks_of(pass, layer, branch));
    }
}

static void read_segment(const struct lag_pass *pass, const struct lag_segment *segment) {
    const struct lag_tensor *tensor = &pass->state->layout.tensors[segment->tensor];
    const lag_real mask = (lag_real)lag_mask_factor(segment, pass->state->step);
    for (int b = 0; b < LAG_N_BRANCHES; b++) {
        lag_real *head = tensor->layer < 0 ? NULL : head_of(pass, tensor->layer);
        const enum lag_branch branch = (enum lag_branch)b;
        if (tensor->row->role == ROLES[b].gate && !lag_is_frozen(segment, pass->state->step)) head[HEAD_ACTIVE] = 1;
        if (mask == 1 || (tensor->row->role != ROLES[b].weight && tensor->row->role != ROLES[b].bias)) continue;
        head[HEAD_ACTIVE] = 1;
        if (tensor->row->role == ROLES[b].bias) {
            fill((size_t)(segment->col_end - segment->col_begin), mask,
                 bias_masks_of(pass, tensor->layer, branch) + segment->col_begin);
            continue;
        }
        head[HEAD_MASKS] = 1;
        fill((size_t)(segment->row_end - segment->row_begin), mask,
             units_of(pass, tensor->layer, branch) + segment->row_begin);
    }
}

static void close_layer(const struct lag_pass *pass, int layer) {
    for (int b = 0; b < LAG_N_BRANCHES; b++) {
        const enum lag_branch branch = (enum lag_branch)b;
        const lag_real gate = head_of(pass, layer)[HEAD_GATES + b], *mask = bias_masks_of(pass, layer, branch);
        const lag_real *stored =
            pass->state->params + lag_layout_tensor(&pass->state->layout, ROLES[b].bias, layer)->offset;
        lag_real *bias = biases_of(pass, layer, branch);
        for (int c = 0; c < pass->C; c++) bias[c] = gate * mask[c] * stored[c];
    }
}

void lag_pass_scale(struct lag_pass *pass) {
    const struct lag_state *state = pass->state;
    pass->scaled = state->layout.spec.gated || lag_state_is_masked(state);
    for (int layer = 0; pass->scaled && layer < state->layout.spec.n_layer; layer++) open_layer(pass, layer);
    for (int i = 0; pass->scaled && i < state->n_segments; i++) read_segment(pass, &state->segments[i]);
    for (int layer = 0; pass->scaled && layer < state->layout.spec.n_layer; layer++) close_layer(pass, layer);
}

struct lag_scales lag_pass_scales(const struct lag_pass *pass, int layer) {
    const struct lag_weights w = lag_weights_of(&pass->state->layout, pass->state->params, layer);
    struct lag_scales scales = {.gate = {1, 1}, .bias = {w.proj_b, w.fcproj_b}};
    if (!pass->scaled || head_of(pass, layer)[HEAD_ACTIVE] == 0) return scales;
    scales.active = true;
    scales.masks = head_of(pass, layer)[HEAD_MASKS] != 0;
    for (int b = 0; b < LAG_N_BRANCHES; b++) {
        const enum lag_branch branch = (enum lag_branch)b;
        scales.gate[b] = head_of(pass, layer)[HEAD_GATES + b];
        scales.units[b] = units_of(pass, layer, branch);
        scales.bias_mask[b] = bias_masks_of(pass, layer, branch);
        scales.bias[b] = biases_of(pass, layer, branch);
    }
    return scales;
}
