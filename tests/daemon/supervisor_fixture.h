/* A supervisor on a fresh state directory, run by a thread, and synchronous commands to it. */
#pragma once
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../slow.h"
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/commands.h>
#include <lagd/daemon/supervisor.h>
#include <lagd/engine/train.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/store.h>

struct fixture {
    char dir[256];
    struct lagd_config config;
    struct lagd_supervisor *s;
    pthread_t thread;
    bool started;
    int status;
};

static inline void fixture_make_dir(struct fixture *f) {
    const char *tmp = getenv("TMPDIR");
    snprintf(f->dir, sizeof(f->dir), "%s/lagd-test-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    lag_fields_defaults(&lagd_config_fields, &f->config);
    snprintf(f->config.state_dir, sizeof(f->config.state_dir), "%s/state", f->dir);
    f->config.threads = 2;
    lag_log_setup(getenv("LAGD_TEST_LOG") ? LAG_LOG_DEBUG : LAG_LOG_ERROR, 0);
}

static void *fixture_loop(void *arg) {
    struct fixture *f = arg;
    struct lag_error err = {0};
    f->status = lagd_supervisor_run(f->s, NULL, NULL, &err);
    if (f->status < 0) fprintf(stderr, "supervisor: %s\n", err.text);
    return NULL;
}

static inline void fixture_start(struct fixture *f) {
    struct lag_error err = {0};
    int status = lagd_supervisor_create(&f->config, &f->s, &err);
    if (status < 0) fprintf(stderr, "create: %s\n", err.text);
    assert_int_equal(status, 0);
    assert_int_equal(pthread_create(&f->thread, NULL, fixture_loop, f), 0);
    f->started = true;
}

static inline void fixture_stop(struct fixture *f) {
    if (!f->started) return;
    lagd_supervisor_stop(f->s);
    pthread_join(f->thread, NULL);
    lagd_supervisor_destroy(f->s);
    f->started = false;
    assert_int_equal(f->status, 0);
}

static inline void fixture_remove(struct fixture *f) {
    struct lag_error err = {0};
    assert_int_equal(lag_fs_remove_tree(f->dir, &err), 0);
}

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
};

static inline void fixture_done(struct lagd_command *command) {
    struct waiting *w = command->arg;
    pthread_mutex_lock(&w->lock);
    w->done = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

/* Posts and waits; the status. The command stays the caller's. */
static inline int fixture_call(struct fixture *f, struct lagd_command *command) {
    struct waiting w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    command->done = fixture_done;
    command->arg = &w;
    int status = lagd_supervisor_post(f->s, command);
    if (status < 0) return status;
    pthread_mutex_lock(&w.lock);
    while (!w.done) pthread_cond_wait(&w.cond, &w.lock);
    pthread_mutex_unlock(&w.lock);
    return command->status;
}

static inline struct lagd_command *fixture_command(enum lagd_command_type type, const char *target) {
    struct lagd_command *command = lagd_command_create(type);
    assert_non_null(command);
    if (target) (void)lag_copy(command->target, sizeof(command->target), target);
    return command;
}

/* Calls, checks the status, frees; the id. */
static inline void fixture_do(struct fixture *f, enum lagd_command_type type, const char *target, int want,
                              char ret_id[LAG_ROW_ID]) {
    struct lagd_command *command = fixture_command(type, target);
    int status = fixture_call(f, command);
    if (status != want)
        fprintf(stderr, "%s %s: %d %s\n", lagd_command_name(type), target ? target : "", status, command->err.text);
    assert_int_equal(status, want);
    if (ret_id) memcpy(ret_id, command->id, LAG_ROW_ID);
    lagd_command_destroy(command);
}

static inline void fixture_add_text(struct fixture *f, const char *name) {
    struct lagd_command *command = fixture_command(LAGD_DATASET_ADD, NULL);
    struct lagd_dataset_add *add = command->u.dataset = calloc(1, sizeof(*add));
    snprintf(add->upload, sizeof(add->upload), "%s/upload", f->dir);
    snprintf(add->name, sizeof(add->name), "%s", name);
    snprintf(add->file_name, sizeof(add->file_name), "words.txt");
    FILE *file = fopen(add->upload, "w");
    assert_non_null(file);
    for (int i = 0; i < 2000; i++)
        fprintf(file, "the %d little words of %s go on and on.\n", i % 37, i % 3 ? "spring" : "autumn");
    fclose(file);
    int status = fixture_call(f, command);
    if (status < 0) fprintf(stderr, "add: %s\n", command->err.text);
    assert_int_equal(status, 0);
    lagd_command_destroy(command);
}

/* A tiny run of max_steps. */
static inline struct lagd_run_config *fixture_run_config(const char *name, int64_t max_steps) {
    struct lagd_run_config *config = calloc(1, sizeof(*config));
    assert_non_null(config);
    lag_fields_defaults(&lagd_run_fields, config);
    snprintf(config->name, sizeof(config->name), "%s", name);
    snprintf(config->dataset, sizeof(config->dataset), "words");
    config->shape.n_layer = 2;
    config->shape.n_head = 2;
    config->shape.n_embd = 16;
    config->shape.n_positions = 16;
    config->sequences = 4;
    config->max_steps = max_steps;
    config->eval_every = 10;
    config->eval_batches = 2;
    config->checkpoint_every = 20;
    return config;
}

static inline void fixture_create_run(struct fixture *f, struct lagd_run_config *config, int want,
                                      char ret_id[LAG_ROW_ID]) {
    struct lagd_command *command = fixture_command(LAGD_RUN_CREATE, NULL);
    command->u.run = config;
    int status = fixture_call(f, command);
    if (status != want) fprintf(stderr, "create run: %d %s\n", status, command->err.text);
    assert_int_equal(status, want);
    if (ret_id) memcpy(ret_id, command->id, LAG_ROW_ID);
    lagd_command_destroy(command);
}

static inline void fixture_row(struct fixture *f, const char *run, struct lag_run_row *ret) {
    struct lag_db *db = NULL;
    struct lag_error err = {0};
    assert_int_equal(lag_reader_open(f->config.state_dir, &db, &err), 0);
    int status = lag_run_get(db, run, ret, &err);
    lag_reader_close(db);
    assert_int_equal(status, 0);
}

/* Waits until the run is in the state, up to 30 s. */
static inline void fixture_wait(struct fixture *f, const char *run, const char *state) {
    struct lag_run_row row;
    for (unsigned i = 0; i < 3000 * slow(); i++) {
        fixture_row(f, run, &row);
        if (strcmp(row.state, state) == 0) return;
        usleep(10000);
    }
    fprintf(stderr, "run %s is %s (%s) at step %lld, not %s\n", run, row.state, row.reason, (long long)row.step, state);
    fail();
}
