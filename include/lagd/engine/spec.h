/* Model shape. Thread: any (pure). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct lag_error;

enum lag_arch { LAG_ARCH_GPT2, LAG_N_ARCHS }; /* pre-LN decoder, learned positions, biases, tanh GELU, tied head */

struct lag_spec {
    enum lag_arch arch;
    int n_layer;     /* L */
    int n_head;      /* H */
    int n_embd;      /* C, the residual width */
    int n_inner;     /* FFN width, usually 4C */
    int n_positions; /* T, the longest context */
    int vocab_size;  /* V */
    double norm_eps; /* epsilon of LayerNorm; a growth in width may scale it */
    int head_dim;    /* numbers of a head; 0: C / H, which H then divides */
    bool gated;      /* each branch into the residual stream has a gate, a trained number g: x + g f(x) */
};

/* The whole-number axes of a shape, one row each, by the names of the fields. */
enum lag_spec_axis {
    LAG_AXIS_N_LAYER, LAG_AXIS_N_HEAD, LAG_AXIS_N_EMBD, LAG_AXIS_N_INNER, LAG_AXIS_N_POSITIONS, LAG_AXIS_VOCAB_SIZE,
    LAG_N_AXES
};
/* The largest of each axis; the least is 1. Tables of other layers name them. */
enum {
    LAG_MAX_LAYERS = 512,
    LAG_MAX_HEADS = 256,
    LAG_MAX_EMBD = 65536,
    LAG_MAX_INNER = 262144,
    LAG_MAX_POSITIONS = 131072,
    LAG_MAX_VOCAB = 1048576,
    LAG_MAX_ATTENTION = LAG_MAX_INNER, /* n_head × head_dim */
};
struct lag_spec_axis_row {
    const char *name; /* n_layer, n_head, … */
    size_t offset;    /* of the int in struct lag_spec */
    int max;
};
extern const struct lag_spec_axis_row lag_spec_axes[LAG_N_AXES];
int *lag_spec_axis_of(struct lag_spec *spec, enum lag_spec_axis axis); /* borrowed */
int lag_spec_axis_get(const struct lag_spec *spec, enum lag_spec_axis axis);
int lag_spec_head_dim(const struct lag_spec *spec);  /* also where the field is 0 */
int lag_spec_attention(const struct lag_spec *spec); /* A = n_head × head_dim, the width of attention */
/* Whether Hugging Face's GPT2Config can say the shape: it has no head_dim, so A must be n_embd. */
bool lag_spec_is_gpt2(const struct lag_spec *spec);

extern const char *const lag_arch_names[];     /* NULL-terminated, by value */
const char *lag_arch_name(enum lag_arch arch); /* "?" for no value */
int lag_arch_parse(const char *name, enum lag_arch *ret);
/* Every axis is between 1 and its row's max; without a head_dim C is divisible by H; norm_eps is above 0 and at most 1.
 * Errors point to "/model/<name>". */
int lag_spec_check(const struct lag_spec *spec, struct lag_error *err);
bool lag_spec_equal(const struct lag_spec *a, const struct lag_spec *b);
/* The same but for norm_eps and gates, which belong to a state and not to what is asked for. */
bool lag_spec_same_shape(const struct lag_spec *a, const struct lag_spec *b);
