/* How long a growth of a run will take on this machine as it is now. */
#include "plan/growth_cost_internal.h"
#include "plan/run_config_internal.h"
#include "supervisor/supervisor_internal.h"

#include <lagd/base/check.h>
#include <lagd/daemon/growth_plan.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/checkpoint.h>
#include <lagd/engine/cost.h>
#include <string.h>

void lagd_supervisor_predict(struct lagd_supervisor *s, const struct lag_run_row *run, struct lagd_growth_plan *plan) {
    struct lagd_totals *totals = &s->deps.totals;
    struct lagd_growth_pace pace = {.n_threads = s->deps.n_threads};
    struct lagd_run_config config;
    struct lag_spec spec;
    double step_flops = 0, n_written = (double)LAG_MAX(atomic_load(&totals->checkpoints), 1);
    pace.mean_checkpoint_s = (double)atomic_load(&totals->checkpoint_ns) * 1e-9 / n_written;
    pace.mean_checkpoint_bytes = (double)atomic_load(&totals->checkpoint_bytes) / n_written;
    bool is_active = lagd_run_is(run->state, LAGD_RUN_RUNNING);
    /* A run whose thread has only just begun is active, too. */
    bool begins = lagd_run_is(run->state, LAGD_RUN_QUEUED) || lagd_run_is(run->state, LAGD_RUN_INTERRUPTED);
    pace.n_others = LAG_MAX(0, atomic_load(&totals->runs_active) - (is_active || begins));
    if (lagd_run_spec_of_row(run, &config, &spec, NULL) == 0) {
        double tokens = (double)(config.sequences * config.tokens_per_sequence * config.accumulate);
        pace.core_rate = lag_measured_core_rate(lagd_run_precision(&config));
        pace.recompute = config.recompute;
        pace.checkpoint_bytes = (double)lag_checkpoint_bytes(&spec);
        step_flops = tokens * lag_flops_token_train(&spec, (int)config.tokens_per_sequence);
        if (is_active) pace.step_flops = step_flops;
    }
    pace.is_own = lagd_speeds_get(s->deps.speeds, run->id, step_flops, &pace.speed);
    lagd_growth_time(plan, &pace);
}
