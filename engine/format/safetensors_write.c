/* Writing a safetensors file. */
#include "format/json_internal.h"
#include "format/safetensors_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/strbuf.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DTYPE (sizeof(lag_real) == sizeof(double) ? LAG_ST_F64 : LAG_ST_F32)

static void strbuf_deinit_p(struct lag_strbuf *buffer) { lag_strbuf_deinit(buffer); }

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct lag_st_source *)a)->name, ((const struct lag_st_source *)b)->name);
}

static uint64_t n_elements(const struct lag_st_source *source) {
    uint64_t n = 1;
    for (uint32_t i = 0; i < source->n_dims; i++) n *= source->dims[i];
    return n;
}

static json_t *metadata_object(const struct lag_st_pair *metadata, size_t n) {
    json_t *object = json_object();
    for (size_t i = 0; i < n; i++) {
        if (json_object_set_new(object, metadata[i].key, json_string(metadata[i].value)) == 0) continue;
        json_decref(object);
        return NULL;
    }
    return object;
}

/* *offset moves behind the source's data. */
static json_t *source_object(const struct lag_st_source *source, enum lag_st_dtype dtype, uint64_t *offset) {
    const json_int_t begin = (json_int_t)*offset;
    *offset += n_elements(source) * (lag_st_dtype_bits(dtype) / 8);
    json_t *shape = json_array();
    for (uint32_t i = 0; i < source->n_dims; i++) {
        if (json_array_append_new(shape, json_integer((json_int_t)source->dims[i])) == 0) continue;
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", lag_st_dtype_name(dtype), "shape", shape, "data_offsets", begin,
                     (json_int_t)*offset);
}

/* jansson keeps the order of insertion and writes texts as the reference writer does. */
static json_t *header_object(const struct lag_st_pair *metadata, size_t n_metadata,
                             const struct lag_st_source *sources, size_t n_sources, enum lag_st_dtype dtype) {
    json_t *root = json_object();
    uint64_t offset = 0;
    bool failed = n_metadata > 0 &&
                  json_object_set_new(root, "__metadata__", metadata_object(metadata, n_metadata)) != 0;
    for (size_t i = 0; !failed && i < n_sources; i++)
        failed = json_object_set_new(root, sources[i].name, source_object(&sources[i], dtype, &offset)) != 0;
    if (!failed) return root;
    json_decref(root);
    return NULL;
}

int lag_st_format_head(const struct lag_st_pair *metadata, size_t n_metadata, const struct lag_st_source *sources,
                       size_t n_sources, enum lag_st_dtype dtype, struct lag_strbuf *out, struct lag_error *err) {
    LAG_CLEANUP(strbuf_deinit_p) struct lag_strbuf text = LAG_STRBUF_INIT;
    lag_json_append(&text, header_object(metadata, n_metadata, sources, n_sources, dtype), JSON_COMPACT);
    while (!text.failed && text.length % 8 != 0) lag_strbuf_append(&text, " ");
    uint8_t first[8];
    for (int i = 0; i < 8; i++) first[i] = (uint8_t)((uint64_t)text.length >> (8 * i));
    if (!text.failed) {
        lag_strbuf_append_n(out, first, sizeof first);
        lag_strbuf_append_n(out, text.data, text.length);
    }
    if (text.failed || out->failed)
        return lag_error_set(err, LAG_ENOMEM, "out of memory for a safetensors header, or a text is not UTF-8");
    return 0;
}

static int write_head(struct lag_sink *sink, const struct lag_st_pair *metadata, size_t n_metadata,
                      const struct lag_st_source *sources, size_t n_sources, struct lag_error *err) {
    LAG_CLEANUP(strbuf_deinit_p) struct lag_strbuf head = LAG_STRBUF_INIT;
    const int rc = lag_st_format_head(metadata, n_metadata, sources, n_sources, DTYPE, &head, err);
    if (rc != 0) return err ? lag_error_wrap(err, "%s", sink->path) : rc;
    return lag_sink_write(sink, head.data, head.length, err);
}

int lag_st_write(struct lag_sink *sink, const struct lag_st_pair *metadata, size_t n_metadata,
                 struct lag_st_source *sources, size_t n_sources, struct lag_error *err) {
    qsort(sources, n_sources, sizeof *sources, by_name);
    int rc = write_head(sink, metadata, n_metadata, sources, n_sources, err);
    for (size_t i = 0; rc == 0 && i < n_sources; i++) {
        const uint64_t n = n_elements(&sources[i]);
        for (uint64_t k = 0; k < n; k++)
            if (!isfinite(sources[i].data[k]))
                return lag_error_set(err, LAG_ENONFINITE, "%s: element %" PRIu64 " is not finite: such a state is not "
                                     "worth keeping", sources[i].name, k);
        rc = lag_sink_write(sink, sources[i].data, n * sizeof(lag_real), err);
    }
    return rc;
}
