/* Backward pass, two regions a layer.
 *
 * Region 1, tiles of token rows: through ln_1 of the layer above into DX, then through the FFN, ln_2 and the output
 * projection of this layer into DATT; beside it the QKV weight gradient of the layer above.
 * Region 2: attention tiles into DQKV; beside them this layer's other weight gradients (tiles over the weight, each
 * over all tokens), and the sums over row tiles of region 1's vector gradients.
 *
 * With recomputation a layer's activations are made again before its region 1; the last layer's are still there. */
#include "pass/pass_internal.h"

#include <lagd/base/check.h>
#include <string.h>

#define WEIGHT_TILE 512 /* longest edge of a weight gradient's tile */
#define EMBED_COLS 32 /* columns a tile of the embeddings' gradients */

/* Where each vector gradient's sums lie in a row tile's partials, in widths of C; then come FC_B, I wide, QKV_B, 3A
 * wide, and one number for each gate. */
enum partial {
    PART_LN1_W,
    PART_LN1_B,
    PART_PROJ_B,
    PART_LN2_W,
    PART_LN2_B,
    PART_FCPROJ_B,
    PART_FC_B,
    PART_QKV_B,
    PART_GATES,
};

static size_t partial_width(const struct lag_pass *pass) {
    return PART_FC_B * (size_t)pass->C + (size_t)pass->I + 3 * (size_t)pass->A + LAG_N_BRANCHES;
}

static double *partials(const struct lag_pass *pass, int tile, int part) {
    double *all = (double *)(void *)lag_slot(pass->work, LAG_SLOT_PARTIAL, 0);
    const size_t C = (size_t)pass->C, A = (size_t)pass->A, qkv_b = PART_FC_B * C + (size_t)pass->I;
    const size_t at = part < PART_QKV_B ? (size_t)part * C : part == PART_QKV_B ? qkv_b : qkv_b + 3 * A;
    return all + (size_t)tile * partial_width(pass) + at;
}

static lag_real *grads_of(const struct lag_pass *pass) {
    return lag_slot(pass->work, LAG_SLOT_GRADS, 0);
}

/* dx = dy w^T for n rows; w is [in][out], transposed here. */
static void project_back(const struct lag_pass *pass, int member, int n, int in, int out, const lag_real *dy,
                         struct lag_matrix w, lag_real *dx) {
    lag_part_begin(pass->parts, member, LAG_PART_MATMUL);
    lag_gemm(pass->precision, lag_pass_pack(pass, member), n, in, out, 1,
             (struct lag_matrix){.data = dy, .stride = out}, w, 0, dx, in);
}

static void column_sums(const struct lag_pass *pass, int n, int width, lag_real *x, double *sums) {
    for (int r = 0; r < n; r++) pass->vec->accumulate((size_t)width, lag_row(x, r, width), sums);
}

struct norm {
    const lag_real *x, *w, *mean, *rstd; /* x, mean, rstd from row 0 */
    double *dw, *db;
};

/* Rows begin … begin + n of dx = (dy through the norm) + residual. dy starts at row begin; residual may be NULL. */
static void norm_rows(const struct lag_pass *pass, struct norm norm, int begin, int n, lag_real *dy, lag_real *residual,
                      lag_real *dx) {
    const int C = pass->C;
    for (int i = 0; i < n; i++) {
        const int r = begin + i;
        pass->vec->norm_backward((size_t)C, norm.x + (size_t)r * (size_t)C, norm.w, norm.mean[r], norm.rstd[r],
                                 lag_row(dy, i, C), residual ? lag_row(residual, r, C) : NULL, lag_row(dx, r, C),
                                 norm.dw, norm.db);
    }
}

static void through_final_norm(const struct lag_pass *pass, int tile, int member, int begin, int n) {
    const struct lag_layout *layout = &pass->state->layout;
    const int L = layout->spec.n_layer;
    lag_real *stats = lag_slot(pass->work, LAG_SLOT_STATS, L);
    const struct norm norm = {lag_slot(pass->work, LAG_SLOT_X, L),
                              lag_param(layout, pass->state->params, LAG_ROLE_LNF_W),
                              stats,
                              stats + pass->n_tokens,
                              partials(pass, tile, PART_LN1_W),
                              partials(pass, tile, PART_LN1_B)};
    lag_part_begin(pass->parts, member, LAG_PART_NORM);
    norm_rows(pass, norm, begin, n, lag_row(lag_slot(pass->work, LAG_SLOT_DATT, 0), begin, pass->C), NULL,
              lag_slot(pass->work, LAG_SLOT_DX, 0));
}

/* DQKV and DMID → DX: the gradient of the layer's input. */
static void through_attention_input(const struct lag_pass *pass, int layer, int tile, int member, int begin, int n) {
    const struct lag_acts a = lag_pass_acts(pass, layer);
    const struct lag_weights w = lag_weights_of(&pass->state->layout, pass->state->params, layer);
    const int C = pass->C, A = pass->A;
    lag_real *dqkv = lag_row(lag_slot(pass->work, LAG_SLOT_DQKV, 0), begin, 3 * A);
    lag_real *dln1 = lag_slot(pass->work, LAG_SLOT_SCRATCH, member);
    lag_part_begin(pass->parts, member, LAG_PART_ACTIVATION);
    column_sums(pass, n, 3 * A, dqkv, partials(pass, tile, PART_QKV_B));
    project_back(pass, member, n, C, 3 * A, dqkv, lag_pass_matrix(pass, layer, LAG_MATRIX_QKV, true),
                 dln1);
    const struct norm norm = {
        a.x, w.ln1_w, a.mean1, a.rstd1, partials(pass, tile, PART_LN1_W), partials(pass, tile, PART_LN1_B)};
    lag_part_begin(pass->parts, member, LAG_PART_NORM);
    norm_rows(pass, norm, begin, n, dln1, lag_slot(pass->work, LAG_SLOT_DMID, 0), lag_slot(pass->work, LAG_SLOT_DX, 0));
}

/* da = dy W^T of a branch, n rows of width, becomes the gradient of its units a; mask is theirs where that of a is not
 * applied elsewhere. The gate's is the part that comes through them: Σ da · a. */
static void through_gate(const struct lag_pass *pass, int tile, enum lag_branch branch, const struct lag_scales *s,
                         const lag_real *mask, int n, int width, lag_real *a, lag_real *da) {
    const size_t w = (size_t)width;
    for (int r = 0; s->active && r < n; r++) {
        lag_real *row = lag_row(da, r, width);
        partials(pass, tile, PART_GATES)[branch] += pass->vec->dot(w, lag_row(a, r, width), row);
        pass->vec->scale(w, s->gate[branch], row);
        if (mask) lag_multiply(w, mask, row);
    }
}

/* DX → DFC, DMID, DATT. */
static void through_ffn(const struct lag_pass *pass, int layer, int tile, int member, int begin, int n) {
    const struct lag_acts a = lag_pass_acts(pass, layer);
    const struct lag_weights w = lag_weights_of(&pass->state->layout, pass->state->params, layer);
    const struct lag_scales s = lag_pass_scales(pass, layer);
    const int C = pass->C, A = pass->A, I = pass->I;
    lag_real *dx = lag_row(lag_slot(pass->work, LAG_SLOT_DX, 0), begin, C);
    lag_real *dmid = lag_row(lag_slot(pass->work, LAG_SLOT_DMID, 0), begin, C);
    lag_real *dfc = lag_row(lag_slot(pass->work, LAG_SLOT_DFC, 0), begin, I);
    lag_real *dln2 = lag_slot(pass->work, LAG_SLOT_SCRATCH, member);
    lag_part_begin(pass->parts, member, LAG_PART_ACTIVATION);
    column_sums(pass, n, C, dx, partials(pass, tile, PART_FCPROJ_B));
    project_back(pass, member, n, I, C, dx, lag_pass_matrix(pass, layer, LAG_MATRIX_FCPROJ, true), dfc);
    lag_part_begin(pass->parts, member, LAG_PART_ACTIVATION);
    through_gate(pass, tile, LAG_BRANCH_FFN, &s, s.masks ? s.units[LAG_BRANCH_FFN] : NULL, n, I,
                 lag_row(a.gelu, begin, I), dfc);
    for (int r = 0; r < n; r++) pass->vec->gelu_backward((size_t)I, lag_row(a.fc, begin + r, I), lag_row(dfc, r, I));
    column_sums(pass, n, I, dfc, partials(pass, tile, PART_FC_B));
    project_back(pass, member, n, C, I, dfc, lag_pass_matrix(pass, layer, LAG_MATRIX_FC, true), dln2);
    const struct norm norm = {
        a.mid, w.ln2_w, a.mean2, a.rstd2, partials(pass, tile, PART_LN2_W), partials(pass, tile, PART_LN2_B)};
    lag_part_begin(pass->parts, member, LAG_PART_NORM);
    norm_rows(pass, norm, begin, n, dln2, lag_slot(pass->work, LAG_SLOT_DX, 0), lag_slot(pass->work, LAG_SLOT_DMID, 0));
    lag_part_begin(pass->parts, member, LAG_PART_ACTIVATION);
    column_sums(pass, n, C, dmid, partials(pass, tile, PART_PROJ_B));
    lag_real *datt = lag_row(lag_slot(pass->work, LAG_SLOT_DATT, 0), begin, A);
    project_back(pass, member, n, A, C, dmid, lag_pass_matrix(pass, layer, LAG_MATRIX_PROJ, true), datt);
    through_gate(pass, tile, LAG_BRANCH_ATTENTION, &s, NULL, n, A, lag_row(a.att, begin, A), datt);
}

static void rows_tile(void *arg, int tile, int member) {
    const struct lag_pass *pass = arg;
    const int layer = pass->layer;
    int n;
    const int begin = lag_pass_rows(pass, tile, &n);
    memset(partials(pass, tile, 0), 0, partial_width(pass) * sizeof(double));
    if (layer + 1 == pass->state->layout.spec.n_layer)
        through_final_norm(pass, tile, member, begin, n);
    else
        through_attention_input(pass, layer + 1, tile, member, begin, n);
    if (layer >= 0) through_ffn(pass, layer, tile, member, begin, n);
}

/* ---- vector gradients ---- */

static void reduce(const struct lag_pass *pass, int part, int width, enum lag_role role, int layer) {
    lag_real *grad = grads_of(pass) + lag_layout_tensor(&pass->state->layout, role, layer)->offset;
    for (int c = 0; c < width; c++) {
        double sum = 0;
        for (int tile = 0; tile < pass->n_row_tiles; tile++) sum += partials(pass, tile, part)[c];
        grad[c] = (pass->beta != 0 ? grad[c] : 0) + (lag_real)sum;
    }
}

/* Of a branch's bias, and of its gate. The branch adds g (a W + mask ⊙ b), so that the gate's gradient is what comes
 * through the units and Σ mask ⊙ b ⊙ sum. */
static void reduce_branch(const struct lag_pass *pass, int part, enum lag_branch branch, int layer) {
    static const enum lag_role biases[] = {LAG_ROLE_PROJ_B, LAG_ROLE_FCPROJ_B};
    static const enum lag_role gates[] = {LAG_ROLE_PROJ_GATE, LAG_ROLE_FCPROJ_GATE};
    if (!pass->scaled) {
        reduce(pass, part, pass->C, biases[branch], layer);
        return;
    }
    const struct lag_layout *layout = &pass->state->layout;
    const struct lag_scales s = lag_pass_scales(pass, layer);
    const size_t at = lag_layout_tensor(layout, biases[branch], layer)->offset;
    lag_real *grad = grads_of(pass) + at;
    double through = 0;
    for (int c = 0; c < pass->C; c++) {
        const double mask = s.active ? (double)s.bias_mask[branch][c] : 1;
        double sum = 0;
        for (int tile = 0; tile < pass->n_row_tiles; tile++) sum += partials(pass, tile, part)[c];
        through += sum * mask * (double)pass->state->params[at + (size_t)c];
        grad[c] = (pass->beta != 0 ? grad[c] : 0) + (lag_real)(sum * mask * (double)s.gate[branch]);
    }
    if (!layout->spec.gated) return;
    for (int tile = 0; tile < pass->n_row_tiles; tile++) through += partials(pass, tile, PART_GATES)[branch];
    grad = grads_of(pass) + lag_layout_tensor(layout, gates[branch], layer)->offset;
    *grad = (pass->beta != 0 ? *grad : 0) + (lag_real)(s.active ? through : 0);
}

/* The sums over row tiles: those of ln_1 and QKV are of the layer above. */
static void reduce_tile(void *arg, int tile, int member) {
    const struct lag_pass *pass = arg;
    const int layer = pass->layer, C = pass->C;
    lag_part_begin(pass->parts, member, LAG_PART_OTHER);
    if (layer + 1 == pass->state->layout.spec.n_layer) {
        reduce(pass, PART_LN1_W, C, LAG_ROLE_LNF_W, 0);
        reduce(pass, PART_LN1_B, C, LAG_ROLE_LNF_B, 0);
    } else {
        reduce(pass, PART_LN1_W, C, LAG_ROLE_LN1_W, layer + 1);
        reduce(pass, PART_LN1_B, C, LAG_ROLE_LN1_B, layer + 1);
        reduce(pass, PART_QKV_B, 3 * pass->A, LAG_ROLE_QKV_B, layer + 1);
    }
    if (layer < 0) return;
    reduce_branch(pass, PART_PROJ_B, LAG_BRANCH_ATTENTION, layer);
    reduce(pass, PART_LN2_W, C, LAG_ROLE_LN2_W, layer);
    reduce(pass, PART_LN2_B, C, LAG_ROLE_LN2_B, layer);
    reduce_branch(pass, PART_FCPROJ_B, LAG_BRANCH_FFN, layer);
    reduce(pass, PART_FC_B, pass->I, LAG_ROLE_FC_B, layer);
}

/* Columns of wte's and wpe's gradients; tokens in their order. wte already holds the head's part. */
static void embed_tile(void *arg, int tile, int member) {
    const struct lag_pass *pass = arg;
    const struct lag_layout *layout = &pass->state->layout;
    const int C = pass->C, begin = tile * EMBED_COLS;
    const size_t n = (size_t)LAG_MIN(EMBED_COLS, C - begin);
    lag_real *wte = lag_param(layout, grads_of(pass), LAG_ROLE_WTE) + begin;
    lag_real *wpe = lag_param(layout, grads_of(pass), LAG_ROLE_WPE) + begin;
    lag_real *dx = lag_slot(pass->work, LAG_SLOT_DX, 0) + begin;
    lag_part_begin(pass->parts, member, LAG_PART_OTHER);
    if (pass->beta == 0)
        for (int t = 0; t < layout->spec.n_positions; t++) memset(lag_row(wpe, t, C), 0, n * sizeof(*wpe));
    for (int r = 0; r < pass->n_tokens; r++) {
        pass->vec->add(n, lag_row(dx, r, C), lag_row(wte, pass->tokens[r], C));
        pass->vec->add(n, lag_row(dx, r, C), lag_row(wpe, r % pass->context, C));
    }
}

/* ---- weight gradients ---- */

/* dw[in][out] = alpha x^T dy over all tokens. */
static struct lag_gemm_job weight_job(const struct lag_pass *pass, int in, int out, lag_real alpha, const lag_real *x,
                                      const lag_real *dy, lag_real *dw) {
    return (struct lag_gemm_job){.precision = pass->precision,
                                 .pack = lag_pass_pack(pass, 0),
                                 .m = in,
                                 .n = out,
                                 .k = pass->n_tokens,
                                 .alpha = alpha,
                                 .beta = pass->beta,
                                 .a = {x, in, true},
                                 .b = {dy, out, false},
                                 .c = dw,
                                 .c_stride = out,
                                 .tile_rows = lag_tile_split(in, WEIGHT_TILE),
                                 .tile_cols = lag_tile_split(out, WEIGHT_TILE)};
}

static void add_job(struct lag_region *region, struct lag_gemm_job *job) {
    lag_region_add(region, lag_gemm_job_tile, job, lag_gemm_job_tiles(job));
}

/* Region 1; layer -1 ends at the embeddings. */
static void rows_region(struct lag_pass *pass, int layer) {
    struct lag_region region = {.parts = pass->parts};
    struct lag_gemm_job qkv;
    pass->layer = layer;
    lag_region_add(&region, rows_tile, pass, pass->n_row_tiles);
    if (layer + 1 < pass->state->layout.spec.n_layer) {
        const struct lag_weights above = lag_weights_of(&pass->state->layout, grads_of(pass), layer + 1);
        qkv = weight_job(pass, pass->C, 3 * pass->A, 1, lag_pass_acts(pass, layer + 1).ln1,
                         lag_slot(pass->work, LAG_SLOT_DQKV, 0), above.qkv_w);
        add_job(&region, &qkv);
    }
    lag_region_run(&region, pass->team);
}

/* What the next region 1 multiplies with: QKV of layer (n_layer: none), the others of the layer below. */
static void add_packing(const struct lag_pass *pass, struct lag_region *region, int layer,
                        struct lag_packing *packing) {
    if (layer < pass->state->layout.spec.n_layer)
        lag_pass_pack_add(pass, region, layer, LAG_MATRIX_QKV, true, &packing[LAG_MATRIX_QKV]);
    for (int id = LAG_MATRIX_PROJ; id < LAG_N_MATRICES && layer > 0; id++)
        lag_pass_pack_add(pass, region, layer - 1, (enum lag_matrix_id)id, true, &packing[id]);
}

static bool is_recomputed(const struct lag_pass *pass, int layer) {
    return pass->recompute && layer >= 0 && layer + 1 < pass->state->layout.spec.n_layer;
}

/* Region 2. */
static void attention_region(struct lag_pass *pass, int layer) {
    const struct lag_acts a = lag_pass_acts(pass, layer);
    const struct lag_weights d = lag_weights_of(&pass->state->layout, grads_of(pass), layer);
    const int C = pass->C, I = pass->I;
    const lag_real *dx = lag_slot(pass->work, LAG_SLOT_DX, 0), *dmid = lag_slot(pass->work, LAG_SLOT_DMID, 0);
    const struct lag_scales s = lag_pass_scales(pass, layer);
    struct lag_gemm_job fcproj = weight_job(pass, I, C, s.gate[LAG_BRANCH_FFN], a.gelu, dx, d.fcproj_w);
    struct lag_gemm_job fc = weight_job(pass, C, I, 1, a.ln2, lag_slot(pass->work, LAG_SLOT_DFC, 0), d.fc_w);
    struct lag_gemm_job proj = weight_job(pass, pass->A, C, s.gate[LAG_BRANCH_ATTENTION], a.att, dmid, d.proj_w);
    struct lag_region region = {.parts = pass->parts};
    pass->layer = layer;
    add_job(&region, &fcproj);
    add_job(&region, &fc);
    add_job(&region, &proj);
    lag_region_add(&region, lag_attention_backward_tile, pass, pass->batch * pass->H);
    lag_region_add(&region, reduce_tile, pass, 1);
    struct lag_packing packing[LAG_N_MATRICES];
    if (!is_recomputed(pass, layer - 1)) add_packing(pass, &region, layer, packing);
    lag_region_run(&region, pass->team);
}

/* Then what region 1 multiplies with is packed, where the forward pass's packed weights were. */
static void recompute(struct lag_pass *pass, int layer) {
    struct lag_region region = {.parts = pass->parts};
    struct lag_packing packing[LAG_N_MATRICES];
    lag_pass_recompute(pass, layer);
    add_packing(pass, &region, layer + 1, packing);
    lag_region_run(&region, pass->team);
}

void lag_pass_backward(struct lag_pass *pass) {
    struct lag_region region = {.parts = pass->parts};
    struct lag_packing packing[LAG_N_MATRICES];
    add_packing(pass, &region, pass->state->layout.spec.n_layer, packing);
    lag_region_run(&region, pass->team);
    for (int layer = pass->state->layout.spec.n_layer - 1; layer >= 0; layer--) {
        if (is_recomputed(pass, layer)) recompute(pass, layer);
        rows_region(pass, layer);
        attention_region(pass, layer);
    }
    rows_region(pass, -1);
    lag_region_add(&region, reduce_tile, pass, 1);
    lag_region_add(&region, embed_tile, pass, (pass->C + EMBED_COLS - 1) / EMBED_COLS);
    lag_region_run(&region, pass->team);
}
