/* What a person asks for when growing a run. Thread: any. */
#pragma once
#include <lagd/base/fields.h>
#include <lagd/storage/rows.h>

#define LAGD_STRATEGIES_MAX 64
#define LAGD_STRATEGY_PARAMS 4
struct lagd_strategy_request {
    char op[32];
    int n_params;
    struct { char name[16]; double value; } params[LAGD_STRATEGY_PARAMS];
    char optimizer[16], lr[16]; /* "" = the operator's preset */
    int64_t rewarm_steps;       /* -1 = min(50, lag/4) */
    int64_t seed;               /* -1 = the run's seed */
};
struct lagd_growth_request {
    int64_t target_layers;      /* target/n_layer */
    int64_t at_step;            /* when/at_step; -1 = the next step boundary */
    int64_t probe_steps, eval_every, eval_batches;
    double max_eval_share, divergence_bound;
    int64_t parallel;           /* candidates at once; 0 = the compute budget */
    char mode[16];              /* auto, manual */
    bool allow_none;
    char reason[512];
    char pool[64];              /* "default", or "" when strategies are listed */
    int n_strategies;
    struct lagd_strategy_request strategies[LAGD_STRATEGIES_MAX]; /* api fills these from "pool": [names or objects] */
};
extern const struct lag_fields lagd_growth_fields; /* all but pool and strategies: "target/n_layer", "probe/steps" … */
void lagd_growth_request_defaults(struct lagd_growth_request *request);

/* One candidate as it will be probed. */
struct lagd_candidate_plan {
    char strategy[LAG_ROW_STRATEGY], op[32], names[512], recipe[LAG_ROW_TEXT];
    int64_t n_params, rewarm_steps;
    double flops, eval_flops;   /* of its probe, and of the evaluations among them */
    bool eligible, function_preserving;
    double connection_rate;
};
struct lagd_growth_plan {
    int n_candidates;
    struct lagd_candidate_plan candidates[LAGD_STRATEGIES_MAX + 1]; /* `none` is the last */
    int64_t n_times, n_batches, eval_sequences;
    int64_t n_workers;          /* candidates at once */
    double eval_share, flops_total;
    double seconds_guess;       /* from the request to the verdict, when probing may begin at once */
    char time_basis[16]; /* what the time is predicted from: run (its own steps or probes), other_runs, machine */
    int64_t memory_bytes, memory_available_bytes; /* needed beside what the run has; what admission would grant now */
    int64_t memory_peak_bytes;  /* of the run and its growth together */
};
/* Expands and merges the pool for a run as it stands. *ret is large: free() it. Errors carry pointers, e.g.
 * "/pool/2/operator". Refuses: target not deeper than the run, at_step or at_step + probe steps beyond max_steps,
 * unknown names or parameters. */
int lagd_growth_plan_make(const struct lagd_growth_request *request, const struct lag_run_row *run, int n_threads,
                     struct lagd_growth_plan **ret, struct lag_error *err);
/* Predicts the time of a plan anew, from the speed that the run has shown since the daemon started. Thread: any. */
struct lagd_supervisor;
void lagd_supervisor_predict(struct lagd_supervisor *supervisor, const struct lag_run_row *run,
                             struct lagd_growth_plan *plan);
/* Canonical text ↔ request form, so that the api can show a stored strategy as an object. */
int lagd_strategy_decode(const char *text, struct lagd_strategy_request *ret, struct lag_error *err);

/* The operator table, for GET /operators. */
struct lagd_operator_info {
    const char *name, *title, *help, *reference, *preset_optimizer, *preset_lr;
    bool function_preserving;
    int n_params;
    struct { const char *name, *help; double min, max, preset; } params[LAGD_STRATEGY_PARAMS];
};
int lagd_operator_count(void);
void lagd_operator_get(int index, struct lagd_operator_info *ret);
extern const char *const lagd_optimizer_rules[]; /* inherit, reset, reset_new, NULL */
extern const char *const lagd_lr_rules[];        /* continue, rewarm, rewarm_new, restart, NULL */

/* Ranking of a growth at probe step t, recomputed from the stored losses. */
struct lagd_ranking_entry {
    char candidate[LAG_ROW_ID], op[32];
    bool eligible;
    int rank, rank_at_0;
    double mean, margin_to_best, low, high;
};
struct lagd_ranking {
    int64_t t;                  /* the evaluated time used: the last one ≤ the asked */
    int n_entries;
    struct lagd_ranking_entry entries[LAGD_STRATEGIES_MAX + 1]; /* by rank, unranked last */
    double tau_0, tau_half;
    bool tied;
    int n_times;
    int64_t times[512];
};
struct lag_db;
/* t -1: the latest step that every living candidate has reached. LAG_ESTATE: not all have reached t. Thread: owner of
 * db. */
int lagd_ranking_compute(struct lag_db *db, const char *growth_id, int64_t t, struct lagd_ranking *ret,
                         struct lag_error *err);
/* The decision made again from the stored rows: equal to the stored one unless a person overrode it. */
int lagd_decision_recompute(struct lag_db *db, const char *growth_id, struct lag_decision_row *ret,
                            struct lag_error *err);
