/* For test_moves: datasets, through all rows of their table. */
#pragma once
#include "moves_fixture.h"

/* A token file, whose last token is large, behind what is looked at before it is registered. */
static void add_tokens(uint16_t last, int want) {
    struct lagd_command *command = fixture_command(LAGD_DATASET_ADD, NULL);
    struct lagd_dataset_add *add = command->u.dataset = calloc(1, sizeof(*add));
    snprintf(add->upload, sizeof(add->upload), "%s/tokens", f.dir);
    snprintf(add->name, sizeof(add->name), "tokens");
    snprintf(add->format, sizeof(add->format), "nanogpt");
    add->vocab_size = 3;
    add->wait_s = -1;
    FILE *file = fopen(add->upload, "w");
    assert_non_null(file);
    for (int i = 0; i < 200000; i++) fwrite(&(uint16_t){0}, 2, 1, file);
    fwrite(&last, sizeof(last), 1, file);
    fclose(file);
    assert_int_equal(fixture_call(&f, command), want);
    lagd_command_destroy(command);
}

static void wait_dataset(const char *name, const char *state, struct lag_dataset_row *ret) {
    for (unsigned i = 0; i < 1000 * slow(); i++) {
        struct lag_db *db = NULL;
        assert_int_equal(lag_reader_open(f.config.state_dir, &db, NULL), 0);
        assert_int_equal(lag_dataset_get(db, name, ret, NULL), 0);
        lag_reader_close(db);
        if (strcmp(ret->state, state) == 0) return;
        usleep(10000);
    }
    fail_msg("dataset %s is %s, not %s", name, ret->state, state);
}

/* A file is registered, or it is refused; then its name is free, which it was not before. */
static void a_dataset_is_registered_or_refused(void **state) {
    (void)state;
    struct lag_dataset_row row;
    add_tokens(3, 0);
    wait_dataset("tokens", "failed", &row);
    assert_non_null(strstr(row.reason, "token 200000 is 3, but ids must be below 3"));
    add_tokens(2, 0);
    wait_dataset("tokens", "ready", &row);
    assert_true(row.n_tokens == 200001 && row.max_id == 2 && row.reason[0] == '\0');
    add_tokens(2, LAG_EEXIST);
}
