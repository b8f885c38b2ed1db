/* Steps on a dataset: the same bits for every team, non-finite steps refused, evaluation, sampling. */
#include "gradcheck.h"

#include <lagd/base/clock.h>
#include <lagd/base/team.h>
#include <lagd/engine/backend.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/parts.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS 50

static struct lag_dataset *open_text(void) {
    char path[] = "/tmp/lagd-test-XXXXXX";
    const int fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    char text[6000];
    for (size_t i = 0; i < sizeof(text); i++) text[i] = (char)lag_rng_below(1, LAG_RNG_SAMPLE, 7, i, i % 3 ? 40 : 90);
    assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
    struct lag_dataset_info info;
    struct lag_dataset *dataset = NULL;
    assert_int_equal(lag_dataset_inspect(fd, "a.txt", "auto", 0, NULL, &info, NULL), 0);
    assert_int_equal(lag_dataset_open(fd, &info, &dataset, NULL), 0);
    return dataset;
}

static struct lag_spec small(void) { return test_spec(2, 2, 40, 70, 256); }

static const struct lag_step_config CONFIG = {
    .optim = {.lr = 3e-3, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1, .grad_clip = 1},
    .schedule = {.kind = LAG_SCHEDULE_COSINE, .warmup_steps = 5, .max_steps = STEPS, .min_lr = 3e-4},
    .batch = 3, .context = 70, .accumulate = 2, .seed = 4, .lr_scale = 1,
};

/* cycle: in step i cycle[i % n_cycle] members work. */
static struct lag_state *train_in(enum lag_precision precision, const struct lag_dataset *dataset, int members,
                                  const int *cycle, int n_cycle) {
    const struct lag_spec spec = small();
    struct lag_state *state;
    assert_int_equal(lag_state_create(&spec, &state, NULL), 0);
    lag_state_init(state, 1);
    struct lag_team *team = NULL;
    if (members) assert_int_equal(lag_team_create(members, &team, NULL), 0);
    struct lag_work *work = test_work_in(precision, &spec, 3, 70, lag_team_size(team));
    for (int i = 0; i < STEPS; i++) {
        if (n_cycle) lag_team_set_active(team, cycle[i % n_cycle]);
        struct lag_step_result result;
        assert_int_equal(lag_train_step(state, work, dataset, &CONFIG, team, &result, NULL), 0);
        assert_true(result.lr == lag_schedule_lr(&CONFIG.schedule, 3e-3, i, 0));
    }
    assert_int_equal(state->step, STEPS);
    lag_work_destroy(work);
    lag_team_destroy(team);
    return state;
}

static struct lag_state *train(const struct lag_dataset *dataset, int members, const int *cycle, int n_cycle) {
    return train_in(LAG_FP32, dataset, members, cycle, n_cycle);
}

static void same_bits_in(enum lag_precision precision) {
    static const int CYCLE[] = {1, 3, 2, 2, 1};
    struct lag_dataset *dataset = open_text();
    struct lag_state *alone = train_in(precision, dataset, 0, NULL, 0);
    for (int members = 1; members <= 3; members++) {
        struct lag_state *team = train_in(precision, dataset, members, NULL, 0);
        assert_true(lag_state_equal(alone, team));
        lag_state_destroy(team);
    }
    struct lag_state *changing = train_in(precision, dataset, 3, CYCLE, 5);
    assert_true(lag_state_equal(alone, changing));
    lag_state_destroy(changing);
    lag_state_destroy(alone);
    lag_dataset_close(dataset);
}

static void same_bits_for_every_team(void **unused) {
    same_bits_in(LAG_FP32);
}

static void same_bits_for_every_team_in_bf16(void **unused) {
    struct lag_error err;
    if (lag_precision_check(LAG_BF16, &err)) {
        print_message("%s\n", err.text);
        skip();
    }
    same_bits_in(LAG_BF16);
}

/* A step is: the mean gradient of its micro batches, clipped by its norm, AdamW. */
static void step_is_its_parts(void **unused) {
    static const double CLIP[] = {0, 1e-2, 1e6};
    struct lag_dataset *dataset = open_text();
    const struct lag_spec spec = small();
    struct lag_work *work = test_work(&spec, 3, 70, 1);
    int32_t tokens[210], targets[210];
    for (int i = 0; i < 3; i++) {
        struct lag_step_config config = CONFIG;
        struct lag_step_result result;
        config.optim.grad_clip = CLIP[i];
        config.lr_scale = 0.5;
        struct lag_state *state = test_state(&spec, 1), *parts = test_state(&spec, 1);
        assert_int_equal(lag_train_step(state, work, dataset, &config, NULL, &result, NULL), 0);
        double loss = 0;
        for (int micro = 0; micro < 2; micro++) {
            assert_int_equal(lag_dataset_batch(dataset, 4, 0, micro, 3, 70, tokens, targets, NULL), 0);
            loss += lag_model_backward(parts, work, tokens, targets, 3, 70, 0.5, micro == 0, NULL) / 2;
        }
        const double norm = lag_grad_norm(lag_work_grads(work), parts->layout.n_elements, NULL);
        assert_true(result.loss == loss && result.grad_norm == norm && norm > 0.1 && norm < 1e5);
        assert_true(result.lr == 3e-3 / 5 * 0.5);
        lag_adamw(parts, lag_work_grads(work), &config.optim, result.lr, i == 1 ? 1e-2 / (norm + 1e-6) : 1, NULL);
        parts->step++;
        assert_true(lag_state_equal(state, parts));
        lag_state_destroy(parts);
        lag_state_destroy(state);
    }
    lag_work_destroy(work);
    lag_dataset_close(dataset);
}

/* Constant rows give norms of zero variance: outputs are finite, but each norm multiplies the gradient by 1/√epsilon.
 */
static void infinite_gradient_of_a_finite_loss(void **unused) {
    struct lag_dataset *dataset = open_text();
    struct lag_spec spec = small();
    spec.norm_eps = sizeof(lag_real) == 4 ? 1e-60 : 1e-200;
    struct lag_state *state = test_state(&spec, 1), *before;
    const enum lag_role constant[] = {LAG_ROLE_WTE, LAG_ROLE_WPE};
    for (int i = 0; i < 2; i++) {
        const struct lag_tensor *t = lag_layout_tensor(&state->layout, constant[i], 0);
        for (int k = 0; k < t->n_rows * t->n_cols; k++)
            state->params[t->offset + (size_t)k] = (lag_real)(k / t->n_cols) / 64;
    }
    for (int i = 0; i < state->layout.n_tensors; i++) { /* the branches write nothing, so the rows stay constant */
        const struct lag_tensor *t = &state->layout.tensors[i];
        if (t->row->writes_residual && t->n_rows == 1)
            memset(state->params + t->offset, 0, (size_t)t->n_cols * sizeof(lag_real));
        if (t->row->role == LAG_ROLE_PROJ_W || t->row->role == LAG_ROLE_FCPROJ_W)
            for (int k = 0; k < t->n_rows * t->n_cols; k++)
                state->params[t->offset + (size_t)k] = (lag_real)(k / t->n_cols % 3) / 64;
    }
    struct lag_work *work = test_work(&spec, 3, 70, 1);
    struct lag_step_result result;
    assert_int_equal(lag_state_clone(state, &before, NULL), 0);
    assert_int_equal(lag_train_step(state, work, dataset, &CONFIG, NULL, &result, NULL), LAG_TRAIN_NONFINITE);
    assert_true(isfinite(result.loss) && !isfinite(result.grad_norm));
    assert_true(lag_state_equal(state, before));
    lag_work_destroy(work);
    lag_state_destroy(before);
    lag_state_destroy(state);
    lag_dataset_close(dataset);
}

static void training_learns(void **unused) {
    struct lag_dataset *dataset = open_text();
    const struct lag_spec spec = small();
    struct lag_state *start, *end = train(dataset, 2, NULL, 0);
    assert_int_equal(lag_state_create(&spec, &start, NULL), 0);
    lag_state_init(start, 1);
    struct lag_work *work = test_work(&spec, 4, 70, 1);
    double before[3], after[3], again[3];
    const struct lag_eval_set set = {3, 1, 4}, larger = {3, 1, 5};
    assert_int_equal(lag_evaluate(start, work, dataset, &set, true, 70, before, NULL, NULL), 0);
    assert_int_equal(lag_evaluate(end, work, dataset, &set, true, 70, after, NULL, NULL), 0);
    assert_int_equal(lag_evaluate(end, work, dataset, &set, true, 70, again, NULL, NULL), 0);
    for (int i = 0; i < 3; i++) assert_true(after[i] < before[i] - 1 && after[i] == again[i]);
    assert_int_equal(lag_evaluate(end, work, dataset, &larger, true, 70, again, NULL, NULL), LAG_EINTERNAL);
    lag_work_destroy(work);
    lag_state_destroy(end);
    lag_state_destroy(start);
    lag_dataset_close(dataset);
}

/* A model reads windows that are longer than its context in parts: each part's loss counts by its tokens. */
static void long_windows_are_read_in_parts(void **unused) {
    enum { WINDOW = 70, CONTEXT = 32, ROWS = 4, N = 3 };
    struct lag_dataset *dataset = open_text();
    const struct lag_spec spec = small();
    struct lag_state *state;
    assert_int_equal(lag_state_create(&spec, &state, NULL), 0);
    lag_state_init(state, 1);
    struct lag_work *work = test_work(&spec, ROWS, WINDOW, 1);
    static int32_t tokens[ROWS * WINDOW], targets[ROWS * WINDOW];
    const struct lag_eval_set plain = {N, 1, ROWS, 0}, set = {N, 1, ROWS, WINDOW};
    double whole[N], same[N], parts[N], short_ones[N];
    assert_int_equal(lag_evaluate(state, work, dataset, &plain, true, WINDOW, whole, NULL, NULL), 0);
    assert_int_equal(lag_evaluate(state, work, dataset, &set, true, WINDOW, same, NULL, NULL), 0);
    assert_memory_equal(whole, same, sizeof(whole)); /* bit by bit */
    assert_int_equal(lag_evaluate(state, work, dataset, &set, true, CONTEXT, parts, NULL, NULL), 0);
    assert_int_equal(lag_evaluate(state, work, dataset, &plain, true, CONTEXT, short_ones, NULL, NULL), 0);
    for (int i = 0; i < N; i++) {
        double sum = 0;
        assert_int_equal(lag_dataset_validation(dataset, &set, i, 0, WINDOW, tokens, targets, NULL), 0);
        for (int begin = 0; begin < WINDOW; begin += CONTEXT) {
            const int n = WINDOW - begin < CONTEXT ? WINDOW - begin : CONTEXT;
            for (int row = 0; row < ROWS; row++) {
                memcpy(work->tokens + row * n, tokens + row * WINDOW + begin, (size_t)n * sizeof(*tokens));
                memcpy(work->targets + row * n, targets + row * WINDOW + begin, (size_t)n * sizeof(*targets));
            }
            sum += n * work->backend->loss(state, work, work->tokens, work->targets, ROWS, n, NULL);
        }
        assert_true(fabs(parts[i] - sum / WINDOW) < 1e-6);
        assert_true(parts[i] != whole[i] && parts[i] != short_ones[i]);
    }
    /* Kept windows are the same ones, whoever asks for them and in whatever parts. */
    const struct lag_kept_batches what = {.n_steps = 1, .accumulate = 1, .batch = ROWS, .eval = set,
                                          .context = WINDOW};
    double kept[N];
    assert_int_equal(lag_dataset_keep(dataset, &what, NULL), 0);
    for (int context = WINDOW; context >= CONTEXT; context -= WINDOW - CONTEXT) {
        assert_int_equal(lag_evaluate(state, work, dataset, &set, true, context, kept, NULL, NULL), 0);
        assert_memory_equal(kept, context == WINDOW ? whole : parts, sizeof(kept));
    }
    lag_work_destroy(work);
    lag_state_destroy(state);
    lag_dataset_close(dataset);
}

static void bad_numbers_leave_the_state_untouched(void **unused) {
    struct lag_dataset *dataset = open_text();
    const struct lag_spec spec = small();
    struct lag_work *work = test_work(&spec, 3, 70, 1);
    struct lag_state *state = train(dataset, 0, NULL, 0);
    for (int i = 0; i < state->layout.n_tensors; i++) {
        const struct lag_tensor *t = &state->layout.tensors[i];
        if (t->row->role == LAG_ROLE_WTE)
            continue; /* a row that no token uses may hide for one step, but not in the head */
        state->params[t->offset] = NAN;
        struct lag_state *before;
        struct lag_step_result result = {0};
        assert_int_equal(lag_state_clone(state, &before, NULL), 0);
        assert_int_equal(lag_train_step(state, work, dataset, &CONFIG, NULL, &result, NULL), LAG_TRAIN_NONFINITE);
        assert_false(isfinite(result.loss) && isfinite(result.grad_norm));
        assert_true(lag_state_equal(before, state));
        lag_state_destroy(before);
        state->params[t->offset] = 0;
    }
    lag_work_destroy(work);
    lag_state_destroy(state);
    lag_dataset_close(dataset);
}

static void sampling(void **unused) {
    const struct lag_spec spec = test_spec(2, 2, 20, 12, 31);
    struct lag_state *state = test_state(&spec, 4);
    static const int32_t PROMPT[] = {1, 2, 3};
    struct lag_sample_config config = {.n_tokens = 30, .temperature = 1, .seed = 5};
    int32_t a[30], b[30];
    struct lag_error err;
    struct lag_team *team;
    assert_int_equal(lag_team_create(2, &team, NULL), 0);
    assert_int_equal(lag_generate(state, PROMPT, 3, &config, a, NULL, NULL, &err), 0);
    assert_int_equal(lag_generate(state, PROMPT, 3, &config, b, NULL, team, &err), 0);
    assert_memory_equal(a, b, sizeof(a));
    config.seed = 6;
    assert_int_equal(lag_generate(state, PROMPT, 3, &config, b, NULL, NULL, &err), 0);
    assert_memory_not_equal(a, b, sizeof(a));
    config.temperature = 0;
    assert_int_equal(lag_generate(state, PROMPT, 3, &config, a, NULL, NULL, &err), 0);
    config.temperature = 3;
    config.top_k = 1; /* the likeliest alone is the same as temperature 0 */
    assert_int_equal(lag_generate(state, PROMPT, 3, &config, b, NULL, NULL, &err), 0);
    assert_memory_equal(a, b, sizeof(a));
    /* the likeliest token is the argmax of the logits */
    struct lag_work *work = test_work(&spec, 1, 3, 1);
    lag_real logits[3 * 31];
    lag_model_logits(state, work, PROMPT, 1, 3, logits, NULL);
    for (int i = 0; i < 31; i++) assert_true(logits[2 * 31 + i] <= logits[2 * 31 + a[0]]);
    lag_work_destroy(work);
    const volatile bool cancel = true;
    assert_int_equal(lag_generate(state, PROMPT, 3, &config, b, &cancel, NULL, &err), LAG_ECANCELED);
    config.n_tokens = 4097;
    assert_int_equal(lag_generate(state, PROMPT, 3, &config, b, NULL, NULL, &err), LAG_EINVAL);
    config.n_tokens = 1;
    static const int32_t OUTSIDE[] = {31};
    assert_int_equal(lag_generate(state, OUTSIDE, 1, &config, b, NULL, NULL, &err), LAG_EINVAL);
    assert_int_equal(lag_generate(state, PROMPT, 0, &config, b, NULL, NULL, &err), LAG_EINVAL);
    lag_team_destroy(team);
    lag_state_destroy(state);
}

/* The loss in two chunks and in tall tiles: along the gradient it rises by the gradient's length, and two halves, of
 * one chunk each, have the same gradient. */
static void large_vocabulary(void **unused) {
    enum { BATCH = 14, CONTEXT = 100, N = BATCH * CONTEXT };
    const struct lag_spec spec = test_spec(1, 2, 8, CONTEXT, 20000);
    struct lag_state *state = test_state(&spec, 3);
    struct lag_work *work = test_work(&spec, BATCH, CONTEXT, 1);
    int32_t tokens[N], targets[N];
    test_batch(N, spec.vocab_size, 5, tokens, targets);
    const double loss = lag_model_backward(state, work, tokens, targets, BATCH, CONTEXT, 1, true, NULL);
    const size_t n = state->layout.n_elements;
    const double norm = lag_grad_norm(lag_work_grads(work), n, NULL), h = 0.02;
    double moved[2];
    for (int side = 0; side < 2; side++) {
        const lag_real step = (lag_real)((side ? 1 : -1) * h / norm), *grads = lag_work_grads(work);
        struct lag_state *at = NULL;
        assert_int_equal(lag_state_clone(state, &at, NULL), 0);
        for (size_t i = 0; i < n; i++) at->params[i] += step * grads[i];
        moved[side] = lag_model_loss(at, work, tokens, targets, BATCH, CONTEXT, NULL);
        lag_state_destroy(at);
    }
    assert_true(moved[0] < loss && loss < moved[1]);
    assert_true(fabs((moved[1] - moved[0]) / (2 * h) - norm) < 0.01 * norm);
    struct lag_work *half = test_work(&spec, BATCH / 2, CONTEXT, 1);
    for (int i = 0; i < 2; i++)
        (void)lag_model_backward(state, half, tokens + i * N / 2, targets + i * N / 2, BATCH / 2, CONTEXT, 0.5, i == 0,
                                 NULL);
    (void)lag_model_backward(state, work, tokens, targets, BATCH, CONTEXT, 1, true, NULL);
    for (size_t i = 0; i < n; i++)
        assert_true(fabs((double)(lag_work_grads(half)[i] - lag_work_grads(work)[i])) < 1e-5 * norm);
    lag_work_destroy(half);
    lag_work_destroy(work);
    lag_state_destroy(state);
}

/* Parts add up to the time that passed, and measuring changes no bit. */
static void parts_add_up(void **unused) {
    enum { BATCH = 2, CONTEXT = 32, N = BATCH * CONTEXT };
    const struct lag_spec spec = test_spec(2, 2, 16, CONTEXT, 50);
    struct lag_state *state = test_state(&spec, 3);
    struct lag_work *work = test_work(&spec, BATCH, CONTEXT, 2);
    struct lag_team *team = NULL;
    assert_int_equal(lag_team_create(2, &team, NULL), 0);
    int32_t tokens[N], targets[N];
    double parts[LAG_N_PARTS], sum = 0;
    test_batch(N, spec.vocab_size, 5, tokens, targets);
    const double loss = lag_model_backward(state, work, tokens, targets, BATCH, CONTEXT, 1, true, team);
    const int64_t before_ns = lag_clock_mono_ns();
    lag_work_measure(work, true);
    const int64_t begin_ns = lag_clock_mono_ns();
    const double again = lag_model_backward(state, work, tokens, targets, BATCH, CONTEXT, 1, true, team);
    const int64_t end_ns = lag_clock_mono_ns();
    lag_work_parts(work, parts);
    const int64_t after_ns = lag_clock_mono_ns();
    for (int i = 0; i < LAG_N_PARTS; i++) {
        assert_true(parts[i] > 0);
        sum += parts[i];
    }
    assert_true(sum >= 1e-9 * (double)(end_ns - begin_ns) - 1e-8);
    assert_true(sum <= 1e-9 * (double)(after_ns - before_ns) + 1e-8);
    assert_true(loss == again);
    assert_string_equal(lag_part_name(LAG_PART_MATMUL), "matmul");
    lag_team_destroy(team);
    lag_work_destroy(work);
    lag_state_destroy(state);
}

#ifdef LAG_FAILPOINTS
/* In a child: the parent's rate is measured once for the whole process. */
static void no_rate_without_memory(void **unused) {
    (void)unused;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)setenv("LAGD_FAILPOINTS", "cost.no_memory=fail", 1);
        const bool unknown = lag_measured_core_rate(LAG_FP32) == 0;
        _exit(unknown && lag_measured_core_rate(LAG_FP32) == 0 ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}
#endif

/* A backend that is the CPU, and counts. */
static struct { int n_created, n_destroyed, n_loss, n_backward, n_logits, n_norm, n_update; } counted;
static const struct lag_backend counting;

static int count_create(const struct lag_spec *spec, const struct lag_work_shape *shape, struct lag_work **ret,
                        struct lag_error *err) {
    const int rc = lag_cpu.work_create(spec, shape, ret, err);
    if (rc == 0) (*ret)->backend = &counting;
    counted.n_created++;
    return rc;
}
static void count_destroy(struct lag_work *work) {
    counted.n_destroyed++;
    lag_cpu.work_destroy(work);
}
static uint64_t count_bytes(const struct lag_spec *spec, const struct lag_work_shape *shape) {
    return lag_cpu.work_bytes(spec, shape) + 1;
}
static double count_loss(const struct lag_state *state, struct lag_work *work, const int32_t *tokens,
                         const int32_t *targets, int batch, int context, struct lag_team *team) {
    counted.n_loss++;
    return lag_cpu.loss(state, work, tokens, targets, batch, context, team);
}
static double count_backward(const struct lag_state *state, struct lag_work *work, const int32_t *tokens,
                             const int32_t *targets, int batch, int context, double scale, bool clear,
                             struct lag_team *team) {
    counted.n_backward++;
    return lag_cpu.backward(state, work, tokens, targets, batch, context, scale, clear, team);
}
static void count_logits(const struct lag_state *state, struct lag_work *work, const int32_t *tokens, int n_tokens,
                         lag_real *ret_logits, struct lag_team *team) {
    counted.n_logits++;
    lag_cpu.next_logits(state, work, tokens, n_tokens, ret_logits, team);
}
static double count_norm(const struct lag_state *state, struct lag_work *work, struct lag_team *team) {
    counted.n_norm++;
    return lag_cpu.grad_norm(state, work, team);
}
static void count_update(struct lag_state *state, struct lag_work *work, const struct lag_optim *optim, double lr,
                         double grad_scale, struct lag_team *team) {
    counted.n_update++;
    lag_cpu.update(state, work, optim, lr, grad_scale, team);
}
static const struct lag_backend counting = {.name = "counting", .loss = count_loss, .backward = count_backward,
                                            .next_logits = count_logits, .grad_norm = count_norm,
                                            .update = count_update, .work_create = count_create,
                                            .work_destroy = count_destroy, .work_bytes = count_bytes};

/* Steps, evaluation and sampling compute through the work's backend only, and with the same bits. */
static void all_goes_through_the_backend(void **unused) {
    (void)unused;
    static const int32_t PROMPT[] = {1, 2, 3};
    const struct lag_spec spec = small();
    const struct lag_work_shape shape = {.batch = 3, .context = 70, .n_members = 1, .backend = &counting};
    const struct lag_work_shape plain_shape = {.batch = 3, .context = 70, .n_members = 1};
    struct lag_dataset *dataset = open_text();
    struct lag_state *state = test_state(&spec, 1), *plain = test_state(&spec, 1);
    struct lag_work *work = NULL, *cpu = test_work(&spec, 3, 70, 1);
    struct lag_step_result result, wanted;
    double losses[4], wanted_losses[4];
    assert_true(lag_work_bytes(&spec, &shape) == lag_work_bytes(&spec, &plain_shape) + 1);
    assert_int_equal(lag_work_create(&spec, &shape, &work, NULL), 0);
    assert_int_equal(lag_train_step(state, work, dataset, &CONFIG, NULL, &result, NULL), 0);
    assert_int_equal(lag_train_step(plain, cpu, dataset, &CONFIG, NULL, &wanted, NULL), 0);
    const struct lag_eval_set set = {4, 1, 2};
    assert_int_equal(lag_evaluate(state, work, dataset, &set, true, 70, losses, NULL, NULL), 0);
    assert_int_equal(lag_evaluate(plain, cpu, dataset, &set, true, 70, wanted_losses, NULL, NULL), 0);
    assert_true(lag_state_equal(state, plain));
    assert_memory_equal(losses, wanted_losses, sizeof(losses));
    int32_t tokens[5], wanted_tokens[5];
    struct lag_sample_config sample = {.n_tokens = 5, .temperature = 1, .seed = 3, .backend = &counting};
    assert_int_equal(lag_generate(state, PROMPT, 3, &sample, tokens, NULL, NULL, NULL), 0);
    sample.backend = NULL;
    assert_int_equal(lag_generate(plain, PROMPT, 3, &sample, wanted_tokens, NULL, NULL, NULL), 0);
    assert_memory_equal(tokens, wanted_tokens, sizeof(tokens));
    assert_int_equal(counted.n_created, 2);
    assert_int_equal(counted.n_backward, 2);
    assert_int_equal(counted.n_norm, 1);
    assert_int_equal(counted.n_update, 1);
    assert_int_equal(counted.n_loss, 4);
    assert_int_equal(counted.n_logits, 5);
    lag_work_destroy(work);
    lag_work_destroy(cpu);
    assert_int_equal(counted.n_destroyed, 2);
    lag_state_destroy(state);
    lag_state_destroy(plain);
    lag_dataset_close(dataset);
}

static void setup_and_cost(void **unused) {
    struct lag_error err;
    if (lag_engine_setup(&err)) fail_msg("%s", err.text);
    assert_int_equal(lag_engine_setup(NULL), 0);
    assert_non_null(strstr(lag_fingerprint(LAG_FP32), "matrix "));
    assert_non_null(strstr(lag_fingerprint(LAG_FP32), "vec "));
    assert_true(strlen(lag_fingerprint(LAG_FP32)) < 127);
    const struct lag_spec m = test_spec(6, 6, 384, 256, 256);
    assert_true(lag_flops_token_train(&m, 256) == 6.0 * 10745856 + 12.0 * 6 * 384 * 256);
    struct lag_spec apart = m; /* heads twice as wide: attention too, and its four matrices and three biases */
    apart.head_dim = 128;
    assert_true(lag_flops_token_train(&apart, 256) ==
                6.0 * (10745856 + 6 * (4 * 384 * 384 + 3 * 384)) + 12.0 * 6 * 768 * 256);
    assert_true(lag_flops_token_forward(&m, 256) * 3 == lag_flops_token_train(&m, 256));
    assert_true(lag_measured_core_rate(LAG_FP32) > 1e8);
    assert_true(lag_measured_core_rate(LAG_FP32) == lag_measured_core_rate(LAG_FP32));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#ifdef LAG_FAILPOINTS
                                       cmocka_unit_test(no_rate_without_memory),
#endif
                                       cmocka_unit_test(same_bits_for_every_team),
                                       cmocka_unit_test(same_bits_for_every_team_in_bf16),
                                       cmocka_unit_test(training_learns),
                                       cmocka_unit_test(long_windows_are_read_in_parts),
                                       cmocka_unit_test(step_is_its_parts),
                                       cmocka_unit_test(infinite_gradient_of_a_finite_loss),
                                       cmocka_unit_test(bad_numbers_leave_the_state_untouched),
                                       cmocka_unit_test(sampling),
                                       cmocka_unit_test(large_vocabulary),
                                       cmocka_unit_test(parts_add_up),
                                       cmocka_unit_test(all_goes_through_the_backend),
                                       cmocka_unit_test(setup_and_cost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
