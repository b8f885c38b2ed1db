/* model.safetensors.index.json: which shard holds which tensor. */
#include "exchange/import_internal.h"
#include "format/json_internal.h"
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <string.h>

static const struct lag_json_limits limits = {.max_depth = 6, .bytes_per_container = 8, .bytes_per_comma = 4};

/* A file beside the index, and no other. */
static bool is_shard_name(const char *name) {
    static const char end[] = ".safetensors";
    const size_t length = strlen(name), n_end = sizeof end - 1;
    return length > n_end && length < LAG_IMPORT_NAME && name[0] != '.' && !strchr(name, '/') &&
           strcmp(name + length - n_end, end) == 0;
}

static int add_name(struct lag_import_names *names, const char *name, struct lag_error *err) {
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->names[i], name) == 0) return 0;
    if (names->n == LAG_IMPORT_MAX_SHARDS)
        return lag_error_set(err, LAG_EUNSUPPORTED, "it names more than %d files", LAG_IMPORT_MAX_SHARDS);
    if (lag_grow_array((void **)&names->names, &names->capacity, names->n + 1, sizeof *names->names) != 0)
        return lag_error_set(err, LAG_ENOMEM, "out of memory for an index");
    (void)lag_copy(names->names[names->n++], LAG_IMPORT_NAME, name);
    return 0;
}

static int read_map(json_t *map, struct lag_import_names *names, struct lag_error *err) {
    const char *tensor;
    json_t *file;
    if (!json_is_object(map)) return lag_error_set(err, LAG_EINVAL, "weight_map must be an object");
    json_object_foreach(map, tensor, file) {
        if (!json_is_string(file) || !is_shard_name(json_string_value(file)))
            return lag_error_set(err, LAG_EINVAL, "weight_map: tensor %.100s: its file must be a name that ends in "
                                 ".safetensors, without a folder", tensor);
        const int rc = add_name(names, json_string_value(file), err);
        if (rc != 0) return rc;
    }
    return names->n > 0 ? 0 : lag_error_set(err, LAG_EINVAL, "weight_map names no tensor");
}

int lag_import_index(const char *text, size_t length, json_t **ret_map, struct lag_import_names *ret,
                     struct lag_error *err) {
    struct lag_import_names names = {0};
    json_t *root = NULL;
    int rc = lag_json_parse(text, length, &limits, &root, err);
    json_t *map = rc == 0 ? json_object_get(root, "weight_map") : NULL;
    if (rc == 0) rc = read_map(map, &names, err);
    if (rc == 0) {
        *ret_map = json_incref(map);
        *ret = names;
    } else {
        free(names.names);
    }
    json_decref(root);
    return rc;
}
