/* For test_moves: tokenizers, through all rows of their table. */
#pragma once
#include "moves_fixture.h"
#include <lagd/storage/tokenizers.h>

static void add_tokenizer(const char *path, const char *dataset, int want) {
    struct lagd_command *command = fixture_command(LAGD_TOKENIZER_ADD, NULL);
    struct lagd_tokenizer_add *add = command->u.tokenizer = calloc(1, sizeof(*add));
    lag_fields_defaults(&lagd_tokenizer_fields, add);
    snprintf(add->name, sizeof(add->name), "made");
    snprintf(add->path, sizeof(add->path), "%s", path);
    snprintf(add->dataset, sizeof(add->dataset), "%s", dataset);
    add->vocab_size = 300;
    assert_int_equal(fixture_call(&f, command), want);
    lagd_command_destroy(command);
}

static void wait_tokenizer(const char *state, struct lag_tokenizer_row *ret) {
    for (unsigned i = 0; i < 1000 * slow(); i++) {
        struct lag_db *db = NULL;
        assert_int_equal(lag_reader_open(f.config.state_dir, &db, NULL), 0);
        assert_int_equal(lag_tokenizer_get(db, "made", ret, NULL), 0);
        lag_reader_close(db);
        if (strcmp(ret->state, state) == 0) return;
        usleep(10000);
    }
    fail_msg("the tokenizer is %s, not %s", ret->state, state);
}

/* The state directory holds no tokenizer; the words of a dataset make one, under the name that became free. */
static void a_tokenizer_is_made_or_refused(void **state) {
    (void)state;
    char run[LAG_ROW_ID];
    struct lag_run_row row;
    struct lag_tokenizer_row tokenizer;
    create("source", 20, true, run);
    RUN(run, "queued running completed");
    add_tokenizer(f.config.state_dir, "", 0);
    wait_tokenizer("failed", &tokenizer);
    assert_non_null(strstr(tokenizer.reason, "has no tokenizer.json"));
    struct lag_db *db = NULL;
    assert_int_equal(lag_reader_open(f.config.state_dir, &db, NULL), 0);
    assert_int_equal(lag_run_get(db, run, &row, NULL), 0);
    lag_reader_close(db);
    add_tokenizer("", row.dataset_id, 0);
    wait_tokenizer("ready", &tokenizer);
    assert_true(tokenizer.vocab_size > 257 && tokenizer.reason[0] == '\0' && tokenizer.eos == 0);
    add_tokenizer(f.config.state_dir, "", LAG_EEXIST);
    fixture_do(&f, LAGD_TOKENIZER_DELETE, "made", 0, NULL);
}
