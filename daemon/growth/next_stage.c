/* The next stage of a run's growth plan. */
#include "growth/next_stage_internal.h"

#include "plan/trigger_internal.h"
#include "process/tell_internal.h"
#include "records/causes_internal.h"
#include "records/post_internal.h"
#include "records/transact_internal.h"
#include "stages/growth_rows_internal.h"
#include "stages/stage_rows_internal.h"
#include "train/flops_internal.h"
#include "train/run_history_internal.h"
#include "train/run_open_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/prior.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/series.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lagd_next_stage {
    bool is_known, waits; /* the rows were read; there is a stage that has not begun */
    struct lag_stage_row row;
    struct lagd_stage_request request;
    int64_t since;
    struct lagd_spent spent;   /* of a trigger of FLOPs */
    double *losses;            /* of the last steps up to at_step, n_losses of at most n_needed */
    int64_t n_losses, n_needed, at_step;
};

void lagd_next_stage_forget(struct lagd_run *run) {
    if (run->next_stage) run->next_stage->is_known = false;
}

void lagd_next_stage_drop(struct lagd_run *run) {
    if (run->next_stage) free(run->next_stage->losses);
    free(run->next_stage);
    run->next_stage = NULL;
}

/* --- what is stored ---------------------------------------------------------------------------------------------- */

static int read_rows(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lagd_run *run = arg;
    struct lagd_next_stage *next = run->next_stage;
    struct lag_plan_row plan;
    struct lagd_stage_list list = {0};
    int rc = lag_plan_get(db, run->id, &plan, err);
    next->waits = false;
    if (rc == 1) rc = lagd_stages_read(db, run->id, &list, err);
    if (rc != 0) return rc;
    const int n_begun = lagd_stages_begun(&list);
    if (n_begun < list.n) {
        next->waits = true;
        next->row = list.rows[n_begun];
        next->since = lagd_stages_since(&list, n_begun, plan.start_step);
        rc = lagd_stage_request_of(&next->row, &next->request, err);
    }
    lagd_stages_deinit(&list);
    return rc;
}

/* On the storage thread, behind all points that were queued before. */
static int read_losses(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lagd_run *run = arg;
    struct lagd_next_stage *next = run->next_stage;
    const int64_t step = run->trainer.state->step, first = LAG_MAX(next->since, step - next->n_needed) + 1;
    struct lag_series_row series;
    struct lag_point_cursor *cursor = NULL;
    next->n_losses = 0;
    int rc = lag_series_find(db, run->id, "train/loss", &series, err);
    if (rc == 0) rc = lag_point_cursor_open(db, series.id, first, &cursor, err);
    while (rc == 0 && next->n_losses < step - first + 1) {
        int64_t at;
        double value;
        rc = lag_point_cursor_next(cursor, &at, &value, err);
        if (rc != 1 || at > step) break;
        rc = 0;
        while (first + next->n_losses < at) next->losses[next->n_losses++] = NAN;
        next->losses[next->n_losses++] = value;
    }
    lag_point_cursor_close(cursor);
    return rc < 0 ? rc : 0;
}

static int make_room(struct lagd_next_stage *next, struct lag_error *err) {
    const int64_t needed = lagd_trigger_needs(&next->request.trigger);
    free(next->losses);
    next->losses = needed > 0 ? lag_calloc((size_t)needed, sizeof(*next->losses)) : NULL;
    next->n_needed = next->losses ? needed : 0;
    next->n_losses = 0;
    next->at_step = -1;
    return needed == 0 || next->losses ? 0 : lag_error_set(err, LAG_ENOMEM, "out of memory for the losses of a stage");
}

static int know(struct lagd_run *run, struct lag_error *err) {
    if (!run->next_stage) run->next_stage = lag_calloc(1, sizeof(*run->next_stage));
    struct lagd_next_stage *next = run->next_stage;
    if (!next) return lag_error_set(err, LAG_ENOMEM, "out of memory for a growth plan");
    if (next->is_known) return 0;
    int rc = lagd_read(run->deps, read_rows, run, err);
    if (rc == 0 && next->waits) rc = make_room(next, err);
    if (rc == 0 && next->waits && lagd_trigger_kind(&next->request.trigger) == LAGD_TRIGGER_FLOPS)
        rc = lagd_run_spent(run, &next->spent, err);
    next->is_known = rc == 0;
    return rc;
}

void lagd_next_stage_note(struct lagd_run *run, double loss) {
    struct lagd_next_stage *next = run->next_stage;
    const int64_t step = run->trainer.state->step;
    if (!next || next->n_needed == 0 || next->at_step != step - 1) return; /* they are read when they are needed */
    if (next->n_losses == next->n_needed)
        memmove(next->losses, next->losses + 1, (size_t)--next->n_losses * sizeof(*next->losses));
    next->losses[next->n_losses++] = loss;
    next->at_step = step;
}

/* --- its trigger has fired --------------------------------------------------------------------------------------- */

struct firing {
    struct lagd_run *run;
    struct lagd_growth_request request;
    struct lagd_growth_plan *plan;
    struct lagd_growth_rows rows;
    char why[LAG_ROW_TEXT];
};

static int plan_growth(struct lag_db *db, void *arg, struct lag_error *err) {
    struct firing *firing = arg;
    const struct lagd_run *run = firing->run;
    int rc = lagd_growth_plan_make(db, &firing->request, &run->book.row, run->deps->n_threads, &firing->plan, err);
    return rc == 0 ? lagd_prior_know(db, run->book.row.step, run->book.row.max_steps, firing->plan, err) : rc;
}

/* LAG_ESTATE: a person has replaced or removed it. */
static int check_stage(struct lag_db *db, const struct firing *firing, struct lag_error *err) {
    struct lag_stage_row row;
    int rc = lag_stage_get(db, firing->run->next_stage->row.id, &row, err);
    if (rc == LAG_ENOTFOUND) return lag_error_set(err, LAG_ESTATE, "the plan was changed");
    return rc;
}

static int post(struct lag_db *db, const struct firing *firing, enum lagd_stage_event event, const char *growth_id,
                struct lag_error *err) {
    const char *id = firing->run->next_stage->row.id;
    const struct lagd_post post = {.machine = LAGD_MACHINE_STAGE, .event = (int)event, .id = id,
                                   .reason = firing->why, .step = firing->run->book.row.step, .value = LAG_NO_VALUE};
    int rc = lag_stage_set_fired(db, id, firing->run->book.row.step, growth_id, err);
    return rc == 0 ? lagd_tx_post(db, &post, NULL, err) : rc;
}

static int write_fired(struct lag_db *db, void *arg, struct lag_error *err) {
    struct firing *firing = arg;
    int rc = check_stage(db, firing, err);
    if (rc == 0) rc = post(db, firing, LAGD_STAGE_ON_FIRED, firing->rows.growth.id, err);
    return rc == 0 ? lagd_tx_growth_rows_insert(db, &firing->rows, err) : rc;
}

static int write_passed(struct lag_db *db, void *arg, struct lag_error *err) {
    struct firing *firing = arg;
    int rc = check_stage(db, firing, err);
    return rc == 0 ? post(db, firing, LAGD_STAGE_ON_PASSED, "", err) : rc;
}

static void tell(const struct firing *firing, bool begun) {
    const struct lagd_run *run = firing->run;
    const struct lagd_about about = {run->id, begun ? firing->rows.growth.id : NULL, run->book.row.step, NULL};
    lagd_tell(begun ? LAG_LOG_INFO : LAG_LOG_WARNING, &about, "stage %lld of %s %s at step %lld: %s",
              (long long)run->next_stage->row.position, run->id, begun ? "begins" : "is skipped",
              (long long)run->book.row.step, firing->why);
}

/* Its rows, or why it is skipped: the run is not what the plan expected, and goes on as it is. */
static int prepare(struct firing *firing, bool *ret_begins, struct lag_error *err) {
    struct lagd_run *run = firing->run;
    const struct lagd_next_stage *next = run->next_stage;
    struct lag_error why = {0};
    firing->request = next->request.growth;
    firing->request.at_step = -1;
    int rc = lagd_read(run->deps, plan_growth, firing, &why);
    *ret_begins = rc == 0;
    if (rc == LAG_EINVAL) {
        char fired[LAG_ROW_TEXT];
        (void)lag_copy(fired, sizeof(fired), firing->why);
        (void)snprintf(firing->why, sizeof(firing->why), "%.240s, but the run cannot grow so: %.400s", fired, why.text);
        return 0;
    }
    if (rc != 0) return lag_error_set(err, rc, "%s", why.text);
    firing->request.at_step = run->book.row.step;
    if (!firing->request.reason[0])
        (void)snprintf(firing->request.reason, sizeof(firing->request.reason), "stage %lld of the plan: %.480s",
                       (long long)next->row.position, firing->why);
    return lagd_growth_rows_fill(&firing->request, run->id, firing->plan, &firing->rows, err);
}

static int fire(struct lagd_run *run, struct firing *firing, struct lag_error *err) {
    bool begins = false;
    int rc = prepare(firing, &begins, err);
    LAG_FP("stage.firing");
    if (rc == 0) rc = lagd_recorder_flush(&run->book.recorder, err); /* what it was decided by is stored before it */
    if (rc == 0)
        rc = lagd_write_patiently(run->deps, begins ? write_fired : write_passed, firing, &run->wishes.quit, err);
    LAG_FP("stage.fired");
    if (rc == 0) tell(firing, begins);
    lagd_next_stage_forget(run);
    if (rc == LAG_ESTATE) return 0; /* looked at again */
    return rc == 0 ? lagd_run_read_growth(run, err) : rc;
}

/* --- between steps ----------------------------------------------------------------------------------------------- */

static int seed_losses(struct lagd_run *run, struct lag_error *err) {
    struct lagd_next_stage *next = run->next_stage;
    if (next->n_needed == 0 || next->at_step == run->trainer.state->step) return 0;
    int rc = lagd_recorder_flush(&run->book.recorder, err);
    if (rc == 0) rc = lagd_write_patiently(run->deps, read_losses, run, &run->wishes.quit, err);
    if (rc == 0) next->at_step = run->trainer.state->step;
    return rc;
}

int lagd_next_stage_look(struct lagd_run *run, bool *ret_begun, struct lag_error *err) {
    *ret_begun = false;
    int rc = run->book.has_growth ? 0 : know(run, err);
    const struct lagd_next_stage *next = run->next_stage;
    const int64_t step = run->trainer.state->step;
    if (rc != 0 || run->book.has_growth || !next->waits || step < next->since) return rc;
    const struct lagd_trigger *trigger = &next->request.trigger;
    if (!lagd_trigger_looks_at(trigger, next->since, step)) return 0;
    rc = seed_losses(run, err);
    if (rc != 0) return rc;
    const bool by_flops = lagd_trigger_kind(trigger) == LAGD_TRIGGER_FLOPS;
    const struct lagd_trajectory at = {.since = next->since, .step = step, .tokens = run->book.row.tokens,
                                       .flops = by_flops ? lagd_run_spent_at(run, &next->spent, step) : 0,
                                       .losses = next->losses, .n_losses = next->n_losses};
    char why[LAG_ROW_TEXT];
    if (!lagd_trigger_fires(trigger, &at, why)) return 0;
    LAG_CLEANUP(lag_free_p) struct firing *firing = lag_calloc(1, sizeof(*firing));
    if (!firing) return lag_error_set(err, LAG_ENOMEM, "out of memory for a stage");
    firing->run = run;
    (void)lag_copy(firing->why, sizeof(firing->why), why);
    rc = fire(run, firing, err);
    free(firing->plan);
    *ret_begun = rc == 0;
    return rc;
}
