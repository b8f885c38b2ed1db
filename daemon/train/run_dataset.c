/* A run's dataset while it trains: is the file still what was registered? */
#include "train/run_dataset_internal.h"

#include "records/folders_internal.h"
#include "records/transact_internal.h"
#include "train/dataset_open_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/data.h>
#include <lagd/engine/witness.h>
#include <lagd/storage/runs.h>

static int read_dataset(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lag_dataset_row *row = arg;
    char id[LAG_ROW_ID];
    (void)lag_copy(id, sizeof(id), row->id);
    return lag_dataset_get(db, id, row, err);
}

static int find_dataset(const struct lagd_run *run, struct lag_dataset_row *ret, struct lag_error *err) {
    (void)lag_copy(ret->id, sizeof(ret->id), run->book.row.dataset_id);
    return lagd_read(run->deps, read_dataset, ret, err);
}

static struct lagd_reading reading_of(struct lagd_run *run) {
    return (struct lagd_reading){run->deps, &run->wishes.interrupt, &run->progress};
}

/* Whatever the cause's code is: others wait for a disk that refuses, but not for a dataset. */
static int be_in_trouble(struct lagd_run *run, enum lagd_dataset_trouble trouble, struct lag_error *err) {
    if (run->dataset_trouble != LAGD_DATASET_CHANGED) run->dataset_trouble = trouble;
    if (err) err->code = LAG_ECORRUPT;
    return LAG_ECORRUPT;
}

static bool may_pass(int code) {
    return lag_code_cause(code) == LAG_CAUSE_STOP || lag_code_cause(code) == LAG_CAUSE_PASSES;
}

int lagd_run_open_dataset(struct lagd_run *run, struct lag_error *err) {
    struct lag_dataset_row row = {0};
    const struct lagd_reading reading = reading_of(run);
    int rc = find_dataset(run, &row, err);
    if (rc != 0) return rc;
    rc = lagd_dataset_open_row(&reading, &row, &run->trainer.dataset, err);
    return rc == 0 || may_pass(rc) ? rc : be_in_trouble(run, LAGD_DATASET_AWAY, err);
}

/* --- the file that is open --------------------------------------------------------------------------------------- */

/* Hashed again, and what was read since the last good look with it. Where another run has hashed it, or this one, the
 * row has its stamp already. */
static int verify(struct lagd_run *run, bool again, struct lag_error *err) {
    struct lag_dataset *dataset = run->trainer.dataset;
    struct lag_dataset_row row = {0};
    const struct lagd_reading reading = reading_of(run);
    struct lag_stamp stamp;
    bool fresh = false;
    int rc = find_dataset(run, &row, err);
    if (rc != 0) return rc;
    rc = lag_stamp_of_fd(lag_dataset_fd(dataset), &stamp, err);
    if (rc == 0 && (again || !lagd_dataset_has_stamp(&row, &stamp)))
        rc = lagd_dataset_verify(&reading, &row, lag_dataset_fd(dataset), &stamp, &fresh, err);
    if (rc == 0) {
        rc = lag_dataset_reread(dataset, lagd_dataset_is_quick(&row) ? NULL : &run->wishes.interrupt, err);
        if (rc != 0) (void)lag_error_wrap(err, "dataset %s", row.name);
    }
    if (rc == 0) lagd_dataset_trust(&reading, &row, dataset, &stamp, fresh);
    return rc == 0 || may_pass(rc) ? rc : be_in_trouble(run, LAGD_DATASET_CHANGED, err);
}

int lagd_run_check_dataset(struct lagd_run *run, bool whole, struct lag_error *err) {
    enum lag_sight sight = LAG_SIGHT_OTHER;
    int rc = lag_dataset_look(run->trainer.dataset, &sight, err);
    if (rc != 0) return be_in_trouble(run, LAGD_DATASET_CHANGED, err);
    if (sight == LAG_SIGHT_SAME || (sight == LAG_SIGHT_FRESH && !whole)) return 0;
    return verify(run, sight == LAG_SIGHT_FRESH, err);
}

/* --- the path ---------------------------------------------------------------------------------------------------- */

/* Codes that tell of the file; others tell of this process or of a disk, and are looked at the next time. */
static bool is_gone(int code) {
    enum lag_cause cause = lag_code_cause(code);
    bool mended = cause == LAG_CAUSE_OUTSIDE && code != LAG_EIO; /* rights, or the path */
    return mended || cause == LAG_CAUSE_DAMAGE || cause == LAG_CAUSE_ASKED;
}

/* Another file with the same bytes is as good. */
static int take_over(struct lagd_run *run, const struct lag_dataset_row *row, struct lag_error *err) {
    const struct lagd_reading reading = reading_of(run);
    struct lag_stamp stamp;
    bool fresh = false;
    LAG_CLEANUP(lag_close_p) int fd = -1;
    int rc = lagd_dataset_open_path(run->deps, row, &fd, err);
    if (rc == 0) rc = lagd_dataset_verify(&reading, row, fd, &stamp, &fresh, err);
    if (rc == 0) rc = lagd_run_check_dataset(run, true, err); /* the old one ends here */
    if (rc == 0) {
        int taken = fd;
        fd = -1;
        rc = lag_dataset_replace(run->trainer.dataset, taken, err);
    }
    if (rc == 0) lagd_dataset_trust(&reading, row, run->trainer.dataset, &stamp, fresh);
    return rc;
}

int lagd_run_check_path(struct lagd_run *run, struct lag_error *err) {
    struct lag_dataset_row row = {0};
    struct lag_stamp there, held;
    char path[LAGD_STATE_PATH];
    int rc = find_dataset(run, &row, err);
    if (rc != 0) return rc;
    lagd_dataset_path(run->deps, &row, path);
    rc = lag_stamp_of_path(path, &there, err);
    if (rc != 0) (void)lag_error_wrap(err, "dataset %s", row.name);
    if (rc == 0) rc = lag_stamp_of_fd(lag_dataset_fd(run->trainer.dataset), &held, err);
    if (rc == 0 && !lag_stamp_same_file(&there, &held)) rc = take_over(run, &row, err);
    if (rc == LAG_ECANCELED) return rc;
    return is_gone(rc) ? be_in_trouble(run, LAGD_DATASET_AWAY, err) : 0;
}

/* --- after a failure --------------------------------------------------------------------------------------------- */

bool lagd_run_lacks_dataset(struct lagd_run *run) {
    if (run->dataset_trouble || !run->trainer.dataset) return run->dataset_trouble != LAGD_DATASET_GOOD;
    if (verify(run, true, NULL) == 0) (void)lagd_run_check_path(run, NULL);
    return run->dataset_trouble != LAGD_DATASET_GOOD;
}
