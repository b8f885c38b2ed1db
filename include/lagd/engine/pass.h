/* Forward and backward passes of one state: loss, gradients, logits.
 *
 * All results are bit-equal for any team, because the tile plan depends on shapes only and sums are made in a fixed
 * order (one BLAS thread a call). Thread: the caller owns the work; the caller leads the team; the state is read. */
#pragma once
#include <lagd/engine/precision.h>
#include <lagd/engine/state.h>
#include <stdbool.h>
struct lag_team;
struct lag_backend;
struct lag_work; /* gradients, activations and scratch for one shape */

/* What passes over batches of up to batch × context tokens work in, used by up to n_members threads at once. */
struct lag_work_shape {
    int batch, context, n_members;
    enum lag_precision precision; /* of products */
    /* Keep each layer's input only and compute its activations again in the backward pass (Chen et al., arXiv
     * 1604.06174): the same bits in less memory and more time. */
    bool recompute;
    const struct lag_backend *backend; /* who computes (backend.h); NULL: the CPU */
};
int lag_work_create(const struct lag_spec *spec, const struct lag_work_shape *shape, struct lag_work **ret,
                    struct lag_error *err);
void lag_work_destroy(struct lag_work *work);
static inline void lag_work_destroy_p(struct lag_work **p) { lag_work_destroy(*p); }
/* Exactly what lag_work_create will allocate. Pure. 0 on overflow. */
uint64_t lag_work_bytes(const struct lag_spec *spec, const struct lag_work_shape *shape);

/* Mean cross-entropy in nats over [batch][context] tokens. batch ≤ the work's, context ≤ the work's. */
double lag_model_loss(const struct lag_state *state, struct lag_work *work, const int32_t *tokens,
                      const int32_t *targets, int batch, int context, struct lag_team *team);
/* The same, and adds the gradient of (loss × scale) to the work's gradients (cleared first when clear). */
double lag_model_backward(const struct lag_state *state, struct lag_work *work, const int32_t *tokens,
                          const int32_t *targets, int batch, int context, double scale, bool clear,
                          struct lag_team *team);

/* Of a work of the CPU only. The gradients of the last backward, in the layout of the state; borrowed. */
const lag_real *lag_work_grads(const struct lag_work *work);
/* Of a work of the CPU only. Root mean square of the residual stream before a layer (n_layer: at the end), over the
 * first n_tokens of the last backward's. */
double lag_work_stream_rms(const struct lag_work *work, int layer, int n_tokens);
/* Of a work of the CPU only. ret_logits: [batch][context][V]. */
void lag_model_logits(const struct lag_state *state, struct lag_work *work, const int32_t *tokens, int batch,
                      int context, lag_real *ret_logits, struct lag_team *team);
