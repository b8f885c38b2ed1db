/* Growth operators, one row each: bench_operators exact | apply [NAME…]
 *
 * exact: on a small model, the largest change of a logit over the largest logit, the largest error of moments that were
 * taken over (without noise) against those that the grown model gathers itself, and how far copies are apart after two
 * updates. apply:
 * seconds, of the wall and of the processor, to make a state of GPT-2's 124 M parameters, and the peak of memory
 * (parent and all) over that of the new state. JSON lines. */
#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/engine/grow.h>
#include <lagd/engine/rng.h>
#include <lagd/engine/train.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 2, CONTEXT = 8, VOCAB = 13, TOKENS = BATCH * CONTEXT };

static void fail(const char *what, const struct lag_error *err) {
    fprintf(stderr, "bench_operators: %s: %s\n", what, err->text);
    exit(1);
}

static struct lag_state *state_of(const struct lag_spec *spec) {
    struct lag_state *state = NULL;
    struct lag_error err = {0};
    if (lag_state_create(spec, &state, &err)) fail("state", &err);
    lag_state_init(state, 5);
    return state;
}

/* Whole multiples, so that what can be exact is: twice the width, twice the layers, more tokens or positions. */
static struct lag_spec target_of(const struct lag_operator *op, const struct lag_spec *from) {
    struct lag_spec to = *from;
    if (op->grows == LAG_GROWS_DEPTH) to.n_layer *= 2;
    if (op->grows == LAG_GROWS_VOCAB) to.vocab_size += to.vocab_size / 4;
    if (op->grows == LAG_GROWS_CONTEXT) to.n_positions *= 2;
    if (op->grows != LAG_GROWS_WIDTH) return to;
    if (strstr(op->axes, "n_embd")) to.n_embd *= 2;
    else to.head_dim = lag_spec_head_dim(from);
    to.n_head *= 2;
    to.n_inner *= 2;
    return to;
}

/* With its presets, but for the learning rate, and without noise in pairs where that is said. */
static void strategy_of(const struct lag_operator *op, bool plain, struct lag_strategy *ret) {
    struct lag_error err = {0};
    if (lag_strategy_init(op->name, ret, &err)) fail(op->name, &err);
    if (op->takes_parents && lag_strategy_add_parent(ret, "itself", &err)) fail(op->name, &err);
    for (int i = 0; plain && i < LAG_OPERATOR_PARAMS && op->params[i].name; i++)
        if (strcmp(op->params[i].name, "noise") == 0) ret->params[i] = 0;
    ret->lr = LAG_LR_CONTINUE;
}

static struct lag_state *grow(const struct lag_state *parent, const struct lag_operator *op, bool plain) {
    const struct lag_spec to = target_of(op, &parent->layout.spec);
    const struct lag_state *const others[LAG_FUSE_MAX] = {parent};
    struct lag_strategy strategy;
    struct lag_state *grown = NULL;
    struct lag_error err = {0};
    strategy_of(op, plain, &strategy);
    if (lag_grow_with(parent, op->takes_parents ? others : NULL, &strategy, &to, &grown, &err)) fail(op->name, &err);
    return grown;
}

/* --- exact ------------------------------------------------------------------------------------------------------- */

static struct lag_work *work_of(const struct lag_state *state) {
    struct lag_work *work = NULL;
    struct lag_error err = {0};
    const struct lag_work_shape shape = {BATCH, CONTEXT, 1, LAG_FP32, false};
    if (lag_work_create(&state->layout.spec, &shape, &work, &err)) fail("work", &err);
    return work;
}

static void draw_batch(uint64_t seed, int32_t tokens[TOKENS], int32_t targets[TOKENS]) {
    for (int i = 0; i < TOKENS; i++) {
        tokens[i] = (int32_t)lag_rng_below(seed, LAG_RNG_BATCH, 0, (uint64_t)i, VOCAB);
        targets[i] = (int32_t)lag_rng_below(seed, LAG_RNG_BATCH, 1, (uint64_t)i, VOCAB);
    }
}

static void train(struct lag_state *state, int n_updates, double lr) {
    const struct lag_optim optim = {.lr = lr, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8};
    struct lag_work *work = work_of(state);
    int32_t tokens[TOKENS], targets[TOKENS];
    for (int i = 0; i < n_updates; i++) {
        draw_batch(100 + (uint64_t)i, tokens, targets);
        lag_model_backward(state, work, tokens, targets, BATCH, CONTEXT, 1, true, NULL);
        lag_adamw(state, lag_work_grads(work), &optim, lr, 1, NULL);
    }
    lag_work_destroy(work);
}

static lag_real *logits_of(const struct lag_state *state) {
    struct lag_work *work = work_of(state);
    int32_t tokens[TOKENS], targets[TOKENS];
    lag_real *logits = calloc((size_t)TOKENS * (size_t)state->layout.spec.vocab_size, sizeof(*logits));
    if (!logits) exit(1);
    draw_batch(9, tokens, targets);
    lag_model_logits(state, work, tokens, BATCH, CONTEXT, logits, NULL);
    lag_work_destroy(work);
    return logits;
}

static double logit_change(const struct lag_state *parent, const struct lag_state *grown) {
    lag_real *before = logits_of(parent), *after = logits_of(grown);
    const int wide = grown->layout.spec.vocab_size;
    double change = 0, largest = 0;
    for (int t = 0; t < TOKENS; t++)
        for (int v = 0; v < VOCAB; v++) {
            change = fmax(change, fabs((double)before[t * VOCAB + v] - (double)after[t * wide + v]));
            largest = fmax(largest, fabs((double)before[t * VOCAB + v]));
        }
    free(before);
    free(after);
    return change / largest;
}

/* Three updates at rate 0 before the growth against the same after it, where a moment was taken over. */
static double moment_error(const struct lag_operator *op, const struct lag_spec *from) {
    struct lag_state *parent = state_of(from), *gathered = grow(parent, op, true);
    double error = 0, largest = 0;
    train(gathered, 3, 0);
    train(parent, 3, 0);
    struct lag_state *taken = grow(parent, op, true);
    for (size_t i = 0; i < taken->layout.n_elements; i++) {
        if (taken->m[i] == 0 && taken->v[i] == 0) continue;
        error = fmax(error, fabs((double)taken->m[i] - (double)gathered->m[i]));
        largest = fmax(largest, fabs((double)gathered->m[i]));
    }
    lag_state_destroy(parent);
    lag_state_destroy(gathered);
    lag_state_destroy(taken);
    return largest > 0 ? error / largest : 0;
}

/* Of the embeddings' columns that are copies of each other: how far apart updates have brought them. */
static double apart(const struct lag_state *parent, const struct lag_operator *op) {
    struct lag_state *grown = grow(parent, op, false);
    const int wide = grown->layout.spec.n_embd, d = parent->layout.spec.n_embd;
    const lag_real *wte = grown->params + lag_layout_tensor(&grown->layout, LAG_ROLE_WTE, 0)->offset;
    double apart = 0, largest = 0;
    memset(grown->m, 0, grown->layout.n_elements * sizeof(*grown->m));
    memset(grown->v, 0, grown->layout.n_elements * sizeof(*grown->v));
    train(grown, 2, 0.01);
    for (int v = 0; v < VOCAB; v++)
        for (int j = 0; j < d && wide > d; j++) {
            apart = fmax(apart, fabs((double)wte[v * wide + j] - (double)wte[v * wide + d + j]));
            largest = fmax(largest, fabs((double)wte[v * wide + j]));
        }
    lag_state_destroy(grown);
    return largest > 0 ? apart / largest : 0;
}

static void measure_exact(const struct lag_operator *op) {
    const struct lag_spec from = {.n_layer = 2, .n_head = 2, .n_embd = 16, .n_inner = 48, .n_positions = CONTEXT,
                                  .vocab_size = VOCAB, .norm_eps = 1e-3};
    struct lag_state *parent = state_of(&from);
    train(parent, 20, 0.01); /* a model that is trained a little: its units differ */
    struct lag_state *grown = grow(parent, op, false);
    printf("{\"name\": \"%s\", \"preserves\": %s, \"logits\": %.3g, \"moments\": %.3g, \"apart\": %.3g}\n", op->name,
           op->function_preserving ? "true" : "false", logit_change(parent, grown), moment_error(op, &from),
           strstr(op->axes, "n_embd") && op->grows == LAG_GROWS_WIDTH ? apart(parent, op) : NAN);
    lag_state_destroy(parent);
    lag_state_destroy(grown);
}

/* --- apply ------------------------------------------------------------------------------------------------------- */

static double cpu_seconds(void) {
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + 1e-6 * (double)usage.ru_utime.tv_usec;
}

/* What becomes GPT-2's smallest. */
static struct lag_spec large_parent(const struct lag_operator *op) {
    struct lag_spec from = {.n_layer = 12, .n_head = 12, .n_embd = 768, .n_inner = 3072, .n_positions = 1024,
                            .vocab_size = 50256, .norm_eps = 1e-5};
    if (op->grows == LAG_GROWS_DEPTH) from.n_layer = 6;
    if (op->grows == LAG_GROWS_VOCAB) from.vocab_size = 40208;
    if (op->grows == LAG_GROWS_CONTEXT) from.n_positions = 512;
    if (op->grows != LAG_GROWS_WIDTH) return from;
    from.n_embd = 384;
    from.n_head = 6;
    from.n_inner = 1536;
    return from;
}

/* In a process of its own, whose peak is the growth's. */
static void measure_apply(const struct lag_operator *op) {
    const struct lag_spec from = large_parent(op);
    struct lag_state *parent = state_of(&from);
    memset(parent->m, 1, parent->layout.n_elements * sizeof(*parent->m)); /* there, in memory */
    memset(parent->v, 1, parent->layout.n_elements * sizeof(*parent->v));
    const int64_t began_ns = lag_clock_mono_ns();
    const double began = cpu_seconds();
    struct lag_state *grown = grow(parent, op, false);
    const double wall = (double)(lag_clock_mono_ns() - began_ns) * 1e-9, cpu = cpu_seconds() - began;
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("{\"name\": \"%s\", \"n_params\": %llu, \"wall_s\": %.3f, \"cpu_s\": %.3f, \"memory\": %.3f}\n", op->name,
           (unsigned long long)lag_spec_params(&grown->layout.spec), wall, cpu,
           1024.0 * (double)usage.ru_maxrss / (double)lag_state_bytes(&grown->layout.spec));
    lag_state_destroy(parent);
    lag_state_destroy(grown);
}

static int in_a_child(const struct lag_operator *op) {
    int status = 0;
    (void)fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        measure_apply(op);
        (void)fflush(stdout);
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}

static bool is_named(const char *name, int argc, char **argv) {
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], name) == 0) return true;
    return argc <= 2;
}

int main(int argc, char **argv) {
    int n, rc = 0;
    const struct lag_operator *ops = lag_operators(&n);
    const bool applies = argc > 1 && strcmp(argv[1], "apply") == 0;
    struct lag_error err = {0};
    if (argc < 2 || (!applies && strcmp(argv[1], "exact") != 0)) {
        fprintf(stderr, "usage: bench_operators exact | apply [NAME…]\n");
        return 2;
    }
    if (lag_engine_setup(&err)) fail("setup", &err);
    for (int i = 0; i < n && rc == 0; i++) {
        if (ops[i].grows == LAG_GROWS_NOTHING || !is_named(ops[i].name, argc, argv)) continue;
        if (applies) rc = in_a_child(&ops[i]);
        else measure_exact(&ops[i]);
    }
    return rc;
}
