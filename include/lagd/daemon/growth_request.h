/* What a person asks for when growing a run. Thread: any. */
#pragma once
#include <lagd/base/fields.h>
#include <lagd/storage/rows.h>

#define LAGD_STRATEGIES_MAX 64
#define LAGD_PROBE_STEPS_MAX 1000000
#define LAGD_STRATEGY_PARAMS 4
#define LAGD_STRATEGY_PARENTS 3
#define LAGD_REWARM_STEPS 50 /* of a re-warm that is asked without a length */
#define LAGD_FREEZE_MAX 1000000000
enum { LAGD_FREEZE_KEEP = -1, LAGD_FREEZE_UNSAID = -2 };
struct lagd_strategy_param { char name[16]; double value; };
struct lagd_strategy_request {
    char op[32];                /* an operator, or a published recipe */
    int n_params;
    struct lagd_strategy_param params[LAGD_STRATEGY_PARAMS];
    char with[32];              /* a width operator beside a depth operator; "" = none */
    int n_with_params;
    struct lagd_strategy_param with_params[LAGD_STRATEGY_PARAMS];
    int n_parents;
    char parents[LAGD_STRATEGY_PARENTS][LAG_ROW_ID]; /* checkpoints whose models are fused with the run's own */
    char optimizer[16], lr[16]; /* "" = the operator's preset */
    int64_t rewarm_steps;       /* -1 = LAGD_REWARM_STEPS */
    int64_t freeze_old;         /* steps for which only new layers train, or one of these */
    int64_t seed;               /* -1 = the run's seed */
    bool whole;                 /* a strategy's text, which says all: no rules of the pool hold for it */
};
void lagd_strategy_request_defaults(struct lagd_strategy_request *request); /* nothing said */
struct lagd_growth_request {
    struct lag_shape target;    /* the axes that change; 0 = stays as the run has it */
    int64_t tokens_per_sequence; /* of training after the growth; 0 = as the grown context suggests */
    int64_t extend_to;          /* extend/max_steps; 0 = not given */
    int64_t at_step;            /* when/at_step; -1 = the next step boundary */
    int64_t probe_steps, eval_every, eval_batches;
    double max_eval_share, divergence_bound, delta;
    char allocator[16];         /* all, halving, race, auto: who is probed on after a rung */
    int64_t max_steps;          /* how far auto may extend the probe; 0 = the lag */
    int64_t parallel;           /* candidates at once; 0 = the compute budget */
    char mode[16];              /* auto, manual, study */
    bool allow_none;
    bool audit;                 /* a study finds what its decision lost, once it is applied (audit.h) */
    char reason[512];
    char pool[64];              /* "default", "published", …, or "" when strategies are listed */
    bool has_rules;             /* the pool is an object: /pool/operators, and … */
    struct lagd_strategy_request rules; /* … what holds for each that says nothing else; its op and params: none */
    int n_strategies;
    struct lagd_strategy_request strategies[LAGD_STRATEGIES_MAX]; /* api fills these from "pool": [names or objects] */
};
extern const struct lag_fields lagd_growth_fields; /* all but pool and strategies: "target/n_layer", "probe/steps" … */
void lagd_growth_request_defaults(struct lagd_growth_request *request);

/* Canonical text ↔ request form, so that the api can show a stored strategy as an object. */
int lagd_strategy_decode(const char *text, struct lagd_strategy_request *ret, struct lag_error *err);
