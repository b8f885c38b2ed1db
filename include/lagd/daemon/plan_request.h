/* A run's growth plan as a person asks for it: stages, each a growth with a trigger in place of its when. Thread: any.
 */
#pragma once
#include <lagd/daemon/growth_plan.h>
struct lag_stage_row;

#define LAGD_STAGES_MAX 16
/* When a stage begins: exactly one kind. */
struct lagd_trigger {
    char kind[8];              /* step, tokens, flops, slope; "" = none was given */
    int64_t step, tokens;
    double flops;              /* of training */
    struct lagd_slope {
        double below;          /* nats per 1000 steps */
        double hysteresis;     /* share of below that it may rise again */
        int64_t window_steps, hold_steps, least_steps, most_steps; /* 0: half the window; none; without end */
    } slope;
};
/* The rows of its JSON object; the stored text has kind before them. */
extern const struct lag_fields lagd_trigger_fields, lagd_trigger_stored_fields;

extern const struct lag_fields lagd_stage_fields; /* of a lagd_growth_request: those that a stage may give */
struct lagd_stage_request {
    struct lagd_trigger trigger;
    struct lagd_growth_request growth; /* at_step is not looked at */
};
struct lagd_plan_request {
    double alpha;              /* lengths: stage i of all shapes, the first one too, takes steps × i^alpha / sum */
    int64_t steps;             /* 0: each stage has a trigger of its own */
    int n;
    struct lagd_stage_request stages[LAGD_STAGES_MAX];
};
extern const struct lag_fields lagd_lengths_fields; /* prop_alpha and steps of a lagd_plan_request */

/* A stage as it would go. */
struct lagd_stage_plan {
    struct lagd_trigger trigger;
    int64_t begins;            /* at the earliest, as far as it can be told */
    bool is_exact;             /* it is known: a step, or a number of tokens */
    struct lagd_growth_plan *growth;
};
struct lagd_plan {
    struct lag_run_row run;
    int64_t start_step;        /* of the plan */
    double alpha;
    int64_t steps;
    int n, n_begun;            /* the first n_begun have begun, and stay */
    struct lagd_stage_plan stages[LAGD_STAGES_MAX]; /* growth: NULL in those */
    double flops_total, seconds_guess; /* of all probes that are to come */
    int64_t memory_peak_bytes;
};
/* The plan for a run as it stands, with the growths that lie ahead of it. Errors point to "/stages/1/target/n_layer"
 * and say the stage's number, from 1. LAG_ESTATE: a stage that has begun would be changed, or the run cannot grow. *ret
 * is to be destroyed. Thread: owner of db. */
int lagd_plan_read(struct lag_db *db, const struct lagd_plan_request *request, const char *run, int n_threads,
                   struct lagd_plan **ret, struct lag_error *err);
void lagd_plan_destroy(struct lagd_plan *plan);
void lagd_plan_destroy_p(struct lagd_plan **plan);
/* What a stored stage was asked for. */
int lagd_stage_request_of(const struct lag_stage_row *row, struct lagd_stage_request *ret, struct lag_error *err);
