/* What a person asks for when a study is made, and what it will take. A study trains every candidate of a pool to a
 * horizon, for each seed, so that it is known what any lag would have picked. Thread: any. */
#pragma once
#include <lagd/daemon/growth_plan.h>
#include <lagd/daemon/run_config.h>
#include <lagd/storage/studies.h>

#define LAGD_STUDY_SEEDS_MAX 32
#define LAGD_STUDY_NAME_MAX 40
#define LAGD_STUDY_HORIZON_MIN 8 /* steps */
#define LAGD_STUDY_TIMES_MAX 4096       /* evaluations of a candidate; a report draws a thousand numbers for each */
#define LAGD_STUDY_LOSSES_MAX (1 << 25) /* of all candidates, seeds, evaluations and batches; a report reads them all */
struct lagd_study_request {
    char name[LAGD_STUDY_NAME_MAX + 1];
    char parent_run[LAG_ROW_NAME];       /* id or name */
    char parent_checkpoint[LAG_ROW_ID];  /* "" = its newest */
    struct lag_shape target;             /* as that of a growth, as is … */
    int64_t tokens_per_sequence;
    int64_t horizon, eval_every, eval_batches, parallel;
    double delta, divergence_bound;
    char baselines[32];                  /* none, scratch: ',' between */
    char note[512];
    int n_seeds;                         /* 0 = the parent's seed alone */
    int64_t seeds[LAGD_STUDY_SEEDS_MAX]; /* api fills these from "seeds", and the pool from "pool" */
    struct lagd_growth_request growth;   /* its pool and strategies alone */
    char audits[LAG_ROW_ID];             /* the growth whose decision it audits; "" = it is no audit (audit.h) */
};
extern const struct lag_fields lagd_study_fields; /* all but seeds, pool and strategies */
void lagd_study_request_defaults(struct lagd_study_request *request);
bool lagd_study_has_baseline(const struct lagd_study_request *request, const char *name);

/* A study as it would go. */
struct lagd_study_plan {
    struct lag_run_row parent;            /* as it stood at the checkpoint */
    struct lag_checkpoint_row checkpoint;
    struct lagd_run_config config;        /* of the runs that go on from there */
    struct lagd_growth_request growth;    /* of each of them; its strategies are those of the pool */
    struct lagd_growth_plan *candidates;  /* of one seed; owned */
    int64_t n_seeds, n_runs;
    double parent_decay_fraction;         /* of the parent's own schedule */
    int64_t decay_steps;                  /* of the schedule, at the horizon's end; 0: it has none */
    int64_t scratch_steps;                /* of a baseline from scratch, 0: there is none */
    double parent_flops;                  /* spent on training up to the checkpoint */
    double scratch_flops, flops_total;    /* of one baseline; of the whole study */
    double seconds_guess;
    int64_t memory_bytes, disk_bytes;     /* peak of one run of it; of the checkpoints that it leaves */
};
struct lag_db;
/* As lagd_study_plan_make, with the parent read from its rows. LAG_ENOTFOUND as LAG_EINVAL with a pointer: there is no
 * such run or checkpoint. LAG_EEXIST: its name, or that of a run it would make, is taken. Thread: owner of db. */
int lagd_study_plan_read(struct lag_db *db, const struct lagd_study_request *request, int n_threads,
                         struct lagd_study_plan **ret, struct lag_error *err);
/* The growth that each run of a stored study has. Pure. */
int lagd_study_growth(const struct lag_study_row *study, struct lagd_growth_request *ret, struct lag_error *err);
/* n_growths: of the parent, oldest first. Refuses with a pointer what no study can be made of: a pool of one, a horizon
 * that ends inside a re-warm, a parent inside its decay, seeds repeated, more evaluations than a report reads. Pure. */
struct lagd_study_parent {
    const struct lag_run_row *run;
    const struct lag_checkpoint_row *checkpoint;
    const struct lag_growth_row *growths;
    int n_growths;
    struct lag_db *db; /* where the models of a fusion are looked up; NULL: none is known */
};
int lagd_study_plan_make(const struct lagd_study_request *request, const struct lagd_study_parent *parent,
                         int n_threads, struct lagd_study_plan **ret, struct lag_error *err);
void lagd_study_plan_destroy(struct lagd_study_plan *plan);
static inline void lagd_study_plan_destroy_p(struct lagd_study_plan **p) { lagd_study_plan_destroy(*p); }
/* Name of a run of a study: ret[LAG_ROW_NAME]. */
void lagd_study_run_name(const char *study, const char *role, int64_t seed, char *ret);
