/* A folder for one test, a store in it, and rows to begin with. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <lagd/base/error.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <lagd/storage/store.h>

struct fixture {
    char dir[256];
    struct lag_store *store;
    struct lag_db *reader;
    struct lag_error err;
};
/* cmocka set-ups: only a folder; and with a store that holds the rows below and a reader. */
int fixture_folder(void **state);
int fixture_store(void **state);
int fixture_end(void **state);
void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);

/* dataset ds_1 "kjv"; run run_1 "first"; growth gr_1 of it; candidates cand_1, cand_2 at positions 0, 1 */
int fixture_rows(struct lag_db *db, void *arg, struct lag_error *err);
struct lag_dataset_row sample_dataset(const char *id, const char *name);
struct lag_shape sample_shape(int64_t n_layer); /* the run's of 3 layers, with other depth */
struct lag_run_row sample_run(const char *id, const char *name);
struct lag_growth_row sample_growth(const char *id, const char *run_id);
struct lag_candidate_row sample_candidate(const char *id, const char *growth_id, int64_t position);

/* Runs SQL on the file past lagd, without any of its guards. Nobody else has the file open. */
void run_sql(struct fixture *f, const char *sql);
/* Makes the file as a lagd with this schema left it, with a row in every table of schema 1. */
void make_old(struct fixture *f, int version);
/* Overwrites the first page of a table with noise. Nobody has the file open. */
void damage_root_page(struct fixture *f, const char *table);
/* Runs fn as a write and fails the test when it fails. */
void write_ok(struct fixture *f, lag_write_fn *fn, void *arg);
/* Until nothing is left of what was deleted, and what may go has gone. */
void wait_for_sweep(struct fixture *f);
int64_t open_series(struct fixture *f, const char *owner, const char *key, bool exact);
void put_points(struct fixture *f, const struct lag_point *points, size_t n);
#define assert_shape(shape, ...)                                                                                       \
    assert_memory_equal(&(shape), (&(struct lag_shape){__VA_ARGS__}), sizeof(struct lag_shape))
#define assert_ok(f, call)                                                                                             \
    do {                                                                                                               \
        int rc_ = (call);                                                                                              \
        if (rc_) fail_msg("%s is %d: %s", #call, rc_, (f)->err.text);                                                  \
    } while (0)
