/* Points of one owner on their way to the store. */
#include "train/record_internal.h"

#include "records/transact_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/daemon/series.h>
#include <lagd/storage/series.h>

#define REPORT_NS (250 * INT64_C(1000000)) /* points and rows are not written more often */
#define REPORT_SHARE 50
#define REPORT_MOST_NS (10000 * INT64_C(1000000)) /* however slow the store was once */

int64_t lagd_report_due_ns(int64_t began_ns, int64_t ended_ns) {
    const int64_t share_ns = REPORT_SHARE * (ended_ns - began_ns);
    return ended_ns + LAG_MIN(LAG_MAX(REPORT_NS, share_ns), REPORT_MOST_NS);
}

static const struct {
    const char *key;
    bool exact;  /* a pure function of run and step: recomputed after a crash, it must come out the same */
    bool speed;
} keys[LAGD_N_KEYS] = {
    [LAGD_TRAIN_LOSS] = {"train/loss", true, false},
    [LAGD_LR] = {"optim/lr", true, false},
    [LAGD_GRAD_NORM] = {"optim/grad_norm", true, false},
    [LAGD_VAL_LOSS] = {"val/loss", true, false},
    [LAGD_TOKENS_PER_S] = {"perf/tokens_per_s", false, true},
    [LAGD_STEP_MS] = {"perf/step_ms", false, true},
};

const char *lagd_series_key(int i) { return i >= 0 && i < LAGD_N_KEYS ? keys[i].key : NULL; }

struct opening {
    struct lagd_recorder *recorder;
    const char *owner;
    bool with_speed;
};

static int open_series(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct opening *opening = arg;
    int rc = 0;
    for (int i = 0; rc == 0 && i < LAGD_N_KEYS; i++) {
        if (keys[i].speed && !opening->with_speed) continue;
        rc = lag_series_open(db, opening->owner, keys[i].key, keys[i].exact, &opening->recorder->series[i], err);
    }
    return rc;
}

int lagd_recorder_open(struct lagd_recorder *recorder, struct lagd_deps *deps, const char *owner, bool with_speed,
                       const _Atomic bool *cancel, struct lag_error *err) {
    *recorder = (struct lagd_recorder){.deps = deps, .flushed_ns = lag_clock_mono_ns()};
    struct opening opening = {recorder, owner, with_speed};
    return lagd_write_patiently(deps, open_series, &opening, cancel, err);
}

int lagd_recorder_flush(struct lagd_recorder *recorder, struct lag_error *err) {
    recorder->flushed_ns = lag_clock_mono_ns();
    if (recorder->n_points == 0) return 0;
    int rc = lag_store_points(recorder->deps->store, recorder->points, recorder->n_points, err);
    if (rc == 0) recorder->n_points = 0;
    return rc;
}

int lagd_recorder_add(struct lagd_recorder *recorder, enum lagd_key key, int64_t step, double value,
                      struct lag_error *err) {
    if (recorder->n_points == LAG_COUNT(recorder->points)) {
        int rc = lagd_recorder_flush(recorder, err);
        if (rc != 0) return rc;
    }
    recorder->points[recorder->n_points++] = (struct lag_point){recorder->series[key], step, value};
    if (lag_clock_mono_ns() - recorder->flushed_ns < REPORT_NS) return 0;
    return lagd_recorder_flush(recorder, err);
}
