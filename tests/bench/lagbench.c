/* lagbench: one measurement of a whole training step, as peer_torch.py measures its peer. */
#include <lagd/base/error.h>
#include <lagd/base/team.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/rng.h>
#include <lagd/engine/train.h>

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define WARM_UP 1

static const struct { const char *name; int L, H, C, T, B, V; } SHAPES[] = {
    {"S", 4, 4, 128, 64, 12, 256},
    {"M", 6, 6, 384, 256, 12, 256},
    {"G", 12, 12, 768, 1024, 1, 50257},
};

struct options {
    struct lag_spec spec;
    const char *shape;
    enum lag_precision precision;
    int batch, threads, steps;
};

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int usage(void) {
    fprintf(stderr,
            "usage: lagbench [--shape S|M|G|L,H,C,T,B,V] [--precision fp32|bf16|best] [--threads N] [--steps N] "
            "[--json]\n");
    return 2;
}

static int parse_shape(const char *text, struct options *o) {
    int L, H, C, T, B, V;
    if (sscanf(text, "%d,%d,%d,%d,%d,%d", &L, &H, &C, &T, &B, &V) != 6) {
        size_t i = 0;
        while (i < sizeof(SHAPES) / sizeof(SHAPES[0]) && strcmp(text, SHAPES[i].name)) i++;
        if (i == sizeof(SHAPES) / sizeof(SHAPES[0])) return -1;
        L = SHAPES[i].L, H = SHAPES[i].H, C = SHAPES[i].C, T = SHAPES[i].T, B = SHAPES[i].B, V = SHAPES[i].V;
    }
    o->shape = text;
    o->batch = B;
    o->spec = (struct lag_spec){.n_layer = L, .n_head = H, .n_embd = C, .n_inner = 4 * C, .n_positions = T,
                                .vocab_size = V, .norm_eps = 1e-5};
    return 0;
}

static int parse_precision(const char *text, struct options *o) {
    if (strcmp(text, "best")) return lag_precision_parse(text, &o->precision);
    o->precision = lag_precision_check(LAG_BF16, NULL) ? LAG_FP32 : LAG_BF16;
    return 0;
}

static int parse(int argc, char **argv, struct options *o) {
    static const struct option LONG[] = {{"shape", 1, 0, 's'}, {"precision", 1, 0, 'p'}, {"threads", 1, 0, 't'},
                                         {"steps", 1, 0, 'n'}, {"json", 0, 0, 'j'}, {0}};
    *o = (struct options){.threads = 2, .steps = 15};
    if (parse_shape("S", o)) return -1;
    for (int c; (c = getopt_long(argc, argv, "", LONG, NULL)) != -1;) {
        if (c == 's' && parse_shape(optarg, o)) return -1;
        if (c == 'p' && parse_precision(optarg, o)) return -1;
        if (c == 't' && (o->threads = atoi(optarg)) < 1) return -1;
        if (c == 'n' && (o->steps = atoi(optarg)) < 1) return -1;
        if (c == '?') return -1;
    }
    return 0;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double one_step(struct lag_state *state, struct lag_work *work, const struct options *o, const int32_t *tokens,
                       struct lag_team *team) {
    static const struct lag_optim OPTIM = {.lr = 1e-3, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
    const int n = o->batch * o->spec.n_positions;
    const double begin = seconds();
    (void)lag_model_backward(state, work, tokens, tokens + n, o->batch, o->spec.n_positions, 1, true, team);
    const double norm = lag_grad_norm(lag_work_grads(work), state->layout.n_elements, team);
    lag_adamw(state, lag_work_grads(work), &OPTIM, OPTIM.lr, fmin(1, 1 / (norm + 1e-6)), team);
    state->step++;
    return seconds() - begin;
}

static void report(const struct options *o, double *took) {
    qsort(took, (size_t)o->steps, sizeof(*took), compare);
    const double median = took[o->steps / 2], tokens = (double)o->batch * o->spec.n_positions;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf(
        "{\"shape\": \"%s\", \"precision\": \"%s\", \"layers\": %d, \"heads\": %d, \"width\": %d, \"context\": %d, "
        "\"batch\": %d, \"vocab\": %d, \"threads\": %d, \"step_ms_median\": %.2f, \"step_ms_min\": %.2f, "
        "\"tokens_per_s\": %.0f, \"gflops\": %.1f, \"matrix_rate_gflops\": %.1f, \"peak_rss_bytes\": %ld, "
        "\"fingerprint\": \"%s\"}\n",
        o->shape, lag_precision_name(o->precision), o->spec.n_layer, o->spec.n_head, o->spec.n_embd, o->spec.n_positions, o->batch, o->spec.vocab_size,
        o->threads, median * 1e3, took[0] * 1e3, tokens / median,
        lag_flops_token_train(&o->spec, o->spec.n_positions) * tokens / median * 1e-9, lag_measured_core_rate(o->precision) * 1e-9,
        usage.ru_maxrss * 1024, lag_fingerprint(o->precision));
}

int main(int argc, char **argv) {
    struct options o;
    struct lag_error err;
    struct lag_state *state;
    struct lag_work *work;
    struct lag_team *team;
    if (parse(argc, argv, &o)) return usage();
    if (lag_engine_setup(&err) || lag_state_create(&o.spec, &state, &err) || lag_team_create(o.threads, &team, &err) ||
        lag_work_create(&o.spec, o.precision, o.batch, o.spec.n_positions, o.threads, &work, &err)) {
        fprintf(stderr, "lagbench: %s\n", err.text);
        return 1;
    }
    lag_state_init(state, 0);
    const size_t n = (size_t)o.batch * (size_t)o.spec.n_positions;
    int32_t *tokens = calloc(2 * n, sizeof(*tokens));
    double *took = calloc((size_t)o.steps, sizeof(*took));
    if (!tokens || !took) return 1;
    for (int i = -WARM_UP; i < o.steps; i++) {
        for (size_t k = 0; k < 2 * n; k++)
            tokens[k] = (int32_t)lag_rng_below(1, LAG_RNG_BATCH, (uint64_t)(i + WARM_UP), k,
                                               (uint64_t)o.spec.vocab_size);
        const double t = one_step(state, work, &o, tokens, team);
        if (i >= 0) took[i] = t;
    }
    report(&o, took);
    free(took);
    free(tokens);
    lag_work_destroy(work);
    lag_team_destroy(team);
    lag_state_destroy(state);
    return 0;
}
