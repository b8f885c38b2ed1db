/* What a run's training and evaluation cost: counted from its shape and schedule. */
#include "train/flops_internal.h"

#include "plan/shape_internal.h"

#include <lagd/engine/cost.h>

int64_t lagd_run_step_tokens(const struct lagd_run *run) {
    return (int64_t)run->trainer.step.accumulate * run->trainer.step.batch * run->trainer.step.context;
}

double lagd_run_evaluation_flops(const struct lagd_run *run, const struct lag_spec *spec, int context) {
    double tokens = (double)run->book.config.eval_batches * run->trainer.step.batch * run->trainer.step.context;
    return tokens * lag_flops_token_forward(spec, context);
}

double lagd_run_flops(const struct lagd_run *run, const struct lag_spec *spec, int context, int64_t from, int64_t to) {
    if (to <= from) return 0;
    double step_flops = (double)lagd_run_step_tokens(run) * lag_flops_token_train(spec, context);
    int64_t every = run->book.config.eval_every, last = run->book.config.max_steps;
    int64_t n_evaluations = to / every - from / every + (to >= last && from < last && last % every != 0);
    return (double)(to - from) * step_flops + (double)n_evaluations * lagd_run_evaluation_flops(run, spec, context);
}

double lagd_run_first_flops(const struct lagd_run *run, int context) {
    struct lag_spec spec = run->trainer.state->layout.spec;
    lagd_spec_take_shape(&spec, &run->book.config.shape);
    return lagd_run_evaluation_flops(run, &spec, context);
}
