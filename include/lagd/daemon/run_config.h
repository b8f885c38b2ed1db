/* What a person asks for when creating a run. The table drives JSON, text form, checks, OpenAPI. Thread: any. */
#pragma once
#include <lagd/base/fields.h>
#include <lagd/storage/rows.h>

struct lagd_run_config {
    char name[65];              /* "" = made from the id */
    char dataset[LAG_ROW_NAME]; /* id or name */
    int64_t seed;
    bool start;                 /* false: created paused */
    char precision[8];          /* fp32, bf16 */
    bool recompute;             /* activations of the backward pass are computed again */
    char arch[16];
    struct lag_shape shape;     /* n_inner 0 = 4 × n_embd, vocab_size 0 = the dataset's */
    bool gated;                 /* its branches begin behind gates of 0 */
    char optim_name[16];
    double lr, beta1, beta2, eps, weight_decay, grad_clip;
    char schedule[16];
    int64_t warmup_steps, max_steps;
    double min_lr, decay_fraction;
    int64_t sequences, tokens_per_sequence, accumulate; /* tokens_per_sequence 0 = n_positions */
    int64_t eval_every, eval_batches;
    int64_t checkpoint_every, keep_last, keep_best, keep_every; /* keep_last 0 = the daemon's */
    int64_t threads;            /* at most this many; 0 = no limit of its own */
    char on_crash[16];          /* resume, pause */
    char tags[512];
    char note[512];
};
extern const struct lag_fields lagd_run_fields; /* paths of the JSON body: "model/n_layer", "optim/betas/0" … */

/* What may be changed while the run exists: rows of lagd_run_fields. optim/lr only of one that has failed. */
extern const struct lag_fields lagd_run_patch_fields;
struct lagd_run_patch {
    uint32_t given;             /* bit i: row i of lagd_run_patch_fields */
    struct lagd_run_config config; /* only the given fields count */
};

/* What cannot be said by ranges: heads divide width, dataset fits context, schedule adds up; fills the zeros that mean
 * "derive" from the dataset's row. Errors carry pointers. */
int lagd_run_config_resolve(struct lagd_run_config *config, const struct lag_dataset_row *dataset,
                            struct lag_error *err);
/* Text form for storage and back. ret: LAG_ROW_CONFIG bytes. */
int lagd_run_config_format(const struct lagd_run_config *config, char *ret, struct lag_error *err);
int lagd_run_config_parse(const char *text, struct lagd_run_config *ret, struct lag_error *err);
/* For answers only: names that this lagd does not know are taken as they stand. 1: some line cannot be read (err), the
 * others are there. */
int lagd_run_config_parse_to_show(const char *text, struct lagd_run_config *ret, struct lag_error *err);

/* The batches that a run of this row trains on now, which growths may have changed, in config as it was read from the
 * row. Where they cannot be read config stays. */
void lagd_run_config_take_batch(const struct lag_run_row *row, struct lagd_run_config *config);

/* What it will take. */
struct lagd_run_estimate {
    int64_t n_params;
    double flops_per_token, flops_per_step, flops_total;
    int64_t tokens_per_step, tokens_total;
    int64_t memory_bytes, state_bytes, activation_bytes, checkpoint_bytes; /* predicted peak of the run and its parts */
    int64_t memory_available_bytes;                      /* what admission would grant now */
    double step_seconds, total_seconds;                  /* from the measured matrix rate of this machine; a guess */
    const char *precision_note; /* lag_precision_note's */
};
int lagd_run_estimate(const struct lagd_run_config *resolved, int n_threads, struct lagd_run_estimate *ret,
                      struct lag_error *err);
