/* Which tensor of a folder is which of the layout. */
#include "exchange/import_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "transformer."
#define N_PREFIX (sizeof PREFIX - 1)
#define HEAD "lm_head.weight" /* tied to the embedding: a duplicate where it is stored */

/* Names of buffers behind "h.<layer>.": masks that old versions of transformers stored. */
static const char *const buffers[] = {"attn.bias", "attn.masked_bias"};

struct named {
    char name[96]; /* without the prefix */
    int tensor;
};
struct matching {
    struct lag_import *import;
    struct named *names; /* of the layout, sorted */
    int prefixed, bare;  /* tensors with the prefix and without */
};

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static int list_names(struct matching *matching, struct lag_error *err) {
    const struct lag_layout *layout = &matching->import->layout;
    matching->names = lag_calloc((size_t)layout->n_tensors, sizeof *matching->names);
    matching->import->places = lag_calloc((size_t)layout->n_tensors, sizeof *matching->import->places);
    if (!matching->names || !matching->import->places)
        return lag_error_set(err, LAG_ENOMEM, "out of memory for a model's tensors");
    for (int i = 0; i < layout->n_tensors; i++) {
        char full[96];
        lag_tensor_name(&layout->tensors[i], full);
        LAG_ASSERT(strncmp(full, PREFIX, N_PREFIX) == 0);
        (void)lag_copy(matching->names[i].name, sizeof matching->names[i].name, full + N_PREFIX);
        matching->names[i].tensor = i;
    }
    qsort(matching->names, (size_t)layout->n_tensors, sizeof *matching->names, by_name);
    return 0;
}

/* --- texts ------------------------------------------------------------------------------------------------------- */

static void dims_text(const uint64_t *dims, uint32_t n, char *ret, size_t size) {
    size_t used = (size_t)snprintf(ret, size, "[");
    for (uint32_t i = 0; i < n && used < size; i++)
        used += (size_t)snprintf(ret + used, size - used, "%s%llu", i ? "," : "", (unsigned long long)dims[i]);
    if (used < size) (void)snprintf(ret + used, size - used, "]");
}

/* The layer of "h.<layer>.…", and what follows; -1: it is of no layer. */
static int layer_of(const char *name, const char **ret_rest) {
    const char *at = name + 2;
    int layer = 0;
    if (strncmp(name, "h.", 2) != 0 || *at < '0' || *at > '9') return -1;
    for (; *at >= '0' && *at <= '9' && layer <= LAG_MAX_LAYERS; at++) layer = 10 * layer + (*at - '0');
    if (*at != '.' || layer > LAG_MAX_LAYERS) return -1;
    *ret_rest = at + 1;
    return layer;
}

static int refuse_unknown(const struct matching *matching, const struct lag_st_entry *entry, const char *name,
                          struct lag_error *err) {
    const int n_layer = matching->import->layout.spec.n_layer;
    const char *rest;
    if (layer_of(name, &rest) >= n_layer)
        return lag_error_set(err, LAG_EINVAL, "tensor %.100s is of a layer that is not there: config.json says n_layer "
                             "%d", entry->name, n_layer);
    return lag_error_set(err, LAG_EUNSUPPORTED, "tensor %.100s is none of GPT-2's language model", entry->name);
}

/* --- one tensor -------------------------------------------------------------------------------------------------- */

static int check_shape(const struct lag_st_entry *entry, const struct lag_tensor *tensor, struct lag_error *err) {
    const bool vector = lag_param_is_vector(tensor->row);
    const uint64_t expected[2] = {(uint64_t)(vector ? tensor->n_cols : tensor->n_rows), (uint64_t)tensor->n_cols};
    const uint32_t n_dims = vector ? 1 : 2;
    char found[96], wanted[96];
    if (entry->n_dims == n_dims && memcmp(entry->dims, expected, n_dims * sizeof *expected) == 0) return 0;
    dims_text(entry->dims, entry->n_dims, found, sizeof found);
    dims_text(expected, n_dims, wanted, sizeof wanted);
    return lag_error_set(err, LAG_EINVAL, "tensor %.100s is %s, config.json says %s", entry->name, found, wanted);
}

static int check_place(const struct lag_import_place *place, const struct lag_tensor *tensor, struct lag_error *err) {
    const struct lag_st_entry *entry = place->entry;
    int rc = 0;
    if (entry->dtype != LAG_ST_F32 && entry->dtype != LAG_ST_F16 && entry->dtype != LAG_ST_BF16)
        rc = lag_error_set(err, LAG_EUNSUPPORTED, "tensor %.100s is %s: save it as F32, F16 or BF16", entry->name,
                           lag_st_dtype_name(entry->dtype));
    else
        rc = check_shape(entry, tensor, err);
    return rc != 0 && err ? lag_error_wrap(err, "%s", place->shard->name) : rc;
}

static int place(struct lag_import_place *place, const struct lag_import_shard *shard,
                 const struct lag_st_entry *entry, struct lag_error *err) {
    if (place->entry)
        return lag_error_set(err, LAG_EINVAL, "tensor %.100s is the same as %.100s of %s", entry->name,
                             place->entry->name, place->shard->name);
    *place = (struct lag_import_place){shard, entry};
    return 0;
}

static int ignore(struct lag_import *import, const struct lag_import_shard *shard, const struct lag_st_entry *entry,
                  struct lag_error *err) {
    if (lag_grow_array((void **)&import->ignored, &import->ignored_capacity, import->n_ignored + 1,
                       sizeof *import->ignored) != 0)
        return lag_error_set(err, LAG_ENOMEM, "out of memory for a model's tensors");
    struct lag_import_ignored *ignored = &import->ignored[import->n_ignored++];
    *ignored = (struct lag_import_ignored){shard->name, entry->name, lag_st_dtype_name(entry->dtype), ""};
    dims_text(entry->dims, entry->n_dims, ignored->shape, sizeof ignored->shape);
    return 0;
}

static bool is_buffer(const struct matching *matching, const char *name) {
    const char *rest;
    const int layer = layer_of(name, &rest);
    for (size_t i = 0; layer >= 0 && i < LAG_COUNT(buffers); i++)
        if (strcmp(rest, buffers[i]) == 0) return layer < matching->import->layout.spec.n_layer;
    return false;
}

static int match(struct matching *matching, const struct lag_import_shard *shard, const struct lag_st_entry *entry,
                 struct lag_error *err) {
    struct lag_import *import = matching->import;
    const bool prefixed = strncmp(entry->name, PREFIX, N_PREFIX) == 0;
    const char *name = entry->name + (prefixed ? N_PREFIX : 0);
    struct named key;
    if (!prefixed && strcmp(name, HEAD) == 0) {
        const int rc = place(&import->head, shard, entry, err);
        return rc == 0 ? ignore(import, shard, entry, err) : rc;
    }
    if (is_buffer(matching, name)) return ignore(import, shard, entry, err);
    const struct named *found = NULL;
    if (lag_copy(key.name, sizeof key.name, name) == 0)
        found = bsearch(&key, matching->names, (size_t)import->layout.n_tensors, sizeof key, by_name);
    if (!found) return refuse_unknown(matching, entry, name, err);
    *(prefixed ? &matching->prefixed : &matching->bare) += 1;
    if (matching->prefixed && matching->bare)
        return lag_error_set(err, LAG_EINVAL, "tensor %.100s: some names begin with " PREFIX " and some do not",
                             entry->name);
    return place(&import->places[found->tensor], shard, entry, err);
}

/* --- all of them ------------------------------------------------------------------------------------------------- */

static int check_index(const struct lag_import *import, const struct lag_import_shard *shard,
                       const struct lag_st_entry *entry, struct lag_error *err) {
    if (!import->index) return 0;
    const char *said = json_string_value(json_object_get(import->index, entry->name));
    if (!said)
        return lag_error_set(err, LAG_EINVAL, "tensor %.100s is not in " LAG_IMPORT_INDEX, entry->name);
    if (strcmp(said, shard->name) == 0) return 0;
    return lag_error_set(err, LAG_EINVAL, "tensor %.100s is here, " LAG_IMPORT_INDEX " says %.100s", entry->name, said);
}

static int match_shard(struct matching *matching, const struct lag_import_shard *shard, struct lag_error *err) {
    const struct lag_st_header *header = &shard->file.header;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < header->n_entries; i++) {
        rc = check_index(matching->import, shard, &header->entries[i], err);
        if (rc == 0) rc = match(matching, shard, &header->entries[i], err);
    }
    return rc != 0 && rc != LAG_ENOMEM && err ? lag_error_wrap(err, "%s", shard->name) : rc;
}

/* What the index names lies where it says so: each shard's tensors were found in it before. */
static int check_named(const struct lag_import *import, struct lag_error *err) {
    const char *name;
    json_t *value;
    json_object_foreach(import->index, name, value) {
        size_t i = 0;
        while (strcmp(import->shards[i].name, json_string_value(value)) != 0) i++;
        if (!lag_st_find(&import->shards[i].file.header, name))
            return lag_error_set(err, LAG_EINVAL, "%s: tensor %.100s is missing, " LAG_IMPORT_INDEX " says it is here",
                                 import->shards[i].name, name);
    }
    return 0;
}

static int check_missing(const struct matching *matching, struct lag_error *err) {
    const struct lag_import *import = matching->import;
    for (int i = 0; i < import->layout.n_tensors; i++) {
        char name[96];
        if (import->places[i].entry) continue;
        lag_tensor_name(&import->layout.tensors[i], name);
        return lag_error_set(err, LAG_EINVAL, "%s: tensor %s is missing",
                             import->index ? LAG_IMPORT_INDEX : import->shards[0].name,
                             name + (matching->prefixed ? 0 : N_PREFIX));
    }
    return 0;
}

/* In the order of the layout: of many that are wrong the first one is what a person would look at first. */
static int check_places(const struct lag_import *import, struct lag_error *err) {
    const struct lag_layout *layout = &import->layout;
    int rc = 0;
    for (int i = 0; rc == 0 && i < layout->n_tensors; i++)
        rc = check_place(&import->places[i], &layout->tensors[i], err);
    if (rc == 0 && import->head.entry)
        rc = check_place(&import->head, lag_layout_tensor(layout, LAG_ROLE_WTE, -1), err);
    return rc;
}

static const char *dtype_of(const struct lag_import *import) {
    static const struct { enum lag_st_dtype dtype; const char *name; } dtypes[] = {
        {LAG_ST_F32, "f32"}, {LAG_ST_F16, "f16"}, {LAG_ST_BF16, "bf16"}};
    const enum lag_st_dtype first = import->places[0].entry->dtype;
    for (int i = 1; i < import->layout.n_tensors; i++)
        if (import->places[i].entry->dtype != first) return "mixed";
    size_t i = 0;
    while (dtypes[i].dtype != first) i++;
    return dtypes[i].name;
}

static int ignored_by_name(const void *a, const void *b) {
    return strcmp(((const struct lag_import_ignored *)a)->name, ((const struct lag_import_ignored *)b)->name);
}

int lag_import_match(struct lag_import *import, struct lag_error *err) {
    struct matching matching = {.import = import};
    int rc = list_names(&matching, err);
    for (size_t i = 0; rc == 0 && i < import->n_shards; i++) rc = match_shard(&matching, &import->shards[i], err);
    if (rc == 0 && import->index) rc = check_named(import, err);
    if (rc == 0) rc = check_missing(&matching, err);
    if (rc == 0) rc = check_places(import, err);
    if (rc == 0) import->look.dtype = dtype_of(import);
    if (rc == 0 && import->n_ignored > 0)
        qsort(import->ignored, import->n_ignored, sizeof *import->ignored, ignored_by_name);
    free(matching.names);
    return rc;
}
