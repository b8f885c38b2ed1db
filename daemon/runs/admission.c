/* Memory admission: what runs and growths are predicted to need at their peak, against what there is. */
#include "plan/batches_internal.h"
#include "plan/growth_cost_internal.h"
#include "plan/run_config_internal.h"
#include "runs/runs_internal.h"
#include "stages/ahead_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/host.h>
#include <lagd/base/parse.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/stages.h>
#include <inttypes.h>
#include <string.h>

struct memory {
    int64_t limit, reserve, reserved, available; /* limit: all runs together; available: now, beside what is reserved */
};

/* Thread: any. */
static struct memory measure(struct lagd_runs *runs) {
    struct lagd_config config;
    lagd_settings_get(runs->settings, &config);
    int64_t total = (int64_t)lag_host_memory_total_bytes();
    int64_t free_now = (int64_t)lag_host_memory_available_bytes();
    struct memory m = {.reserve = config.memory_reserve_bytes, .reserved = atomic_load(&runs->reserved_bytes)};
    m.limit = config.memory_limit_bytes > 0 ? LAG_MIN(config.memory_limit_bytes, total) : total;
    /* Runs that have just begun have not touched all of their memory yet: that part is still counted as free. */
    int64_t untouched = LAG_MAX(0, m.reserved - (int64_t)lag_host_rss_bytes());
    m.available = LAG_MIN(m.limit - m.reserved, free_now - untouched) - m.reserve;
    m.available = LAG_MAX(0, m.available);
    return m;
}

int64_t lagd_admission_available(struct lagd_runs *runs) { return measure(runs).available; }

int64_t lagd_admission_limit(struct lagd_runs *runs) { return measure(runs).limit; }

int lagd_admission_check(struct lagd_runs *runs, const char *what, int64_t need_bytes, bool alone,
                         struct lag_error *err) {
    struct memory m = measure(runs);
    int64_t granted = alone ? LAG_MAX(0, m.limit - m.reserve) : m.available;
    if (need_bytes <= granted) return 0;
    const int64_t bytes[] = {need_bytes, granted, m.limit, m.reserved, m.reserve};
    char text[LAG_COUNT(bytes)][16];
    for (size_t i = 0; i < LAG_COUNT(bytes); i++) lag_bytes_text((uint64_t)LAG_MAX(bytes[i], 0), text[i]);
    return lag_error_set(
        err, LAG_EFIT,
        "%s is predicted to need %s of memory, but %s can be granted (limit %s, %s reserved by active runs, %s kept "
        "free): choose a smaller model or batch, pause another run, or raise train/memory_limit_bytes",
        what, text[0], text[1], text[2], text[3], text[4]);
}

static int count_candidate(const struct lag_candidate_row *row, void *arg) {
    (void)row;
    ++*(int *)arg;
    return 0;
}

static int add_parent(const struct lag_growth_parent_row *row, void *arg) {
    *(int64_t *)arg += row->memory_bytes;
    return 0;
}

/* Of the run with one growth. config: as the run is when that begins. */
static int growth_need(struct lagd_runs *runs, const struct lag_run_row *row, const struct lagd_run_config *config,
                       const struct lag_growth_row *growth, int64_t *ret, struct lag_error *err) {
    struct lagd_growth_request request;
    int n_candidates = 0;
    int64_t parents_bytes = 0;
    int rc = lag_fields_parse(&lagd_growth_fields, &request, growth->request, err);
    if (rc == 0) rc = lag_candidate_list(runs->db, growth->id, count_candidate, &n_candidates, err);
    if (rc == 0) rc = lag_growth_parent_list(runs->db, growth->id, add_parent, &parents_bytes, err);
    if (rc < 0) return rc;
    int parallel =
        (int)(request.parallel > 0 ? LAG_MIN(request.parallel, runs->deps->n_threads) : runs->deps->n_threads);
    const struct lag_probe_plan probe = {.steps = LAG_MAX(growth->probe_steps, request.max_steps),
                                         .n_batches = (int)growth->n_batches,
                                         .stride = (int)growth->eval_stride,
                                         .eval_sequences = (int)growth->eval_sequences};
    const struct lagd_growth_load load = {.run = row, .config = config, .to = growth->to,
                                          .tokens_per_sequence = growth->tokens_per_sequence,
                                          .parents_bytes = parents_bytes, .n_candidates = n_candidates,
                                          .n_workers = LAG_MIN(parallel, LAG_MAX(n_candidates, 1)),
                                          .probe = &probe,
                                          .keeps_best = strcmp(growth->mode, "manual") != 0};
    *ret = lagd_growth_peak(&load, runs->deps->n_threads);
    return 0;
}

/* The most that any growth ahead, or any stage of its plan, will need: none of them is left for want of memory once it
 * is its turn. */
static int64_t growths_need(struct lagd_runs *runs, const struct lag_run_row *row,
                            const struct lagd_run_config *config) {
    struct lagd_ahead ahead;
    int64_t most = 0;
    if (lag_stages_memory(runs->db, row->id, &most, NULL) < 0) most = 0;
    if (!row->growth_id[0] || lagd_ahead_read(runs->db, row->id, &ahead, NULL) < 0) return most;
    struct lagd_run_config then = *config;
    for (int i = 0; i < ahead.n; i++) {
        int64_t need = 0;
        then.shape = ahead.rows[i].from;
        if (growth_need(runs, row, &then, &ahead.rows[i], &need, NULL) == 0) /* recovery mends other rows */
            most = LAG_MAX(most, need);
        (void)lagd_batches_with(row, ahead.rows[i].tokens_per_sequence, &then, NULL);
    }
    lagd_ahead_deinit(&ahead);
    return most;
}

int lagd_admission_need(struct lagd_runs *runs, const struct lag_run_row *row, int64_t *ret_bytes,
                        struct lag_error *err) {
    struct lagd_run_config config;
    int rc = lagd_run_config_parse(row->config, &config, err);
    if (rc == 0) rc = lagd_batches_at(row, row->step, &config, err);
    if (rc < 0) return lag_error_wrap(err, "run %s has a configuration that cannot be read", row->id);
    config.shape = row->shape;
    struct lagd_run_estimate estimate;
    rc = lagd_run_estimate(&config, runs->deps->n_threads, &estimate, err);
    if (rc < 0) return rc;
    *ret_bytes = LAG_MAX(estimate.memory_bytes, growths_need(runs, row, &config));
    return 0;
}

void lagd_admission_count(struct lagd_runs *runs) {
    int64_t sum = 0;
    for (int i = 0; i < runs->n_active; i++) {
        struct lag_run_row row;
        int64_t need = 0;
        if (lag_run_get(runs->db, runs->active[i]->id, &row, NULL) < 0 ||
            lagd_admission_need(runs, &row, &need, NULL) < 0)
            continue;
        sum += need;
    }
    atomic_store(&runs->reserved_bytes, sum);
}
