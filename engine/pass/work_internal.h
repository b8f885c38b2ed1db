/* The memory of one forward and backward pass on the CPU, and what its passes share.
 *
 * N = batch × context tokens, C = width, I = FFN width, H = heads, V = vocabulary, T = context. */
#pragma once
#include "kernels/gemm_internal.h"
#include "kernels/vec_internal.h"

#include <lagd/engine/backend.h>
#include <stddef.h>

enum lag_slot {
    /* saved for the backward pass, one a layer; with recomputation only X and STATS are, the others hold one layer */
    LAG_SLOT_X,     /* [L+1][N][C] residual stream before each layer and at the end */
    LAG_SLOT_LN1,   /* [L][N][C]; with recomputation of two neighbours, as the upper one's gradients are made last */
    LAG_SLOT_QKV,   /* [L][N][3C] */
    LAG_SLOT_ATT,   /* [L][N][C] heads' outputs */
    LAG_SLOT_MID,   /* [L][N][C] residual stream between attention and FFN */
    LAG_SLOT_LN2,   /* [L][N][C] */
    LAG_SLOT_FC,    /* [L][N][I] before GELU */
    LAG_SLOT_GELU,  /* [L][N][I] */
    LAG_SLOT_STATS, /* [L+1][4][N] mean and 1/std of ln_1, ln_2; at the end of ln_f */
    LAG_SLOT_LSE,   /* [L][N][H] log-sum-exp of the scores */
    LAG_SLOT_LNF,   /* [N][C] */
    /* gradients of activations, of one layer at a time */
    LAG_SLOT_DX,    /* [N][C] */
    LAG_SLOT_DMID,  /* [N][C] */
    LAG_SLOT_DATT,  /* [N][C]; before the last layer: the gradient of ln_f's output */
    LAG_SLOT_DFC,   /* [N][I] */
    LAG_SLOT_DQKV,  /* [N][3C] */
    LAG_SLOT_LOGITS,/* [chunk][V] */
    LAG_SLOT_SCRATCH, /* [members] */
    LAG_SLOT_PACK,    /* [members][LAG_PACK_ELEMENTS] */
    LAG_SLOT_PACKED,  /* the four weight matrices that the next tiles of rows need, packed; empty where BLAS works */
    LAG_SLOT_GRADS,
    LAG_SLOT_ROW_LOSS, /* double [N] */
    LAG_SLOT_PARTIAL,  /* double [row tiles][9C + I] */
    LAG_SLOT_TOKENS, LAG_SLOT_TARGETS, /* int32 [N] */
    LAG_SLOT_PARTS, /* struct lag_parts [members] */
    LAG_N_SLOTS
};

struct lag_cpu_work {
    struct lag_work common; /* first */
    struct lag_spec spec;
    struct lag_layout layout;
    char *block;
    size_t bytes;
    size_t offset[LAG_N_SLOTS]; /* bytes */
    size_t stride[LAG_N_SLOTS]; /* bytes of one layer or member */
    bool measured;
};

/* The work of a call through the backend, which the CPU made. */
static inline struct lag_cpu_work *lag_cpu_work_of(struct lag_work *work) { return (struct lag_cpu_work *)work; }
int lag_cpu_work_create(const struct lag_spec *spec, const struct lag_work_shape *shape, struct lag_work **ret,
                        struct lag_error *err);
void lag_cpu_work_destroy(struct lag_work *work);
uint64_t lag_cpu_work_bytes(const struct lag_spec *spec, const struct lag_work_shape *shape);

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
    int C, I, H, V, head; /* head = C / H */
    int tile_rows, n_row_tiles;
    bool keep; /* keep what the backward pass needs of every layer */
    bool recompute; /* keep only inputs of layers; for a pass with keep */
    double scale;
    lag_real beta; /* 0 replaces weight gradients, 1 adds to them */
    int layer;     /* that the running region works on */
    struct lag_parts *parts; /* [members], NULL when not measured */
};

void lag_pass_init(struct lag_pass *pass, const struct lag_state *state, struct lag_cpu_work *work,
                   const int32_t *tokens, int batch, int context, struct lag_team *team);
/* NULL when the work is not measured. */
struct lag_parts *lag_work_clocks(const struct lag_cpu_work *work);
lag_real *lag_slot(const struct lag_cpu_work *work, enum lag_slot slot, int index);
static inline lag_real *lag_pass_pack(const struct lag_pass *pass, int member) {
    return lag_slot(pass->work, LAG_SLOT_PACK, member);
}
struct lag_acts lag_pass_acts(const struct lag_pass *pass, int layer);
struct lag_weights lag_weights_of(const struct lag_layout *layout, lag_real *block, int layer);
lag_real *lag_param(const struct lag_layout *layout, lag_real *block, enum lag_role role);
static inline lag_real *lag_row(lag_real *block, int row, int width) { return block + (size_t)row * (size_t)width; }
/* The weight matrices of a layer. */
enum lag_matrix_id { LAG_MATRIX_QKV, LAG_MATRIX_PROJ, LAG_MATRIX_FC, LAG_MATRIX_FCPROJ, LAG_N_MATRICES };
uint64_t lag_packed_slot(const struct lag_spec *spec, enum lag_precision precision);
/* The matrix as operand b of a product over tiles of rows: packed when lag_pass_pack_add packed it. */
struct lag_matrix lag_pass_matrix(const struct lag_pass *pass, int layer, enum lag_matrix_id id, bool transposed);
/* Adds the job that packs it, for the region before those tiles. packing stays alive until the region has run. */
void lag_pass_pack_add(const struct lag_pass *pass, struct lag_region *region, int layer, enum lag_matrix_id id,
                       bool transposed, struct lag_packing *packing);
/* Row tile number tile: its first row; *ret_n rows. */
int lag_pass_rows(const struct lag_pass *pass, int tile, int *ret_n);
int lag_tile_rows(int n_tokens);
/* Rows of logits that fit in the chunk buffer. */
int lag_chunk_rows(int n_tokens, int vocab_size);

#define LAG_ATT_ROWS 64 /* query rows a block */

/* Embedding to ln_f. */
void lag_pass_forward(struct lag_pass *pass);
/* Mean loss; with gradients also dlnf into LAG_SLOT_DATT and the head's part of wte's gradient. */
double lag_pass_loss(struct lag_pass *pass, bool with_gradients);
/* The layer's activations again, from its input. */
void lag_pass_recompute(struct lag_pass *pass, int layer);
/* From LAG_SLOT_DATT down to the embeddings. */
void lag_pass_backward(struct lag_pass *pass);

/* Elements of scratch that attention needs. */
uint64_t lag_attention_scratch(enum lag_precision precision, int context, int head);
/* tile_fn over a struct lag_pass: one (batch, head) a tile. */
void lag_attention_forward_tile(void *pass, int tile, int member);
void lag_attention_backward_tile(void *pass, int tile, int member);
