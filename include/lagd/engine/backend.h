/* Who computes. A backend is one kind of hardware: it makes the memory that passes work in, and it does forward passes,
 * backward passes and updates in it. Steps, evaluation, sampling and probes call it through the work they are given, so
 * other hardware is another instance of this struct.
 *
 * Weights and moments are the state's, in this process's memory. Tokens and targets too: the caller puts a batch into
 * the work's buffers. Thread: the caller owns the work; the caller leads the team. */
#pragma once
#include <lagd/engine/optim.h>
#include <lagd/engine/pass.h>

/* What the work of every backend begins with. */
struct lag_work {
    const struct lag_backend *backend;
    struct lag_work_shape shape;
    int32_t *tokens, *targets; /* [shape.batch × shape.context], for the caller's batch */
};

struct lag_backend {
    const char *name;
    /* As lag_work_create, lag_work_bytes, lag_model_loss and lag_model_backward of pass.h. */
    int (*work_create)(const struct lag_spec *spec, const struct lag_work_shape *shape, struct lag_work **ret,
                       struct lag_error *err);
    void (*work_destroy)(struct lag_work *work);
    uint64_t (*work_bytes)(const struct lag_spec *spec, const struct lag_work_shape *shape);
    double (*loss)(const struct lag_state *state, struct lag_work *work, const int32_t *tokens, const int32_t *targets,
                   int batch, int context, struct lag_team *team);
    double (*backward)(const struct lag_state *state, struct lag_work *work, const int32_t *tokens,
                       const int32_t *targets, int batch, int context, double scale, bool clear, struct lag_team *team);
    /* Logits [V] of the token behind tokens[n_tokens]; products in single precision. */
    void (*next_logits)(const struct lag_state *state, struct lag_work *work, const int32_t *tokens, int n_tokens,
                        lag_real *ret_logits, struct lag_team *team);
    /* L2 norm of the work's gradients, those of what is frozen being made zero, and one update with them: as
     * lag_drop_frozen, lag_grad_norm and lag_adamw of optim.h. */
    double (*grad_norm)(const struct lag_state *state, struct lag_work *work, struct lag_team *team);
    void (*update)(struct lag_state *state, struct lag_work *work, const struct lag_optim *optim, double lr,
                   double grad_scale, struct lag_team *team);
};
extern const struct lag_backend lag_cpu; /* this computer's processors */
