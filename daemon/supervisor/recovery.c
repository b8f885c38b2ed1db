/* What an earlier process left is put in order before anything is served: no run stays "running" without a thread, and
 * the folders are tidied (tidy.c). Growths keep their state: the run's thread goes on with them. */
#include "records/causes_internal.h"
#include "records/leftovers_internal.h"
#include "records/post_internal.h"
#include "records/turns_internal.h"
#include "supervisor/supervisor_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <stdio.h>
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
    const char *broken; /* why its configuration cannot be read, else NULL */
    bool crashed;       /* its thread did not get to end it */
    bool pause;         /* on_crash = pause */
};

/* A growth that is over, or gone, no longer belongs to its run; the crash may have come before its candidates ended. */
static int mend_growth(struct lag_db *db, const struct lag_run_row *run, struct lag_error *err) {
    struct lag_growth_row growth;
    if (!run->growth_id[0]) return 0;
    int rc = lag_growth_get(db, run->growth_id, &growth, err);
    if (lag_code_cause(rc) == LAG_CAUSE_DAMAGE) {
        rc = lag_run_set_growth(db, run->id, "", err);
        return rc == 0 ? lagd_tx_growth_turn(db, run->id, NULL, err) : rc;
    }
    if (rc < 0 || !lagd_state_has_ended(LAGD_MACHINE_GROWTH, growth.state)) return rc;
    struct lagd_leftovers leftovers = {0};
    rc = lagd_tx_growth_leave(db, &growth, growth.reason, &leftovers, err);
    lagd_leftovers_drop(&leftovers); /* folders without rows are tidied away later on */
    return rc;
}

/* One whose configuration cannot be read rests until a lagd is there that can, or the row is mended. */
static int mend_run(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct mending *m = arg;
    const char *id = m->run->id;
    int rc = mend_growth(db, m->run, err);
    if (rc == 0 && m->crashed)
        rc = lagd_tx_run_event(db, id, LAGD_RUN_ON_CRASHED, "the daemon ended without notice", err);
    if (rc < 0 || lagd_run_is(m->run->state, LAGD_RUN_PAUSED)) return rc;
    if (m->broken) return lagd_tx_run_event(db, id, LAGD_RUN_ON_HINDERED, m->broken, err);
    if (!m->crashed && !lagd_run_is(m->run->state, LAGD_RUN_INTERRUPTED)) return 0;
    if (m->pause)
        return lagd_tx_run_event(db, id, LAGD_RUN_ON_LEFT_PAUSED, "paused after a crash, as on_crash asks", err);
    return lagd_tx_run_event(db, id, LAGD_RUN_ON_RESTARTED, "resumed after the restart", err);
}

static int recover_run(struct lagd_supervisor *s, const struct lag_run_row *row, struct lag_error *err) {
    const struct lagd_state *state = lagd_state_find(LAGD_MACHINE_RUN, row->state);
    struct lagd_run_config config;
    struct lag_error why = {0};
    char broken[LAG_ROW_TEXT];
    struct mending mending = {.run = row, .crashed = state && state->live};
    int rc = lagd_run_config_parse(row->config, &config, &why);
    if (lag_code_cause(rc) == LAG_CAUSE_PASSES) rc = 0; /* its start looks again */
    else if (rc < 0) {
        (void)snprintf(broken, sizeof(broken), "%.600s%s", why.text, lagd_judge(rc)->hint);
        mending.broken = broken;
    } else mending.pause = mending.crashed && strcmp(config.on_crash, "pause") == 0;
    bool rests = !mending.broken && !mending.crashed && !lagd_run_is(row->state, LAGD_RUN_INTERRUPTED);
    if (rests && !row->growth_id[0]) return 0;
    rc = lag_store_write(s->deps.store, mend_run, &mending, err);
    if (rc < 0) return lag_error_wrap(err, "run %s cannot be recovered", row->id);
    if (mending.broken) lag_log(LAG_LOG_ERROR, "run %s (%s): %s", row->id, row->name, broken);
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
