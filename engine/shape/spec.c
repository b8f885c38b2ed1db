/* Model shapes: names, limits, equality. */
#include <lagd/base/error.h>
#include <lagd/base/names.h>
#include <lagd/engine/spec.h>

#include <math.h>
#include <stdio.h>

const char *const lag_arch_names[] = {[LAG_ARCH_GPT2] = "gpt2", [LAG_N_ARCHS] = NULL};

#define AXIS(field, max) {#field, offsetof(struct lag_spec, field), max}
const struct lag_spec_axis_row lag_spec_axes[LAG_N_AXES] = {
    [LAG_AXIS_N_LAYER] = AXIS(n_layer, LAG_MAX_LAYERS),
    [LAG_AXIS_N_HEAD] = AXIS(n_head, LAG_MAX_HEADS),
    [LAG_AXIS_N_EMBD] = AXIS(n_embd, LAG_MAX_EMBD),
    [LAG_AXIS_N_INNER] = AXIS(n_inner, LAG_MAX_INNER),
    [LAG_AXIS_N_POSITIONS] = AXIS(n_positions, LAG_MAX_POSITIONS),
    [LAG_AXIS_VOCAB_SIZE] = AXIS(vocab_size, LAG_MAX_VOCAB),
};
#undef AXIS

int *lag_spec_axis_of(struct lag_spec *spec, enum lag_spec_axis axis) {
    return (int *)(void *)((char *)spec + lag_spec_axes[axis].offset);
}

int lag_spec_axis_get(const struct lag_spec *spec, enum lag_spec_axis axis) {
    return *(const int *)(const void *)((const char *)spec + lag_spec_axes[axis].offset);
}

int lag_spec_head_dim(const struct lag_spec *spec) {
    return spec->head_dim ? spec->head_dim : spec->n_embd / spec->n_head;
}

int lag_spec_attention(const struct lag_spec *spec) {
    return spec->n_head * lag_spec_head_dim(spec);
}

bool lag_spec_is_gpt2(const struct lag_spec *spec) {
    return lag_spec_attention(spec) == spec->n_embd;
}

const char *lag_arch_name(enum lag_arch arch) {
    return (unsigned)arch < LAG_N_ARCHS ? lag_arch_names[arch] : "?";
}

int lag_arch_parse(const char *name, enum lag_arch *ret) {
    int i = lag_names_find(lag_arch_names, name);
    if (i < 0) return LAG_ENOTFOUND;
    *ret = (enum lag_arch)i;
    return 0;
}

/* With the divisors that leave a head at least four numbers. */
static int refuse_heads(const struct lag_spec *spec, struct lag_error *err) {
    char divisors[200] = "1";
    size_t used = 1;
    for (int n = 2; n <= spec->n_embd / 4 && used + 16 < sizeof(divisors); n++) {
        if (spec->n_embd % n == 0) used += (size_t)snprintf(divisors + used, sizeof(divisors) - used, ", %d", n);
    }
    return lag_error_at(err, LAG_EINVAL, "/model/n_head", "n_embd %d is not divisible by n_head %d; divisors: %s",
                        spec->n_embd, spec->n_head, divisors);
}

int lag_spec_check(const struct lag_spec *spec, struct lag_error *err) {
    if ((unsigned)spec->arch >= LAG_N_ARCHS)
        return lag_error_at(err, LAG_EINVAL, "/model/arch", "unknown architecture; use gpt2");
    for (int i = 0; i < LAG_N_AXES; i++) {
        const struct lag_spec_axis_row *row = &lag_spec_axes[i];
        const int value = lag_spec_axis_get(spec, (enum lag_spec_axis)i);
        if (value >= 1 && value <= row->max) continue;
        char pointer[64];
        (void)snprintf(pointer, sizeof(pointer), "/model/%s", row->name);
        return lag_error_at(err, LAG_EINVAL, pointer, "%s is %d; it must be between 1 and %d", row->name, value,
                            row->max);
    }
    if (spec->head_dim == 0 && spec->n_embd % spec->n_head)
        return refuse_heads(spec, err);
    if (spec->head_dim < 0 || spec->head_dim > LAG_MAX_ATTENTION / spec->n_head)
        return lag_error_at(err, LAG_EINVAL, "/model/head_dim",
                            "head_dim is %d; with n_head %d it must be between 1 and %d", spec->head_dim, spec->n_head,
                            LAG_MAX_ATTENTION / spec->n_head);
    if (!isfinite(spec->norm_eps) || spec->norm_eps <= 0 || spec->norm_eps > 1)
        return lag_error_at(err, LAG_EINVAL, "/model/norm_eps", "norm_eps must be above 0 and at most 1, e.g. 1e-5");
    return 0;
}

bool lag_spec_same_shape(const struct lag_spec *a, const struct lag_spec *b) {
    for (int i = 0; i < LAG_N_AXES; i++)
        if (lag_spec_axis_get(a, (enum lag_spec_axis)i) != lag_spec_axis_get(b, (enum lag_spec_axis)i)) return false;
    return a->arch == b->arch && lag_spec_head_dim(a) == lag_spec_head_dim(b);
}

bool lag_spec_equal(const struct lag_spec *a, const struct lag_spec *b) {
    return lag_spec_same_shape(a, b) && a->norm_eps == b->norm_eps && a->gated == b->gated;
}
