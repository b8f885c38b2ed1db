/* lagbench: measures whole training steps of one shape: forward, backward, clipping, AdamW. One JSON object. */
#include "matrix_rate.h"

#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/team.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/parts.h>
#include <lagd/engine/rng.h>
#include <lagd/engine/train.h>

#include <cblas.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define WARM_UP 1
#define SPLIT_STEPS(n) ((n) / 5 + 1) /* further steps, with clocks inside: their split is scaled to the median step */

static const struct { const char *name; int L, H, C, T, B, V; } SHAPES[] = {
    {"S", 4, 4, 128, 64, 12, 256},
    {"M", 6, 6, 384, 256, 12, 256},
    {"G", 12, 12, 768, 512, 2, 50257},
};

struct options {
    struct lag_spec spec;
    enum lag_precision precision;
    const char *shape;
    int batch, threads, steps;
    bool recompute, json;
};

/* What a step needs, and what was measured. */
struct bench {
    struct options o;
    struct lag_state *state;
    struct lag_work *work;
    struct lag_team *team;
    int32_t *tokens; /* [2][batch × context]: inputs, targets */
    double *took;    /* seconds, one a step */
    double optimiser; /* seconds since the split began */
    double parts[LAG_N_PARTS + 1]; /* ms of the median step; the last is the optimiser's */
    long peak_kb;                  /* of the steps, before matrix products alone are measured */
    /* FLOP/s of matrix products on all threads at once; own_rate in the step's precision */
    double sgemm_rate, own_rate;
};

static double seconds(void) {
    return 1e-9 * (double)lag_clock_mono_ns();
}

static int usage(void) {
    fprintf(stderr, "usage: lagbench [--shape S|M|G|L,H,C,T,B,V] [--precision fp32|bf16|best] [--threads N] "
                    "[--steps N] "
                    "[--recompute] [--json]\n");
    return 2;
}

static int parse_shape(const char *text, struct options *o) {
    int L, H, C, T, B, V;
    char rest;
    if (sscanf(text, "%d,%d,%d,%d,%d,%d%c", &L, &H, &C, &T, &B, &V, &rest) != 6) {
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

/* best: bf16 where this CPU has instructions for it. */
static int parse_precision(const char *text, struct options *o) {
    if (strcmp(text, "best")) return lag_precision_parse(text, &o->precision);
    const bool has = !lag_precision_check(LAG_BF16, NULL) && !lag_precision_note(LAG_BF16);
    o->precision = has ? LAG_BF16 : LAG_FP32;
    return 0;
}

static int parse(int argc, char **argv, struct options *o) {
    static const struct option LONG[] = {{"shape", 1, 0, 's'}, {"precision", 1, 0, 'p'}, {"threads", 1, 0, 't'},
                                         {"steps", 1, 0, 'n'}, {"recompute", 0, 0, 'r'}, {"json", 0, 0, 'j'}, {0}};
    *o = (struct options){.threads = 2};
    if (parse_shape("S", o)) return -1;
    for (int c; (c = getopt_long(argc, argv, "", LONG, NULL)) != -1;) {
        if (c == 's' && parse_shape(optarg, o)) return -1;
        if (c == 'p' && parse_precision(optarg, o)) return -1;
        if (c == 't' && (o->threads = atoi(optarg)) < 1) return -1;
        if (c == 'n' && (o->steps = atoi(optarg)) < 1) return -1;
        if (c == 'r') o->recompute = true;
        if (c == 'j') o->json = true;
        if (c == '?') return -1;
    }
    return optind < argc ? -1 : 0;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds that one step on new tokens takes. */
static double one_step(struct bench *b) {
    static const struct lag_optim OPTIM = {.lr = 1e-3, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
    const int context = b->o.spec.n_positions, n = b->o.batch * context;
    for (int k = 0; k < 2 * n; k++)
        b->tokens[k] = (int32_t)lag_rng_below(1, LAG_RNG_BATCH, (uint64_t)b->state->step, (uint64_t)k,
                                              (uint64_t)b->o.spec.vocab_size);
    const double begin = seconds();
    (void)lag_model_backward(b->state, b->work, b->tokens, b->tokens + n, b->o.batch, context, 1, true, b->team);
    const double middle = seconds();
    const double norm = lag_grad_norm(lag_work_grads(b->work), b->state->layout.n_elements, b->team);
    lag_adamw(b->state, lag_work_grads(b->work), &OPTIM, OPTIM.lr, fmin(1, 1 / (norm + 1e-6)), b->team);
    b->state->step++;
    const double end = seconds();
    b->optimiser += end - middle;
    return end - begin;
}

/* The parts of steps that were measured inside, scaled to a step of median seconds. The clocks run on while the
 * optimiser works and between the steps; both fall to the last of the engine's parts and are taken off it. */
static void split(struct bench *b, double median) {
    const int n = SPLIT_STEPS(b->o.steps);
    double total = 0;
    b->optimiser = 0;
    lag_work_measure(b->work, true);
    const double begin = seconds();
    for (int i = 0; i < n; i++) total += one_step(b);
    lag_work_parts(b->work, b->parts);
    b->parts[LAG_PART_OTHER] -= seconds() - begin - total + b->optimiser;
    b->parts[LAG_N_PARTS] = b->optimiser;
    lag_work_measure(b->work, false);
    for (int i = 0; i <= LAG_N_PARTS; i++) b->parts[i] *= 1e3 * median / total;
}

static void print_parts(const struct bench *b) {
    for (int i = 0; i <= LAG_N_PARTS; i++) {
        const char *name = i < LAG_N_PARTS ? lag_part_name((enum lag_part)i) : "optimiser";
        printf(b->o.json ? "%s\"%s\": %.3f" : "%s%s %.2f ms", i ? ", " : "", name, b->parts[i]);
    }
}

/* The best that products of this precision reach here. */
static bool sgemm_leads(const struct bench *b) {
    return b->o.precision == LAG_FP32 && b->sgemm_rate > b->own_rate;
}

static int measure_rates(struct bench *b, struct lag_error *err) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    b->peak_kb = usage.ru_maxrss;
    int rc = matrix_rate(MATRIX_SGEMM, b->o.threads, b->team, &b->sgemm_rate, err);
    if (!rc)
        rc = matrix_rate(b->o.precision == LAG_BF16 ? MATRIX_BF16 : MATRIX_FP32, b->o.threads, b->team, &b->own_rate,
                         err);
    return rc;
}

static void report(const struct bench *b, double median) {
    const struct options *o = &b->o;
    const double tokens = (double)o->batch * o->spec.n_positions;
    const double gflops = lag_flops_token_train(&o->spec, o->spec.n_positions) * tokens / median * 1e-9;
    const double rate = 1e-9 * (sgemm_leads(b) ? b->sgemm_rate : b->own_rate);
    const char *const of = sgemm_leads(b) ? "sgemm" : "own";
    char library[16] = "?";
    (void)sscanf(openblas_get_config(), "%*s %15s", library);
    if (!o->json) {
        printf("%s %s, %d threads: %.2f ms a step (least %.2f), %.0f tokens/s, %.1f GFLOP/s, %.0f %% of the "
               "matrix rate of "
               "%.1f GFLOP/s (%s; sgemm by openblas %s %s: %.1f); peak RSS %ld MB\n  ",
               o->shape, lag_precision_name(o->precision), o->threads, median * 1e3, b->took[0] * 1e3, tokens / median,
               gflops, 100 * gflops / rate, rate, of, library, openblas_get_corename(), b->sgemm_rate * 1e-9,
               b->peak_kb / 1000);
        print_parts(b);
        printf("\n");
        return;
    }
    printf("{\"shape\": \"%s\", \"precision\": \"%s\", \"layers\": %d, \"heads\": %d, \"width\": %d, \"context\": %d, "
           "\"batch\": %d, \"vocab\": %d, \"threads\": %d, \"recompute\": %s, "
           "\"steps\": %d, \"step_ms_median\": %.2f, \"step_ms_min\": %.2f, "
           "\"tokens_per_s\": %.0f, \"gflops\": %.1f, ",
           o->shape, lag_precision_name(o->precision), o->spec.n_layer, o->spec.n_head, o->spec.n_embd,
           o->spec.n_positions, o->batch, o->spec.vocab_size, o->threads,
           o->recompute ? "true" : "false", o->steps, median * 1e3, b->took[0] * 1e3,
           tokens / median, gflops);
    printf("\"matrix_rate_gflops\": %.1f, \"matrix_rate_of\": \"%s\", \"own_rate_gflops\": %.1f, "
           "\"sgemm_rate_gflops\": %.1f, "
           "\"sgemm\": \"openblas %s %s\", \"peak_rss_bytes\": %ld, \"parts\": {", rate, of, b->own_rate * 1e-9,
           b->sgemm_rate * 1e-9, library, openblas_get_corename(), b->peak_kb * 1024);
    print_parts(b);
    printf("}, \"fingerprint\": \"%s\"}\n", lag_fingerprint(o->precision));
}

static int prepare(struct bench *b, struct lag_error *err) {
    const struct options *o = &b->o;
    int rc = lag_engine_setup(err);
    if (!rc) rc = lag_state_create(&o->spec, &b->state, err);
    if (!rc) rc = lag_team_create(o->threads, &b->team, err);
    const struct lag_work_shape shape = {.batch = o->batch, .context = o->spec.n_positions, .n_members = o->threads,
                                         .precision = o->precision, .recompute = o->recompute};
    if (!rc) rc = lag_work_create(&o->spec, &shape, &b->work, err);
    if (rc) return rc;
    b->tokens = calloc(2 * (size_t)o->batch * (size_t)o->spec.n_positions, sizeof(*b->tokens));
    if (!b->tokens) return lag_error_set(err, LAG_ENOMEM, "no memory for tokens");
    lag_state_init(b->state, 0);
    return 0;
}

/* Warms up, and chooses about four seconds of steps when nobody said how many. */
static int measure(struct bench *b) {
    double last = 0;
    for (int i = 0; i < WARM_UP + 1; i++) last = one_step(b);
    if (!b->o.steps) b->o.steps = (int)fmax(5, fmin(200, 4 / last));
    b->took = calloc((size_t)b->o.steps, sizeof(*b->took));
    if (!b->took) return -1;
    for (int i = 0; i < b->o.steps; i++) b->took[i] = one_step(b);
    qsort(b->took, (size_t)b->o.steps, sizeof(*b->took), compare);
    return 0;
}

int main(int argc, char **argv) {
    struct bench b = {0};
    struct lag_error err;
    int status = 1;
    if (parse(argc, argv, &b.o)) return usage();
    if (prepare(&b, &err)) {
        fprintf(stderr, "lagbench: %s\n", err.text);
    } else if (measure(&b)) {
        fprintf(stderr, "lagbench: no memory for %d measurements\n", b.o.steps);
    } else {
        const double median = b.took[b.o.steps / 2];
        split(&b, median);
        if (measure_rates(&b, &err)) {
            fprintf(stderr, "lagbench: %s\n", err.text);
        } else {
            report(&b, median);
            status = 0;
        }
    }
    free(b.took);
    free(b.tokens);
    lag_work_destroy(b.work);
    lag_team_destroy(b.team);
    lag_state_destroy(b.state);
    return status;
}
