/* AdamW over segments against a scalar reference in double, and the gradient norm. */
#include "gradcheck.h"

#include <lagd/base/team.h>

#define STEPS 30
#ifdef LAG_REAL_DOUBLE
#define TOLERANCE 1e-13
#else
#define TOLERANCE 2e-6
#endif

struct cell { double p, m, v; };

/* One element, one step, as the documentation of torch.optim.AdamW states it. */
static void reference(struct cell *c, double g, const struct lag_optim *o, const struct lag_segment *s, bool decays,
                      double lr, int64_t step) {
    const double t = (double)(s->age + 1);
    lr *= s->lr_factor * lag_rewarm_factor(s, step);
    if (decays) c->p -= lr * o->weight_decay * s->decay_factor * c->p;
    c->m = o->beta1 * c->m + (1 - o->beta1) * g;
    c->v = o->beta2 * c->v + (1 - o->beta2) * g * g;
    const double m = c->m / (1 - pow(o->beta1, t)), v = c->v / (1 - pow(o->beta2, t));
    c->p -= lr * m / (sqrt(v) + o->eps * s->eps_factor);
}

/* Divides a matrix's segment in four with different histories. */
static void divide(struct lag_state *state, int tensor) {
    struct lag_segment *list = calloc((size_t)state->n_segments + 3, sizeof(*list));
    assert_non_null(list);
    int n = 0;
    for (int i = 0; i < state->n_segments; i++) {
        const struct lag_segment s = state->segments[i];
        if (s.tensor != tensor) {
            list[n++] = s;
            continue;
        }
        for (int q = 0; q < 4; q++) {
            struct lag_segment part = s;
            part.row_begin = q / 2 ? 3 : 0;
            part.row_end = q / 2 ? s.row_end : 3;
            part.col_begin = q % 2 ? 5 : 0;
            part.col_end = q % 2 ? s.col_end : 5;
            part.age = 1000 * q;
            part.lr_factor = 1 - 0.2 * q;
            part.decay_factor = 1 + q;
            part.eps_factor = q ? 0.5 : 1;
            part.rewarm_from = 10;
            part.rewarm_steps = 5 * q;
            list[n++] = part;
        }
    }
    free(state->segments);
    state->segments = list;
    state->n_segments = n;
}

static void fill_cells(const struct lag_state *state, struct cell *cells) {
    for (size_t i = 0; i < state->layout.n_elements; i++)
        cells[i] = (struct cell){(double)state->params[i], (double)state->m[i], (double)state->v[i]};
}

static void reference_step(const struct lag_state *state, struct cell *cells, const lag_real *grads,
                           const struct lag_optim *optim, double lr, double scale) {
    for (int i = 0; i < state->n_segments; i++) {
        const struct lag_segment *s = &state->segments[i];
        const struct lag_tensor *t = &state->layout.tensors[s->tensor];
        for (int r = s->row_begin; r < s->row_end; r++)
            for (int c = s->col_begin; c < s->col_end; c++) {
                const size_t at = t->offset + (size_t)r * (size_t)t->n_cols + (size_t)c;
                reference(&cells[at], (double)grads[at] * scale, optim, s, t->row->decays, lr, state->step);
            }
    }
}

static void matches_reference(void **unused) {
    static const struct lag_optim OPTIM = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1};
    const struct lag_spec spec = test_spec(2, 2, 14, 6, 9);
    struct lag_state *state = test_state(&spec, 3);
    struct lag_team *team;
    assert_int_equal(lag_team_create(3, &team, NULL), 0);
    divide(state, state->layout.first[LAG_ROLE_FC_W]);
    const size_t n = state->layout.n_elements;
    struct cell *cells = calloc(n, sizeof(*cells));
    lag_real *grads = calloc(n, sizeof(*grads));
    fill_cells(state, cells);
    for (; state->step < STEPS; state->step++) {
        for (int i = 0; i < state->layout.n_tensors; i++) {
            const struct lag_tensor *t = &state->layout.tensors[i];
            for (size_t k = 0; k < (size_t)t->n_rows * (size_t)t->n_cols; k++)
                grads[t->offset + k] = test_normal((uint64_t)state->step, (uint64_t)i << 32 | k);
        }
        reference_step(state, cells, grads, &OPTIM, 0.01, 0.5);
        lag_adamw(state, grads, &OPTIM, 0.01, 0.5, state->step % 2 ? team : NULL);
    }
    for (size_t i = 0; i < n; i++) {
        assert_true(fabs((double)state->params[i] - cells[i].p) <= TOLERANCE * (1 + fabs(cells[i].p)));
        assert_true(fabs((double)state->m[i] - cells[i].m) <= TOLERANCE);
        assert_true(fabs((double)state->v[i] - cells[i].v) <= TOLERANCE);
    }
    assert_int_equal(state->segments[0].age, STEPS);
    free(grads);
    free(cells);
    lag_team_destroy(team);
    lag_state_destroy(state);
}

static void zero_gradient_and_great_age(void **unused) {
    static const struct lag_optim OPTIM = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.1};
    const struct lag_spec spec = test_spec(1, 1, 4, 4, 4);
    struct lag_state *state = test_state(&spec, 3), *before;
    assert_int_equal(lag_state_clone(state, &before, NULL), 0);
    lag_real *grads = calloc(state->layout.n_elements, sizeof(*grads));
    for (int i = 0; i < state->n_segments; i++) state->segments[i].age = 10000000;
    lag_adamw(state, grads, &OPTIM, 0.01, 1, NULL);
    const size_t w = lag_layout_tensor(&state->layout, LAG_ROLE_QKV_W, 0)->offset,
                 b = lag_layout_tensor(&state->layout, LAG_ROLE_QKV_B, 0)->offset;
    assert_true(fabs((double)state->params[w] - (double)before->params[w] * 0.999) < 1e-7); /* decay alone */
    assert_true(state->params[b] == before->params[b]);                                     /* excluded */
    free(grads);
    lag_state_destroy(before);
    lag_state_destroy(state);
}

/* Frozen segments: not one bit of weights, moments and age changes, nor does decay act; the others get the update that
 * they would get alone. A tensor may be frozen in part. */
static void frozen_ones_stay(void **unused) {
    static const struct lag_optim OPTIM = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1};
    const struct lag_spec spec = test_spec(2, 2, 14, 6, 9);
    struct lag_state *state = test_state(&spec, 3), *before, *free_one;
    divide(state, state->layout.first[LAG_ROLE_FC_W]);
    const size_t n = state->layout.n_elements;
    lag_real *grads = calloc(n, sizeof(*grads)), *kept = calloc(n, sizeof(*kept));
    for (size_t i = 0; i < n; i++) grads[i] = state->m[i] = test_normal(7, i), state->v[i] = (lag_real)0.25;
    memcpy(kept, grads, n * sizeof(*kept));
    state->step = 41;
    assert_int_equal(lag_state_clone(state, &free_one, NULL), 0);
    for (int i = 0; i < state->n_segments; i += 2) state->segments[i].frozen_until = i % 4 ? 42 : LAG_FROZEN_FOR_GOOD;
    assert_int_equal(lag_state_clone(state, &before, NULL), 0);
    lag_drop_frozen(state, grads);
    lag_adamw(state, grads, &OPTIM, 0.01, 0.5, NULL);
    lag_adamw(free_one, kept, &OPTIM, 0.01, 0.5, NULL);
    for (int i = 0; i < state->n_segments; i++) {
        const struct lag_segment *s = &state->segments[i];
        const struct lag_tensor *t = &state->layout.tensors[s->tensor];
        const struct lag_state *wanted = i % 2 ? free_one : before;
        assert_int_equal(s->age, before->segments[i].age + i % 2);
        for (int r = s->row_begin; r < s->row_end; r++) {
            const size_t at = t->offset + (size_t)r * (size_t)t->n_cols + (size_t)s->col_begin;
            const size_t bytes = (size_t)(s->col_end - s->col_begin) * sizeof(lag_real);
            assert_memory_equal(state->params + at, wanted->params + at, bytes);
            assert_memory_equal(state->m + at, wanted->m + at, bytes);
            assert_memory_equal(state->v + at, wanted->v + at, bytes);
            for (int c = 0; c < s->col_end - s->col_begin; c++)
                assert_true(grads[at + (size_t)c] == (i % 2 ? kept[at + (size_t)c] : 0));
        }
    }
    /* Those frozen until 42 are released by the next step. */
    state->step = 42;
    lag_adamw(state, grads, &OPTIM, 0.01, 0.5, NULL);
    for (int i = 0; i < state->n_segments; i++)
        assert_int_equal(state->segments[i].age, before->segments[i].age + (i % 2 ? 2 : i % 4 ? 1 : 0));
    free(grads);
    free(kept);
    lag_state_destroy(before);
    lag_state_destroy(free_one);
    lag_state_destroy(state);
}

static void norm(void **unused) {
    enum { N = 100003 };
    struct lag_team *team;
    assert_int_equal(lag_team_create(2, &team, NULL), 0);
    lag_real *x = calloc(N, sizeof(*x));
    double squares = 0;
    for (size_t i = 0; i < N; i++) {
        x[i] = test_normal(1, i);
        squares += (double)x[i] * (double)x[i];
    }
    const double got = lag_grad_norm(x, N, NULL);
    assert_true(fabs(got - sqrt(squares)) < 1e-10 * got);
    assert_true(got == lag_grad_norm(x, N, team));
    for (size_t at = 0; at < N; at += 9973) {
        const lag_real keep = x[at];
        x[at] = NAN;
        assert_true(isnan(lag_grad_norm(x, N, NULL)));
        x[at] = -INFINITY;
        assert_false(isfinite(lag_grad_norm(x, N, NULL)));
        x[at] = keep;
    }
    assert_true(lag_grad_norm(x, 0, NULL) == 0);
    free(x);
    lag_team_destroy(team);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(matches_reference),
                                       cmocka_unit_test(zero_gradient_and_great_age),
                                       cmocka_unit_test(frozen_ones_stay), cmocka_unit_test(norm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
