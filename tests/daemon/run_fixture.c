/* A folder, a dataset and a store for tests of one run. */
#include "../slow.h"
#include "run_fixture.h"

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

#define OK(call) \
    do { \
        struct lag_error err = {0}; \
        int rc_ = (call); \
        if (rc_ != 0) fail_msg("%s: %d %s", #call, rc_, err.text); \
    } while (0)

static void nap(void) {
    const struct timespec time = {.tv_nsec = 1000000};
    (void)nanosleep(&time, NULL);
}

/* --- the daemon's parts --- */

static int insert_dataset(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_dataset_insert(db, arg, err);
}

/* Words of a small vocabulary in an order that has some structure: there is something to learn. */
static void write_text(const char *path) {
    static const char *const words[] = {"the ", "layer ", "grows ", "and ", "learns ",
                                        "a ",   "small ", "lag ",   "of ",  "steps. "};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    uint32_t state = 12345;
    for (int i = 0; i < 4000; i++) {
        state = state * 1664525u + 1013904223u;
        (void)fputs(words[((state >> 28) + (unsigned)i) % 10], file);
    }
    assert_int_equal(fclose(file), 0);
}

static void add_dataset(struct fixture *fixture) {
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/text.txt", fixture->dir);
    write_text(path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    struct lag_dataset_info info;
    OK(lag_dataset_inspect(fd, "text.txt", "auto", 0, NULL, &info, &err));
    (void)close(fd);
    struct lag_dataset_row *row = &fixture->dataset;
    lag_id_new("ds", row->id);
    (void)lag_copy(row->name, sizeof(row->name), "text");
    (void)lag_copy(row->origin, sizeof(row->origin), "file");
    (void)lag_copy(row->path, sizeof(row->path), path);
    (void)lag_copy(row->format, sizeof(row->format), lag_token_format_name(info.format));
    (void)lag_copy(row->sha256, sizeof(row->sha256), info.sha256);
    row->n_bytes = (int64_t)info.n_bytes;
    row->n_tokens = (int64_t)info.n_tokens;
    row->max_id = info.max_id;
    row->vocab_size = info.vocab_size;
    OK(lag_store_write(fixture->deps.store, insert_dataset, row, &err));
}

static void open_parts(struct fixture *fixture, int n_threads) {
    struct lagd_deps *deps = &fixture->deps;
    (void)lag_copy(deps->state_dir, sizeof(deps->state_dir), fixture->dir);
    deps->n_threads = n_threads;
    deps->keep_checkpoints = 3;
    deps->probe_checkpoint_s = 60;
    OK(lag_store_open(fixture->dir, &deps->store, &err));
    OK(lagd_slots_create(n_threads, &deps->slots, &err));
    OK(lagd_pool_create("probe", n_threads, &deps->probes, &err));
}

void fixture_open(struct fixture *fixture, int n_threads) {
    memset(fixture, 0, sizeof(*fixture));
    /* In memory where there is such a place: what is tested here is order, not the disk. */
    bool has_memory = access("/dev/shm", W_OK | X_OK) == 0;
    (void)snprintf(fixture->dir, sizeof(fixture->dir), "%s/lagd-test-XXXXXX", has_memory ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(fixture->dir));
    open_parts(fixture, n_threads);
    add_dataset(fixture);
}

static int get_dataset(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_dataset_get(db, "text", arg, err);
}

void fixture_reopen(struct fixture *fixture, const char *dir, int n_threads) {
    memset(fixture, 0, sizeof(*fixture));
    (void)lag_copy(fixture->dir, sizeof(fixture->dir), dir);
    open_parts(fixture, n_threads);
    OK(lagd_read(&fixture->deps, get_dataset, &fixture->dataset, &err));
}

void fixture_leave(struct fixture *fixture) {
    struct lagd_deps *deps = &fixture->deps;
    lagd_pool_destroy(deps->probes);
    assert_int_equal(lagd_slots_used(deps->slots), 0);
    lagd_slots_destroy(deps->slots);
    lag_store_close(deps->store);
}

void fixture_close(struct fixture *fixture) {
    fixture_leave(fixture);
    OK(lag_fs_remove_tree(fixture->dir, &err));
}

/* --- runs --- */

void fixture_config(struct lagd_run_config *ret, const char *name, int64_t max_steps) {
    memset(ret, 0, sizeof(*ret));
    lag_fields_defaults(&lagd_run_fields, ret);
    (void)lag_copy(ret->name, sizeof(ret->name), name);
    (void)lag_copy(ret->dataset, sizeof(ret->dataset), "text");
    ret->shape.n_layer = 2;
    ret->shape.n_head = 2;
    ret->shape.n_embd = 16;
    ret->shape.n_positions = 16;
    ret->sequences = 4;
    ret->lr = 3e-3;
    ret->warmup_steps = 3;
    ret->max_steps = max_steps;
    ret->eval_every = 5;
    ret->eval_batches = 2;
    ret->checkpoint_every = 7;
}

static int insert_run(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lagd_post post = {.machine = LAGD_MACHINE_RUN, .event = LAGD_RUN_ON_CREATED, .row = arg,
                                   .step = LAG_NO_STEP};
    return lagd_tx_post(db, &post, NULL, err);
}

void fixture_create_run(struct fixture *fixture, const struct lagd_run_config *config, char ret_id[LAG_ROW_ID]) {
    struct lagd_run_config resolved = *config;
    OK(lagd_run_config_resolve(&resolved, &fixture->dataset, &err));
    struct lag_run_row row = {.shape = resolved.shape, .max_steps = resolved.max_steps, .lr_scale = 1,
                              .rollback_step = -1};
    struct lag_spec spec;
    lagd_run_spec(&resolved, &spec);
    row.n_params = (int64_t)lag_spec_params(&spec);
    lag_id_new("run", row.id);
    (void)lag_copy(row.name, sizeof(row.name), resolved.name);
    (void)lag_copy(row.dataset_id, sizeof(row.dataset_id), fixture->dataset.id);
    OK(lagd_run_config_format(&resolved, row.config, &err));
    OK(lag_store_write(fixture->deps.store, insert_run, &row, &err));
    (void)lag_copy(ret_id, LAG_ROW_ID, row.id);
}

/* What the supervisor does with a run that was paused, or left by a stop or a crash. */
static int queue_again(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_run_row *row = arg;
    if (lagd_run_is(row->state, LAGD_RUN_PAUSED)) return lagd_tx_run_event(db, row->id, LAGD_RUN_ON_RESUME, "", err);
    int rc = 0;
    if (lagd_state_find(LAGD_MACHINE_RUN, row->state)->live)
        rc = lagd_tx_run_event(db, row->id, LAGD_RUN_ON_CRASHED, "", err);
    return rc == 0 ? lagd_tx_run_event(db, row->id, LAGD_RUN_ON_RESTARTED, "", err) : rc;
}

struct lagd_run *fixture_start(struct fixture *fixture, const char *run_id) {
    struct lag_run_row row;
    fixture_get_run(fixture, run_id, &row);
    if (!lagd_run_is(row.state, LAGD_RUN_QUEUED)) OK(lag_store_write(fixture->deps.store, queue_again, &row, &err));
    fixture_get_run(fixture, run_id, &row);
    struct lagd_run *run = NULL;
    OK(lagd_run_start(&fixture->deps, &row, NULL, NULL, &run, &err));
    return run;
}

void fixture_run_to(struct fixture *fixture, const char *run_id, const char *state) {
    lagd_run_join(fixture_start(fixture, run_id));
    struct lag_run_row row;
    fixture_get_run(fixture, run_id, &row);
    if (strcmp(row.state, state) != 0) fail_msg("the run is %s (%s), not %s", row.state, row.reason, state);
}

void fixture_wait_step(struct fixture *fixture, const char *run_id, int64_t step) {
    for (unsigned i = 0; i < 20000 * slow(); i++) {
        struct lag_error err = {0};
        (void)lag_store_flush(fixture->deps.store, &err);
        if (fixture_count_points(fixture, run_id, "train/loss") >= step) return;
        nap();
    }
    fail_msg("step %lld was not reached", (long long)step);
}

/* --- growths --- */

void fixture_growth_request(struct lagd_growth_request *ret, int64_t at_step, int64_t probe_steps) {
    lagd_growth_request_defaults(ret);
    ret->target.n_layer = 4;
    ret->at_step = at_step;
    ret->probe_steps = probe_steps;
    ret->eval_every = 4;
    ret->eval_batches = 3;
    ret->divergence_bound = 20;
}

struct new_growth {
    struct lag_growth_row row;
    const struct lagd_growth_plan *plan;
};

static int insert_growth(struct lag_db *db, void *arg, struct lag_error *err) {
    struct new_growth *new_growth = arg;
    const struct lagd_post post = {.machine = LAGD_MACHINE_GROWTH, .event = LAGD_GROWTH_ON_CREATED,
                                   .row = &new_growth->row, .step = LAG_NO_STEP};
    int rc = lagd_tx_post(db, &post, NULL, err);
    for (int i = 0; rc == 0 && i < new_growth->plan->n_candidates; i++) {
        const struct lagd_candidate_plan *from = &new_growth->plan->candidates[i];
        struct lag_candidate_row row = {.position = i, .eligible = from->eligible, .n_params = from->n_params,
                                        .rewarm_steps = from->rewarm_steps, .loss_at_0 = NAN,
                                        .loss_at_lag = NAN};
        lag_id_new("cand", row.id);
        (void)lag_copy(row.growth_id, sizeof(row.growth_id), new_growth->row.id);
        (void)lag_copy(row.op, sizeof(row.op), from->op);
        (void)lag_copy(row.strategy, sizeof(row.strategy), from->strategy);
        (void)lag_copy(row.names, sizeof(row.names), from->names);
        (void)lag_copy(row.recipe, sizeof(row.recipe), from->recipe);
        const struct lagd_post created = {.machine = LAGD_MACHINE_CANDIDATE, .event = LAGD_CANDIDATE_ON_CREATED,
                                          .row = &row};
        rc = lagd_tx_post(db, &created, NULL, err);
    }
    if (rc == 0) rc = lag_run_set_growth(db, new_growth->row.run_id, new_growth->row.id, err);
    return rc;
}

void fixture_create_growth(struct fixture *fixture, const char *run_id, struct lagd_growth_request *request,
                           const char *const *pool, char ret_id[LAG_ROW_ID]) {
    struct lag_run_row run;
    fixture_get_run(fixture, run_id, &run);
    for (request->n_strategies = 0; pool[request->n_strategies][0]; request->n_strategies++) {
        struct lagd_strategy_request *entry = &request->strategies[request->n_strategies];
        *entry = (struct lagd_strategy_request){.rewarm_steps = -1, .seed = -1};
        (void)lag_copy(entry->op, sizeof(entry->op), pool[request->n_strategies]);
    }
    struct lagd_growth_plan *plan = NULL;
    OK(lagd_growth_plan_make(request, &run, fixture->deps.n_threads, &plan, &err));
    struct new_growth new_growth = {.plan = plan};
    struct lag_growth_row *row = &new_growth.row;
    *row = (struct lag_growth_row){.at_step = request->at_step, .start_step = -1, .from = plan->from, .to = plan->to,
                                   .probe_steps = request->probe_steps, .parent_loss = NAN};
    lag_id_new("gr", row->id);
    (void)lag_copy(row->run_id, sizeof(row->run_id), run_id);
    (void)lag_copy(row->mode, sizeof(row->mode), request->mode);
    struct lag_strbuf text = LAG_STRBUF_INIT;
    lag_fields_format(&lagd_growth_fields, request, &text);
    (void)lag_copy(row->request, sizeof(row->request), text.data);
    lag_strbuf_deinit(&text);
    OK(lag_store_write(fixture->deps.store, insert_growth, &new_growth, &err));
    (void)lag_copy(ret_id, LAG_ROW_ID, row->id);
    free(plan);
}

void fixture_wait_growth(struct fixture *fixture, const char *growth_id, const char *state) {
    struct lag_growth_row row;
    for (unsigned i = 0; i < 20000 * slow(); i++) {
        fixture_get_growth(fixture, growth_id, &row);
        if (strcmp(row.state, state) == 0) return;
        nap();
    }
    fail_msg("the growth is %s (%s), not %s", row.state, row.reason, state);
}

struct deciding {
    const char *growth_id, *candidate;
    enum lagd_growth_event event;
};

static int write_decision(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct deciding *deciding = arg;
    int rc = 0;
    if (deciding->candidate) {
        struct lag_decision_row row;
        rc = lag_decision_get(db, deciding->growth_id, &row, err);
        if (rc != 0) return rc;
        (void)lag_copy(row.candidate, sizeof(row.candidate), deciding->candidate);
        (void)lag_copy(row.decided_by, sizeof(row.decided_by), "user");
        rc = lag_decision_put(db, &row, err);
    }
    return rc == 0 ? lagd_tx_growth_event(db, deciding->growth_id, deciding->event, "a person said so", err) : rc;
}

void fixture_decide(struct fixture *fixture, const char *growth_id, enum lagd_growth_event event,
                    const char *candidate) {
    struct deciding deciding = {growth_id, candidate, event};
    OK(lag_store_write(fixture->deps.store, write_decision, &deciding, &err));
}

/* --- reading --- */

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
