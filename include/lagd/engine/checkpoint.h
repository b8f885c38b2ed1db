/* Checkpoints: a folder with model.safetensors (Hugging Face GPT-2 names), config.json, optimizer.safetensors
 * (m.<name>, v.<name>), and manifest.json: step, segments (ages and factors), schedule origin, meta, and for each file
 * its size and SHA-256.
 *
 * Written to a temporary folder beside it, every file fsynced, renamed, the parent folder fsynced, then read back and
 * verified. A folder that exists under its final name is therefore complete or damaged, never half written.
 * Readers trust nothing: every size, offset, shape, name and hash is checked before it is used, sizes with checked
 * arithmetic. Thread: any; the caller owns the state. */
#pragma once
#include <lagd/engine/state.h>
#include <lagd/base/hash.h>

struct lag_checkpoint_meta {
    char run_id[40];
    char growth_text[448];   /* canonical strategy that made this shape, "" when none */
    char parent_sha256[LAG_SHA256_HEX]; /* model file this one was grown from, "" when none */
    char fingerprint[128];   /* lag_fingerprint() of the writer */
    char version[32];
    int64_t tokens;          /* seen so far */
    uint64_t seed;
    char id[40], candidate_id[40], kind[16]; /* the caller's; "" in manifests of format 1 */
    char origin_run[40], origin_checkpoint[40]; /* what its run was forked from, "" when it was not … */
    int64_t origin_step;                        /* … and at which step */
    double lr_scale;         /* factor of the learning rate of the steps before it; 0: not told (formats 1 to 4) */
};
struct lag_checkpoint_file {
    char name[64];
    uint64_t n_bytes;
    char sha256[LAG_SHA256_HEX];
};
#define LAG_CHECKPOINT_FILES 4
struct lag_checkpoint_files {
    struct lag_checkpoint_file file[LAG_CHECKPOINT_FILES]; /* the manifest is the last */
    int n_files;
    uint64_t n_bytes;
};

/* dir: the final folder; its parent exists. An existing dir is replaced only after the new one is complete. A failure
 * leaves everything as it was; its text names path and reason. LAG_ENONFINITE: the state holds NaN or infinity. */
int lag_checkpoint_write(const char *dir, const struct lag_state *state, const struct lag_checkpoint_meta *meta,
                         struct lag_checkpoint_files *ret, struct lag_error *err);
/* The checkpoint from, as one of another run: its files to the last byte, under a manifest of its own with this meta.
 * Its state is not loaded. to: the final folder, which must not be there; its parent exists. watch may be NULL. A
 * failure leaves nothing; LAG_ECORRUPT and LAG_ENOTFOUND speak of from, as verify does. */
struct lag_fs_watch;
int lag_checkpoint_copy(const char *from, const char *to, const struct lag_checkpoint_meta *meta,
                        const struct lag_fs_watch *watch, struct lag_checkpoint_files *ret, struct lag_error *err);
/* Sizes and hashes of every file against the manifest. LAG_ECORRUPT names file and rule; LAG_ENOTFOUND: the folder, its
 * manifest, or a file that this names is missing. */
int lag_checkpoint_verify(const char *dir, struct lag_error *err);
/* What the manifest says, without a look at the other files. Errors as verify. */
struct lag_checkpoint_look {
    int64_t step, schedule_origin;
    int64_t masked_until; /* lag_masked_until() */
    struct lag_spec spec;
    struct lag_checkpoint_meta meta;
    struct lag_checkpoint_files files;
};
int lag_checkpoint_look(const char *dir, struct lag_checkpoint_look *ret, struct lag_error *err);
/* Verifies, then builds the state. Errors as verify; LAG_ENONFINITE. */
int lag_checkpoint_read(const char *dir, struct lag_state **ret, struct lag_checkpoint_meta *ret_meta,
                        struct lag_error *err);
/* Removes what writers that died left in parent (temporary folders), and gives a folder that one had moved aside its
 * name back. Call it when nothing writes there: at the start. A missing parent is no error. */
int lag_checkpoint_sweep(const char *parent, struct lag_error *err);
/* Bytes that a checkpoint of this shape will take (an upper bound). Pure. */
uint64_t lag_checkpoint_bytes(const struct lag_spec *spec);
