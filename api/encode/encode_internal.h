/* Rows of the store as JSON: one schema a kind of row (json/schema_internal.h). Thread: owner of db. */
#pragma once
#include "encode/rows_internal.h"
#include "json/fields_out_internal.h"
#include "json/schema_internal.h"

#include <lagd/daemon/growth_request.h>
#include <lagd/daemon/run_config.h>
#include <lagd/daemon/shape.h>
#include <lagd/daemon/states.h>
#include <lagd/daemon/supervisor.h>
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

/* The context of shapes that need more than the row. */
struct lagd_encoding {
    struct lag_db *db;
    struct lag_error *err;
    const struct lagd_rows *candidates; /* of the growth: what a candidate is ranked among */
    struct lagd_supervisor *supervisor; /* for what runs, growths and studies will still take; NULL: not told */
    const void *left_of;                /* the run of … */
    struct lagd_left left;              /* … this, which two of its members need */
};

extern const struct lagd_schema lagd_model_schema;     /* "Shape", of lag_shape; no context */
extern const struct lagd_schema lagd_dataset_schema;    /* of lag_dataset_row; no context */
extern const struct lagd_schema lagd_run_schema;        /* of lag_run_row; db, err */
extern const struct lagd_schema lagd_checkpoint_schema; /* of lag_checkpoint_row; db, err */
extern const struct lagd_schema lagd_candidate_schema;  /* of lag_candidate_row; candidates */
extern const struct lagd_schema lagd_rung_schema;       /* of lag_rung_row; no context */
lagd_member_fn lagd_write_rungs;                        /* of lag_growth_row; context lagd_encoding */
extern const struct lagd_schema lagd_decision_schema;   /* of lag_decision_row; db, err */
extern const struct lagd_schema lagd_strategy_schema;   /* of lagd_strategy_request; context: the canonical text */
extern const struct lagd_schema lagd_study_schema;      /* of lag_study_row; db, err */
lagd_member_fn lagd_write_change;                       /* of lag_growth_row; what grew, in words */
extern const struct lagd_schema lagd_growth_schema;     /* of lag_growth_row; db, err, candidates */

/* What a run was forked from, or made of at step 0. */
struct lagd_origin {
    char run[LAG_ROW_ID], run_name[LAG_ROW_NAME], checkpoint[LAG_ROW_ID]; /* run "": of none */
    int64_t step;
    bool exists;
};
#define LAGD_ORIGIN_HELP "What it was forked from, or made from; null where it is of no other run."
extern const struct lagd_schema lagd_origin_schema;
void lagd_origin_read(struct lag_db *db, const struct lag_run_row *row, struct lagd_origin *ret);
int lagd_write_origin(struct lagd_json *json, const char *key, const struct lagd_origin *origin); /* or null */

/* With the candidates, which it reads. */
int lagd_write_growth(struct lagd_json *json, const char *key, const struct lag_growth_row *row,
                      struct lagd_supervisor *supervisor, struct lag_db *db, struct lag_error *err);
/* Whether the run has the new shape: never before the growth is applied, and not where no growth was chosen. */
#define LAGD_GREW_HELP "Whether the run has the new shape: false where no growth was chosen, null before it is applied."
int lagd_growth_grew(struct lag_db *db, const struct lag_growth_row *row, bool *ret_grew, struct lag_error *err);
/* null when the text is none of a strategy. */
void lagd_write_strategy(struct lagd_json *json, const char *key, const char *canonical);
void lagd_write_link(struct lagd_json *json, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* [low, high]; null for what is not known. Always 0. */
int lagd_write_interval(struct lagd_json *json, const char *key, double low, double high);
/* The states of a machine, for a lagd_choice_fn. */
const char *lagd_state_choice(enum lagd_machine machine, int i, const char **ret_help);
lagd_choice_fn lagd_growth_state_choice;
const char *lagd_run_health(int i, const char **ret_help); /* words of a run's health */
/* What may be asked in the present state, as an array. Always 0. */
int lagd_write_actions(struct lagd_json *json, const char *key, enum lagd_machine machine, const char *state);
/* 1 = best of the eligible ones, equal ones share the lowest rank; 0 = not ranked, as long as one that lives has not
 * come so far. at_lag: by loss at the lag, else at step 0. */
int lagd_candidate_rank(const struct lag_candidate_row *row, const struct lag_candidate_row *all, size_t n_all,
                        bool at_lag);
