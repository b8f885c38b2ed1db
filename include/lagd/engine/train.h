/* Training steps, evaluation and sampling for one state. Results are bit-equal for any team, as those of pass.h.
 * Thread: the caller owns state and work; the caller leads the team. */
#pragma once
#include <lagd/engine/data.h>
#include <lagd/engine/optim.h>
#include <lagd/engine/pass.h>

/* Once a process, before any other call: one BLAS thread, flavour check, warm-up and self-test of this CPU's sgemm
 * (right, and the same bits at another address). The text tells what to install when it fails. */
int lag_engine_setup(struct lag_error *err);
/* "matrix own; vec avx512; glibc 2.36; gcc 12.2.0", "matrix own bf16; …" or "matrix openblas 0.3.21 Haswell; …":
 * results are bit-comparable between equal fingerprints. */
const char *lag_fingerprint(enum lag_precision precision);

struct lag_step_config {
    struct lag_optim optim;
    struct lag_schedule schedule;
    int batch, context, accumulate; /* a step sees accumulate × batch × context tokens */
    uint64_t seed;                  /* of the data order */
    double lr_scale;                /* 1, halved by each rollback after a non-finite step */
};
struct lag_step_result {
    double loss, grad_norm, lr; /* lr: of the fastest segment, re-warm included */
};
enum { LAG_TRAIN_NONFINITE = 1 };
/* One optimisation step on batch(dataset, seed, state->step). LAG_TRAIN_NONFINITE: loss or gradient norm is not finite;
 * the state is untouched and the result tells which. */
int lag_train_step(struct lag_state *state, struct lag_work *work, const struct lag_dataset *dataset,
                   const struct lag_step_config *config, struct lag_team *team, struct lag_step_result *ret,
                   struct lag_error *err);
/* Mean loss of each validation batch into ret_losses[n_batches]: of all of the set, or of the small one alone, with NaN
 * for the others. Windows longer than context are read in parts of it, so that models with a short context and with a
 * long one are compared on the same text. */
int lag_evaluate(const struct lag_state *state, struct lag_work *work, const struct lag_dataset *dataset,
                 const struct lag_eval_set *set, bool full, int context, double *ret_losses, struct lag_team *team,
                 struct lag_error *err);

enum { LAG_SAMPLE_TOKENS_MAX = 4096, LAG_SAMPLE_TEMPERATURE_MAX = 10 };
struct lag_sample_config {
    int n_tokens;       /* to make, from 1 */
    double temperature; /* from 0 = the likeliest token */
    int top_k;          /* 0 = all */
    uint64_t seed;
    const struct lag_backend *backend; /* NULL: the CPU */
};
/* Continues prompt (n_prompt ≥ 1 ids < V) into ret_tokens[n_tokens]. A pure function of its arguments. */
int lag_generate(const struct lag_state *state, const int32_t *prompt, int n_prompt,
                 const struct lag_sample_config *config, int32_t *ret_tokens, const volatile bool *cancel,
                 struct lag_team *team, struct lag_error *err);
