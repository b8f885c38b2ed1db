/* manifest.json: what a checkpoint holds, sealed by a SHA-256 of its own text.
 *
 * {"format":7,"step":…,"schedule_origin":…,"spec":{…},"meta":{…},"files":[{…}×3],"segments":[{…}…],
 * "sha256":"<of every byte before this line>"}
 * Thread: any; the caller owns the objects. */
#pragma once
#include <lagd/engine/checkpoint.h>
struct lag_strbuf;

/* 1: meta without id, candidate_id and kind; 2: without origin; 3: segments without frozen_until; 4: meta without
 * lr_scale; 5: spec without head_dim; 6: no gates and masks. The lowest that tells all there is is written, so that an
 * older lagd can read it. */
#define LAG_MANIFEST_FORMAT 7
#define LAG_MANIFEST_FILES 3 /* model, config, optimiser */
/* An upper bound of one segment's text: 185 bytes of keys and signs, a name, ten integers, three reals. */
#define LAG_SEGMENT_TEXT_BYTES 448u
#define LAG_MANIFEST_MAX_BYTES (LAG_MAX_SEGMENTS * LAG_SEGMENT_TEXT_BYTES + 65536u)

extern const char *const lag_manifest_file_names[LAG_MANIFEST_FILES];

struct lag_manifest {
    int64_t step, schedule_origin;
    struct lag_checkpoint_meta meta;
    struct lag_checkpoint_file file[LAG_MANIFEST_FILES];
    struct lag_layout layout; /* made from the spec */
    struct lag_segment *segments;
    int n_segments;
};

/* Text with its seal. */
int lag_manifest_format(const struct lag_state *state, const struct lag_checkpoint_meta *meta,
                        const struct lag_checkpoint_file file[LAG_MANIFEST_FILES], struct lag_strbuf *out,
                        struct lag_error *err);
/* Checks the seal; *ret_n_body is the length of what it covers. */
int lag_manifest_unseal(const char *text, size_t n, size_t *ret_n_body, struct lag_error *err);
/* Parses and checks the text but for its seal. LAG_EVERSION for a newer format. */
int lag_manifest_parse(const char *text, size_t n, struct lag_manifest *ret, struct lag_error *err);
int lag_manifest_read(const char *dir, struct lag_manifest *ret, struct lag_error *err);
void lag_manifest_deinit(struct lag_manifest *manifest);

/* Segments lie in their tensors, in order, cover each tensor exactly once, and have numbers in range; else code. */
int lag_segments_check(const struct lag_layout *layout, const struct lag_segment *segments, int n_segments, int code,
                       struct lag_error *err);
