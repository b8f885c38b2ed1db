/* The folder, the store and the first rows that the tests of storage begin with. */
#include "fixture.h"
#include "migrate_internal.h"
#include <lagd/base/fs.h>
#include <lagd/base/hash.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int fixture_folder(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    const char *tmp = getenv("TMPDIR");
    assert_non_null(f);
    (void)snprintf(f->dir, sizeof f->dir, "%s/lagd-storage-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    *state = f;
    return 0;
}

void fixture_open(struct fixture *f) {
    assert_ok(f, lag_store_open(f->dir, &f->store, &f->err));
    assert_ok(f, lag_reader_open(f->dir, &f->reader, &f->err));
}

void fixture_close(struct fixture *f) {
    lag_reader_close(f->reader);
    lag_store_close(f->store);
    f->reader = NULL;
    f->store = NULL;
}

int fixture_store(void **state) {
    (void)fixture_folder(state);
    struct fixture *f = *state;
    fixture_open(f);
    write_ok(f, fixture_rows, NULL);
    return 0;
}

int fixture_end(void **state) {
    struct fixture *f = *state;
    fixture_close(f);
    assert_ok(f, lag_fs_remove_tree(f->dir, &f->err));
    free(f);
    return 0;
}

struct lag_dataset_row sample_dataset(const char *id, const char *name) {
    struct lag_dataset_row row = {.origin = "upload", .path = "/data/kjv.txt", .format = "text", .n_bytes = 4404445,
        .n_tokens = 4404445, .max_id = 255, .vocab_size = 256, .sha256 = "ab", .created_ms = 1000};
    (void)snprintf(row.id, sizeof row.id, "%s", id);
    (void)snprintf(row.name, sizeof row.name, "%s", name);
    return row;
}

struct lag_shape sample_shape(int64_t n_layer) {
    return (struct lag_shape){.n_layer = n_layer, .n_head = 4, .n_embd = 128, .n_inner = 512, .n_positions = 64,
                              .vocab_size = 256};
}

struct lag_run_row sample_run(const char *id, const char *name) {
    struct lag_run_row row = {.dataset_id = "ds_1", .state = "queued", .reason = "waits", .config = "a=1\nb=2\n",
        .shape = sample_shape(3), .n_params = 1000000,
        .step = 5, .max_steps = 600, .tokens = 5120, .flops = 1.5e12, .lr_scale = 1, .n_rollbacks = 2,
        .rollback_step = -1,
        .growth_id = "gr_9", .revision = 1, .created_ms = 2000, .updated_ms = 2001};
    (void)snprintf(row.id, sizeof row.id, "%s", id);
    (void)snprintf(row.name, sizeof row.name, "%s", name);
    return row;
}

struct lag_growth_row sample_growth(const char *id, const char *run_id) {
    struct lag_growth_row row = {.state = "waiting", .reason = "at step 300", .mode = "auto",
        .request = "pool=default\n",
        .at_step = 300, .start_step = -1, .from = sample_shape(3), .to = sample_shape(6), .probe_steps = 50,
        .n_batches = 4, .eval_sequences = 32, .eval_stride = 1, .parent_loss = NAN, .revision = 1,
        .created_ms = 3000, .updated_ms = 3000};
    (void)snprintf(row.id, sizeof row.id, "%s", id);
    (void)snprintf(row.run_id, sizeof row.run_id, "%s", run_id);
    return row;
}

struct lag_candidate_row sample_candidate(const char *id, const char *growth_id, int64_t position) {
    struct lag_candidate_row row = {.position = position, .op = "midas", .strategy = "midas(b=1)", .names = "midas, x",
        .recipe = "0 1 1 1 1 2", .eligible = true, .state = "waiting", .reason = "", .t = 0, .n_params = 2000000,
        .rewarm_steps = 12, .loss_at_0 = NAN, .loss_at_lag = NAN, .flops = 0};
    (void)snprintf(row.id, sizeof row.id, "%s", id);
    (void)snprintf(row.growth_id, sizeof row.growth_id, "%s", growth_id);
    return row;
}

int fixture_rows(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lag_dataset_row dataset = sample_dataset("ds_1", "kjv");
    struct lag_run_row run = sample_run("run_1", "first");
    struct lag_growth_row growth = sample_growth("gr_1", "run_1");
    int64_t number;
    int rc = lag_dataset_insert(db, &dataset, err);
    if (!rc) rc = lag_run_insert(db, &run, err);
    if (!rc) rc = lag_growth_insert(db, &growth, err);
    for (int i = 0; i < 2 && !rc; i++) {
        struct lag_candidate_row candidate = sample_candidate(i ? "cand_2" : "cand_1", "gr_1", i);
        rc = lag_candidate_insert(db, &candidate, &number, err);
    }
    return rc;
}

void run_sql(struct fixture *f, const char *sql) {
    char path[400], *text = NULL;
    sqlite3 *db;
    (void)snprintf(path, sizeof path, "%s/lagd.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &text)) fail_msg("%s in: %s", text, sql);
    (void)sqlite3_close(db);
}

void make_old(struct fixture *f, int version) {
    char *rows, sha[LAG_SHA256_HEX], text[300];
    size_t length;
    assert_ok(f, lag_fs_read_file(LAG_GOLDEN_SQL, 100000, &rows, &length, &f->err));
    for (int i = 0; i < version; i++) {
        const struct lag_migration *migration = &lag_migrations[i];
        run_sql(f, migration->sql);
        if (i == 0) run_sql(f, rows);
        lag_sha256_bytes(migration->sql, strlen(migration->sql), sha);
        (void)snprintf(text, sizeof text,
                       "INSERT INTO schema_history VALUES (%d, '0.1.0', '%s', 1); PRAGMA user_version "
                       "= %d; PRAGMA application_id = %d; PRAGMA journal_mode = WAL", i + 1, sha, i + 1,
                       LAG_APPLICATION_ID);
        run_sql(f, text);
    }
    free(rows);
}

void damage_root_page(struct fixture *f, const char *table) {
    char path[400];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    (void)snprintf(path, sizeof path, "%s/lagd.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_schema WHERE name = ?", -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t page = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, (page - 1) * 4096, SEEK_SET), 0);
    assert_int_equal(fwrite("\xff\xff\xff\xff\xff\xff\xff\xff", 1, 8, file), 8);
    assert_int_equal(fclose(file), 0);
}

void write_ok(struct fixture *f, lag_write_fn *fn, void *arg) {
    assert_ok(f, lag_store_write(f->store, fn, arg, &f->err));
}

void wait_for_sweep(struct fixture *f) {
    const struct timespec pause = {.tv_nsec = 5000000};
    int64_t n;
    while (lag_store_sweeps(f->store, &n)) (void)nanosleep(&pause, NULL);
}

struct series_request {
    const char *owner, *key;
    bool exact;
    int64_t id;
};

static int do_open_series(struct lag_db *db, void *arg, struct lag_error *err) {
    struct series_request *request = arg;
    return lag_series_open(db, request->owner, request->key, request->exact, &request->id, err);
}

int64_t open_series(struct fixture *f, const char *owner, const char *key, bool exact) {
    struct series_request request = {owner, key, exact, 0};
    write_ok(f, do_open_series, &request);
    return request.id;
}

void put_points(struct fixture *f, const struct lag_point *points, size_t n) {
    assert_ok(f, lag_store_points(f->store, points, n, &f->err));
    assert_ok(f, lag_store_flush(f->store, &f->err));
}
