/* Training steps, evaluation, logits and sampling for one state.
 *
 * All results are bit-equal for any team, because the tile plan depends on shapes only and sums are made in a fixed
 * order (one BLAS thread a call). Thread: the caller owns state and work; the caller leads the team. */
#pragma once
#include <lagd/engine/data.h>
#include <lagd/engine/optim.h>
#include <lagd/engine/precision.h>
#include <lagd/engine/state.h>
#include <stdbool.h>
struct lag_team;
struct lag_work; /* gradients, activations and scratch for one shape */

/* Once a process, before any other call: one BLAS thread, flavour check, warm-up and self-test of this CPU's sgemm
 * (right, and the same bits at another address). The text tells what to install when it fails. */
int lag_engine_setup(struct lag_error *err);
/* "matrix own; vec avx512; glibc 2.36; gcc 12.2.0", "matrix own bf16; …" or "matrix openblas 0.3.21 Haswell; …": results are
 * bit-comparable between equal fingerprints. */
const char *lag_fingerprint(enum lag_precision precision);

/* What passes over batches of up to batch × context tokens work in, used by up to n_members threads at once. */
struct lag_work_shape {
    int batch, context, n_members;
    enum lag_precision precision; /* of products */
    /* Keep each layer's input only and compute its activations again in the backward pass (Chen et al., arXiv
     * 1604.06174): the same bits in less memory and more time. */
    bool recompute;
};
int lag_work_create(const struct lag_spec *spec, const struct lag_work_shape *shape, struct lag_work **ret,
                    struct lag_error *err);
void lag_work_destroy(struct lag_work *work);
static inline void lag_work_destroy_p(struct lag_work **p) { lag_work_destroy(*p); }
/* Exactly what lag_work_create will allocate. Pure. 0 on overflow. */
uint64_t lag_work_bytes(const struct lag_spec *spec, const struct lag_work_shape *shape);
uint64_t lag_state_bytes(const struct lag_spec *spec);
/* The gradients of the last backward, in the layout of the state. Borrowed. */
const lag_real *lag_work_grads(const struct lag_work *work);

/* Mean cross-entropy in nats over [batch][context] tokens. batch ≤ the work's, context ≤ the work's. */
double lag_model_loss(const struct lag_state *state, struct lag_work *work, const int32_t *tokens,
                      const int32_t *targets, int batch, int context, struct lag_team *team);
/* The same, and adds the gradient of (loss × scale) to the work's gradients (cleared first when clear). */
double lag_model_backward(const struct lag_state *state, struct lag_work *work, const int32_t *tokens,
                          const int32_t *targets, int batch, int context, double scale, bool clear,
                          struct lag_team *team);
/* ret_logits: [batch][context][V]. */
void lag_model_logits(const struct lag_state *state, struct lag_work *work, const int32_t *tokens, int batch,
                      int context, lag_real *ret_logits, struct lag_team *team);

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
/* Mean loss of each of n_batches validation batches of batch × context tokens into ret_losses[n_batches]. */
int lag_evaluate(const struct lag_state *state, struct lag_work *work, const struct lag_dataset *dataset, int n_batches,
                 int batch, int context, double *ret_losses, struct lag_team *team, struct lag_error *err);

struct lag_sample_config {
    int n_tokens;       /* to make, 1–4096 */
    double temperature; /* 0 = the likeliest token */
    int top_k;          /* 0 = all */
    uint64_t seed;
};
/* Continues prompt (n_prompt ≥ 1 ids < V) into ret_tokens[n_tokens]. A pure function of its arguments. */
int lag_generate(const struct lag_state *state, const int32_t *prompt, int n_prompt,
                 const struct lag_sample_config *config, int32_t *ret_tokens, const volatile bool *cancel,
                 struct lag_team *team, struct lag_error *err);
