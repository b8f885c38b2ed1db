/* Growths that lie ahead of a run. */
#include "stages/ahead_internal.h"

#include "plan/batches_internal.h"
#include "plan/pool_text_internal.h"
#include "plan/shape_internal.h"
#include "records/transact_internal.h"
#include "stages/growth_rows_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/operators.h>
#include <lagd/daemon/prior.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- the list ---------------------------------------------------------------------------------------------------- */

static int collect(const struct lag_growth_row *row, void *arg) {
    struct lagd_ahead *ahead = arg;
    if (lagd_state_has_ended(LAGD_MACHINE_GROWTH, row->state)) return 0;
    if (lag_grow_array((void **)&ahead->rows, &ahead->capacity, (size_t)ahead->n + 1, sizeof(*ahead->rows)) < 0)
        return LAG_ENOMEM;
    ahead->rows[ahead->n++] = *row;
    return 0;
}

static bool is_queued(const struct lag_growth_row *row) { return lagd_growth_is(row->state, LAGD_GROWTH_QUEUED); }

/* The one under way, then by step, then by age, of which ids tell. */
static int by_turn(const void *left, const void *right) {
    const struct lag_growth_row *a = left, *b = right;
    if (is_queued(a) != is_queued(b)) return is_queued(a) ? 1 : -1;
    if (a->at_step != b->at_step) return a->at_step < b->at_step ? -1 : 1;
    return strcmp(a->id, b->id);
}

int lagd_ahead_read(struct lag_db *db, const char *run_id, struct lagd_ahead *ret, struct lag_error *err) {
    struct lagd_ahead ahead = {0};
    int rc = lag_growth_list(db, run_id, INT32_MAX, collect, &ahead, err);
    if (rc == LAG_ENOMEM) (void)lag_error_set(err, rc, "out of memory while looking at a run's growths");
    if (rc != 0) {
        free(ahead.rows);
        return rc;
    }
    if (ahead.n > 0) qsort(ahead.rows, (size_t)ahead.n, sizeof(*ahead.rows), by_turn);
    *ret = ahead;
    return 0;
}

void lagd_ahead_deinit(struct lagd_ahead *ahead) {
    free(ahead->rows);
    *ahead = (struct lagd_ahead){0};
}

int64_t lagd_ahead_begins(const struct lag_run_row *run, const struct lag_growth_row *growth) {
    return LAG_MAX(is_queued(growth) ? growth->at_step : growth->start_step, run->step);
}

/* --- the place of another one ------------------------------------------------------------------------------------ */

static int check_before(const struct lag_run_row *run, const struct lag_growth_row *before, int64_t at,
                        struct lag_error *err) {
    const int64_t begins = lagd_ahead_begins(run, before), ends = begins + before->probe_steps;
    if (at < 0)
        return lag_error_set(err, LAG_ESTATE, "run %s has growth %s already, which is %s: say with when/at_step when "
                             "the next one begins, at step %" PRId64 " or later, or cancel it", run->name, before->id,
                             before->state, ends);
    if (at >= ends) return 0;
    return lag_error_set(err, LAG_ESTATE, "growth %s of run %s begins at step %" PRId64 " and is probed until step %"
                         PRId64 ": ask for when/at_step %" PRId64 " or later, or cancel it", before->id, run->name,
                         begins, ends, ends);
}

static int check_after(const struct lag_run_row *run, const struct lag_growth_row *after,
                       const struct lagd_growth_request *request, const struct lag_shape *to, struct lag_error *err) {
    const int64_t ends = LAG_MAX(request->at_step, run->step) + request->probe_steps, begins = after->at_step;
    char change[LAGD_SHAPE_CHANGE];
    if (ends > begins)
        return lag_error_set(err, LAG_ESTATE, "growth %s of run %s begins at step %" PRId64 ", and this one would be "
                             "probed until step %" PRId64 ": ask for an earlier or a shorter one, or cancel that",
                             after->id, run->name, begins, ends);
    if (lagd_shape_is_within(to, &after->to) && !lagd_shape_equal(to, &after->to)) return 0;
    lagd_shape_change(to, &after->to, change);
    return lag_error_set(err, LAG_ESTATE, "growth %s of run %s comes after this one, and would have to go from %s: ask "
                         "for less than that is to have, or cancel it", after->id, run->name, change);
}

int lagd_ahead_place(const struct lagd_ahead *ahead, const struct lagd_growth_request *request, struct lag_run_row *run,
                     struct lag_error *err) {
    int i = 0, rc = 0;
    struct lag_shape to;
    if (ahead->n >= LAGD_AHEAD_MAX)
        return lag_error_set(err, LAG_ESTATE, "run %s has %d growths ahead, as many as it may: wait for one, or cancel "
                             "one", run->name, ahead->n);
    while (i < ahead->n && (!is_queued(&ahead->rows[i]) || ahead->rows[i].at_step <= request->at_step)) i++;
    const struct lag_growth_row *before = i > 0 ? &ahead->rows[i - 1] : NULL;
    if (before) {
        rc = check_before(run, before, request->at_step, err);
        for (int k = 0; k < i && rc == 0; k++) {
            const struct lag_growth_row *row = &ahead->rows[k];
            rc = lagd_batches_add(run, lagd_ahead_begins(run, row), row->tokens_per_sequence, err);
        }
        if (rc != 0) return rc;
        run->step = lagd_ahead_begins(run, before) + before->probe_steps;
        run->shape = before->to;
    }
    rc = lagd_shape_aim(&run->shape, &request->target, &to, err);
    if (rc == 0 && i < ahead->n) rc = check_after(run, &ahead->rows[i], request, &to, err);
    return rc;
}

int lagd_growth_plan_read(struct lag_db *db, const struct lagd_growth_request *request, const struct lag_run_row *run,
                          int n_threads, struct lagd_growth_plan **ret, struct lag_error *err) {
    struct lagd_ahead ahead;
    struct lag_run_row parent = *run;
    int rc = lagd_ahead_read(db, run->id, &ahead, err);
    if (rc != 0) return rc;
    rc = lagd_ahead_place(&ahead, request, &parent, err);
    LAG_CLEANUP(lag_free_p) struct lagd_growth_plan *plan = NULL;
    if (rc == 0) rc = lagd_growth_plan_make(db, request, &parent, n_threads, &plan, err);
    if (rc == 0) rc = lagd_prior_know(db, lagd_growth_start(request, &parent), parent.max_steps, plan, err);
    if (rc == 0) *ret = LAG_TAKE(plan);
    lagd_ahead_deinit(&ahead);
    return rc;
}

/* --- planned anew ------------------------------------------------------------------------------------------------ */

/* Of a growth whose pool was not kept: what it came to. */
static int list_strategy(const struct lag_candidate_row *row, void *arg) {
    struct lagd_growth_request *request = arg;
    const bool none = !lagd_operator_grows(row->op);
    if (none || request->n_strategies == LAGD_STRATEGIES_MAX) return 0;
    return lagd_strategy_decode(row->strategy, &request->strategies[request->n_strategies++], NULL);
}

int lagd_ahead_request(struct lag_db *db, const struct lag_growth_row *growth, struct lagd_growth_request *ret,
                       struct lag_error *err) {
    char pool[LAG_ROW_POOL];
    lagd_growth_request_defaults(ret);
    int rc = lag_fields_parse(&lagd_growth_fields, ret, growth->request, err);
    if (rc == 0) rc = lag_growth_get_pool(db, growth->id, pool, err);
    if (rc == 0) rc = lagd_pool_parse(pool, ret, err);
    if (rc == 0 && !pool[0]) rc = lag_candidate_list(db, growth->id, list_strategy, ret, err);
    return rc;
}

struct replanning {
    const struct lag_run_row *run;
    const struct lag_growth_row *growth;
    int n_threads;
    struct lagd_growth_request request;
    struct lagd_growth_plan *plan;
};

static int plan_anew(struct lag_db *db, void *arg, struct lag_error *err) {
    struct replanning *r = arg;
    int rc = lagd_ahead_request(db, r->growth, &r->request, err);
    r->request.at_step = -1; /* from where run is */
    if (rc == 0) rc = lagd_growth_plan_make(db, &r->request, r->run, r->n_threads, &r->plan, err);
    return rc == 0 ? lagd_prior_know(db, r->run->step, r->run->max_steps, r->plan, err) : rc;
}

static int write_replanned(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct replanning *r = arg;
    return lagd_tx_growth_rows_replan(db, r->growth->id, r->plan, err);
}

int lagd_ahead_replan(const struct lagd_deps *deps, const struct lag_run_row *run, const struct lag_growth_row *growth,
                      struct lag_shape *ret_to, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) struct replanning *r = lag_calloc(1, sizeof(*r));
    if (!r) return lag_error_set(err, LAG_ENOMEM, "out of memory while planning a growth anew");
    r->run = run;
    r->growth = growth;
    r->n_threads = deps->n_threads;
    int rc = lagd_read(deps, plan_anew, r, err);
    if (rc == 0) rc = lag_store_write(deps->store, write_replanned, r, err);
    if (rc == 0) {
        char change[LAGD_SHAPE_CHANGE];
        *ret_to = r->plan->to;
        lagd_shape_change(&run->shape, ret_to, change);
        lag_log(LAG_LOG_INFO, "growth %s of %s was planned anew, from %s", growth->id, run->id, change);
    }
    free(r->plan);
    return rc;
}

struct following {
    const char *run_id;
    struct lag_run_row run;
    struct lagd_ahead ahead;
};

static int read_following(struct lag_db *db, void *arg, struct lag_error *err) {
    struct following *following = arg;
    int rc = lag_run_get(db, following->run_id, &following->run, err);
    return rc == 0 ? lagd_ahead_read(db, following->run_id, &following->ahead, err) : rc;
}

void lagd_ahead_follow(const struct lagd_deps *deps, const char *run_id) {
    struct lag_error err = {0};
    struct following following = {.run_id = run_id};
    struct lag_run_row *run = &following.run;
    int rc = lagd_read(deps, read_following, &following, &err);
    for (int i = 0; i < following.ahead.n; i++) {
        const struct lag_growth_row *row = &following.ahead.rows[i];
        struct lag_shape to = row->to;
        run->step = lagd_ahead_begins(run, row);
        if (is_queued(row) && !lagd_shape_equal(&row->from, &run->shape) &&
            lagd_ahead_replan(deps, run, row, &to, &err) != 0)
            lag_log(LAG_LOG_WARNING, "growth %s of %s is not planned anew yet: %s", row->id, run_id, err.text);
        run->step += row->probe_steps;
        run->shape = to;
    }
    if (rc != 0) lag_log(LAG_LOG_WARNING, "the growths ahead of %s were not looked at: %s", run_id, err.text);
    lagd_ahead_deinit(&following.ahead);
}
