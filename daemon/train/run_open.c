/* What a run needs before its first step: configuration, dataset, state, growth, memory. */
#include "plan/run_config_internal.h"
#include "train/run_parts_internal.h"
#include "records/transact_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <lagd/base/team.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <string.h>

static int read_dataset(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lag_dataset_row *row = arg;
    char id[LAG_ROW_ID];
    (void)lag_copy(id, sizeof(id), row->id);
    return lag_dataset_get(db, id, row, err);
}

static int find_dataset(const struct lagd_run *run, struct lag_dataset_row *ret, struct lag_error *err) {
    (void)lag_copy(ret->id, sizeof(ret->id), run->row.dataset_id);
    return lagd_read(run->deps, read_dataset, ret, err);
}

static int open_dataset(struct lagd_run *run, struct lag_error *err) {
    struct lag_dataset_row row = {0};
    int rc = find_dataset(run, &row, err);
    return rc == 0 ? lagd_dataset_open_row(&row, &run->dataset, err) : rc;
}

bool lagd_run_lacks_dataset(struct lagd_run *run) {
    struct lag_dataset_row row = {0};
    struct lag_dataset *dataset = NULL;
    if (run->lacks_dataset || find_dataset(run, &row, NULL) != 0) return run->lacks_dataset;
    int rc = lagd_dataset_open_row(&row, &dataset, NULL);
    lag_dataset_close(dataset);
    run->lacks_dataset = rc != 0 && rc != LAG_ENOMEM;
    return run->lacks_dataset;
}

/* --- growth --- */

static int read_growth(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lagd_run *run = arg;
    struct lag_run_row row;
    int rc = lag_run_get(db, run->id, &row, err);
    if (rc != 0) return rc;
    (void)lag_copy(run->row.growth_id, sizeof(run->row.growth_id), row.growth_id);
    run->has_growth = false;
    if (row.growth_id[0] == '\0') return 0;
    rc = lag_growth_get(db, row.growth_id, &run->growth, err);
    run->has_growth = rc == 0;
    return rc;
}

int lagd_run_read_growth(struct lagd_run *run, struct lag_error *err) {
    return lagd_read(run->deps, read_growth, run, err);
}

bool lagd_run_in_growth(const struct lagd_run *run) {
    return run->has_growth && strcmp(run->growth.state, "queued") != 0 && run->state->step >= run->growth.start_step;
}

/* --- state and memory --- */

/* Once where training begins on a CPU that has the precision by other means only. */
static void tell_precision(const struct lagd_run *run, int64_t step) {
    const char *note = lag_precision_note(lagd_run_precision(&run->config));
    if (note) lagd_warn(run->deps, run->id, step, "%s", note);
}

int lagd_run_load_state(struct lagd_run *run, struct lag_state **ret, int64_t *ret_step, struct lag_error *err) {
    struct lag_checkpoint_row row;
    int rc = lagd_checkpoint_latest_with(run->deps, run->id, ret, &row, &run->origin, err);
    if (rc == 0) {
        *ret_step = row.step;
        const char *now = lag_fingerprint(lagd_run_precision(&run->config));
        if (strcmp(row.fingerprint, now) != 0) {
            lagd_warn(run->deps, run->id, row.step,
                      "the checkpoint was written by another machine or library (%s, now %s): from here on results are "
                      "not bit-comparable with before", row.fingerprint, now);
            tell_precision(run, row.step);
        }
        return 0;
    }
    if (rc != LAG_ENOTFOUND) return rc;
    struct lag_spec spec;
    lagd_run_spec(&run->config, &spec);
    run->origin = (struct lag_checkpoint_meta){0};
    rc = lag_state_create(&spec, ret, err);
    if (rc != 0) return rc;
    lag_state_init(*ret, (uint64_t)run->config.seed);
    tell_precision(run, 0);
    *ret_step = -1;
    return 0;
}

int lagd_run_equip(struct lagd_run *run, struct lag_error *err) {
    lag_work_destroy(run->work);
    run->work = NULL;
    if (!run->team) {
        int limit = run->config.threads > 0 ? (int)run->config.threads : run->deps->n_threads;
        run->n_members = LAG_MAX(1, LAG_MIN(limit, run->deps->n_threads));
        int rc = lag_team_create(run->n_members, &run->team, err);
        if (rc != 0) return rc;
    }
    const struct lag_work_shape shape = lagd_run_work_shape(&run->config, run->n_members);
    return lag_work_create(&run->state->layout.spec, &shape, &run->work, err);
}

int lagd_run_ready(struct lagd_run *run, struct lag_error *err) {
    return run->work ? 0 : lagd_run_equip(run, err);
}

void lagd_run_lay_down(struct lagd_run *run) {
    lag_work_destroy(run->work);
    run->work = NULL;
}

int lagd_run_open(struct lagd_run *run, struct lag_error *err) {
    int rc = lagd_run_config_parse(run->row.config, &run->config, err);
    if (rc != 0) return rc;
    lagd_run_step_config(&run->config, run->row.lr_scale, &run->step);
    rc = open_dataset(run, err);
    if (rc == 0) rc = lagd_run_read_growth(run, err);
    if (rc == 0) rc = lagd_run_load_state(run, &run->state, &run->checkpoint_step, err);
    if (rc == 0) rc = lagd_run_reopen_growth(run, err);
    if (rc == 0) rc = lagd_recorder_open(&run->recorder, run->deps, run->id, true, &run->quit, err);
    if (rc == 0) rc = lagd_run_equip(run, err);
    if (rc != 0) return rc;
    run->evaluate_first = run->state->step == 0;
    rc = lagd_run_rewind(run, err);
    if (rc != 0) return rc;
    LAG_FP("run.opened");
    struct lagd_move move = {
        .run = run, .progress = true, .run_state = lagd_run_in_growth(run) ? "growing" : "running"};
    return lagd_move_make(&move, err);
}

void lagd_run_close(struct lagd_run *run) {
    lag_work_destroy(run->work);
    lag_team_destroy(run->team);
    lag_state_destroy(run->state);
    lag_dataset_close(run->dataset);
    run->work = NULL;
    run->team = NULL;
    run->state = NULL;
    run->dataset = NULL;
}
