/* A folder, a dataset and a store for tests of one run. */
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
    ret->eval_batches = 4; /* twice the run's */
    ret->max_eval_share = 0.9;
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
        char text[LAG_ROW_STRATEGY];
        (void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(pool[request->n_strategies], "|"),
                       pool[request->n_strategies]);
        lagd_strategy_request_defaults(entry);
        if (strchr(text, ' ')) OK(lagd_strategy_decode(text, entry, &err));
        else (void)lag_copy(entry->op, sizeof(entry->op), text);
    }
    struct lagd_growth_plan *plan = NULL;
    OK(lagd_growth_plan_make(NULL, request, &run, fixture->deps.n_threads, &plan, &err));
    for (int i = 0; i < request->n_strategies; i++) {
        const char *recipe = strchr(pool[i], '|');
        if (recipe) (void)lag_copy(plan->candidates[i].recipe, sizeof(plan->candidates[i].recipe), recipe + 1);
    }
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
