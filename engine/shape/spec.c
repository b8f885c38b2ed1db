/* Model shapes: names, limits, equality. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/engine/spec.h>

#include <math.h>
#include <stddef.h>
#include <string.h>

static const char *const ARCH_NAMES[LAG_N_ARCHS] = {[LAG_ARCH_GPT2] = "gpt2"};

static const struct limit {
    const char *pointer;
    size_t offset;
    int max;
} LIMITS[] = {
    {"/model/n_layer", offsetof(struct lag_spec, n_layer), 512},
    {"/model/n_head", offsetof(struct lag_spec, n_head), 256},
    {"/model/n_embd", offsetof(struct lag_spec, n_embd), 65536},
    {"/model/n_inner", offsetof(struct lag_spec, n_inner), 262144},
    {"/model/n_positions", offsetof(struct lag_spec, n_positions), 131072},
    {"/model/vocab_size", offsetof(struct lag_spec, vocab_size), 1048576},
};

const char *lag_arch_name(enum lag_arch arch) {
    return (unsigned)arch < LAG_N_ARCHS ? ARCH_NAMES[arch] : "?";
}

int lag_arch_parse(const char *name, enum lag_arch *ret) {
    for (int i = 0; i < LAG_N_ARCHS; i++) {
        if (strcmp(name, ARCH_NAMES[i])) continue;
        *ret = (enum lag_arch)i;
        return 0;
    }
    return LAG_ENOTFOUND;
}

int lag_spec_check(const struct lag_spec *spec, struct lag_error *err) {
    if ((unsigned)spec->arch >= LAG_N_ARCHS)
        return lag_error_at(err, LAG_EINVAL, "/model/arch", "unknown architecture; use gpt2");
    for (size_t i = 0; i < LAG_COUNT(LIMITS); i++) {
        int value;
        memcpy(&value, (const char *)spec + LIMITS[i].offset, sizeof(value));
        if (value < 1 || value > LIMITS[i].max)
            return lag_error_at(err, LAG_EINVAL, LIMITS[i].pointer, "%s is %d; it must be between 1 and %d",
                                LIMITS[i].pointer + strlen("/model/"), value, LIMITS[i].max);
    }
    if (spec->n_embd % spec->n_head)
        return lag_error_at(err, LAG_EINVAL, "/model/n_head",
                            "n_embd %d is not divisible by n_head %d; choose a divisor", spec->n_embd, spec->n_head);
    if (!isfinite(spec->norm_eps) || spec->norm_eps <= 0 || spec->norm_eps > 1)
        return lag_error_at(err, LAG_EINVAL, "/model/norm_eps", "norm_eps must be above 0 and at most 1, e.g. 1e-5");
    return 0;
}

bool lag_spec_equal(const struct lag_spec *a, const struct lag_spec *b) {
    return a->arch == b->arch && a->n_layer == b->n_layer && a->n_head == b->n_head && a->n_embd == b->n_embd &&
           a->n_inner == b->n_inner && a->n_positions == b->n_positions && a->vocab_size == b->vocab_size &&
           a->norm_eps == b->norm_eps;
}
