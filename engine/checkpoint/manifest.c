/* The manifest: tables of keys, text, seal. */
#include "json_internal.h"
#include "manifest_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/hash.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

const char *const lag_manifest_file_names[LAG_MANIFEST_FILES] = {"model.safetensors", "config.json",
                                                                 "optimizer.safetensors"};

enum key_type { KEY_INT, KEY_I64, KEY_U64, KEY_REAL, KEY_TEXT };
struct key_row {
    const char *key;
    enum key_type type;
    size_t offset, size;
};
#define KEY(type, struct_type, member) {#member, type, offsetof(struct struct_type, member), \
                                        sizeof(((struct struct_type *)0)->member)}

static const struct key_row spec_keys[] = {
    KEY(KEY_INT, lag_spec, n_layer), KEY(KEY_INT, lag_spec, n_head), KEY(KEY_INT, lag_spec, n_embd),
    KEY(KEY_INT, lag_spec, n_inner), KEY(KEY_INT, lag_spec, n_positions), KEY(KEY_INT, lag_spec, vocab_size),
    KEY(KEY_REAL, lag_spec, norm_eps),
};
static const struct key_row meta_keys[] = {
    KEY(KEY_TEXT, lag_checkpoint_meta, run_id), KEY(KEY_TEXT, lag_checkpoint_meta, growth_text),
    KEY(KEY_TEXT, lag_checkpoint_meta, parent_sha256), KEY(KEY_TEXT, lag_checkpoint_meta, fingerprint),
    KEY(KEY_TEXT, lag_checkpoint_meta, version), KEY(KEY_I64, lag_checkpoint_meta, tokens),
    KEY(KEY_U64, lag_checkpoint_meta, seed),
};
static const struct key_row file_keys[] = {
    KEY(KEY_TEXT, lag_checkpoint_file, name), KEY(KEY_U64, lag_checkpoint_file, n_bytes),
    KEY(KEY_TEXT, lag_checkpoint_file, sha256),
};
static const struct key_row segment_keys[] = {
    KEY(KEY_INT, lag_segment, row_begin), KEY(KEY_INT, lag_segment, row_end), KEY(KEY_INT, lag_segment, col_begin),
    KEY(KEY_INT, lag_segment, col_end), KEY(KEY_I64, lag_segment, age), KEY(KEY_REAL, lag_segment, lr_factor),
    KEY(KEY_REAL, lag_segment, decay_factor), KEY(KEY_REAL, lag_segment, eps_factor),
    KEY(KEY_I64, lag_segment, rewarm_from), KEY(KEY_I64, lag_segment, rewarm_steps),
};

static void append_value(struct lag_strbuf *out, const struct key_row *row, const void *object) {
    const void *at = (const char *)object + row->offset;
    switch (row->type) {
    case KEY_INT: lag_strbuf_printf(out, "%d", *(const int *)at); break;
    case KEY_I64: lag_strbuf_printf(out, "%" PRId64, *(const int64_t *)at); break;
    case KEY_U64: lag_strbuf_printf(out, "%" PRIu64, *(const uint64_t *)at); break;
    case KEY_REAL: lag_strbuf_printf(out, "%.17g", *(const double *)at); break;
    case KEY_TEXT: lag_json_append_string(out, at); break;
    }
}

/* The rows' members, after an opening brace and a first member if that is not NULL. */
static void append_object(struct lag_strbuf *out, const char *first_key, const char *first_value,
                          const struct key_row *rows, size_t n_rows, const void *object) {
    lag_strbuf_append(out, "{");
    if (first_key) {
        lag_strbuf_printf(out, "\"%s\":", first_key);
        lag_json_append_string(out, first_value);
    }
    for (size_t i = 0; i < n_rows; i++) {
        lag_strbuf_printf(out, "%s\"%s\":", i > 0 || first_key ? "," : "", rows[i].key);
        append_value(out, &rows[i], object);
    }
    lag_strbuf_append(out, "}");
}

/* The next member must be key; first: it is the object's first. */
static int expect_key(struct lag_json *json, const char *key, bool first) {
    char found[32];
    int rc = first ? 0 : lag_json_expect(json, ',');
    if (rc == 0) rc = lag_json_key(json, found, sizeof found, NULL);
    if (rc != 0) return rc;
    if (strcmp(found, key) == 0) return 0;
    return lag_error_set(json->err, LAG_ECORRUPT, "byte %zu: expected the key %s",
                         (size_t)(json->at - json->begin), key);
}

static int read_value(struct lag_json *json, const struct key_row *row, void *object) {
    void *at = (char *)object + row->offset;
    int64_t wide = 0;
    int rc;
    switch (row->type) {
    case KEY_I64: return lag_json_i64(json, at);
    case KEY_U64: return lag_json_u64(json, at);
    case KEY_REAL: return lag_json_real(json, at);
    case KEY_TEXT: return lag_json_string(json, at, row->size, NULL);
    case KEY_INT: break;
    }
    rc = lag_json_i64(json, &wide);
    if (rc != 0) return rc;
    if (wide < INT_MIN || wide > INT_MAX) return lag_json_fail(json, "an integer is too large");
    *(int *)at = (int)wide;
    return 0;
}

/* Members in the order of the rows, then the closing brace. had_first: one was read before. */
static int read_object(struct lag_json *json, bool had_first, const struct key_row *rows, size_t n_rows, void *object) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n_rows; i++) {
        rc = expect_key(json, rows[i].key, i == 0 && !had_first);
        if (rc == 0) rc = read_value(json, &rows[i], object);
    }
    return rc == 0 ? lag_json_expect(json, '}') : rc;
}

/* "key":{"first":"text" */
static int open_object(struct lag_json *json, const char *first_key, char *ret_text, size_t size) {
    int rc = lag_json_expect(json, '{');
    if (rc == 0 && first_key) rc = expect_key(json, first_key, true);
    return rc == 0 && first_key ? lag_json_string(json, ret_text, size, NULL) : rc;
}

static const char seal_start[] = "\n\"sha256\":\"", seal_end[] = "\"}\n";
enum { SEAL_BYTES = sizeof seal_start - 1 + LAG_SHA256_HEX - 1 + sizeof seal_end - 1 };

int lag_manifest_format(const struct lag_state *state, const struct lag_checkpoint_meta *meta,
                        const struct lag_checkpoint_file file[LAG_MANIFEST_FILES], struct lag_strbuf *out,
                        struct lag_error *err) {
    const struct lag_spec *spec = &state->layout.spec;
    lag_strbuf_printf(out, "{\"format\":%d,\n\"step\":%" PRId64 ",\n\"schedule_origin\":%" PRId64 ",\n\"spec\":",
                      LAG_MANIFEST_FORMAT, state->step, state->schedule_origin);
    append_object(out, "arch", lag_arch_name(spec->arch), spec_keys, LAG_COUNT(spec_keys), spec);
    lag_strbuf_append(out, ",\n\"meta\":");
    append_object(out, NULL, NULL, meta_keys, LAG_COUNT(meta_keys), meta);
    lag_strbuf_append(out, ",\n\"files\":[");
    for (int i = 0; i < LAG_MANIFEST_FILES; i++) {
        lag_strbuf_append(out, i ? ",\n" : "\n");
        append_object(out, NULL, NULL, file_keys, LAG_COUNT(file_keys), &file[i]);
    }
    lag_strbuf_append(out, "],\n\"segments\":[");
    for (int i = 0; i < state->n_segments; i++) {
        char name[96];
        lag_tensor_name(&state->layout.tensors[state->segments[i].tensor], name);
        lag_strbuf_append(out, i ? ",\n" : "\n");
        append_object(out, "tensor", name, segment_keys, LAG_COUNT(segment_keys), &state->segments[i]);
    }
    lag_strbuf_append(out, "],");
    if (out->failed) return lag_error_set(err, LAG_ENOMEM, "out of memory for the manifest");
    char digest[LAG_SHA256_HEX];
    lag_sha256_bytes(out->data, out->length, digest);
    lag_strbuf_printf(out, "%s%s%s", seal_start, digest, seal_end);
    return out->failed ? lag_error_set(err, LAG_ENOMEM, "out of memory for the manifest") : 0;
}

int lag_manifest_unseal(const char *text, size_t n, size_t *ret_n_body, struct lag_error *err) {
    if (n < SEAL_BYTES) return lag_error_set(err, LAG_ECORRUPT, "%zu bytes are too few for a manifest", n);
    const size_t n_body = n - SEAL_BYTES;
    char digest[LAG_SHA256_HEX], seal[SEAL_BYTES + 1];
    lag_sha256_bytes(text, n_body, digest);
    snprintf(seal, sizeof seal, "%s%s%s", seal_start, digest, seal_end);
    if (memcmp(text + n_body, seal, SEAL_BYTES) != 0)
        return lag_error_set(err, LAG_ECORRUPT, "its last line is not the SHA-256 of its text: cut or changed");
    *ret_n_body = n_body;
    return 0;
}

static int read_head(struct lag_json *json, struct lag_manifest *manifest) {
    int64_t format = 0;
    int rc = lag_json_expect(json, '{');
    if (rc == 0) rc = expect_key(json, "format", true);
    if (rc == 0) rc = lag_json_i64(json, &format);
    if (rc != 0) return rc;
    if (format > LAG_MANIFEST_FORMAT)
        return lag_error_set(json->err, LAG_EVERSION, "format %" PRId64 ", written by a newer lagd; this one reads %d",
                             format, LAG_MANIFEST_FORMAT);
    if (format != LAG_MANIFEST_FORMAT) return lag_json_fail(json, "unknown format");
    rc = expect_key(json, "step", false);
    if (rc == 0) rc = lag_json_i64(json, &manifest->step);
    if (rc == 0) rc = expect_key(json, "schedule_origin", false);
    if (rc == 0) rc = lag_json_i64(json, &manifest->schedule_origin);
    if (rc == 0 && (manifest->step < 0 || manifest->schedule_origin < 0))
        rc = lag_json_fail(json, "step or schedule_origin is negative");
    return rc;
}

static int read_spec(struct lag_json *json, struct lag_manifest *manifest) {
    struct lag_spec spec = {0};
    char arch[16];
    int rc = expect_key(json, "spec", false);
    if (rc == 0) rc = open_object(json, "arch", arch, sizeof arch);
    if (rc == 0) rc = read_object(json, true, spec_keys, LAG_COUNT(spec_keys), &spec);
    if (rc != 0) return rc;
    if (lag_arch_parse(arch, &spec.arch) != 0)
        return lag_error_set(json->err, LAG_EUNSUPPORTED, "spec: unknown architecture %s", arch);
    rc = lag_layout_create(&spec, &manifest->layout, json->err);
    if (rc != LAG_EINVAL) return rc;
    if (json->err) (void)lag_error_wrap(json->err, "spec");
    if (json->err) json->err->code = LAG_ECORRUPT;
    return LAG_ECORRUPT;
}

static int read_files(struct lag_json *json, struct lag_manifest *manifest) {
    int rc = expect_key(json, "files", false);
    if (rc == 0) rc = lag_json_expect(json, '[');
    for (int i = 0; rc == 0 && i < LAG_MANIFEST_FILES; i++) {
        struct lag_checkpoint_file *file = &manifest->file[i];
        if (i > 0) rc = lag_json_expect(json, ',');
        if (rc == 0) rc = open_object(json, NULL, NULL, 0);
        if (rc == 0) rc = read_object(json, false, file_keys, LAG_COUNT(file_keys), file);
        if (rc != 0) return rc;
        if (strcmp(file->name, lag_manifest_file_names[i]) != 0) return lag_json_fail(json, "unexpected file name");
        if (strspn(file->sha256, "0123456789abcdef") != LAG_SHA256_HEX - 1)
            return lag_json_fail(json, "sha256 is not 64 hexadecimal digits");
    }
    return rc == 0 ? lag_json_expect(json, ']') : rc;
}

/* Names come in the layout's order, so a segment is of the last one's tensor or of the next. */
static int find_tensor(struct lag_json *json, const struct lag_layout *layout, const char *name, int last, int *ret) {
    for (int tensor = LAG_MAX(last, 0); tensor <= last + 1 && tensor < layout->n_tensors; tensor++) {
        char expected[96];
        lag_tensor_name(&layout->tensors[tensor], expected);
        if (strcmp(name, expected) != 0) continue;
        *ret = tensor;
        return 0;
    }
    return lag_json_fail(json, "a segment of an unknown tensor, or not in order");
}

static int read_segments(struct lag_json *json, struct lag_manifest *manifest) {
    size_t capacity = 0;
    int n = 0, last = -1, rc = expect_key(json, "segments", false);
    if (rc == 0) rc = lag_json_expect(json, '[');
    while (rc == 0 && (rc = lag_json_next(json, ']', n == 0)) == 1) {
        struct lag_segment segment = {0};
        char name[96];
        rc = open_object(json, "tensor", name, sizeof name);
        if (rc == 0) rc = find_tensor(json, &manifest->layout, name, last, &last);
        if (rc == 0) rc = read_object(json, true, segment_keys, LAG_COUNT(segment_keys), &segment);
        if (rc != 0) return rc;
        segment.tensor = last;
        void *segments = manifest->segments;
        if (lag_grow_array(&segments, &capacity, (size_t)n + 1, sizeof segment) != 0)
            return lag_error_set(json->err, LAG_ENOMEM, "out of memory for %d segments", n);
        manifest->segments = segments;
        manifest->segments[n++] = segment;
        manifest->n_segments = n;
    }
    if (rc == 0) rc = lag_segments_check(&manifest->layout, manifest->segments, n, LAG_ECORRUPT, json->err);
    return rc == 0 ? lag_json_expect(json, ',') : rc;
}

int lag_manifest_parse(const char *text, size_t n_body, struct lag_manifest *ret, struct lag_error *err) {
    struct lag_manifest manifest = {0};
    struct lag_json json = {text, text, text + n_body, err};
    int rc = read_head(&json, &manifest);
    if (rc == 0) rc = read_spec(&json, &manifest);
    if (rc == 0) rc = expect_key(&json, "meta", false);
    if (rc == 0) rc = open_object(&json, NULL, NULL, 0);
    if (rc == 0) rc = read_object(&json, false, meta_keys, LAG_COUNT(meta_keys), &manifest.meta);
    if (rc == 0 && manifest.meta.tokens < 0) rc = lag_json_fail(&json, "tokens is negative");
    if (rc == 0) rc = read_files(&json, &manifest);
    if (rc == 0) rc = read_segments(&json, &manifest);
    if (rc == 0) rc = lag_json_end(&json);
    if (rc != 0) lag_manifest_deinit(&manifest);
    else *ret = manifest;
    return rc;
}

void lag_manifest_deinit(struct lag_manifest *manifest) {
    lag_layout_deinit(&manifest->layout);
    free(manifest->segments);
    *manifest = (struct lag_manifest){0};
}

int lag_manifest_read(const char *dir, struct lag_manifest *ret, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/manifest.json", dir);
    LAG_CLEANUP(lag_free_p) char *text = NULL;
    if (!path) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    size_t length = 0, n_body = 0;
    int rc = lag_fs_read_file(path, LAG_MANIFEST_MAX_BYTES, &text, &length, err);
    if (rc == LAG_ENOTFOUND && lag_fs_exists(dir)) return lag_error_set(err, LAG_ECORRUPT, "%s is missing", path);
    if (rc == LAG_EINVAL || rc == LAG_ETOOBIG)
        return lag_error_set(err, LAG_ECORRUPT, "%s is no regular file, or larger than any manifest", path);
    if (rc != 0) return rc;
    rc = lag_manifest_unseal(text, length, &n_body, err);
    if (rc == 0) rc = lag_manifest_parse(text, n_body, ret, err);
    return rc != 0 && err ? lag_error_wrap(err, "%s", path) : rc;
}
