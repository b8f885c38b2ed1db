/* The stored stages of a run's plan. */
#pragma once
#include <lagd/daemon/plan_request.h>
#include <lagd/storage/stages.h>
struct lag_db;

struct lagd_stage_list {
    struct lag_stage_row *rows; /* by position */
    int n;
    size_t capacity;
};
int lagd_stages_read(struct lag_db *db, const char *run_id, struct lagd_stage_list *ret, struct lag_error *err);
void lagd_stages_deinit(struct lagd_stage_list *list);
/* How many have begun or were skipped: the first ones. */
int lagd_stages_begun(const struct lagd_stage_list *list);
/* The step from which the stage behind that many is counted: where the one before it began, or the plan was set. */
int64_t lagd_stages_since(const struct lagd_stage_list *list, int n_begun, int64_t start_step);
/* Fills the texts of a row. LAG_EINVAL: too long to be kept. */
int lagd_stage_texts(const struct lagd_trigger *trigger, const struct lagd_growth_request *growth,
                     struct lag_stage_row *ret, struct lag_error *err);
/* Inside a transaction: the plan is stored as it was read. LAG_ESTATE: a stage has begun since. */
int lagd_tx_plan_set(struct lag_db *db, const struct lagd_plan *plan, const struct lagd_plan_request *request,
                     struct lag_error *err);
/* Inside a transaction: the stages that have not begun go, and the plan with them where none has. */
int lagd_tx_plan_remove(struct lag_db *db, const char *run_id, struct lag_error *err);
