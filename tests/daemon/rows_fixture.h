/* Rows as a daemon leaves them, put into a store without one. */
#pragma once
#include "supervisor_fixture.h"

#include <lagd/daemon/run_config.h>

static inline void rows_put(struct lag_store *store, lag_write_fn *fn, void *row) {
    struct lag_error err = {0};
    if (lag_store_write(store, fn, row, &err) != 0) fail_msg("%s", err.text);
}

static inline int rows_insert_dataset(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_dataset_insert(db, arg, err);
}
static inline int rows_insert_run(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_run_insert(db, arg, err);
}

/* The dataset of all these runs; its file is not there. */
static inline struct lag_dataset_row rows_words(void) {
    struct lag_dataset_row words = {.id = "ds_00000000000000000000000001", .name = "words", .origin = "file",
                                    .path = "/nowhere/words", .format = "text", .n_bytes = 100000,
                                    .n_tokens = 100000, .max_id = 122, .vocab_size = 256, .created_ms = 1};
    memset(words.sha256, 'a', 64);
    return words;
}

/* The configuration of fixture_run_config as a row holds it; on_crash: resume or pause. */
static inline void rows_config(const char *on_crash, char ret[LAG_ROW_CONFIG]) {
    struct lag_error err = {0};
    struct lagd_run_config *config = fixture_run_config("any", 100);
    const struct lag_dataset_row words = rows_words();
    lag_copy(config->on_crash, sizeof(config->on_crash), on_crash);
    if (lagd_run_config_resolve(config, &words, &err) != 0) fail_msg("%s", err.text);
    if (lagd_run_config_format(config, ret, &err) != 0) fail_msg("%s", err.text);
    free(config);
}

/* A state directory without a daemon, and its store with the dataset in it. */
static inline void rows_begin(struct fixture *f, struct lag_store **ret) {
    struct lag_error err = {0};
    memset(f, 0, sizeof(*f));
    fixture_make_dir(f);
    lag_log_set_level(getenv("LAGD_TEST_LOG") ? LAG_LOG_DEBUG : (enum lag_log_level)0);
    assert_int_equal(lag_fs_mkdirs(f->config.state_dir, &err), 0);
    if (lag_store_open(f->config.state_dir, ret, &err) < 0) fail_msg("%s", err.text);
    struct lag_dataset_row words = rows_words();
    rows_put(*ret, rows_insert_dataset, &words);
}

/* Only what a start does: the supervisor is made and destroyed, its loop never runs. Closes the store. */
static inline void rows_start(struct fixture *f, struct lag_store **store) {
    struct lag_error err = {0};
    lag_store_close(*store);
    *store = NULL;
    if (lagd_supervisor_create(&f->config, &f->s, &err) < 0) fail_msg("%s", err.text);
    lagd_supervisor_destroy(f->s);
}

/* A run run_<id>; later ones are younger. */
static inline void rows_put_run(struct lag_store *store, const char *id, const char *state, const char *config) {
    static int64_t created;
    struct lag_run_row row = {.dataset_id = "ds_00000000000000000000000001", .dataset_name = "words",
                              .shape = {2, 2, 16, 64, 16, 256}, .n_params = 1, .max_steps = 100, .lr_scale = 1,
                              .rollback_step = -1, .revision = 1};
    row.created_ms = row.updated_ms = ++created;
    snprintf(row.id, sizeof(row.id), "run_%s", id);
    snprintf(row.name, sizeof(row.name), "%.60s", id);
    snprintf(row.state, sizeof(row.state), "%s", state);
    snprintf(row.config, sizeof(row.config), "%s", config);
    rows_put(store, rows_insert_run, &row);
}
