/* Writing and finding the state of a probe on its way. */
#include "growth/probe_state_internal.h"

#include "checkpoint/checkpoint_internal.h"
#include "records/causes_internal.h"
#include "records/folders_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/engine/checkpoint.h>
#include <lagd/engine/train.h>
#include <stdio.h>
#include <string.h>

#define SHARE 50                /* of the probe's time, one part for writing */
#define DISK_BYTES_PER_S 250e6  /* where no checkpoint has been written yet */

void lagd_probe_keeper_init(struct lagd_probe_keeper *keeper, const struct lagd_deps *deps,
                            const struct lag_spec *shape) {
    const int64_t n_bytes = atomic_load(&deps->totals.checkpoint_bytes), ns = atomic_load(&deps->totals.checkpoint_ns);
    const double bytes_per_ns = n_bytes > 0 && ns > 0 ? (double)n_bytes / (double)ns : DISK_BYTES_PER_S * 1e-9;
    *keeper = (struct lagd_probe_keeper){.cost_ns = (int64_t)((double)lag_checkpoint_bytes(shape) / bytes_per_ns)};
}

bool lagd_probe_keeper_due(const struct lagd_probe_keeper *keeper, const struct lagd_deps *deps) {
    const int64_t period_ns = deps->probe_checkpoint_s * INT64_C(1000000000);
    if (period_ns <= 0) return false;
    return LAG_FP_FAIL("probe.state_due") || keeper->computed_ns >= LAG_MAX(period_ns, SHARE * keeper->cost_ns);
}

static void describe(const struct lagd_probe_spec *spec, struct lag_checkpoint_meta *ret) {
    *ret = (struct lag_checkpoint_meta){.seed = spec->engine.config.seed};
    (void)lag_copy(ret->run_id, sizeof(ret->run_id), spec->run_id);
    (void)lag_copy(ret->growth_text, sizeof(ret->growth_text), spec->strategy);
    (void)lag_copy(ret->parent_sha256, sizeof(ret->parent_sha256), spec->parent_sha256);
    (void)lag_copy(ret->fingerprint, sizeof(ret->fingerprint), lag_fingerprint(spec->engine.precision));
    (void)lag_copy(ret->version, sizeof(ret->version), LAGD_VERSION);
}

void lagd_probe_keeper_write(struct lagd_probe_keeper *keeper, const struct lagd_deps *deps,
                             const struct lagd_probe_spec *spec, const struct lag_state *state) {
    char relative[LAG_ROW_PATH], dir[LAGD_STATE_PATH];
    struct lag_checkpoint_meta meta;
    struct lag_checkpoint_files files;
    struct lag_error err = {0};
    const int64_t began_ns = lag_clock_mono_ns();
    lagd_probe_state_path(spec->run_id, spec->candidate_id, relative);
    lagd_state_path(deps, relative, dir);
    describe(spec, &meta);
    int rc = lagd_checkpoint_check_space(deps, &state->layout.spec, &err);
    if (rc == 0) rc = lag_checkpoint_write(dir, state, &meta, &files, &err);
    LAG_FP("probe.state_written");
    if (rc != 0 && !keeper->told)
        lag_log(LAG_LOG_WARNING, "candidate %s: its state is not kept, a crash would cost its probe: %s",
                spec->candidate_id, err.text);
    keeper->told = rc != 0;
    keeper->computed_ns = 0;
    if (rc == 0) keeper->cost_ns = lag_clock_mono_ns() - began_ns;
}

/* Of this probe, made by the same program and processor, so that what follows has the same bits. */
static bool is_own(const struct lagd_probe_spec *spec, const struct lag_state *state,
                   const struct lag_checkpoint_meta *found) {
    struct lag_checkpoint_meta wanted;
    describe(spec, &wanted);
    const int64_t t = state->step - spec->start_step;
    return t > 0 && t <= spec->to && lag_spec_same_shape(&state->layout.spec, &spec->engine.target) &&
           found->seed == wanted.seed && strcmp(found->run_id, wanted.run_id) == 0 &&
           strcmp(found->growth_text, wanted.growth_text) == 0 &&
           strcmp(found->parent_sha256, wanted.parent_sha256) == 0 &&
           strcmp(found->fingerprint, wanted.fingerprint) == 0;
}

void lagd_probe_state_remove(const struct lagd_deps *deps, const char *run_id, const char *candidate_id) {
    char relative[LAG_ROW_PATH];
    lagd_probe_state_path(run_id, candidate_id, relative);
    lagd_folder_remove(deps, relative);
}

int lagd_probe_state_load(const struct lagd_deps *deps, const struct lagd_probe_spec *spec, struct lag_state **ret,
                          struct lag_error *err) {
    LAG_CLEANUP(lag_state_destroy_p) struct lag_state *state = NULL;
    char relative[LAG_ROW_PATH], dir[LAGD_STATE_PATH];
    struct lag_checkpoint_meta meta;
    struct lag_error why = {0};
    *ret = NULL;
    lagd_probe_state_path(spec->run_id, spec->candidate_id, relative);
    lagd_state_path(deps, relative, dir);
    if (!lag_fs_exists(dir)) return 0;
    int rc = lag_checkpoint_read(dir, &state, &meta, &why);
    if (rc == 0 && is_own(spec, state, &meta)) {
        lag_log(LAG_LOG_INFO, "candidate %s goes on from step %lld of its probe", spec->candidate_id,
                (long long)(state->step - spec->start_step));
        *ret = LAG_TAKE(state);
        return 0;
    }
    if (lagd_is_trouble(rc)) return lag_error_set(err, rc, "%s", why.text);
    lag_log(LAG_LOG_WARNING, "candidate %s is probed from the start, its state cannot be used: %s", spec->candidate_id,
            rc == 0 ? "it is of another probe" : why.text);
    lagd_folder_remove(deps, relative);
    return 0;
}
