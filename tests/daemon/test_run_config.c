/* A run's configuration: text form round trip, what resolving fills in and refuses, and the estimate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "plan/run_config_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/run_config.h>

static struct lag_error err;
static const struct lag_dataset_row words = {.id = "ds_1", .name = "words", .format = "text", .n_bytes = 100000,
                                             .n_tokens = 100000, .max_id = 122, .vocab_size = 256};

static struct lagd_run_config fresh(void) {
    struct lagd_run_config config;
    memset(&config, 0, sizeof(config));
    lag_fields_defaults(&lagd_run_fields, &config);
    lag_copy(config.dataset, sizeof(config.dataset), "words");
    config.max_steps = 100;
    memset(&err, 0, sizeof(err));
    return config;
}

static void text_form_is_exact(void **state) {
    (void)state;
    static char text[LAG_ROW_CONFIG];
    static struct lagd_run_config config, back;
    config = fresh();
    config.lr = 0.1 + 0.2;
    config.min_lr = 1e-300;
    config.seed = INT64_C(9007199254740991);
    lag_copy(config.name, sizeof(config.name), "a.b-c_1");
    lag_copy(config.tags, sizeof(config.tags), "x,y z");
    lag_copy(config.note, sizeof(config.note), "50 % = half; ünïcode");
    assert_int_equal(lagd_run_config_format(&config, text, &err), 0);
    assert_int_equal(lagd_run_config_parse(text, &back, &err), 0);
    assert_memory_equal(&config, &back, sizeof(config));
    assert_true(lagd_run_config_parse("dataset=x\n", &back, &err) < 0);
    assert_string_equal(err.pointer, "/schedule/max_steps");
    assert_true(lagd_run_config_parse("nonsense=1\n", &back, &err) < 0);
}

static void the_longest_configuration_fits(void **state) {
    (void)state;
    static char text[LAG_ROW_CONFIG];
    struct lagd_run_config config = fresh();
    memset(config.note, 'n', sizeof(config.note) - 1);
    memset(config.tags, 't', sizeof(config.tags) - 1);
    memset(config.name, 'a', sizeof(config.name) - 1);
    memset(config.dataset, 'd', sizeof(config.dataset) - 1);
    config.lr = config.eps = config.min_lr = config.decay_fraction = config.grad_clip = 0.1 + 0.2;
    assert_int_equal(lagd_run_config_format(&config, text, &err), 0);
}

static void resolving_fills_in(void **state) {
    (void)state;
    struct lagd_run_config config = fresh();
    assert_int_equal(lagd_run_config_resolve(&config, &words, &err), 0);
    assert_int_equal(config.shape.n_inner, 512);
    assert_int_equal(config.shape.vocab_size, 256);
    assert_int_equal(config.tokens_per_sequence, 128);
    struct lag_spec spec;
    lagd_run_spec(&config, &spec);
    assert_int_equal(spec.n_layer, 4);
    assert_int_equal(spec.vocab_size, 256);
    struct lag_step_config step;
    lagd_run_step_config(&config, 0.5, &step);
    assert_int_equal(step.batch, 8);
    assert_int_equal(step.schedule.max_steps, 100);
    assert_true(step.lr_scale == 0.5 && step.optim.beta2 == 0.95);
}

#define REFUSES(change, pointer_)                                                                              \
    do {                                                                                                       \
        struct lagd_run_config config = fresh();                                                               \
        change;                                                                                                \
        struct lagd_run_config before = config;                                                                \
        assert_true(lagd_run_config_resolve(&config, &words, &err) < 0);                                       \
        if (strcmp(err.pointer, pointer_) != 0) fail_msg("%s: %s %s", #change, err.pointer, err.text);         \
        assert_memory_equal(&before, &config, sizeof(config));                                                 \
    } while (0)

static void resolving_refuses(void **state) {
    (void)state;
    REFUSES(config.shape.n_head = 3, "/model/n_head");
    REFUSES(config.shape.vocab_size = 122, "/model/vocab_size");
    REFUSES(config.tokens_per_sequence = 129, "/batch/tokens_per_sequence");
    REFUSES(config.shape.n_positions = 20000, "/model/n_positions");
    REFUSES(config.warmup_steps = 100, "/schedule/warmup_steps");
    REFUSES(config.min_lr = 1, "/schedule/min_lr");
    REFUSES(lag_copy(config.name, sizeof(config.name), "-x"), "/name");
    REFUSES(lag_copy(config.name, sizeof(config.name), "a b"), "/name");
    REFUSES(lag_copy(config.arch, sizeof(config.arch), "llama"), "/model/arch");
    REFUSES(lag_copy(config.precision, sizeof(config.precision), "fp8"), "/precision");
    REFUSES(lag_copy(config.schedule, sizeof(config.schedule), ""), "/schedule/kind");
    REFUSES((config.sequences = 65536, config.shape.n_positions = 131072), "/batch/sequences");
}

/* A row of a newer lagd, or a damaged one: an error that names the field, never another model than was asked for. */
static void unknown_names_of_a_row_are_errors(void **state) {
    (void)state;
    static const struct {
        const char *line, *text;
    } bad[] = {{"model/arch=llama", "model/arch is not known: only gpt2 is supported (got llama)"},
               {"precision=fp8", "precision must be one of fp32, bf16 (got fp8)"},
               {"schedule/kind=linear", "schedule/kind must be one of constant, cosine, wsd (got linear)"}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct lagd_run_config config = fresh(), read = {0};
        char text[2 * LAG_ROW_CONFIG];
        const size_t name = (size_t)(strchr(bad[i].line, '=') - bad[i].line) + 1;
        assert_int_equal(lagd_run_config_format(&config, text, &err), 0);
        char *line = strstr(text, bad[i].line[0] == 'p' ? "\nprecision=" : "\nmodel/arch=");
        if (bad[i].line[0] == 's') line = strstr(text, "\nschedule/kind=");
        assert_non_null(line);
        char rest[LAG_ROW_CONFIG];
        snprintf(rest, sizeof(rest), "%s", line + 1 + name);
        snprintf(line + 1, sizeof(text) - (size_t)(line + 1 - text), "%s%s", bad[i].line, strchr(rest, '\n'));
        assert_int_equal(lagd_run_config_parse(text, &read, &err), LAG_EINVAL);
        assert_string_equal(err.text, bad[i].text);
        assert_int_equal(read.shape.n_layer, 0); /* untouched */
    }
}

static void ranges_are_checked(void **state) {
    (void)state;
    struct lagd_run_config config = fresh();
    static const struct { const char *path, *value;
    } bad[] = {{"model/n_layer", "0"},
               {"model/n_layer", "513"},
               {"model/n_head", "-1"},
               {"optim/lr", "0"},
               {"optim/lr", "nan"},
               {"optim/betas/0", "1"},
               {"schedule/max_steps", "0"},
               {"seed", "-1"},
               {"seed", "9223372036854775807"},
               {"batch/sequences", "0"},
               {"eval/every_steps", "0"},
               {"model/arch", "gpt3"},
               {"schedule/kind", ""},
               {"checkpoint/every_steps", "0"},
               {"on_crash", "cry"}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct lag_field *field = lag_fields_find(&lagd_run_fields, bad[i].path);
        assert_non_null(field);
        if (lag_field_set_text(field, &config, bad[i].value, &err) == 0) fail_msg("%s = %s", bad[i].path, bad[i].value);
    }
}

static void estimates_add_up(void **state) {
    (void)state;
    struct lagd_run_config config = fresh();
    assert_int_equal(lagd_run_config_resolve(&config, &words, &err), 0);
    struct lagd_run_estimate e, two;
    assert_int_equal(lagd_run_estimate(&config, 1, &e, &err), 0);
    /* wte + wpe + 4 × (12 C² + 13 C) + 2 C with C = 128 */
    assert_int_equal(e.n_params, 256 * 128 + 128 * 128 + 4 * (12 * 128 * 128 + 13 * 128) + 2 * 128);
    assert_int_equal(e.tokens_per_step, 8 * 128);
    assert_int_equal(e.tokens_total, 8 * 128 * 100);
    assert_true(e.memory_bytes >= e.state_bytes + e.activation_bytes);
    assert_true(e.state_bytes >= 12 * e.n_params);
    assert_true(e.flops_total == e.flops_per_step * 100 && e.flops_per_token > 6.0 * 800000);
    assert_true(e.step_seconds > 0 && e.checkpoint_bytes >= 12 * e.n_params);
    assert_int_equal(lagd_run_estimate(&config, 2, &two, &err), 0);
    assert_true(two.step_seconds < e.step_seconds);
    config.shape.n_layer = 512;
    config.shape.n_embd = 65536;
    config.shape.n_inner = 262144;
    config.shape.n_positions = config.tokens_per_sequence = 16384;
    config.sequences = 65536;
    int status = lagd_run_estimate(&config, 1, &e, &err); /* beyond any machine, but counted without overflow */
    assert_true(status == 0 ? e.memory_bytes > INT64_C(1) << 40 : status == LAG_EFIT || status == LAG_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_form_is_exact), cmocka_unit_test(the_longest_configuration_fits),
        cmocka_unit_test(resolving_fills_in), cmocka_unit_test(resolving_refuses),
        cmocka_unit_test(unknown_names_of_a_row_are_errors), cmocka_unit_test(ranges_are_checked),
        cmocka_unit_test(estimates_add_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
