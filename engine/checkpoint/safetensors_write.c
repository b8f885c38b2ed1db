/* Writing a safetensors file. */
#include "json_internal.h"
#include "safetensors_internal.h"
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

static void append_metadata(struct lag_strbuf *out, const struct lag_st_pair *metadata, size_t n) {
    lag_strbuf_append(out, "\"__metadata__\":{");
    for (size_t i = 0; i < n; i++) {
        if (i > 0) lag_strbuf_append(out, ",");
        lag_json_append_string(out, metadata[i].key);
        lag_strbuf_append(out, ":");
        lag_json_append_string(out, metadata[i].value);
    }
    lag_strbuf_append(out, "}");
}

static void append_source(struct lag_strbuf *out, const struct lag_st_source *source, uint64_t *offset) {
    lag_json_append_string(out, source->name);
    lag_strbuf_printf(out, ":{\"dtype\":\"%s\",\"shape\":[", lag_st_dtype_name(DTYPE));
    for (uint32_t i = 0; i < source->n_dims; i++) lag_strbuf_printf(out, "%s%" PRIu64, i ? "," : "", source->dims[i]);
    const uint64_t end = *offset + n_elements(source) * sizeof(lag_real);
    lag_strbuf_printf(out, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", *offset, end);
    *offset = end;
}

static int write_header(struct lag_sink *sink, const struct lag_st_pair *metadata, size_t n_metadata,
                        const struct lag_st_source *sources, size_t n_sources, struct lag_error *err) {
    LAG_CLEANUP(strbuf_deinit_p) struct lag_strbuf text = LAG_STRBUF_INIT;
    uint64_t offset = 0;
    lag_strbuf_append(&text, "{");
    if (n_metadata > 0) append_metadata(&text, metadata, n_metadata);
    for (size_t i = 0; i < n_sources; i++) {
        if (i > 0 || n_metadata > 0) lag_strbuf_append(&text, ",");
        append_source(&text, &sources[i], &offset);
    }
    lag_strbuf_append(&text, "}");
    while (!text.failed && text.length % 8 != 0) lag_strbuf_append(&text, " ");
    if (text.failed) return lag_error_set(err, LAG_ENOMEM, "out of memory for the header of %s", sink->path);
    uint8_t first[8];
    for (int i = 0; i < 8; i++) first[i] = (uint8_t)((uint64_t)text.length >> (8 * i));
    const int rc = lag_sink_write(sink, first, sizeof first, err);
    return rc == 0 ? lag_sink_write(sink, text.data, text.length, err) : rc;
}

int lag_st_write(struct lag_sink *sink, const struct lag_st_pair *metadata, size_t n_metadata,
                 struct lag_st_source *sources, size_t n_sources, struct lag_error *err) {
    qsort(sources, n_sources, sizeof *sources, by_name);
    int rc = write_header(sink, metadata, n_metadata, sources, n_sources, err);
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
