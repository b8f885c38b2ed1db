/* For test_moves: models, through all rows of their table. */
#pragma once
#include "moves_fixture.h"
#include <lagd/storage/models.h>

static void add_model(const char *path, int want) {
    struct lagd_command *command = fixture_command(LAGD_MODEL_ADD, NULL);
    struct lagd_model_add *add = command->u.model = calloc(1, sizeof(*add));
    snprintf(add->name, sizeof(add->name), "brought");
    snprintf(add->path, sizeof(add->path), "%s", path);
    assert_int_equal(fixture_call(&f, command), want);
    lagd_command_destroy(command);
}

static void wait_model(const char *state, struct lag_model_row *ret) {
    for (unsigned i = 0; i < 1000 * slow(); i++) {
        struct lag_db *db = NULL;
        assert_int_equal(lag_reader_open(f.config.state_dir, &db, NULL), 0);
        assert_int_equal(lag_model_get(db, "brought", ret, NULL), 0);
        lag_reader_close(db);
        if (strcmp(ret->state, state) == 0) return;
        usleep(10000);
    }
    fail_msg("the model is %s, not %s", ret->state, state);
}

/* The folder of a checkpoint is one that can be brought; that of its run is not. */
static void a_model_is_imported_or_refused(void **state) {
    (void)state;
    char run[LAG_ROW_ID], folder[LAG_ROW_PATH + 80];
    struct lag_model_row row;
    glob_t found;
    create("source", 20, true, run);
    RUN(run, "queued running completed");
    snprintf(folder, sizeof(folder), "%s/runs/%s", f.config.state_dir, run);
    add_model(folder, 0);
    wait_model("failed", &row);
    assert_non_null(strstr(row.reason, "config.json is missing"));
    snprintf(folder, sizeof(folder), "%s/runs/%s/ckpt-*", f.config.state_dir, run);
    assert_int_equal(glob(folder, 0, NULL, &found), 0);
    add_model(found.gl_pathv[0], 0);
    globfree(&found);
    wait_model("ready", &row);
    assert_true(row.shape.n_layer == 2 && row.reason[0] == '\0' && strcmp(row.dtype, "f32") == 0);
    assert_string_equal(row.tokenizer, "none");
    add_model(f.config.state_dir, LAG_EEXIST);
    fixture_do(&f, LAGD_MODEL_DELETE, "brought", 0, NULL);
}
