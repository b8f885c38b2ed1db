/* The manifest: tables of keys, text, seal. */
#include "format/json_internal.h"
#include "checkpoint/manifest_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/hash.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <float.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *const lag_manifest_file_names[LAG_MANIFEST_FILES] = {"model.safetensors", "config.json",
                                                                 "optimizer.safetensors"};

/* The whole document, its last line included. */
struct document {
    int64_t format, step, schedule_origin;
    json_t *spec, *meta, *files, *segments;
    char sha256[LAG_SHA256_HEX];
};
struct spec_text {
    char arch[16];
    struct lag_spec spec;
    int gated; /* 0 or 1 */
};
struct segment_text {
    char tensor[96];
    struct lag_segment segment;
};

static const struct lag_json_row document_keys[] = {
    LAG_JSON_ROW("format", LAG_JSON_I64, document, format), LAG_JSON_ROW("step", LAG_JSON_I64, document, step),
    LAG_JSON_ROW("schedule_origin", LAG_JSON_I64, document, schedule_origin),
    LAG_JSON_ROW("spec", LAG_JSON_VALUE, document, spec), LAG_JSON_ROW("meta", LAG_JSON_VALUE, document, meta),
    LAG_JSON_ROW("files", LAG_JSON_VALUE, document, files),
    LAG_JSON_ROW("segments", LAG_JSON_VALUE, document, segments),
    LAG_JSON_ROW("sha256", LAG_JSON_TEXT, document, sha256), /* the seal: not among what it covers */
};
enum { SEALED_KEYS = LAG_COUNT(document_keys) - 1 };
#define SPEC_ROW(member, type) LAG_JSON_ROW(#member, type, spec_text, spec.member)
static const struct lag_json_row spec_keys[] = {
    LAG_JSON_ROW("arch", LAG_JSON_TEXT, spec_text, arch),
    SPEC_ROW(n_layer, LAG_JSON_INT), SPEC_ROW(n_head, LAG_JSON_INT), SPEC_ROW(n_embd, LAG_JSON_INT),
    SPEC_ROW(n_inner, LAG_JSON_INT), SPEC_ROW(n_positions, LAG_JSON_INT), SPEC_ROW(vocab_size, LAG_JSON_INT),
    SPEC_ROW(norm_eps, LAG_JSON_REAL),
    SPEC_ROW(head_dim, LAG_JSON_INT), /* format 6 */
    LAG_JSON_ROW("gated", LAG_JSON_INT, spec_text, gated), /* format 7 */
};
static size_t n_spec_keys(int64_t format) { return LAG_COUNT(spec_keys) - (format < 6) - (format < 7); }
#define META_ROW(member, type) LAG_JSON_ROW(#member, type, lag_checkpoint_meta, member)
static const struct lag_json_row meta_keys[] = {
    META_ROW(run_id, LAG_JSON_TEXT), META_ROW(growth_text, LAG_JSON_TEXT), META_ROW(parent_sha256, LAG_JSON_TEXT),
    META_ROW(fingerprint, LAG_JSON_TEXT), META_ROW(version, LAG_JSON_TEXT), META_ROW(tokens, LAG_JSON_I64),
    META_ROW(seed, LAG_JSON_U64),
    META_ROW(id, LAG_JSON_TEXT), META_ROW(candidate_id, LAG_JSON_TEXT), META_ROW(kind, LAG_JSON_TEXT), /* format 2 */
    META_ROW(origin_run, LAG_JSON_TEXT), META_ROW(origin_checkpoint, LAG_JSON_TEXT),
    META_ROW(origin_step, LAG_JSON_I64), /* format 3 */
    META_ROW(lr_scale, LAG_JSON_REAL), /* format 5 */
};
static const size_t n_meta_keys[] = {[1] = LAG_COUNT(meta_keys) - 7, [2] = LAG_COUNT(meta_keys) - 4,
                                     [3] = LAG_COUNT(meta_keys) - 1, [4] = LAG_COUNT(meta_keys) - 1,
                                     [5] = LAG_COUNT(meta_keys), [6] = LAG_COUNT(meta_keys),
                                     [7] = LAG_COUNT(meta_keys)};
static_assert(LAG_COUNT(n_meta_keys) == LAG_MANIFEST_FORMAT + 1, "each format has its keys");
#define FILE_ROW(member, type) LAG_JSON_ROW(#member, type, lag_checkpoint_file, member)
static const struct lag_json_row file_keys[] = {
    FILE_ROW(name, LAG_JSON_TEXT), FILE_ROW(n_bytes, LAG_JSON_U63), FILE_ROW(sha256, LAG_JSON_TEXT),
};
#define SEGMENT_ROW(member, type) LAG_JSON_ROW(#member, type, segment_text, segment.member)
static const struct lag_json_row segment_keys[] = {
    LAG_JSON_ROW("tensor", LAG_JSON_TEXT, segment_text, tensor),
    SEGMENT_ROW(row_begin, LAG_JSON_INT), SEGMENT_ROW(row_end, LAG_JSON_INT), SEGMENT_ROW(col_begin, LAG_JSON_INT),
    SEGMENT_ROW(col_end, LAG_JSON_INT), SEGMENT_ROW(age, LAG_JSON_I64), SEGMENT_ROW(lr_factor, LAG_JSON_REAL),
    SEGMENT_ROW(decay_factor, LAG_JSON_REAL), SEGMENT_ROW(eps_factor, LAG_JSON_REAL),
    SEGMENT_ROW(rewarm_from, LAG_JSON_I64), SEGMENT_ROW(rewarm_steps, LAG_JSON_I64),
    SEGMENT_ROW(frozen_until, LAG_JSON_I64), /* format 4 */
    SEGMENT_ROW(mask_from, LAG_JSON_I64), SEGMENT_ROW(mask_steps, LAG_JSON_I64), /* format 7 */
};
static size_t n_segment_keys(int64_t format) {
    return LAG_COUNT(segment_keys) - (format < 4) - (format < 7 ? 2 : 0);
}

/* A segment is one object of at least 160 bytes, with a comma to every 14 of them. */
static const struct lag_json_limits limits = {.max_depth = 8, .bytes_per_container = 128, .bytes_per_comma = 14};

static const char seal_start[] = ",\n\"sha256\":\"", seal_end[] = "\"}\n";
enum { SEAL_BYTES = sizeof seal_start - 1 + LAG_SHA256_HEX - 1 + sizeof seal_end - 1 };

static json_t *spec_object(const struct lag_spec *spec, int format) {
    struct spec_text text = {.spec = *spec, .gated = spec->gated};
    (void)lag_copy(text.arch, sizeof text.arch, lag_arch_name(spec->arch));
    return lag_json_object(spec_keys, n_spec_keys(format), &text);
}

static json_t *file_array(const struct lag_checkpoint_file file[LAG_MANIFEST_FILES]) {
    json_t *array = json_array();
    for (int i = 0; i < LAG_MANIFEST_FILES; i++) {
        if (json_array_append_new(array, lag_json_object(file_keys, LAG_COUNT(file_keys), &file[i])) == 0) continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *segment_array(const struct lag_state *state, int format) {
    json_t *array = json_array();
    for (int i = 0; i < state->n_segments; i++) {
        struct segment_text text = {.segment = state->segments[i]};
        lag_tensor_name(&state->layout.tensors[text.segment.tensor], text.tensor);
        if (json_array_append_new(array, lag_json_object(segment_keys, n_segment_keys(format), &text)) == 0) continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

/* The lowest that tells all there is. */
static int find_format(const struct lag_state *state, const struct lag_checkpoint_meta *meta) {
    if (state->layout.spec.gated || lag_state_is_masked(state)) return 7;
    if (!lag_spec_is_gpt2(&state->layout.spec)) return 6;
    if (meta->lr_scale > 0) return 5;
    for (int i = 0; i < state->n_segments; i++)
        if (state->segments[i].frozen_until > 0) return 4;
    return meta->origin_run[0] ? 3 : 2;
}

int lag_manifest_format(const struct lag_state *state, const struct lag_checkpoint_meta *meta,
                        const struct lag_checkpoint_file file[LAG_MANIFEST_FILES], struct lag_strbuf *out,
                        struct lag_error *err) {
    const int format = find_format(state, meta);
    const struct document document = {
        .format = format, .step = state->step, .schedule_origin = state->schedule_origin,
        .spec = spec_object(&state->layout.spec, format), .meta = lag_json_object(meta_keys, n_meta_keys[format], meta),
        .files = file_array(file), .segments = segment_array(state, format),
    };
    char digest[LAG_SHA256_HEX] = "";
    lag_json_append(out, lag_json_object(document_keys, SEALED_KEYS, &document), JSON_COMPACT);
    if (!out->failed) {
        out->data[--out->length] = '\0'; /* its brace closes behind the seal */
        lag_sha256_bytes(out->data, out->length, digest);
        if (!digest[0]) out->failed = true;
        lag_strbuf_printf(out, "%s%s%s", seal_start, digest, seal_end);
    }
    if (out->failed) return lag_error_set(err, LAG_ENOMEM, "out of memory for the manifest, or a text is not UTF-8");
    return 0;
}

int lag_manifest_unseal(const char *text, size_t n, size_t *ret_n_body, struct lag_error *err) {
    if (n < SEAL_BYTES) return lag_error_set(err, LAG_ECORRUPT, "%zu bytes are too few for a manifest", n);
    const size_t n_body = n - SEAL_BYTES;
    char digest[LAG_SHA256_HEX], seal[SEAL_BYTES + 1];
    lag_sha256_bytes(text, n_body, digest);
    if (!digest[0]) return lag_error_set(err, LAG_ENOMEM, "out of memory for a SHA-256");
    snprintf(seal, sizeof seal, "%s%s%s", seal_start, digest, seal_end);
    if (memcmp(text + n_body, seal, SEAL_BYTES) != 0)
        return lag_error_set(err, LAG_ECORRUPT, "its last line is not the SHA-256 of its text: cut or changed");
    *ret_n_body = n_body;
    return 0;
}

static int broken(struct lag_error *err, const char *rule) { return lag_error_set(err, LAG_ECORRUPT, "%s", rule); }

/* What is wrong lies in this part. */
static int within(struct lag_error *err, const char *part, int rc) {
    return rc != 0 && err ? lag_error_wrap(err, "%s", part) : rc;
}

/* A newer format is named before its keys are looked at. */
static int read_document(const json_t *root, struct document *ret, struct lag_error *err) {
    int64_t format = 0;
    if (!json_is_object(root)) return broken(err, "expected an object");
    const int rc = lag_json_integer(json_object_get(root, "format"), "format", &format, err);
    if (rc != 0) return rc;
    if (format > LAG_MANIFEST_FORMAT)
        return lag_error_set(err, LAG_EVERSION, "format %" PRId64 ", written by a newer lagd; this one reads %d",
                             format, LAG_MANIFEST_FORMAT);
    if (format < 1) return broken(err, "unknown format");
    return lag_json_read(root, document_keys, LAG_COUNT(document_keys), ret, err);
}

static int read_spec(const json_t *object, int64_t format, struct lag_layout *ret, struct lag_error *err) {
    struct spec_text text = {0};
    int rc = lag_json_read(object, spec_keys, n_spec_keys(format), &text, err);
    if (rc != 0) return rc;
    if (lag_arch_parse(text.arch, &text.spec.arch) != 0)
        return lag_error_set(err, LAG_EUNSUPPORTED, "unknown architecture %s", text.arch);
    if (text.gated != 0 && text.gated != 1) return broken(err, "gated is neither 0 nor 1");
    text.spec.gated = text.gated;
    rc = lag_layout_create(&text.spec, ret, err);
    if (rc != LAG_EINVAL) return rc;
    if (err) err->code = LAG_ECORRUPT;
    return LAG_ECORRUPT;
}

static int read_files(const json_t *array, struct lag_checkpoint_file *ret, struct lag_error *err) {
    if (json_array_size(array) != LAG_MANIFEST_FILES)
        return lag_error_set(err, LAG_ECORRUPT, "expected an array of %d files", LAG_MANIFEST_FILES);
    for (int i = 0; i < LAG_MANIFEST_FILES; i++) {
        const int rc = lag_json_read(json_array_get(array, (size_t)i), file_keys, LAG_COUNT(file_keys), &ret[i], err);
        if (rc != 0) return rc;
        if (strcmp(ret[i].name, lag_manifest_file_names[i]) != 0) return broken(err, "unexpected file name");
        if (strspn(ret[i].sha256, "0123456789abcdef") != LAG_SHA256_HEX - 1)
            return broken(err, "sha256 is not 64 hexadecimal digits");
    }
    return 0;
}

/* Names come in the layout's order, so a segment is of the last one's tensor or of the next. */
static int find_tensor(const struct lag_layout *layout, const char *name, int last, int *ret, struct lag_error *err) {
    for (int tensor = LAG_MAX(last, 0); tensor <= last + 1 && tensor < layout->n_tensors; tensor++) {
        char expected[96];
        lag_tensor_name(&layout->tensors[tensor], expected);
        if (strcmp(name, expected) != 0) continue;
        *ret = tensor;
        return 0;
    }
    return broken(err, "a segment of an unknown tensor, or not in order");
}

static int read_segments(const json_t *array, int64_t format, struct lag_manifest *manifest, struct lag_error *err) {
    const size_t n_keys = n_segment_keys(format);
    if (!json_is_array(array)) return broken(err, "expected an array");
    const size_t n = json_array_size(array);
    if (n > LAG_MAX_SEGMENTS) return lag_error_set(err, LAG_ECORRUPT, "more than %d", LAG_MAX_SEGMENTS);
    manifest->segments = lag_calloc(n, sizeof *manifest->segments);
    if (!manifest->segments && n > 0) return lag_error_set(err, LAG_ENOMEM, "out of memory for %zu segments", n);
    int last = -1;
    for (size_t i = 0; i < n; i++) {
        struct segment_text text = {0};
        int rc = lag_json_read(json_array_get(array, i), segment_keys, n_keys, &text, err);
        if (rc == 0) rc = find_tensor(&manifest->layout, text.tensor, last, &last, err);
        if (rc != 0) return err ? lag_error_wrap(err, "item %zu", i) : rc;
        text.segment.tensor = last;
        manifest->segments[i] = text.segment;
    }
    manifest->n_segments = (int)n;
    return lag_segments_check(&manifest->layout, manifest->segments, (int)n, LAG_ECORRUPT, err);
}

static int read_manifest(const json_t *root, struct lag_manifest *ret, struct lag_error *err) {
    struct document document = {0};
    int rc = read_document(root, &document, err);
    if (rc != 0) return rc;
    if (document.step < 0 || document.schedule_origin < 0) return broken(err, "step or schedule_origin is negative");
    ret->step = document.step;
    ret->schedule_origin = document.schedule_origin;
    rc = read_spec(document.spec, document.format, &ret->layout, err);
    if (rc != 0) return within(err, "spec", rc);
    rc = lag_json_read(document.meta, meta_keys, n_meta_keys[document.format], &ret->meta, err);
    if (rc != 0) return within(err, "meta", rc);
    if (ret->meta.tokens < 0 || ret->meta.origin_step < 0)
        return broken(err, "meta: tokens or origin_step is negative");
    const double least = document.format == 5 ? DBL_TRUE_MIN : 0; /* formats 6 and 7 may leave it unsaid */
    if (!(ret->meta.lr_scale >= least && ret->meta.lr_scale <= 1))
        return broken(err, "meta: lr_scale is not above 0 and at most 1");
    rc = read_files(document.files, ret->file, err);
    if (rc != 0) return within(err, "files", rc);
    return within(err, "segments", read_segments(document.segments, document.format, ret, err));
}

int lag_manifest_parse(const char *text, size_t n, struct lag_manifest *ret, struct lag_error *err) {
    struct lag_manifest manifest = {0};
    json_t *root = NULL;
    int rc = lag_json_parse(text, n, &limits, &root, err);
    if (rc != 0) return rc;
    rc = read_manifest(root, &manifest, err);
    json_decref(root);
    if (rc != 0) lag_manifest_deinit(&manifest);
    else *ret = manifest;
    return rc;
}

void lag_manifest_deinit(struct lag_manifest *manifest) {
    lag_layout_deinit(&manifest->layout);
    free(manifest->segments);
    *manifest = (struct lag_manifest){0};
}

/* Something else has its name: then it is damaged, whatever became of it. Where the way to it is no folder, the
 * checkpoint may be as good as ever. */
static bool is_other_than_folder(const char *dir) {
    struct stat st;
    return lstat(dir, &st) == 0 && !S_ISDIR(st.st_mode);
}

int lag_manifest_read(const char *dir, struct lag_manifest *ret, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/manifest.json", dir);
    LAG_CLEANUP(lag_free_p) char *text = NULL;
    if (!path) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    size_t length = 0, n_body = 0;
    int rc = lag_fs_read_file(path, LAG_MANIFEST_MAX_BYTES, &text, &length, err);
    if (rc == LAG_ENOTFOUND) return lag_error_set(err, rc, "%s is missing", lag_fs_exists(dir) ? path : dir);
    if (rc == LAG_EPATH && is_other_than_folder(dir)) return lag_error_set(err, LAG_ECORRUPT, "%s is no folder", dir);
    if (rc == LAG_EINVAL || rc == LAG_ETOOBIG)
        return lag_error_set(err, LAG_ECORRUPT, "%s is no regular file, or larger than any manifest", path);
    if (rc != 0) return rc;
    rc = lag_manifest_unseal(text, length, &n_body, err);
    if (rc == 0) rc = lag_manifest_parse(text, length, ret, err);
    return rc != 0 && err ? lag_error_wrap(err, "%s", path) : rc;
}
