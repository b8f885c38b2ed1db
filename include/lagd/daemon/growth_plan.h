/* A growth as it would go: its candidates, and what they will take. Thread: any. */
#pragma once
#include <lagd/daemon/growth_request.h>
struct lag_db;
struct lagd_supervisor;

/* One candidate as it will be probed. */
struct lagd_candidate_plan {
    char strategy[LAG_ROW_STRATEGY], op[32], names[512], recipe[LAG_ROW_RECIPE];
    int64_t n_params, rewarm_steps;
    double flops, eval_flops;   /* of its probe, and of the evaluations among them */
    int64_t learn_steps;        /* that learn how it grows, before its probe, … */
    double learn_flops;         /* … and theirs, which are part of flops */
    bool eligible, function_preserving;
    double connection_rate;
    double prior;               /* its place by the prior, 0 first to 1 last; NaN: not known (daemon/prior.h) */
};
#define LAGD_RUNGS_MAX 64
#define LAGD_PARENTS_MAX 16 /* different ones that a growth's candidates take */
/* Of all candidates together. */
struct lagd_growth_cost {
    int64_t steps;
    double flops;
};
/* Of a training step. */
struct lagd_batch_plan {
    int64_t sequences, tokens_per_sequence, accumulate;
};
#define LAGD_BATCH_NOTE 256
struct lagd_growth_plan {
    struct lag_shape from, to;
    struct lagd_batch_plan batch; /* after the growth */
    int64_t tokens_per_sequence;  /* the same; 0: as before */
    char batch_note[LAGD_BATCH_NOTE]; /* what of a longer context they leave; "": nothing */
    int n_parents;
    struct lag_growth_parent_row parents[LAGD_PARENTS_MAX]; /* their growth_id: "" */
    int n_candidates;
    struct lagd_candidate_plan candidates[LAGD_STRATEGIES_MAX + 1]; /* `none` is the last */
    int64_t n_times, n_full, n_batches, eval_stride, eval_sequences;
    int64_t n_workers;          /* candidates at once */
    int64_t learn_bytes;        /* that one more needs in memory while it learns; 0: none learns */
    int n_learning;             /* candidates that learn */
    double eval_share, flops_total;
    int64_t first_rung;         /* the earliest step of the first rung; 0: no rungs */
    int64_t rungs[LAGD_RUNGS_MAX];
    int n_rungs;
    struct lagd_growth_cost least, most; /* as its allocator may end it early, or extend it */
    double seconds_guess;       /* from the request to the verdict, when probing may begin at once */
    char time_basis[16];        /* of what it is predicted: run (its own steps or probes), other_runs, machine */
    int64_t memory_bytes, memory_available_bytes; /* needed beside what the run has; what admission would grant now */
    int64_t memory_peak_bytes;  /* of the run and its growth together */
    int64_t prior_cases;        /* growths that the prior is made of; 0: there is none, or it was not asked */
    char prior_of[8], prior_like[8]; /* finals, lags; both, factor, any: what these are */
};
/* Expands and merges the pool for a run as it stands. *ret is large: free() it. Errors carry pointers, e.g.
 * "/pool/2/operator". db: where the models of a fusion are looked up; NULL: none is known. Refuses: target not deeper
 * than the run, at_step or at_step + probe steps beyond max_steps, unknown names or parameters, an allocator that
 * cannot do what is asked. */
int lagd_growth_plan_make(struct lag_db *db, const struct lagd_growth_request *request, const struct lag_run_row *run,
                          int n_threads, struct lagd_growth_plan **ret, struct lag_error *err);
/* The step at which it would stop the run as that stands. */
static inline int64_t lagd_growth_start(const struct lagd_growth_request *request, const struct lag_run_row *run) {
    return request->at_step >= 0 ? request->at_step : run->step;
}
/* The same for a run with growths ahead: as it will stand when its turn has come. LAG_ESTATE: it does not fit between
 * them, which the text tells. */
int lagd_growth_plan_read(struct lag_db *db, const struct lagd_growth_request *request, const struct lag_run_row *run,
                          int n_threads, struct lagd_growth_plan **ret, struct lag_error *err);
/* Predicts the time of a plan anew, from the speed that the run has shown since the daemon started. Thread: any. */
void lagd_supervisor_predict(struct lagd_supervisor *supervisor, const struct lag_run_row *run,
                             struct lagd_growth_plan *plan);
