/* AdamW over segments and the gradient norm. */
#include "kernels/gemm_internal.h"
#include "kernels/vec_internal.h"

#include <lagd/base/check.h>
#include <lagd/engine/optim.h>

#include <math.h>
#include <string.h>

#define NORM_TILES 128
#define UPDATE_TILES 48

struct norm_task {
    const lag_real *grads;
    size_t n, tile_elements;
    double sums[NORM_TILES];
};

static void norm_tile(void *arg, int tile, int member) {
    struct norm_task *task = arg;
    const size_t begin = LAG_MIN(task->n, (size_t)tile * task->tile_elements);
    task->sums[tile] = lag_vec()->square_sum(LAG_MIN(task->tile_elements, task->n - begin), task->grads + begin);
}

double lag_grad_norm(const lag_real *grads, size_t n, struct lag_team *team) {
    struct norm_task task = {.grads = grads, .n = n, .tile_elements = (size_t)lag_ceil_div(n, NORM_TILES)};
    struct lag_region region = {0};
    lag_region_add(&region, norm_tile, &task, NORM_TILES);
    lag_region_run(&region, team);
    double sum = 0;
    for (int i = 0; i < NORM_TILES; i++) sum += task.sums[i];
    return sqrt(sum);
}

struct update {
    struct lag_state *state;
    const lag_real *grads;
    const struct lag_optim *optim;
    double lr, grad_scale;
    size_t tile_elements;
};

static size_t segment_cols(const struct lag_segment *s) {
    return (size_t)(s->col_end - s->col_begin);
}

static size_t segment_elements(const struct lag_segment *s) {
    return (size_t)(s->row_end - s->row_begin) * segment_cols(s);
}

static struct lag_adamw_factors factors(const struct update *u, const struct lag_segment *s, bool decays) {
    const struct lag_optim *o = u->optim;
    const double lr = u->lr * s->lr_factor * lag_rewarm_factor(s, u->state->step), t = (double)(s->age + 1);
    const double decay = decays ? o->weight_decay * s->decay_factor : 0;
    return (struct lag_adamw_factors){
        .grad_scale = (lag_real)u->grad_scale,
        .beta1 = (lag_real)o->beta1,
        .beta2 = (lag_real)o->beta2,
        .one_minus_beta1 = (lag_real)(1 - o->beta1),
        .one_minus_beta2 = (lag_real)(1 - o->beta2),
        .keep = (lag_real)(1 - lr * decay),
        .step_size = (lag_real)(lr / (1 - pow(o->beta1, t))),
        .root_bc2 = (lag_real)sqrt(1 - pow(o->beta2, t)),
        .eps = (lag_real)(o->eps * s->eps_factor),
    };
}

/* Elements [begin, end) of the segment, counted row by row. */
static void update_part(const struct update *u, const struct lag_segment *s, size_t begin, size_t end) {
    struct lag_state *state = u->state;
    const struct lag_tensor *tensor = &state->layout.tensors[s->tensor];
    const struct lag_adamw_factors f = factors(u, s, tensor->row->decays);
    const size_t cols = segment_cols(s), width = (size_t)tensor->n_cols;
    while (begin < end) {
        const size_t row = (size_t)s->row_begin + begin / cols, col = (size_t)s->col_begin + begin % cols;
        const size_t n = cols == width ? end - begin : LAG_MIN(end - begin, cols - begin % cols);
        const size_t at = tensor->offset + row * width + col;
        lag_vec()->adamw(n, &f, u->grads + at, state->params + at, state->m + at, state->v + at);
        begin += n;
    }
}

/* A tile is a range of the segments' elements laid end to end. */
static void update_tile(void *arg, int tile, int member) {
    const struct update *u = arg;
    const size_t begin = (size_t)tile * u->tile_elements, end = begin + u->tile_elements;
    size_t at = 0;
    for (int i = 0; i < u->state->n_segments && at < end; i++) {
        const struct lag_segment *s = &u->state->segments[i];
        const size_t n = segment_elements(s);
        if (at + n > begin && !lag_is_frozen(s, u->state->step))
            update_part(u, s, begin > at ? begin - at : 0, LAG_MIN(n, end - at));
        at += n;
    }
}

void lag_adamw(struct lag_state *state, const lag_real *grads, const struct lag_optim *optim, double lr,
               double grad_scale, struct lag_team *team) {
    struct update u = {.state = state, .grads = grads, .optim = optim, .lr = lr, .grad_scale = grad_scale};
    size_t total = 0;
    for (int i = 0; i < state->n_segments; i++) total += segment_elements(&state->segments[i]);
    u.tile_elements = (size_t)lag_ceil_div(total, UPDATE_TILES);
    struct lag_region region = {0};
    lag_region_add(&region, update_tile, &u, UPDATE_TILES);
    lag_region_run(&region, team);
    for (int i = 0; i < state->n_segments; i++)
        if (!lag_is_frozen(&state->segments[i], state->step)) state->segments[i].age++;
}

void lag_drop_frozen(const struct lag_state *state, lag_real *grads) {
    for (int i = 0; i < state->n_segments; i++) {
        const struct lag_segment *s = &state->segments[i];
        const struct lag_tensor *tensor = &state->layout.tensors[s->tensor];
        if (!lag_is_frozen(s, state->step)) continue;
        for (int row = s->row_begin; row < s->row_end; row++) {
            lag_real *at = grads + tensor->offset + (size_t)row * (size_t)tensor->n_cols + (size_t)s->col_begin;
            memset(at, 0, segment_cols(s) * sizeof(*at));
        }
    }
}
