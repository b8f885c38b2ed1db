/* Whether a run's losses are well: from its stored validation losses and the new ones. */
#include "train/run_health_internal.h"

#include "process/tell_internal.h"
#include "records/transact_internal.h"
#include "train/run_parts_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <stdio.h>
#include <string.h>

/* --- what is stored ---------------------------------------------------------------------------------------------- */

struct reading {
    const struct lagd_run *run;
    int64_t from; /* the first step of the present shape */
    struct lag_losses losses;
};

static int find_shape(const struct lag_growth_row *growth, void *arg) {
    struct reading *reading = arg;
    bool behind = growth->start_step < reading->run->trainer.state->step;
    if (lagd_growth_is(growth->state, LAGD_GROWTH_APPLIED) && behind)
        reading->from = LAG_MAX(reading->from, growth->start_step + 1);
    return 0;
}

static int read_losses(struct lag_db *db, void *arg, struct lag_error *err) {
    struct reading *reading = arg;
    struct lag_point_cursor *cursor = NULL;
    const struct lagd_run *run = reading->run;
    int64_t step = 0;
    double loss = 0;
    int rc = lag_growth_list(db, run->id, INT32_MAX, find_shape, reading, err);
    if (rc == 0)
        rc = lag_point_cursor_open(db, run->book.recorder.series[LAGD_VAL_LOSS], reading->from, &cursor, err);
    while (rc == 0 && (rc = lag_point_cursor_next(cursor, &step, &loss, err)) == 1) {
        if (step > run->trainer.state->step) break;
        lag_losses_add(&reading->losses, loss);
        rc = 0;
    }
    lag_point_cursor_close(cursor);
    return rc < 0 ? rc : 0;
}

void lagd_run_health_read(struct lagd_run *run) {
    struct reading reading = {.run = run};
    struct lag_error err = {0};
    if (lagd_read(run->deps, read_losses, &reading, &err) != 0)
        lag_log(LAG_LOG_WARNING, "run %s: its validation losses so far are not known: %s", run->id, err.text);
    run->book.losses = reading.losses;
}

/* --- what is new ------------------------------------------------------------------------------------------------- */

struct noting {
    struct lagd_run *run;
    enum lag_health health;
    char message[LAG_ROW_TEXT];
};

/* Told once for a step, also where that is computed again after a crash. */
static int note(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct noting *noting = arg;
    const struct lagd_run *run = noting->run;
    int rc = lag_run_set_health(db, run->id, lag_health_name(noting->health), err);
    if (rc != 0 || noting->health != LAG_HEALTH_DIVERGED) return rc;
    const struct lag_event event = {.type = LAG_EVENT_RUN_DIVERGED, .run_id = run->id,
                                    .step = run->trainer.state->step, .value = run->book.losses.last,
                                    .message = noting->message};
    rc = lag_event_told_at(db, run->id, LAG_EVENT_RUN_DIVERGED, event.step, err);
    return rc == 0 ? lag_event_put(db, &event, err) : LAG_MIN(rc, 0);
}

void lagd_run_health_note(struct lagd_run *run, double loss) {
    struct lag_losses *losses = &run->book.losses;
    lag_losses_add(losses, loss);
    struct noting noting = {.run = run, .health = lag_losses_judge(losses)};
    const char *name = lag_health_name(noting.health);
    struct lag_error err = {0};
    if (strcmp(name, run->book.row.health) == 0) return;
    (void)snprintf(noting.message, sizeof(noting.message),
                   "its validation loss is %.4f, %.4f above its lowest: fork it from a checkpoint before that, or "
                   "begin anew with a lower optim/lr or a longer schedule/warmup_steps",
                   losses->last, losses->last - losses->best);
    if (lag_store_write(run->deps->store, note, &noting, &err) != 0) {
        lag_log(LAG_LOG_WARNING, "run %s: that its losses are %s could not be stored: %s", run->id, name, err.text);
        return;
    }
    (void)lag_copy(run->book.row.health, sizeof(run->book.row.health), name);
    if (noting.health != LAG_HEALTH_DIVERGED) return;
    const struct lagd_about about = {run->id, NULL, run->trainer.state->step, NULL};
    lagd_tell(LAG_LOG_WARNING, &about, "run %s (%s) diverged: %s", run->id, run->book.row.name, noting.message);
}
