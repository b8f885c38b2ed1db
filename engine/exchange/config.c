/* config.json of GPT-2: a shape, and what may be asked of the pass. */
#include "exchange/import_internal.h"
#include "format/json_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

static const struct lag_json_limits limits = {.max_depth = 12, .bytes_per_container = 2, .bytes_per_comma = 2};

/* The axes by the names of GPT2Config and by those of its attribute_map, with its defaults. */
static const struct {
    const char *key, *alias;
    int preset; /* 0: four times the width */
} axes[LAG_N_AXES] = {
    [LAG_AXIS_N_LAYER] = {"n_layer", "num_hidden_layers", 12},
    [LAG_AXIS_N_HEAD] = {"n_head", "num_attention_heads", 12},
    [LAG_AXIS_N_EMBD] = {"n_embd", "hidden_size", 768},
    [LAG_AXIS_N_INNER] = {"n_inner", NULL, 0},
    [LAG_AXIS_N_POSITIONS] = {"n_positions", "max_position_embeddings", 1024},
    [LAG_AXIS_VOCAB_SIZE] = {"vocab_size", NULL, 50257},
};

const char *lag_import_alias(enum lag_spec_axis axis) { return axes[axis].alias; }

/* Keys that change what the model computes, and the only values with which it is what lagd computes. */
enum demand { FALSE, TRUE, EMPTY };
static const struct {
    const char *key;
    enum demand demand;
} demands[] = {
    {"scale_attn_weights", TRUE},           {"scale_attn_by_inverse_layer_idx", FALSE},
    {"add_cross_attention", FALSE},         {"tie_word_embeddings", TRUE},
    {"is_encoder_decoder", FALSE},          {"pruned_heads", EMPTY},
    {"quantization_config", EMPTY},         {"rope_scaling", EMPTY},
    {"head_dim", EMPTY},
};
/* All of these are 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))). */
static const char *const activations[] = {"gelu_new", "gelu_pytorch_tanh", "gelu_fast"};

static int unsupported(const char *key, const json_t *value, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    return lag_error_set(err, LAG_EUNSUPPORTED, "%s %.200s is not supported", key, text ? text : "…");
}

static int check_demand(const char *key, enum demand demand, const json_t *value, struct lag_error *err) {
    if (!value || json_is_null(value)) return 0;
    if (demand == EMPTY) {
        const bool empty = (json_is_object(value) && json_object_size(value) == 0) ||
                           (json_is_array(value) && json_array_size(value) == 0);
        return empty ? 0 : unsupported(key, value, err);
    }
    if (!json_is_boolean(value)) return lag_error_set(err, LAG_EINVAL, "%s must be true or false", key);
    return json_is_true(value) == (demand == TRUE) ? 0 : unsupported(key, value, err);
}

static int check_kind(const json_t *config, struct lag_error *err) {
    const json_t *type = json_object_get(config, "model_type");
    if (!type) return lag_error_set(err, LAG_EINVAL, "model_type is missing: lagd reads gpt2");
    if (!json_is_string(type) || strcmp(json_string_value(type), "gpt2") != 0)
        return unsupported("model_type", type, err);
    const json_t *activation = json_object_get(config, "activation_function");
    if (!activation || json_is_null(activation)) return 0;
    for (size_t i = 0; json_is_string(activation) && i < LAG_COUNT(activations); i++)
        if (strcmp(json_string_value(activation), activations[i]) == 0) return 0;
    return unsupported("activation_function", activation, err);
}

static int read_axis(const json_t *config, enum lag_spec_axis axis, struct lag_spec *spec, struct lag_error *err) {
    const char *key = axes[axis].key, *alias = axes[axis].alias;
    const json_t *value = json_object_get(config, key), *other = alias ? json_object_get(config, alias) : NULL;
    int *at = lag_spec_axis_of(spec, axis);
    const int max = lag_spec_axes[axis].max;
    if (value && other && !json_equal(value, other))
        return lag_error_set(err, LAG_EINVAL, "%s and %s mean the same and differ", key, alias);
    if (!value && other) {
        value = other;
        key = alias;
    }
    if (!value || (json_is_null(value) && axes[axis].preset == 0)) {
        *at = axes[axis].preset ? axes[axis].preset : 4 * spec->n_embd;
        return 0;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > max)
        return lag_error_set(err, LAG_EINVAL, "%s must be a whole number from 1 to %d", key, max);
    *at = (int)json_integer_value(value);
    return 0;
}

static int read_shape(const json_t *config, struct lag_spec *spec, struct lag_error *err) {
    static const enum lag_spec_axis order[] = {LAG_AXIS_N_LAYER, LAG_AXIS_N_HEAD, LAG_AXIS_N_EMBD, LAG_AXIS_N_INNER,
                                               LAG_AXIS_N_POSITIONS, LAG_AXIS_VOCAB_SIZE};
    _Static_assert(LAG_COUNT(order) == LAG_N_AXES, "each axis is read, and the width before what follows from it");
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < LAG_COUNT(order); i++) rc = read_axis(config, order[i], spec, err);
    if (rc != 0) return rc;
    if (spec->n_embd % spec->n_head)
        return lag_error_set(err, LAG_EINVAL, "n_embd %d is not a multiple of n_head %d", spec->n_embd, spec->n_head);
    if (spec->n_inner > LAG_MAX_INNER)
        return lag_error_set(err, LAG_EINVAL, "n_inner, four times n_embd, is above %d", LAG_MAX_INNER);
    const json_t *context = json_object_get(config, "n_ctx");
    if (!context || json_is_null(context)) return 0;
    if (!json_is_integer(context) || json_integer_value(context) != spec->n_positions)
        return lag_error_set(err, LAG_EINVAL, "n_ctx must be n_positions, %d", spec->n_positions);
    return 0;
}

static int read_epsilon(const json_t *config, struct lag_spec *spec, struct lag_error *err) {
    const json_t *value = json_object_get(config, "layer_norm_epsilon");
    spec->norm_eps = 1e-5;
    if (!value) return 0;
    const double eps = json_is_number(value) ? json_number_value(value) : NAN;
    if (!(eps > 0 && eps <= 1))
        return lag_error_set(err, LAG_EINVAL, "layer_norm_epsilon must be a number above 0 and at most 1");
    spec->norm_eps = eps;
    return 0;
}

int lag_import_config(const char *text, size_t length, struct lag_spec *ret, struct lag_error *err) {
    struct lag_spec spec = {.arch = LAG_ARCH_GPT2};
    json_t *config = NULL;
    int rc = lag_json_parse(text, length, &limits, &config, err);
    if (rc == 0 && !json_is_object(config)) rc = lag_error_set(err, LAG_EINVAL, "it must be a JSON object");
    if (rc == 0) rc = check_kind(config, err);
    for (size_t i = 0; rc == 0 && i < LAG_COUNT(demands); i++)
        rc = check_demand(demands[i].key, demands[i].demand, json_object_get(config, demands[i].key), err);
    if (rc == 0) rc = read_shape(config, &spec, err);
    if (rc == 0) rc = read_epsilon(config, &spec, err);
    if (rc == 0) rc = lag_spec_check(&spec, err);
    json_decref(config);
    if (rc == 0) *ret = spec;
    return rc;
}
