/* Points of one owner on their way to the store. */
#include "train/record_internal.h"

#include "records/transact_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/ids.h>
#include <lagd/daemon/series.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <math.h>
#include <string.h>

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
    [LAGD_VAL_BPB] = {"val/bpb", true, false},
    [LAGD_TOKENS_PER_S] = {"perf/tokens_per_s", false, true},
    [LAGD_STEP_MS] = {"perf/step_ms", false, true},
};

const char *lagd_series_key(int i) { return i >= 0 && i < LAGD_N_KEYS ? keys[i].key : NULL; }

struct opening {
    struct lagd_recorder *recorder;
    const char *owner;
    bool with_speed;
};

/* The dataset of a run, or of a candidate's. */
static int find_dataset(struct lag_db *db, const char *owner, struct lag_dataset_row *ret) {
    struct lag_candidate_row candidate;
    struct lag_growth_row growth;
    struct lag_run_row run;
    int rc = 0;
    if (lag_id_is(owner, "cand")) {
        rc = lag_candidate_get(db, owner, &candidate, NULL);
        if (rc == 0) rc = lag_growth_get(db, candidate.growth_id, &growth, NULL);
        owner = growth.run_id;
    }
    if (rc == 0) rc = lag_run_get(db, owner, &run, NULL);
    return rc == 0 ? lag_dataset_get(db, run.dataset_id, ret, NULL) : rc;
}

/* Where tokens stand for a text, as bytes do. */
static double bits_per_byte(struct lag_db *db, const char *owner) {
    struct lag_dataset_row row;
    if (find_dataset(db, owner, &row) != 0 || row.n_tokens < 1) return 0;
    const int64_t n_bytes = strcmp(row.format, "text") == 0 ? row.n_tokens : row.text_bytes;
    return n_bytes > 0 ? (double)row.n_tokens / (double)n_bytes / M_LN2 : 0;
}

static int open_series(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct opening *opening = arg;
    int rc = 0;
    opening->recorder->bpb = bits_per_byte(db, opening->owner);
    for (int i = 0; rc == 0 && i < LAGD_N_KEYS; i++) {
        if (keys[i].speed && !opening->with_speed) continue;
        if (i == LAGD_VAL_BPB && opening->recorder->bpb == 0) continue;
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
    if (key == LAGD_VAL_LOSS && recorder->bpb > 0)
        return lagd_recorder_add(recorder, LAGD_VAL_BPB, step, value * recorder->bpb, err);
    if (lag_clock_mono_ns() - recorder->flushed_ns < REPORT_NS) return 0;
    return lagd_recorder_flush(recorder, err);
}
