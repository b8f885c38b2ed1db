/* Passes through the backend of their work. */
#include <lagd/engine/backend.h>

static const struct lag_backend *backend_of(const struct lag_work_shape *shape) {
    return shape->backend ? shape->backend : &lag_cpu;
}

int lag_work_create(const struct lag_spec *spec, const struct lag_work_shape *shape, struct lag_work **ret,
                    struct lag_error *err) {
    return backend_of(shape)->work_create(spec, shape, ret, err);
}

void lag_work_destroy(struct lag_work *work) {
    if (work) work->backend->work_destroy(work);
}

uint64_t lag_work_bytes(const struct lag_spec *spec, const struct lag_work_shape *shape) {
    return backend_of(shape)->work_bytes(spec, shape);
}

double lag_model_loss(const struct lag_state *state, struct lag_work *work, const int32_t *tokens,
                      const int32_t *targets, int batch, int context, struct lag_team *team) {
    return work->backend->loss(state, work, tokens, targets, batch, context, team);
}

double lag_model_backward(const struct lag_state *state, struct lag_work *work, const int32_t *tokens,
                          const int32_t *targets, int batch, int context, double scale, bool clear,
                          struct lag_team *team) {
    return work->backend->backward(state, work, tokens, targets, batch, context, scale, clear, team);
}
