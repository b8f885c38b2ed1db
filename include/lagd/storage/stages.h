/* Queries of growth plans and their stages. Conventions as in runs.h. */
#pragma once
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

struct lag_plan_row {
    char run_id[LAG_ROW_ID];
    int64_t start_step;        /* of the run when the plan was set first */
    double alpha;              /* of its lengths */
    int64_t steps;             /* of its lengths; 0: each stage has a trigger of its own */
    int64_t revision, created_ms, updated_ms;
};
struct lag_stage_row {
    char id[LAG_ROW_ID], run_id[LAG_ROW_ID];
    int64_t position;          /* 1, 2, … */
    char state[LAG_ROW_STATE];
    int64_t fired_step;        /* -1 while it is planned */
    int64_t fired_ms;
    char growth_id[LAG_ROW_ID];/* of one that has begun */
    int64_t memory_bytes;      /* predicted peak of the run with its growth */
    char reason[LAG_ROW_TEXT]; /* why it was begun or skipped */
    char begins[LAG_ROW_TEXT]; /* its trigger, in the text form of base/fields.h */
    char request[LAG_ROW_CONFIG], pool[LAG_ROW_POOL]; /* of its growth */
};

/* 1, or 0 = it has none. */
int lag_plan_get(struct lag_db *db, const char *run_id, struct lag_plan_row *ret, struct lag_error *err);
/* What tells one form of a run's plan from every other, also from a plan that was removed; 0: of no plan. */
int64_t lag_plan_tag(const struct lag_plan_row *row);
/* Revision and times are set here. */
int lag_plan_put(struct lag_db *db, const struct lag_plan_row *row, struct lag_error *err);
int lag_plan_delete(struct lag_db *db, const char *run_id, struct lag_error *err); /* with its stages */

int lag_stage_insert(struct lag_db *db, const struct lag_stage_row *row, struct lag_error *err);
int lag_stage_get(struct lag_db *db, const char *id, struct lag_stage_row *ret, struct lag_error *err);
/* By position. */
int lag_stage_list(struct lag_db *db, const char *run_id, int (*each)(const struct lag_stage_row *, void *), void *arg,
                   struct lag_error *err);
int lag_stage_set_state(struct lag_db *db, const char *id, const char *state, const char *reason,
                        struct lag_error *err);
/* Where its trigger fired; growth_id "": it was skipped. */
int lag_stage_set_fired(struct lag_db *db, const char *id, int64_t step, const char *growth_id, struct lag_error *err);
/* The most that one which has not begun will need; 0: there is none. */
int lag_stages_memory(struct lag_db *db, const char *run_id, int64_t *ret_bytes, struct lag_error *err);
/* Those behind that position. */
int lag_stages_delete(struct lag_db *db, const char *run_id, int64_t after, struct lag_error *err);
