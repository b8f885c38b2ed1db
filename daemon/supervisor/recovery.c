/* What an earlier process left is put in order before anything is served: no run stays "running" without a thread, no
 * temporary folder stays behind. Growths keep their state: the run's thread goes on with them. */
#include "records/leftovers_internal.h"
#include "records/folders_internal.h"
#include "records/post_internal.h"
#include "records/unlisted_internal.h"
#include "supervisor/supervisor_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/ids.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/checkpoint.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <dirent.h>
#include <errno.h>
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

/* --- folders ----------------------------------------------------------------------------------------------------- */

/* Calls each(dir, name, arg) for every entry of dir; a missing dir has none. */
static void walk(const char *dir, void (*each)(const char *dir, const char *name, void *arg), void *arg) {
    DIR *stream = opendir(dir);
    if (!stream) {
        if (errno != ENOENT) lag_log(LAG_LOG_WARNING, "%s cannot be listed: %s", dir, strerror(errno));
        return;
    }
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) each(dir, entry->d_name, arg);
    }
    (void)closedir(stream);
}

static void remove_entry(const char *dir, const char *name) {
    struct lag_error err = {0};
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/%s", dir, name);
    if (path && lag_fs_remove_tree(path, &err) == 0)
        lag_log(LAG_LOG_INFO, "removed %s, which an earlier process left", path);
    else lag_log(LAG_LOG_WARNING, "%s/%s cannot be removed: %s", dir, name, err.text);
}

struct known {
    char (*paths)[LAG_ROW_PATH]; /* of all checkpoints of one run, relative to the state directory */
    size_t n, capacity;
    bool failed;
    const char *run_id;
    struct lag_db *db;
};

static int collect_path(const struct lag_checkpoint_row *row, void *arg) {
    struct known *known = arg;
    if (lag_grow_array((void **)&known->paths, &known->capacity, known->n + 1, sizeof(*known->paths)) < 0) {
        known->failed = true;
        return 1;
    }
    memcpy(known->paths[known->n++], row->path, LAG_ROW_PATH);
    return 0;
}

/* The state of a probe: of no use once its growth has ended, or where it has no row. */
static void tidy_probe(const char *dir, const char *name, struct lag_db *db) {
    struct lag_candidate_row row;
    struct lag_growth_row growth;
    int rc = lag_candidate_get(db, name + strlen(LAGD_PROBE_STATE_PREFIX), &row, NULL);
    if (rc == 0) rc = lag_growth_get(db, row.growth_id, &growth, NULL);
    if (rc == LAG_ENOTFOUND || (rc == 0 && lagd_state_has_ended(LAGD_MACHINE_GROWTH, growth.state)))
        remove_entry(dir, name);
}

/* Checkpoints that were written but never listed, and states of probes. Anything else is not ours to remove. */
static void tidy_entry(const char *dir, const char *name, void *arg) {
    const struct known *known = arg;
    const size_t n_prefix = strlen(LAGD_PROBE_STATE_PREFIX);
    if (strncmp(name, LAGD_PROBE_STATE_PREFIX, n_prefix) == 0 && lag_id_is(name + n_prefix, "cand")) {
        tidy_probe(dir, name, known->db);
        return;
    }
    if (strncmp(name, "ckpt-", 5) != 0) return;
    if (strchr(name, '.')) return; /* set aside for a person to look at */
    char path[LAG_ROW_PATH];
    (void)snprintf(path, sizeof(path), "runs/%s/%.255s", known->run_id, name);
    for (size_t i = 0; i < known->n; i++) {
        if (strcmp(known->paths[i], path) == 0) return;
    }
    remove_entry(dir, name);
}

static void tidy_run_folder(struct lagd_supervisor *s, const char *run_id) {
    struct known known = {.run_id = run_id, .db = s->db};
    struct lag_error err = {0};
    LAG_CLEANUP(lag_free_p) char *dir = lag_asprintf("%s/runs/%s", s->deps.state_dir, run_id);
    if (!dir) return;
    int rc = lag_checkpoint_sweep(dir, &err); /* half-written and half-replaced ones */
    if (rc == 0) rc = lag_checkpoint_list(s->db, run_id, collect_path, &known, &err);
    if (rc < 0) lag_log(LAG_LOG_WARNING, "%s cannot be tidied: %s", dir, err.text);
    if (rc == 0 && !known.failed) walk(dir, tidy_entry, &known);
    free(known.paths);
}

static void tidy_upload(const char *dir, const char *name, void *arg) {
    (void)arg;
    remove_entry(dir, name);
}

/* rc: 0 or LAG_ENOTFOUND, whether the folder has a row. A marked one without was being uploaded or deleted when a
 * crash came; any other may belong to another copy of the database. */
static void tidy_folder(const char *dir, const char *name, int rc) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/%s", dir, name);
    bool marked = path && lagd_unlisted_is_marked(path);
    if (rc == 0 && marked) lagd_unlisted_unmark(path);
    if (rc == LAG_ENOTFOUND && marked) remove_entry(dir, name);
    if (rc == LAG_ENOTFOUND && !marked)
        lag_log(LAG_LOG_WARNING, "%s/%s belongs to nothing in the database; lagd leaves it alone", dir, name);
}

static void tidy_run(const char *dir, const char *name, void *arg) {
    struct lagd_supervisor *s = arg;
    struct lag_run_row row;
    if (!lag_id_is(name, "run")) return;
    int rc = lag_run_get(s->db, name, &row, NULL);
    if (rc == 0) tidy_run_folder(s, name);
    tidy_folder(dir, name, rc);
}

static void tidy_dataset(const char *dir, const char *name, void *arg) {
    struct lagd_supervisor *s = arg;
    struct lag_dataset_row row;
    if (lag_id_is(name, "ds")) tidy_folder(dir, name, lag_dataset_get(s->db, name, &row, NULL));
}

int lagd_recover(struct lagd_supervisor *s, struct lag_error *err) {
    struct runs runs = {0};
    int rc =
        lag_run_list(s->db, NULL, "", INT32_MAX, collect_run, &runs, err);
    if (runs.failed) rc = lag_error_set(err, LAG_ENOMEM, "out of memory while reading the runs");
    for (size_t i = 0; i < runs.n && rc == 0; i++) rc = recover_run(s, &runs.rows[i], err);
    free(runs.rows);
    if (rc < 0) return rc;
    LAG_CLEANUP(lag_free_p) char *uploads = lag_asprintf("%s/uploads", s->deps.state_dir);
    LAG_CLEANUP(lag_free_p) char *folder = lag_asprintf("%s/runs", s->deps.state_dir);
    LAG_CLEANUP(lag_free_p) char *datasets = lag_asprintf("%s/datasets", s->deps.state_dir);
    if (!uploads || !folder || !datasets) return lag_error_set(err, LAG_ENOMEM, "out of memory while recovering");
    walk(uploads, tidy_upload, NULL);
    walk(folder, tidy_run, s);
    walk(datasets, tidy_dataset, s);
    return 0;
}
