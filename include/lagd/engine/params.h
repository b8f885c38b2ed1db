/* The parameter table and the layout made from it.
 *
 * A row names a parameter and gives its role, init rule, weight-decay flag and the *spaces* of each axis. Layout, init,
 * count, optimiser, clipping, checkpoints, Hugging Face names, FLOP count and growth are loops over rows; nothing else
 * in the engine lists parameters. Matrices are stored as Hugging Face's GPT-2 stores them, [in][out] (y = x W + b), in
 * one block; gradients and both Adam moments share the layout. Tensors begin at multiples of 16 elements; the gaps are
 * zero and stay zero. Thread: any (pure). */
#pragma once
#include <lagd/engine/real.h>
#include <lagd/engine/spec.h>
#include <stdbool.h>
#include <stddef.h>

/* What the units of an axis are. A growth in width maps the units of each space. */
enum lag_space {
    LAG_SPACE_ONE,      /* a single unit: the rows of a vector */
    LAG_SPACE_RESIDUAL, /* the residual stream, which embeddings and output projections write */
    LAG_SPACE_NORMED,   /* what ln_1 and ln_2 make of it */
    LAG_SPACE_FINAL,    /* what ln_f makes of it, which the head reads */
    LAG_SPACE_HEADS,
    LAG_SPACE_QUERY, LAG_SPACE_KEY, LAG_SPACE_VALUE, /* the numbers of a head */
    LAG_SPACE_FFN, LAG_SPACE_VOCAB, LAG_SPACE_CONTEXT,
    LAG_N_SPACES
};
enum lag_init {
    LAG_INIT_NORMAL,     /* N(0, 0.02²) */
    LAG_INIT_NORMAL_OUT, /* N(0, (0.02/√(2L))²) */
    LAG_INIT_ZERO, LAG_INIT_ONE,
    LAG_INIT_OPEN        /* 1, of a gate: no gain of a norm */
};
enum lag_role {
    LAG_ROLE_WTE, LAG_ROLE_WPE,
    LAG_ROLE_LN1_W, LAG_ROLE_LN1_B, LAG_ROLE_QKV_W, LAG_ROLE_QKV_B, LAG_ROLE_PROJ_W, LAG_ROLE_PROJ_B,
    LAG_ROLE_LN2_W, LAG_ROLE_LN2_B, LAG_ROLE_FC_W, LAG_ROLE_FC_B, LAG_ROLE_FCPROJ_W, LAG_ROLE_FCPROJ_B,
    LAG_ROLE_PROJ_GATE, LAG_ROLE_FCPROJ_GATE, /* of a gated model alone */
    LAG_ROLE_LNF_W, LAG_ROLE_LNF_B,
    LAG_N_ROLES
};

/* An axis is its parts end to end (Q‖K‖V are three); a part is each unit of outer with all of inner. */
#define LAG_AXIS_PARTS 3
struct lag_axis {
    int n_parts;
    struct lag_axis_part { enum lag_space outer, inner; } parts[LAG_AXIS_PARTS];
};

struct lag_param_row {
    enum lag_role role;
    const char *name;    /* Hugging Face name; "{i}" is the layer */
    bool per_layer;
    bool decays;         /* weight decay applies */
    bool writes_residual;/* output projection of a branch: zeroed by zero_out growth (and its bias) */
    enum lag_init init;
    struct lag_axis rows, cols; /* a vector has one row, of LAG_SPACE_ONE */
    bool is_gate;        /* what its branch adds to the residual stream is times this number */
};

/* The rows of an architecture, in the order of the layout: global first ones, each layer's, global last ones. Those of
 * gates are in the layout of a gated model only. */
const struct lag_param_row *lag_param_rows(enum lag_arch arch, size_t *ret_n_rows);

struct lag_tensor {
    const struct lag_param_row *row;
    int layer;     /* -1 for a global one */
    int n_rows, n_cols;
    size_t offset; /* elements from the start of the block */
};
struct lag_layout {
    struct lag_spec spec;
    struct lag_tensor *tensors;
    int n_tensors;
    size_t n_elements; /* of the block, gaps included */
    int first[LAG_N_ROLES]; /* index of the role's tensor (of layer 0 when per layer); -1: it has none */
    int per_layer;     /* tensors a layer: role r of layer i is at first[r] + i * per_layer */
};

int lag_space_size(const struct lag_spec *spec, enum lag_space space);
bool lag_param_is_vector(const struct lag_param_row *row);
int lag_layout_create(const struct lag_spec *spec, struct lag_layout *ret, struct lag_error *err);
void lag_layout_deinit(struct lag_layout *layout);
const struct lag_tensor *lag_layout_tensor(const struct lag_layout *layout, enum lag_role role, int layer);
/* Hugging Face name, e.g. "transformer.h.3.attn.c_attn.weight". */
void lag_tensor_name(const struct lag_tensor *tensor, char ret[96]);
/* Number of parameters (gaps not counted; the tied head counts once). */
uint64_t lag_spec_params(const struct lag_spec *spec);
