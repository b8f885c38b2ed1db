/* The memory of one forward and backward pass on the CPU.
 *
 * N = batch × context tokens, C = width, A = width of attention (heads × head size), I = FFN width, H = heads, V =
 * vocabulary, T = context. */
#pragma once
#include "kernels/gemm_internal.h"
#include "kernels/vec_internal.h"

#include <lagd/engine/backend.h>
#include <stddef.h>

enum lag_slot {
    /* saved for the backward pass, one a layer; with recomputation only X and STATS are, the others hold one layer */
    LAG_SLOT_X,     /* [L+1][N][C] residual stream before each layer and at the end */
    LAG_SLOT_LN1,   /* [L][N][C]; with recomputation of two neighbours, as the upper one's gradients are made last */
    LAG_SLOT_QKV,   /* [L][N][3A] */
    LAG_SLOT_ATT,   /* [L][N][A] heads' outputs */
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
    LAG_SLOT_DATT,  /* [N][max(A, C)]: [N][A]; before the last layer: the gradient of ln_f's output, [N][C] */
    LAG_SLOT_DFC,   /* [N][I] */
    LAG_SLOT_DQKV,  /* [N][3A] */
    LAG_SLOT_LOGITS,/* [chunk][V] */
    LAG_SLOT_SCRATCH, /* [members] */
    LAG_SLOT_PACK,    /* [members][LAG_PACK_ELEMENTS] */
    LAG_SLOT_PACKED,  /* the four weight matrices that the next tiles of rows need, packed; empty where BLAS works */
    LAG_SLOT_GRADS,
    LAG_SLOT_ROW_LOSS, /* double [N] */
    LAG_SLOT_PARTIAL,  /* double [row tiles][6C + I + 3A + 2] */
    LAG_SLOT_SCALES,   /* [L][LAG_SCALE_HEAD + A + I + 4C] what gates and masks make of each layer; see scales.c */
    LAG_SLOT_TOKENS, LAG_SLOT_TARGETS, /* int32 [N] */
    LAG_SLOT_PARTS, /* struct lag_parts [members] */
    LAG_N_SLOTS
};

#define LAG_SCALE_HEAD 16

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
/* NULL when the work is not measured. */
struct lag_parts *lag_work_clocks(const struct lag_cpu_work *work);
lag_real *lag_slot(const struct lag_cpu_work *work, enum lag_slot slot, int index);
/* Rows of one tile of tokens. */
int lag_tile_rows(int n_tokens);
/* Rows of logits that fit in the chunk buffer. */
int lag_chunk_rows(int n_tokens, int vocab_size);
/* Elements of the slots of packed weights and of scratch for attention. */
uint64_t lag_packed_slot(const struct lag_spec *spec, enum lag_precision precision);
uint64_t lag_attention_scratch(enum lag_precision precision, int context, int head);
