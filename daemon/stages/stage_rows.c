/* Rows of a plan and its stages. */
#include "stages/stage_rows_internal.h"

#include "plan/pool_text_internal.h"
#include "plan/trigger_internal.h"
#include "records/post_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/events.h>
#include <stdio.h>
#include <stdlib.h>

/* --- reading ----------------------------------------------------------------------------------------------------- */

static int collect(const struct lag_stage_row *row, void *arg) {
    struct lagd_stage_list *list = arg;
    if (lag_grow_array((void **)&list->rows, &list->capacity, (size_t)list->n + 1, sizeof(*list->rows)) < 0)
        return LAG_ENOMEM;
    list->rows[list->n++] = *row;
    return 0;
}

int lagd_stages_read(struct lag_db *db, const char *run_id, struct lagd_stage_list *ret, struct lag_error *err) {
    struct lagd_stage_list list = {0};
    int rc = lag_stage_list(db, run_id, collect, &list, err);
    if (rc == LAG_ENOMEM) (void)lag_error_set(err, rc, "out of memory while looking at a run's plan");
    if (rc == 0) *ret = list;
    else free(list.rows);
    return rc;
}

void lagd_stages_deinit(struct lagd_stage_list *list) {
    free(list->rows);
    *list = (struct lagd_stage_list){0};
}

int lagd_stages_begun(const struct lagd_stage_list *list) {
    int n = 0;
    while (n < list->n && !lagd_stage_is(list->rows[n].state, LAGD_STAGE_PLANNED)) n++;
    return n;
}

int64_t lagd_stages_since(const struct lagd_stage_list *list, int n_begun, int64_t start_step) {
    return n_begun > 0 ? list->rows[n_begun - 1].fired_step : start_step;
}

int lagd_stage_request_of(const struct lag_stage_row *row, struct lagd_stage_request *ret, struct lag_error *err) {
    lagd_growth_request_defaults(&ret->growth);
    int rc = lag_fields_parse(&lagd_growth_fields, &ret->growth, row->request, err);
    if (rc == 0) rc = lagd_pool_parse(row->pool, &ret->growth, err);
    return rc == 0 ? lagd_trigger_parse(row->begins, &ret->trigger, err) : rc;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

int lagd_stage_texts(const struct lagd_trigger *trigger, const struct lagd_growth_request *growth,
                     struct lag_stage_row *ret, struct lag_error *err) {
    struct lag_strbuf text = LAG_STRBUF_INIT;
    lag_fields_format(&lagd_growth_fields, growth, &text);
    int rc = text.failed ? lag_error_set(err, LAG_ENOMEM, "out of memory for a stage") : 0;
    if (rc == 0 && lag_copy(ret->request, sizeof(ret->request), text.data) < 0)
        rc = lag_error_at(err, LAG_EINVAL, "/reason", "the request cannot be stored: shorten its reason");
    lag_strbuf_deinit(&text);
    if (rc == 0) rc = lagd_trigger_format(trigger, ret->begins, err);
    return rc == 0 ? lagd_pool_format(growth, ret->pool, err) : rc;
}

static int insert_stage(struct lag_db *db, const struct lagd_plan *plan, const struct lagd_plan_request *request, int i,
                        struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) struct lag_stage_row *row = lag_calloc(1, sizeof(*row));
    if (!row) return lag_error_set(err, LAG_ENOMEM, "out of memory for a stage");
    lag_id_new("sg", row->id);
    (void)lag_copy(row->run_id, sizeof(row->run_id), plan->run.id);
    row->position = i + 1;
    row->fired_step = -1;
    row->memory_bytes = plan->stages[i].growth->memory_peak_bytes;
    int rc = lagd_stage_texts(&plan->stages[i].trigger, &request->stages[i].growth, row, err);
    const struct lagd_post post = {.machine = LAGD_MACHINE_STAGE, .event = LAGD_STAGE_ON_CREATED, .row = row};
    return rc == 0 ? lagd_tx_post(db, &post, NULL, err) : rc;
}

static int tell(struct lag_db *db, const char *run_id, const char *message, struct lag_error *err) {
    const struct lag_event event = {.type = LAG_EVENT_RUN_PLAN, .run_id = run_id, .step = LAG_NO_STEP,
                                    .value = LAG_NO_VALUE, .message = message};
    return lag_event_put(db, &event, err);
}

/* The first that has begun, or was skipped, since the plan was read. */
static int check_begun(struct lag_db *db, const struct lagd_plan *plan, struct lag_error *err) {
    struct lagd_stage_list list;
    int rc = lagd_stages_read(db, plan->run.id, &list, err);
    if (rc != 0) return rc;
    const int n = lagd_stages_begun(&list);
    lagd_stages_deinit(&list);
    return n == plan->n_begun ? 0 : lag_error_set(err, LAG_ESTATE, "stage %d of run %s has begun meanwhile: look at "
                                                  "the plan again", plan->n_begun + 1, plan->run.name);
}

int lagd_tx_plan_set(struct lag_db *db, const struct lagd_plan *plan, const struct lagd_plan_request *request,
                     struct lag_error *err) {
    struct lag_plan_row row = {.start_step = plan->start_step, .alpha = plan->alpha, .steps = plan->steps};
    char message[LAG_ROW_TEXT];
    (void)lag_copy(row.run_id, sizeof(row.run_id), plan->run.id);
    int rc = check_begun(db, plan, err);
    if (rc == 0) rc = lag_plan_put(db, &row, err);
    if (rc == 0) rc = lag_stages_delete(db, plan->run.id, plan->n_begun, err);
    for (int i = plan->n_begun; i < plan->n && rc == 0; i++) rc = insert_stage(db, plan, request, i, err);
    if (rc != 0) return rc;
    (void)snprintf(message, sizeof(message), "%d stage%s, of which %d ha%s begun", plan->n, plan->n == 1 ? "" : "s",
                   plan->n_begun, plan->n_begun == 1 ? "s" : "ve");
    return tell(db, plan->run.id, message, err);
}

int lagd_tx_plan_remove(struct lag_db *db, const char *run_id, struct lag_error *err) {
    struct lagd_stage_list list;
    char message[LAG_ROW_TEXT];
    int rc = lagd_stages_read(db, run_id, &list, err);
    if (rc != 0) return rc;
    const int n_begun = lagd_stages_begun(&list), n = list.n;
    lagd_stages_deinit(&list);
    if (n == n_begun) return 0;
    rc = n_begun == 0 ? lag_plan_delete(db, run_id, err) : lag_stages_delete(db, run_id, n_begun, err);
    if (rc != 0) return rc;
    (void)snprintf(message, sizeof(message), "%d of %d stages were removed", n - n_begun, n);
    return tell(db, run_id, message, err);
}
