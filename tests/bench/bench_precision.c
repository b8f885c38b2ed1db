/* Loss curves of fp32 and bf16 on one text, for several seeds: do they differ by more than seeds do?
 *
 * usage: bench_precision TEXT_FILE [STEPS [SEEDS]] */
#include <lagd/base/error.h>
#include <lagd/base/team.h>
#include <lagd/engine/train.h>

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH 12
#define CONTEXT 64
#define EVAL_BATCHES 16
#define MAX_SEEDS 16

static const struct lag_spec SPEC = {.n_layer = 4, .n_head = 4, .n_embd = 128, .n_inner = 512, .n_positions = CONTEXT,
                                     .vocab_size = 256, .norm_eps = 1e-5};

struct outcome {
    double train, validation; /* mean of the last tenth of the steps; after the last step */
};

static int train(const struct lag_dataset *dataset, enum lag_precision precision, int seed, int n_steps,
                 struct lag_team *team, struct outcome *ret, struct lag_error *err) {
    const struct lag_step_config config = {
        .optim = {.lr = 2e-3, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1, .grad_clip = 1},
        .schedule = {.kind = LAG_SCHEDULE_COSINE, .warmup_steps = n_steps / 20, .max_steps = n_steps, .min_lr = 2e-4},
        .batch = BATCH, .context = CONTEXT, .accumulate = 1, .seed = (uint64_t)seed, .lr_scale = 1};
    const struct lag_work_shape shape = {
        .batch = BATCH, .context = CONTEXT, .n_members = lag_team_size(team), .precision = precision};
    struct lag_state *state = NULL;
    struct lag_work *work = NULL;
    double losses[EVAL_BATCHES];
    const struct lag_eval_set set = {EVAL_BATCHES, 1, BATCH};
    struct outcome out = {0};
    int rc = lag_state_create(&SPEC, &state, err);
    if (!rc) rc = lag_work_create(&SPEC, &shape, &work, err);
    if (!rc) lag_state_init(state, (uint64_t)seed);
    const int tail = n_steps / 10 > 0 ? n_steps / 10 : 1;
    for (int i = 0; !rc && i < n_steps; i++) {
        struct lag_step_result result;
        rc = lag_train_step(state, work, dataset, &config, team, &result, err);
        if (!rc && i >= n_steps - tail) out.train += result.loss / tail;
    }
    if (!rc) rc = lag_evaluate(state, work, dataset, &set, true, CONTEXT, losses, team, err);
    for (int i = 0; !rc && i < EVAL_BATCHES; i++) out.validation += losses[i] / EVAL_BATCHES;
    lag_work_destroy(work);
    lag_state_destroy(state);
    if (!rc) *ret = out;
    return rc;
}

static double spread(const struct outcome *of, int n) {
    double mean = 0, squares = 0;
    for (int i = 0; i < n; i++) mean += of[i].validation / n;
    for (int i = 0; i < n; i++) squares += pow(of[i].validation - mean, 2);
    return n > 1 ? sqrt(squares / (n - 1)) : 0;
}

static int compare(const struct lag_dataset *dataset, int n_steps, int n_seeds, struct lag_team *team,
                   struct lag_error *err) {
    struct outcome of[LAG_N_PRECISIONS][MAX_SEEDS];
    double difference = 0;
    for (int seed = 0; seed < n_seeds; seed++) {
        for (int p = 0; p < LAG_N_PRECISIONS; p++) {
            const int rc = train(dataset, (enum lag_precision)p, seed + 1, n_steps, team, &of[p][seed], err);
            if (rc) return rc;
            printf("seed %d  %s  training loss %.4f  validation loss %.4f\n", seed + 1,
                   lag_precision_name((enum lag_precision)p), of[p][seed].train, of[p][seed].validation);
        }
        difference += (of[LAG_BF16][seed].validation - of[LAG_FP32][seed].validation) / n_seeds;
    }
    printf("{\"steps\": %d, \"seeds\": %d, \"bf16_minus_fp32\": %.5f, \"fp32_spread_of_seeds\": %.5f, "
           "\"bf16_spread_of_seeds\": %.5f}\n",
           n_steps, n_seeds, difference, spread(of[LAG_FP32], n_seeds), spread(of[LAG_BF16], n_seeds));
    return 0;
}

int main(int argc, char **argv) {
    const int n_steps = argc > 2 ? atoi(argv[2]) : 500, n_seeds = argc > 3 ? atoi(argv[3]) : 3;
    struct lag_error err = {0};
    struct lag_dataset_info info;
    struct lag_dataset *dataset = NULL;
    struct lag_team *team = NULL;
    if (argc < 2 || n_steps < 1 || n_seeds < 1 || n_seeds > MAX_SEEDS) {
        fprintf(stderr, "usage: bench_precision TEXT_FILE [STEPS [SEEDS (at most %d)]]\n", MAX_SEEDS);
        return 2;
    }
    const int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        perror(argv[1]);
        return 1;
    }
    int rc = lag_engine_setup(&err);
    if (!rc) rc = lag_dataset_inspect(fd, argv[1], "text", 0, NULL, &info, &err);
    if (!rc) rc = lag_dataset_open(fd, &info, &dataset, &err);
    if (!rc) rc = lag_team_create(2, &team, &err);
    if (!rc) rc = compare(dataset, n_steps, n_seeds, team, &err);
    if (rc) fprintf(stderr, "bench_precision: %s\n", err.text);
    lag_team_destroy(team);
    lag_dataset_close(dataset);
    return rc != 0;
}
