/* What tests read of a run: rows, points, and histories that are compared. */
#include "../slow.h"
#include "run_fixture.h"
#include "run_fixture_parts.h"
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "checkpoint/checkpoint_internal.h"
#include "exec/pool_internal.h"
#include "plan/run_config_internal.h"
#include "exec/slots_internal.h"
#include "records/post_internal.h"
#include "records/transact_internal.h"
#include <lagd/daemon/growth_plan.h>
#include <lagd/base/fs.h>
#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <lagd/engine/data.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>

struct query {
    const char *id, *text, *other;
    struct lag_run_row *run;
    struct lag_growth_row *growth;
    struct lag_decision_row *decision;
    struct lag_candidate_row *candidates;
    struct lag_checkpoint_row *checkpoints;
    int n, max;
    struct lag_series_row series;
    int64_t step;
    double value;
};

static void read_rows(struct fixture *fixture, lag_write_fn *fn, struct query *query) {
    OK(lagd_read(&fixture->deps, fn, query, &err));
}

static int get_run(struct lag_db *db, void *arg, struct lag_error *err) {
    struct query *query = arg;
    return lag_run_get(db, query->id, query->run, err);
}
void fixture_get_run(struct fixture *fixture, const char *run_id, struct lag_run_row *ret) {
    read_rows(fixture, get_run, &(struct query){.id = run_id, .run = ret});
}

static int get_growth(struct lag_db *db, void *arg, struct lag_error *err) {
    struct query *query = arg;
    return lag_growth_get(db, query->id, query->growth, err);
}
void fixture_get_growth(struct fixture *fixture, const char *growth_id, struct lag_growth_row *ret) {
    read_rows(fixture, get_growth, &(struct query){.id = growth_id, .growth = ret});
}

static int get_decision(struct lag_db *db, void *arg, struct lag_error *err) {
    struct query *query = arg;
    return lag_decision_get(db, query->id, query->decision, err);
}
void fixture_get_decision(struct fixture *fixture, const char *growth_id, struct lag_decision_row *ret) {
    read_rows(fixture, get_decision, &(struct query){.id = growth_id, .decision = ret});
}

static int put_candidate(const struct lag_candidate_row *row, void *arg) {
    struct query *query = arg;
    if (query->n < query->max) query->candidates[query->n++] = *row;
    return 0;
}
static int list_candidates(struct lag_db *db, void *arg, struct lag_error *err) {
    struct query *query = arg;
    return lag_candidate_list(db, query->id, put_candidate, query, err);
}
int fixture_candidates(struct fixture *fixture, const char *growth_id, struct lag_candidate_row *ret, int max) {
    struct query query = {.id = growth_id, .candidates = ret, .max = max};
    read_rows(fixture, list_candidates, &query);
    return query.n;
}

static int count_event(const struct lag_event_row *row, void *arg) {
    struct query *query = arg;
    if (strcmp(row->type, query->text) == 0 && (!query->other || strcmp(row->state, query->other) == 0)) query->n++;
    return 0;
}
static int list_events(struct lag_db *db, void *arg, struct lag_error *err) {
    struct query *query = arg;
    return lag_event_list(db, 0, query->id, 100000, count_event, query, err);
}
int fixture_count_events(struct fixture *fixture, const char *run_id, const char *type, const char *state) {
    struct query query = {.id = run_id, .text = type, .other = state};
    read_rows(fixture, list_events, &query);
    return query.n;
}

static int put_checkpoint(const struct lag_checkpoint_row *row, void *arg) {
    struct query *query = arg;
    if (query->n < query->max) query->checkpoints[query->n++] = *row;
    return 0;
}
static int list_checkpoints(struct lag_db *db, void *arg, struct lag_error *err) {
    struct query *query = arg;
    return lag_checkpoint_list(db, query->id, put_checkpoint, query, err);
}
int fixture_checkpoints(struct fixture *fixture, const char *run_id, struct lag_checkpoint_row *ret, int max) {
    struct query query = {.id = run_id, .checkpoints = ret, .max = max};
    read_rows(fixture, list_checkpoints, &query);
    return query.n;
}

int fixture_count_folders(struct fixture *fixture, const char *run_id) {
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/runs/%s", fixture->dir, run_id);
    DIR *dir = opendir(path);
    int n = 0;
    for (const struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) n += entry->d_name[0] != '.';
    if (dir) (void)closedir(dir);
    return n;
}

static int find_series(struct lag_db *db, void *arg, struct lag_error *err) {
    struct query *query = arg;
    int rc = lag_series_find(db, query->id, query->text, &query->series, err);
    return rc == LAG_ENOTFOUND ? 0 : rc;
}
int64_t fixture_count_points(struct fixture *fixture, const char *owner, const char *key) {
    struct query query = {.id = owner, .text = key};
    read_rows(fixture, find_series, &query);
    return query.series.n_points;
}

static int find_point(struct lag_db *db, void *arg, struct lag_error *err) {
    struct query *query = arg;
    int rc = lag_series_find(db, query->id, query->text, &query->series, err);
    struct lag_point_cursor *cursor = NULL;
    if (rc == 0) rc = lag_point_cursor_open(db, query->series.id, query->step, &cursor, err);
    if (rc != 0) return rc;
    int64_t step = -1;
    rc = lag_point_cursor_next(cursor, &step, &query->value, err);
    lag_point_cursor_close(cursor);
    if (rc == 1 && step == query->step) return 0;
    return rc < 0 ? rc
                  : lag_error_set(err, LAG_ENOTFOUND, "%s has no point at %lld", query->text, (long long)query->step);
}
double fixture_point(struct fixture *fixture, const char *owner, const char *key, int64_t step) {
    struct query query = {.id = owner, .text = key, .step = step};
    read_rows(fixture, find_point, &query);
    return query.value;
}

/* --- comparing --- */

struct pair {
    const char *owner[2];
    const char *key;
    int64_t n;
};

static int compare_points(struct lag_db *db, void *arg, struct lag_error *err) {
    struct pair *pair = arg;
    struct lag_point_cursor *cursors[2] = {NULL, NULL};
    int rc = 0;
    for (int i = 0; rc == 0 && i < 2; i++) {
        struct lag_series_row row;
        rc = lag_series_find(db, pair->owner[i], pair->key, &row, err);
        if (rc == 0) rc = lag_point_cursor_open(db, row.id, 0, &cursors[i], err);
    }
    for (int more = 1; rc == 0 && more == 1; pair->n += more) {
        int64_t step[2] = {-1, -1};
        double value[2] = {0, 0};
        more = lag_point_cursor_next(cursors[0], &step[0], &value[0], err);
        int other = lag_point_cursor_next(cursors[1], &step[1], &value[1], err);
        if (more != other || step[0] != step[1] || memcmp(&value[0], &value[1], sizeof(double)) != 0)
            rc = lag_error_set(err, LAG_ECORRUPT, "%s: (%lld, %.17g) against (%lld, %.17g)", pair->key,
                               (long long)step[0], value[0], (long long)step[1], value[1]);
    }
    for (int i = 0; i < 2; i++) lag_point_cursor_close(cursors[i]);
    return rc;
}

void fixture_assert_equal_runs(struct fixture *fixture, const char *run_a, const char *run_b) {
    static const char *const keys[] = {"train/loss", "optim/lr", "optim/grad_norm", "val/loss"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        struct pair pair = {{run_a, run_b}, keys[i], 0};
        OK(lagd_read(&fixture->deps, compare_points, &pair, &err));
        assert_true(pair.n > 0);
    }
    struct lag_state *a = NULL, *b = NULL;
    OK(lagd_checkpoint_load_latest(&fixture->deps, run_a, &a, NULL, &err));
    OK(lagd_checkpoint_load_latest(&fixture->deps, run_b, &b, NULL, &err));
    assert_int_equal(a->step, b->step);
    assert_true(lag_state_equal(a, b));
    lag_state_destroy(a);
    lag_state_destroy(b);
}

/* --- one hash of a history --- */

struct digest {
    struct lag_sha256 *hash;
    const char *run_id, *growth_id;
    struct lag_db *db;
    struct lag_error *err;
};

static void add_double(struct digest *digest, double value) { lag_sha256_update(digest->hash, &value, sizeof(value)); }

static int digest_points(struct digest *digest) {
    static const char *const keys[] = {"train/loss", "optim/lr", "optim/grad_norm", "val/loss"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(keys) / sizeof(*keys); i++) {
        struct lag_series_row row;
        struct lag_point_cursor *cursor = NULL;
        rc = lag_series_find(digest->db, digest->run_id, keys[i], &row, digest->err);
        if (rc == 0) rc = lag_point_cursor_open(digest->db, row.id, 0, &cursor, digest->err);
        int64_t step;
        double value;
        int more = rc;
        while (rc == 0 && (more = lag_point_cursor_next(cursor, &step, &value, digest->err)) == 1) {
            lag_sha256_update(digest->hash, &step, sizeof(step));
            add_double(digest, value);
        }
        rc = more;
        lag_point_cursor_close(cursor);
    }
    return rc;
}

static int digest_candidate(const struct lag_candidate_row *row, void *arg) {
    struct digest *digest = arg;
    struct lag_growth_row growth;
    int64_t *t = NULL;
    double *losses = NULL;
    int n = 0, rc = lag_growth_get(digest->db, row->growth_id, &growth, digest->err);
    if (rc == 0)
        rc = lag_probe_losses_get(digest->db, row->number, (int)growth.n_batches, &t, &losses, &n, digest->err);
    if (rc == 0 && n > 0) {
        lag_sha256_update(digest->hash, t, (size_t)n * sizeof(*t));
        lag_sha256_update(digest->hash, losses, (size_t)n * (size_t)growth.n_batches * sizeof(*losses));
    }
    lag_sha256_update(digest->hash, row->state, strlen(row->state));
    add_double(digest, row->loss_at_0);
    add_double(digest, row->loss_at_lag);
    add_double(digest, row->flops);
    free(t);
    free(losses);
    return rc;
}

static int digest_all(struct lag_db *db, void *arg, struct lag_error *err) {
    struct digest *digest = arg;
    digest->db = db;
    digest->err = err;
    int rc = digest_points(digest);
    struct lag_run_row run;
    if (rc == 0) rc = lag_run_get(db, digest->run_id, &run, err);
    if (rc != 0) return rc;
    lag_sha256_update(digest->hash, &run.step, sizeof(run.step));
    lag_sha256_update(digest->hash, &run.tokens, sizeof(run.tokens));
    add_double(digest, run.flops);
    if (!digest->growth_id) return 0;
    struct lag_decision_row decision;
    rc = lag_decision_get(db, digest->growth_id, &decision, err);
    if (rc != 0) return rc;
    lag_sha256_update(digest->hash, decision.verdict, strlen(decision.verdict));
    add_double(digest, decision.margin);
    add_double(digest, decision.tau);
    add_double(digest, decision.flops);
    return lag_candidate_list(db, digest->growth_id, digest_candidate, digest, err);
}

static void digest_state(struct fixture *fixture, struct digest *digest) {
    struct lag_state *state = NULL;
    OK(lagd_checkpoint_load_latest(&fixture->deps, digest->run_id, &state, NULL, &err));
    const size_t n_bytes = state->layout.n_elements * sizeof(*state->params);
    lag_sha256_update(digest->hash, state->params, n_bytes);
    lag_sha256_update(digest->hash, state->m, n_bytes);
    lag_sha256_update(digest->hash, state->v, n_bytes);
    for (int i = 0; i < state->n_segments; i++)
        lag_sha256_update(digest->hash, &state->segments[i].age, sizeof(int64_t));
    lag_state_destroy(state);
}

void fixture_digest(struct fixture *fixture, const char *run_id, const char *growth_id, char ret[65]) {
    struct digest digest = {.run_id = run_id, .growth_id = growth_id};
    assert_int_equal(lag_sha256_create(&digest.hash), 0);
    OK(lagd_read(&fixture->deps, digest_all, &digest, &err));
    digest_state(fixture, &digest);
    lag_sha256_finish(digest.hash, ret);
}
