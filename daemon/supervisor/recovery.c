/* What an earlier process left is put in order before anything is served: no run stays "running" without a thread, and
 * the folders are tidied (tidy.c). Growths keep their state: the run's thread goes on with them. */
#include "records/leftovers_internal.h"
#include "records/post_internal.h"
#include "supervisor/supervisor_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <stdlib.h>
#include <string.h>

struct runs {
    struct lag_run_row *rows;
    size_t n, capacity;
    bool failed;
};

static int collect_run(const struct lag_run_row *row, void *arg) {
    struct runs *runs = arg;
    const struct lagd_state *state = lagd_state_find(LAGD_MACHINE_RUN, row->state);
    if (!state)
        lag_log(LAG_LOG_ERROR,
                "run %s (%s) is stored in the state \"%s\", which this lagd does not know; it is left alone", row->id,
                row->name, row->state);
    if (!state || state->terminal) return 0;
    if (lag_grow_array((void **)&runs->rows, &runs->capacity, runs->n + 1, sizeof(*runs->rows)) < 0) {
        runs->failed = true;
        return 1;
    }
    runs->rows[runs->n++] = *row;
    return 0;
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

struct mending {
    const struct lag_run_row *run;
    const struct lag_error *broken; /* why it cannot go on, else NULL */
    bool crashed;                   /* its thread did not get to end it */
    bool pause;                     /* on_crash = pause */
};

/* A growth that is over, or gone, no longer belongs to its run; the crash may have come before its candidates ended.
 * One that waits on a run at its end is withdrawn. */
static int mend_growth(struct lag_db *db, const struct lag_run_row *run, bool ended, struct lag_error *err) {
    struct lag_growth_row growth;
    if (!run->growth_id[0]) return 0;
    if (lag_growth_get(db, run->growth_id, &growth, NULL) < 0) return lag_run_set_growth(db, run->id, "", err);
    bool over = lagd_state_has_ended(LAGD_MACHINE_GROWTH, growth.state);
    struct lagd_leftovers leftovers = {0};
    int rc = 0;
    if (over) rc = lagd_tx_growth_leave(db, &growth, growth.reason, &leftovers, err);
    else if (ended)
        rc = lagd_tx_growth_end(db, &growth, LAGD_GROWTH_ON_WITHDRAWN, "its run has ended", &leftovers, err);
    lagd_leftovers_drop(&leftovers); /* folders without rows are tidied away later on */
    return rc;
}

static int mend_run(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct mending *m = arg;
    const char *id = m->run->id;
    int rc = mend_growth(db, m->run, m->broken != NULL, err);
    if (rc < 0) return rc;
    if (m->broken) return lagd_tx_run_event(db, id, LAGD_RUN_ON_FAILED, m->broken->text, err);
    if (m->crashed) rc = lagd_tx_run_event(db, id, LAGD_RUN_ON_CRASHED, "the daemon ended without notice", err);
    if (rc < 0 || (!m->crashed && !lagd_run_is(m->run->state, LAGD_RUN_INTERRUPTED))) return rc;
    if (m->pause)
        return lagd_tx_run_event(db, id, LAGD_RUN_ON_LEFT_PAUSED, "paused after a crash, as on_crash asks", err);
    return lagd_tx_run_event(db, id, LAGD_RUN_ON_RESTARTED, "resumed after the restart", err);
}

static int recover_run(struct lagd_supervisor *s, const struct lag_run_row *row, struct lag_error *err) {
    const struct lagd_state *state = lagd_state_find(LAGD_MACHINE_RUN, row->state);
    struct lagd_run_config config;
    struct lag_error broken = {0};
    struct mending mending = {.run = row, .crashed = state && state->live};
    if (lagd_run_config_parse(row->config, &config, &broken) < 0) mending.broken = &broken;
    else mending.pause = mending.crashed && strcmp(config.on_crash, "pause") == 0;
    bool rests = !mending.broken && !mending.crashed && !lagd_run_is(row->state, LAGD_RUN_INTERRUPTED);
    if (rests && !row->growth_id[0]) return 0;
    int rc = lag_store_write(s->deps.store, mend_run, &mending, err);
    if (rc < 0) return lag_error_wrap(err, "run %s cannot be recovered", row->id);
    if (mending.broken) lag_log(LAG_LOG_ERROR, "run %s (%s) failed: %s", row->id, row->name, broken.text);
    else if (mending.crashed)
        lag_log(LAG_LOG_INFO, "run %s (%s) was %s when the daemon ended", row->id, row->name, row->state);
    return 0;
}

int lagd_recover(struct lagd_supervisor *s, struct lag_error *err) {
    struct runs runs = {0};
    int rc =
        lag_run_list(s->db, NULL, "", INT32_MAX, collect_run, &runs, err);
    if (runs.failed) rc = lag_error_set(err, LAG_ENOMEM, "out of memory while reading the runs");
    for (size_t i = 0; i < runs.n && rc == 0; i++) rc = recover_run(s, &runs.rows[i], err);
    free(runs.rows);
    if (rc < 0) return rc;
    lagd_tidy(s);
    return 0;
}
