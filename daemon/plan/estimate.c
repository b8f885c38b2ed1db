/* What a run will take: parameters, FLOPs, memory and, as a guess, time. */
#include "plan/run_config_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/host.h>
#include <lagd/engine/checkpoint.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/params.h>
#include <inttypes.h>
#include <string.h>

int lagd_run_estimate(const struct lagd_run_config *resolved, int n_threads, struct lagd_run_estimate *ret,
                      struct lag_error *err) {
    struct lag_spec spec;
    lagd_run_spec(resolved, &spec);
    int rc = lag_spec_check(&spec, err);
    if (rc < 0) return rc;
    int threads = (int)(resolved->threads > 0 ? LAG_MIN(resolved->threads, n_threads) : n_threads);
    struct lagd_run_estimate out = {.n_params = (int64_t)lag_spec_params(&spec)};
    uint64_t state = lag_state_bytes(&spec);
    const struct lag_work_shape shape = lagd_run_work_shape(resolved, threads);
    uint64_t work = lag_work_bytes(&spec, &shape);
    uint64_t peak = 0;
    bool fits = state > 0 && work > 0 && lag_add_u64(state, work, &peak) &&
                lag_add_u64(peak, LAGD_OVERHEAD_BYTES, &peak) && peak <= INT64_MAX / 2;
    if (!fits) {
        return lag_error_at(err, LAG_EFIT, "/model",
                            "a model of %" PRId64 " parameters with batches of %" PRId64 " × %" PRId64
                            " tokens does not fit any memory",
                            out.n_params, resolved->sequences, resolved->tokens_per_sequence);
    }
    out.tokens_per_step = resolved->sequences * resolved->tokens_per_sequence * resolved->accumulate;
    out.tokens_total = out.tokens_per_step * resolved->max_steps;
    out.flops_per_token = lag_flops_token_train(&spec, (int)resolved->tokens_per_sequence);
    out.flops_per_step = out.flops_per_token * (double)out.tokens_per_step;
    out.flops_total = out.flops_per_step * (double)resolved->max_steps;
    out.memory_bytes = (int64_t)peak;
    out.state_bytes = (int64_t)state;
    out.activation_bytes = (int64_t)work;
    out.checkpoint_bytes = (int64_t)lag_checkpoint_bytes(&spec);
    out.memory_available_bytes = (int64_t)lag_host_memory_available_bytes();
    out.step_seconds = out.flops_per_step / (lag_measured_core_rate(shape.precision) * LAGD_STEP_EFFICIENCY * threads) *
                       (shape.recompute ? LAGD_RECOMPUTE_TIME : 1);
    out.total_seconds = out.step_seconds * (double)resolved->max_steps;
    out.precision_note = lag_precision_note(shape.precision);
    *ret = out;
    return 0;
}
