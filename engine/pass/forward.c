/* Forward pass. A layer is two regions: attention over (batch, head) tiles, and everything else over tiles of token
 * rows, where a tile goes through the output projection, ln_2, the FFN and the next layer's ln_1 and QKV in one go. */
#include "pass/pass_internal.h"

#include <lagd/base/check.h>

/* y = alpha x w for n rows; w is [in][out]. */
static void project(const struct lag_pass *pass, int member, int n, int in, int out, lag_real alpha, const lag_real *x,
                    struct lag_matrix w, lag_real *y) {
    lag_part_begin(pass->parts, member, LAG_PART_MATMUL);
    lag_gemm(pass->precision, lag_pass_pack(pass, member), n, out, in, alpha,
             (struct lag_matrix){.data = x, .stride = in}, w, 0, y, out);
}

static void normalise(const struct lag_pass *pass, int begin, int n, lag_real *x, const lag_real *w, const lag_real *b,
                      lag_real *y, lag_real *mean, lag_real *rstd) {
    for (int r = begin; r < begin + n; r++)
        pass->vec->norm_forward((size_t)pass->C, lag_row(x, r, pass->C), w, b, pass->state->layout.spec.norm_eps,
                                lag_row(y, r, pass->C), &mean[r], &rstd[r]);
}

static void embed(const struct lag_pass *pass, int member, int begin, int n) {
    const struct lag_layout *layout = &pass->state->layout;
    lag_real *wte = lag_param(layout, pass->state->params, LAG_ROLE_WTE);
    lag_real *wpe = lag_param(layout, pass->state->params, LAG_ROLE_WPE);
    lag_real *x = lag_slot(pass->work, LAG_SLOT_X, 0);
    lag_part_begin(pass->parts, member, LAG_PART_OTHER);
    for (int r = begin; r < begin + n; r++)
        pass->vec->sum2((size_t)pass->C, lag_row(wte, pass->tokens[r], pass->C),
                        lag_row(wpe, r % pass->context, pass->C), lag_row(x, r, pass->C));
}

/* ln_1 and QKV of a layer. */
static void open_layer(const struct lag_pass *pass, int layer, int member, int begin, int n) {
    const struct lag_acts a = lag_pass_acts(pass, layer);
    const struct lag_weights w = lag_weights_of(&pass->state->layout, pass->state->params, layer);
    const int C = pass->C, A = pass->A;
    lag_part_begin(pass->parts, member, LAG_PART_NORM);
    normalise(pass, begin, n, a.x, w.ln1_w, w.ln1_b, a.ln1, a.mean1, a.rstd1);
    project(pass, member, n, C, 3 * A, 1, lag_row(a.ln1, begin, C),
            lag_pass_matrix(pass, layer, LAG_MATRIX_QKV, false), lag_row(a.qkv, begin, 3 * A));
    lag_part_begin(pass->parts, member, LAG_PART_ACTIVATION);
    for (int r = begin; r < begin + n; r++) pass->vec->add((size_t)(3 * A), w.qkv_b, lag_row(a.qkv, r, 3 * A));
    const struct lag_scales s = lag_pass_scales(pass, layer); /* a head's output is masked where its values are */
    for (int r = begin; s.masks && r < begin + n; r++)
        lag_multiply((size_t)A, s.units[LAG_BRANCH_ATTENTION], lag_row(a.qkv, r, 3 * A) + 2 * A);
}

/* From the heads' outputs to the FFN's inner activations. */
static void widen(const struct lag_pass *pass, int layer, int member, int begin, int n) {
    const struct lag_acts a = lag_pass_acts(pass, layer);
    const struct lag_weights w = lag_weights_of(&pass->state->layout, pass->state->params, layer);
    const int C = pass->C, A = pass->A, I = pass->I;
    const struct lag_scales s = lag_pass_scales(pass, layer);
    const size_t c = (size_t)C;
    project(pass, member, n, A, C, s.gate[LAG_BRANCH_ATTENTION], lag_row(a.att, begin, A),
            lag_pass_matrix(pass, layer, LAG_MATRIX_PROJ, false), lag_row(a.mid, begin, C));
    lag_part_begin(pass->parts, member, LAG_PART_ACTIVATION);
    for (int r = begin; r < begin + n; r++)
        pass->vec->add2(c, s.bias[LAG_BRANCH_ATTENTION], lag_row(a.x, r, C), lag_row(a.mid, r, C));
    lag_part_begin(pass->parts, member, LAG_PART_NORM);
    normalise(pass, begin, n, a.mid, w.ln2_w, w.ln2_b, a.ln2, a.mean2, a.rstd2);
    project(pass, member, n, C, I, 1, lag_row(a.ln2, begin, C), lag_pass_matrix(pass, layer, LAG_MATRIX_FC, false),
            lag_row(a.fc, begin, I));
    lag_part_begin(pass->parts, member, LAG_PART_ACTIVATION);
    for (int r = begin; r < begin + n; r++)
        pass->vec->bias_gelu((size_t)I, w.fc_b, lag_row(a.fc, r, I), lag_row(a.gelu, r, I));
    for (int r = begin; s.masks && r < begin + n; r++)
        lag_multiply((size_t)I, s.units[LAG_BRANCH_FFN], lag_row(a.gelu, r, I));
}

/* From the heads' outputs to the residual stream of the next layer. */
static void close_layer(const struct lag_pass *pass, int layer, int member, int begin, int n) {
    const struct lag_acts a = lag_pass_acts(pass, layer);
    const struct lag_scales s = lag_pass_scales(pass, layer);
    const int C = pass->C, I = pass->I;
    widen(pass, layer, member, begin, n);
    project(pass, member, n, I, C, s.gate[LAG_BRANCH_FFN], lag_row(a.gelu, begin, I),
            lag_pass_matrix(pass, layer, LAG_MATRIX_FCPROJ, false), lag_row(a.next, begin, C));
    lag_part_begin(pass->parts, member, LAG_PART_ACTIVATION);
    for (int r = begin; r < begin + n; r++)
        pass->vec->add2((size_t)C, s.bias[LAG_BRANCH_FFN], lag_row(a.mid, r, C), lag_row(a.next, r, C));
}

static void final_norm(const struct lag_pass *pass, int member, int begin, int n) {
    const struct lag_layout *layout = &pass->state->layout;
    const int L = layout->spec.n_layer;
    lag_real *stats = lag_slot(pass->work, LAG_SLOT_STATS, L);
    lag_part_begin(pass->parts, member, LAG_PART_NORM);
    normalise(pass, begin, n, lag_slot(pass->work, LAG_SLOT_X, pass->keep ? L : 0),
              lag_param(layout, pass->state->params, LAG_ROLE_LNF_W),
              lag_param(layout, pass->state->params, LAG_ROLE_LNF_B), lag_slot(pass->work, LAG_SLOT_LNF, 0), stats,
              stats + pass->n_tokens);
}

static void rows_tile(void *arg, int tile, int member) {
    const struct lag_pass *pass = arg;
    int n;
    const int begin = lag_pass_rows(pass, tile, &n);
    if (pass->layer == 0)
        embed(pass, member, begin, n);
    else
        close_layer(pass, pass->layer - 1, member, begin, n);
    if (pass->layer < pass->state->layout.spec.n_layer)
        open_layer(pass, pass->layer, member, begin, n);
    else
        final_norm(pass, member, begin, n);
}

void lag_pass_forward(struct lag_pass *pass) {
    const int L = pass->state->layout.spec.n_layer;
    struct lag_region region = {.parts = pass->parts};
    struct lag_packing packing[LAG_N_MATRICES];
    lag_pass_pack_add(pass, &region, 0, LAG_MATRIX_QKV, false, &packing[0]);
    lag_region_run(&region, pass->team);
    for (int layer = 0; layer <= L; layer++) {
        pass->layer = layer;
        lag_region_add(&region, rows_tile, pass, pass->n_row_tiles);
        lag_region_run(&region, pass->team);
        if (layer == L) break;
        lag_region_add(&region, lag_attention_forward_tile, pass, pass->batch * pass->H);
        for (int id = LAG_MATRIX_PROJ; id < LAG_N_MATRICES; id++)
            lag_pass_pack_add(pass, &region, layer, (enum lag_matrix_id)id, false, &packing[id]);
        if (layer + 1 < L) lag_pass_pack_add(pass, &region, layer + 1, LAG_MATRIX_QKV, false, &packing[LAG_MATRIX_QKV]);
        lag_region_run(&region, pass->team);
    }
}

/* ---- again, for the backward pass ---- */

static void open_tile(void *arg, int tile, int member) {
    const struct lag_pass *pass = arg;
    int n;
    const int begin = lag_pass_rows(pass, tile, &n);
    open_layer(pass, pass->layer, member, begin, n);
}

static void widen_tile(void *arg, int tile, int member) {
    const struct lag_pass *pass = arg;
    int n;
    const int begin = lag_pass_rows(pass, tile, &n);
    widen(pass, pass->layer, member, begin, n);
}

void lag_pass_recompute(struct lag_pass *pass, int layer) {
    struct lag_region region = {.parts = pass->parts};
    struct lag_packing packing[LAG_N_MATRICES];
    pass->layer = layer;
    lag_pass_pack_add(pass, &region, layer, LAG_MATRIX_QKV, false, &packing[LAG_MATRIX_QKV]);
    lag_region_run(&region, pass->team);
    lag_region_add(&region, open_tile, pass, pass->n_row_tiles);
    lag_region_run(&region, pass->team);
    lag_region_add(&region, lag_attention_forward_tile, pass, pass->batch * pass->H);
    lag_pass_pack_add(pass, &region, layer, LAG_MATRIX_PROJ, false, &packing[LAG_MATRIX_PROJ]);
    lag_pass_pack_add(pass, &region, layer, LAG_MATRIX_FC, false, &packing[LAG_MATRIX_FC]);
    lag_region_run(&region, pass->team);
    lag_region_add(&region, widen_tile, pass, pass->n_row_tiles);
    lag_region_run(&region, pass->team);
}
