/* What the passes on the CPU share: pointers into the work, tiles of rows, the steps of a pass. N = batch × context
 * tokens; other letters as in work_internal.h. */
#pragma once
#include "pass/work_internal.h"

/* Pointers to the activations of one layer. */
struct lag_acts {
    lag_real *x, *ln1, *qkv, *att, *mid, *ln2, *fc, *gelu, *lse, *next;
    lag_real *mean1, *rstd1, *mean2, *rstd2;
};
/* Pointers to the parameters, or the gradients, of one layer. */
struct lag_weights {
    lag_real *ln1_w, *ln1_b, *qkv_w, *qkv_b, *proj_w, *proj_b, *ln2_w, *ln2_b, *fc_w, *fc_b, *fcproj_w, *fcproj_b;
};

/* One call of the model. */
struct lag_pass {
    const struct lag_vec *vec;
    enum lag_precision precision;
    const struct lag_state *state;
    struct lag_cpu_work *work;
    struct lag_team *team;
    const int32_t *tokens, *targets;
    int batch, context, n_tokens;
    int C, A, I, H, V, head; /* A = H × head */
    int tile_rows, n_row_tiles;
    bool keep; /* keep what the backward pass needs of every layer */
    bool recompute; /* keep only inputs of layers; for a pass with keep */
    double scale;
    lag_real beta; /* 0 replaces weight gradients, 1 adds to them */
    int layer;     /* that the running region works on */
    bool scaled;   /* gates or masks are there */
    struct lag_parts *parts; /* [members], NULL when not measured */
};

void lag_pass_init(struct lag_pass *pass, const struct lag_state *state, struct lag_cpu_work *work,
                   const int32_t *tokens, int batch, int context, struct lag_team *team);
static inline lag_real *lag_pass_pack(const struct lag_pass *pass, int member) {
    return lag_slot(pass->work, LAG_SLOT_PACK, member);
}
struct lag_acts lag_pass_acts(const struct lag_pass *pass, int layer);
struct lag_weights lag_weights_of(const struct lag_layout *layout, lag_real *block, int layer);
lag_real *lag_param(const struct lag_layout *layout, lag_real *block, enum lag_role role);
static inline lag_real *lag_row(lag_real *block, int row, int width) { return block + (size_t)row * (size_t)width; }
/* The weight matrices of a layer. */
enum lag_matrix_id { LAG_MATRIX_QKV, LAG_MATRIX_PROJ, LAG_MATRIX_FC, LAG_MATRIX_FCPROJ, LAG_N_MATRICES };
/* The matrix as operand b of a product over tiles of rows: packed when lag_pass_pack_add packed it. */
struct lag_matrix lag_pass_matrix(const struct lag_pass *pass, int layer, enum lag_matrix_id id, bool transposed);
/* Adds the job that packs it, for the region before those tiles. packing stays alive until the region has run. */
void lag_pass_pack_add(const struct lag_pass *pass, struct lag_region *region, int layer, enum lag_matrix_id id,
                       bool transposed, struct lag_packing *packing);
/* The two branches of a layer into the residual stream. */
enum lag_branch { LAG_BRANCH_ATTENTION, LAG_BRANCH_FFN, LAG_N_BRANCHES };
/* What gates and masks make of a layer: a branch adds g (mask ⊙ a) W + bias to the residual stream. */
struct lag_scales {
    bool active;             /* something below is not 1, or a gate is trained; else nothing is multiplied */
    bool masks;              /* a unit's mask is below 1 */
    lag_real gate[LAG_N_BRANCHES];
    const lag_real *units[LAG_N_BRANCHES];     /* masks of the heads' outputs [A], and of the FFN's units [I] */
    const lag_real *bias_mask[LAG_N_BRANCHES]; /* [C] */
    const lag_real *bias[LAG_N_BRANCHES];      /* [C] gate × mask × the stored bias */
};
/* Reads gates and masks of the state at its step; part of lag_pass_init. */
void lag_pass_scale(struct lag_pass *pass);
struct lag_scales lag_pass_scales(const struct lag_pass *pass, int layer);
/* x[i] *= y[i] */
static inline void lag_multiply(size_t n, const lag_real *y, lag_real *x) {
    for (size_t i = 0; i < n; i++) x[i] *= y[i];
}
/* Row tile number tile: its first row; *ret_n rows. */
int lag_pass_rows(const struct lag_pass *pass, int tile, int *ret_n);

#define LAG_ATT_ROWS 64 /* query rows a block */

/* Embedding to ln_f. */
void lag_pass_forward(struct lag_pass *pass);
/* Mean loss; with gradients also dlnf into LAG_SLOT_DATT and the head's part of wte's gradient. */
double lag_pass_loss(struct lag_pass *pass, bool with_gradients);
/* The layer's activations again, from its input. */
void lag_pass_recompute(struct lag_pass *pass, int layer);
/* From LAG_SLOT_DATT down to the embeddings. */
void lag_pass_backward(struct lag_pass *pass);

/* tile_fn over a struct lag_pass: one (batch, head) a tile. */
void lag_attention_forward_tile(void *pass, int tile, int member);
void lag_attention_backward_tile(void *pass, int tile, int member);
