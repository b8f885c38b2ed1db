/* Lengths of training sequences: what they become, text and back, and which is in force where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "plan/batches_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <stdio.h>
#include <string.h>

static void config_of(int64_t sequences, int64_t tokens, int64_t accumulate, struct lagd_run_config *ret) {
    memset(ret, 0, sizeof(*ret));
    lag_fields_defaults(&lagd_run_fields, ret);
    memcpy(ret->dataset, "words", sizeof("words"));
    ret->max_steps = 100;
    ret->sequences = sequences;
    ret->tokens_per_sequence = tokens;
    ret->accumulate = accumulate;
}

static void row_of(const struct lagd_run_config *config, struct lag_run_row *ret) {
    *ret = (struct lag_run_row){.id = "run_1"};
    assert_int_equal(lagd_run_config_format(config, ret->config, NULL), 0);
}

static void a_step_keeps_its_tokens(void **state) {
    (void)state;
    static const struct { int64_t before[3], tokens, after[3]; } cases[] = {
        {{8, 128, 1}, 256, {4, 256, 1}},  {{8, 128, 1}, 1024, {1, 1024, 1}}, {{4, 32, 2}, 64, {2, 64, 2}},
        {{1, 32, 4}, 64, {1, 64, 2}},     {{2, 32, 2}, 64, {1, 64, 2}},      {{3, 32, 2}, 64, {1, 64, 3}},
        {{4, 32, 1}, 16, {8, 16, 1}},     {{1, 32, 4}, 128, {1, 128, 1}},    {{6, 10, 5}, 12, {5, 12, 5}},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lagd_run_config config;
        config_of(cases[i].before[0], cases[i].before[1], cases[i].before[2], &config);
        assert_true(lagd_batch_cut(&config, cases[i].tokens));
        assert_int_equal(config.sequences, cases[i].after[0]);
        assert_int_equal(config.tokens_per_sequence, cases[i].after[1]);
        assert_int_equal(config.accumulate, cases[i].after[2]);
    }
    struct lagd_run_config config;
    config_of(8, 128, 1, &config);
    static const int64_t wrong[] = {0, -1, 100, 2048, INT64_C(1) << 40};
    for (size_t i = 0; i < LAG_COUNT(wrong); i++) assert_false(lagd_batch_cut(&config, wrong[i]));
    assert_int_equal(config.tokens_per_sequence, 128);
}

static void expect_at(const struct lag_run_row *row, int64_t step, int64_t tokens) {
    struct lagd_run_config config;
    config_of(1, 7, 1, &config); /* all three are written */
    assert_int_equal(lagd_batches_at(row, step, &config, NULL), 0);
    assert_int_equal(config.tokens_per_sequence, tokens);
    assert_int_equal(config.sequences * config.tokens_per_sequence * config.accumulate, 8 * 32 * 3);
}

/* The state of the step that a growth begins at is the parent's, and the next one the winner's. */
static void each_is_in_force_from_its_growth_on(void **state) {
    (void)state;
    struct lagd_run_config config;
    struct lag_run_row row;
    config_of(8, 32, 3, &config);
    row_of(&config, &row);
    expect_at(&row, 0, 32);
    assert_int_equal(lagd_batches_add(&row, 10, 64, NULL), 0);
    assert_int_equal(lagd_batches_add(&row, 40, 0, NULL), 0); /* as before */
    assert_int_equal(lagd_batches_add(&row, 50, 128, NULL), 0);
    assert_string_equal(row.batches, "10 64\n50 128\n");
    static const int64_t at[][2] = {{0, 32}, {10, 32}, {11, 64}, {50, 64}, {51, 128}, {1000, 128}};
    for (size_t i = 0; i < LAG_COUNT(at); i++) expect_at(&row, at[i][0], at[i][1]);
    assert_int_equal(lagd_batches_add(&row, 50, 256, NULL), 0); /* applied again */
    assert_string_equal(row.batches, "10 64\n50 256\n");
    assert_int_equal(lagd_batches_add(&row, 5, 96, NULL), 0);
    assert_string_equal(row.batches, "5 96\n");
    config.tokens_per_sequence = 1;
    assert_int_equal(lagd_batches_with(&row, 0, &config, NULL), 0);
    assert_int_equal(config.tokens_per_sequence, 1);
    assert_int_equal(lagd_batches_with(&row, 96, &config, NULL), 0);
    assert_int_equal(config.sequences, 2); /* of the run's own micro-batch of 256 tokens */
    assert_int_equal(config.accumulate, 4);
}

static void there_are_so_many(void **state) {
    (void)state;
    struct lagd_run_config config;
    struct lag_run_row row;
    struct lag_error err = {0};
    config_of(8, 32, 3, &config);
    row_of(&config, &row);
    for (int i = 0; i < LAGD_BATCHES_MAX; i++)
        assert_int_equal(lagd_batches_add(&row, 100000000 + i, i % 2 ? 64 : 131072, NULL), 0);
    assert_true(strlen(row.batches) + 1 < sizeof(row.batches));
    assert_int_equal(lagd_batches_add(&row, 200000000, 64, &err), LAG_ESTATE);
    assert_non_null(strstr(err.text, "fork it"));
}

static void text_that_is_none_is_told(void **state) {
    (void)state;
    static const char *const texts[] = {"x", "10", "10 0\n", "10 -4\n", "10 64\n10 128\n", "10 64\n9 32\n", "10 100\n"};
    struct lagd_run_config config;
    struct lag_run_row row;
    config_of(8, 32, 3, &config);
    row_of(&config, &row);
    for (size_t i = 0; i < LAG_COUNT(texts); i++) {
        struct lag_error err = {0};
        snprintf(row.batches, sizeof(row.batches), "%s", texts[i]);
        assert_int_equal(lagd_batches_at(&row, 1000, &config, &err), LAG_ECORRUPT);
        assert_non_null(strstr(err.text, "run_1"));
    }
    lagd_run_config_take_batch(&row, &config); /* shown as it is */
    assert_int_equal(config.tokens_per_sequence, 32);
}

/* --- what a growth trains on --- */

static void expect_choice(int64_t tokens, int64_t before, int64_t after, int64_t longest, int64_t wanted,
                          const char *said) {
    struct lagd_run_config config;
    char note[LAGD_BATCH_NOTE];
    int64_t got = -1;
    config_of(8, tokens, 1, &config);
    const struct lagd_batch_aim aim = {.config = &config, .n_positions_before = before, .n_positions = after,
                                       .longest = longest};
    assert_int_equal(lagd_batch_choose(&aim, &got, note, NULL), 0);
    assert_int_equal(got, wanted);
    if (said) assert_non_null(strstr(note, said));
    else assert_string_equal(note, "");
}

static void sequences_that_fill_the_context_go_on_so(void **state) {
    (void)state;
    expect_choice(32, 32, 32, 0, 0, NULL);
    expect_choice(32, 32, 64, 0, 64, NULL);
    expect_choice(32, 32, 100, 0, 64, "64 tokens, and not 100: a step has 256 tokens");
    expect_choice(32, 32, 50, 0, 0, "32 tokens, and not 50: a step has 256 tokens");
    expect_choice(32, 32, 512, 0, 256, "256 tokens, and not 512");
    expect_choice(32, 32, 128, 100, 64, "the dataset has none longer than 100");
    expect_choice(16, 32, 64, 0, 0, "keep their 16 tokens");
    expect_choice(16, 32, 32, 0, 0, NULL);
}

static void expect_asked(int64_t asked, int64_t longest, int64_t wanted, const char *refused) {
    struct lagd_run_config config;
    struct lag_error err = {0};
    char note[LAGD_BATCH_NOTE];
    int64_t got = -1;
    config_of(4, 32, 2, &config);
    const struct lagd_batch_aim aim = {.config = &config, .n_positions_before = 32, .n_positions = 200,
                                       .asked = asked, .longest = longest};
    const int rc = lagd_batch_choose(&aim, &got, note, &err);
    assert_int_equal(rc, refused ? LAG_EINVAL : 0);
    if (!refused) assert_int_equal(got, wanted);
    else assert_string_equal(err.pointer, "/batch/tokens_per_sequence");
    if (refused && !strstr(err.text, refused)) fail_msg("%s", err.text);
}

static void what_is_asked_must_divide_and_fit(void **state) {
    (void)state;
    expect_asked(64, 0, 64, NULL);
    expect_asked(32, 0, 0, NULL); /* as before */
    expect_asked(8, 0, 8, NULL);
    expect_asked(100, 0, 0, "the 256 tokens of a step, which a growth keeps, do not divide into sequences of 100: ask "
                            "for 64 or 128");
    expect_asked(199, 0, 0, "ask for 128");
    expect_asked(256, 0, 0, "must not be above the grown model's n_positions (200)");
    expect_asked(128, 100, 0, "sequences of at most 100 tokens");
    expect_asked(99, 100, 0, "ask for 64");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_keeps_its_tokens),
        cmocka_unit_test(each_is_in_force_from_its_growth_on),
        cmocka_unit_test(there_are_so_many),
        cmocka_unit_test(text_that_is_none_is_told),
        cmocka_unit_test(sequences_that_fill_the_context_go_on_so),
        cmocka_unit_test(what_is_asked_must_divide_and_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
