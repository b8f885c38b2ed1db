/* config.json of a model that came with one of its own: as it was, but for what has changed since. */
#include "exchange/import_internal.h"
#include "format/json_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/strbuf.h>
#include <stdlib.h>
#include <string.h>

static const struct lag_json_limits limits = {.max_depth = 12, .bytes_per_container = 2, .bytes_per_comma = 2};

/* true: it is another value now, or memory is out, which the caller finds by *ret_failed. */
static bool set(json_t *config, const char *key, json_t *value, bool *ret_failed) {
    if (value && json_equal(json_object_get(config, key), value)) {
        json_decref(value);
        return false;
    }
    if (json_object_set_new(config, key, value) != 0) *ret_failed = true;
    return true;
}

/* A key that stands for it by another name is changed with it. n_inner may be null, for four times the width. */
static bool set_axis(json_t *config, const struct lag_spec *spec, enum lag_spec_axis axis, bool *ret_failed) {
    const char *key = lag_spec_axes[axis].name, *alias = lag_import_alias(axis);
    const int value = lag_spec_axis_get(spec, axis);
    bool changed = false;
    if (axis == LAG_AXIS_N_INNER && value == 4 * spec->n_embd && !json_is_integer(json_object_get(config, key)))
        return false;
    if (alias && json_object_get(config, alias)) {
        changed = set(config, alias, json_integer(value), ret_failed);
        if (!json_object_get(config, key)) return changed;
    }
    if (axis == LAG_AXIS_N_POSITIONS && json_is_integer(json_object_get(config, "n_ctx")))
        changed = set(config, "n_ctx", json_integer(value), ret_failed) || changed;
    return set(config, key, json_integer(value), ret_failed) || changed;
}

static bool set_dtype(json_t *config, const char *torch_dtype, bool *ret_failed) {
    static const char *const keys[] = {"torch_dtype", "dtype"}; /* the second since version 5 */
    bool changed = false, said = false;
    for (int i = 0; i < 2; i++) {
        if (!json_is_string(json_object_get(config, keys[i]))) continue;
        changed = set(config, keys[i], json_string(torch_dtype), ret_failed) || changed;
        said = true;
    }
    if (said || strcmp(torch_dtype, "float32") == 0) return changed;
    return set(config, keys[0], json_string(torch_dtype), ret_failed);
}

int lag_import_reconfigure(const char *text, const struct lag_spec *spec, const char *torch_dtype,
                           struct lag_strbuf *out, struct lag_error *err) {
    struct lag_spec before;
    json_t *config = NULL;
    int rc = lag_import_config(text, strlen(text), &before, err);
    if (rc == 0) rc = lag_json_parse(text, strlen(text), &limits, &config, err);
    if (rc != 0) return rc != LAG_ENOMEM && err ? lag_error_wrap(err, "config.json") : rc;
    bool failed = false, changed = set_dtype(config, torch_dtype, &failed);
    for (int i = 0; i < LAG_N_AXES; i++)
        if (lag_spec_axis_get(&before, (enum lag_spec_axis)i) != lag_spec_axis_get(spec, (enum lag_spec_axis)i))
            changed = set_axis(config, spec, (enum lag_spec_axis)i, &failed) || changed;
    /* Where it was left to the width, it is told once the width has changed and it has not. */
    if (before.n_embd != spec->n_embd) changed = set_axis(config, spec, LAG_AXIS_N_INNER, &failed) || changed;
    if (before.norm_eps != spec->norm_eps)
        changed = set(config, "layer_norm_epsilon", json_real(spec->norm_eps), &failed) || changed;
    if (changed) {
        lag_json_append(out, config, JSON_INDENT(2));
        lag_strbuf_append(out, "\n");
    } else {
        json_decref(config);
        lag_strbuf_append(out, text);
    }
    return failed || out->failed ? lag_error_set(err, LAG_ENOMEM, "out of memory for config.json") : 0;
}
