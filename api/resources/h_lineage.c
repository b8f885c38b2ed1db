/* GET /runs/{run}/lineage: the sizes that a run's model had, how each came about, and what was tried. */
#include "resources/ancestry_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/operators.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int add_growth(const struct lag_growth_row *row, void *arg) {
    struct lagd_tried tried = {.growth = *row};
    return lagd_rows_add(arg, &tried);
}

static int add_checkpoint(const struct lag_checkpoint_row *row, void *arg) {
    return row->candidate_id[0] ? 0 : lagd_rows_add(arg, row);
}

static int note_candidate(const struct lag_candidate_row *row, void *arg) {
    struct lagd_tried *tried = arg;
    tried->n_candidates++;
    if (strcmp(row->id, tried->decision.candidate) == 0) tried->winner = *row;
    return 0;
}

static int read_tried(struct lag_db *db, struct lagd_tried *tried, struct lag_error *err) {
    int status = lag_decision_get(db, tried->growth.id, &tried->decision, err);
    if (status < 0 && status != LAG_ENOTFOUND) return status;
    if (status == LAG_ENOTFOUND) tried->decision = (struct lag_decision_row){.margin = NAN};
    return lag_candidate_list(db, tried->growth.id, note_candidate, tried, err);
}

/* The shape that the run was made with is in its configuration; its row has the present one. */
static int first_params(const struct lag_run_row *run, int n_threads, int64_t *ret, struct lag_error *err) {
    struct lagd_run_estimate estimate;
    LAG_CLEANUP(lag_free_p) struct lagd_run_config *config = lag_calloc(1, sizeof(*config));
    if (!config) return lag_error_set(err, LAG_EBUSY, "out of memory");
    int status = lagd_run_config_parse(run->config, config, err);
    if (status == 0) status = lagd_run_estimate(config, n_threads, &estimate, err);
    if (status == 0) *ret = estimate.n_params;
    return status;
}

/* Where no growth was chosen, the model keeps its size. */
static bool is_applied(const struct lagd_tried *tried) {
    return lagd_growth_is(tried->growth.state, LAGD_GROWTH_APPLIED);
}

static bool grew(const struct lagd_tried *tried) { return is_applied(tried) && lagd_operator_grows(tried->winner.op); }

void lagd_ancestry_destroy(struct lagd_ancestry *l) {
    if (!l) return;
    lagd_rows_deinit(&l->growths);
    lagd_rows_deinit(&l->checkpoints);
    free(l);
}

int lagd_ancestry_read(struct lag_db *db, const char *run, int n_threads, struct lagd_ancestry **ret,
                       struct lag_error *err) {
    struct lagd_ancestry *l = lag_calloc(1, sizeof(*l));
    if (!l) return lag_error_set(err, LAG_EBUSY, "out of memory");
    l->growths = (struct lagd_rows)LAGD_ROWS_INIT(struct lagd_tried);
    l->checkpoints = (struct lagd_rows)LAGD_ROWS_INIT(struct lag_checkpoint_row);
    int status = lag_run_get(db, run, &l->run, err);
    if (status == 0) lagd_origin_read(db, &l->run, &l->origin);
    if (status == 0) status = lag_growth_list(db, l->run.id, INT32_MAX, add_growth, &l->growths, err);
    if (status == 0) status = lag_checkpoint_list(db, l->run.id, add_checkpoint, &l->checkpoints, err);
    for (size_t i = 0; i < l->growths.n && status == 0; i++)
        status = read_tried(db, (struct lagd_tried *)l->growths.rows + i, err);
    if (status == 0) status = first_params(&l->run, n_threads, &l->n_params, err);
    if (status == 0) *ret = l;
    else lagd_ancestry_destroy(l);
    return status;
}

/* Where a growth begins there are two states of one step: the parent's and, where it grew, the one of the new shape. */
static bool led_to(const struct lagd_tried *tried, const struct lag_checkpoint_row *checkpoint, const char *own) {
    const int64_t step = tried->growth.start_step;
    if (step < 0 || step > checkpoint->step || strcmp(tried->growth.id, own) == 0) return false;
    if (step < checkpoint->step) return true;
    return is_applied(tried) && (!grew(tried) || lagd_shape_equal(&tried->growth.to, &checkpoint->shape));
}

void lagd_ancestry_until(struct lagd_ancestry *l, const struct lag_checkpoint_row *checkpoint,
                         const char *growth_of_candidate) {
    struct lagd_tried *tried = l->growths.rows;
    struct lag_checkpoint_row *others = l->checkpoints.rows;
    size_t n = 0;
    for (size_t i = 0; i < l->growths.n; i++)
        if (led_to(&tried[i], checkpoint, growth_of_candidate)) tried[n++] = tried[i];
    l->growths.n = n;
    n = 0;
    for (size_t i = 0; i < l->checkpoints.n; i++)
        if (others[i].step <= checkpoint->step) others[n++] = others[i];
    l->checkpoints.n = n;
    l->run.step = checkpoint->step;
    if (*growth_of_candidate == '\0') l->run.shape = checkpoint->shape;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static const struct lagd_tried *next_grown(const struct lagd_ancestry *l, size_t *at) {
    while (*at < l->growths.n) {
        const struct lagd_tried *tried = (const struct lagd_tried *)l->growths.rows + (*at)++;
        if (grew(tried)) return tried;
    }
    return NULL;
}

#define CHECKPOINT(name, type, member, help) LAGD_MEMBER(struct lag_checkpoint_row, name, type, member, help)
static const struct lagd_member checkpoint_members[] = {
    CHECKPOINT("id", "s", id, NULL),           CHECKPOINT("kind", "s", kind, NULL),
    CHECKPOINT("step", "i", step, NULL),       CHECKPOINT("n_bytes", "i", n_bytes, NULL),
    CHECKPOINT("keep", "b", keep, "Retention leaves it alone."),
};
static const struct lagd_schema checkpoint_schema = LAGD_SCHEMA("LineageCheckpoint", checkpoint_members);

static const struct lagd_tried no_growth;

/* Growth changes the shape, so it says to which stage a checkpoint belongs. */
static int write_checkpoints(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_stage_line *stage = object;
    const struct lagd_rows *list = &stage->ancestry->checkpoints;
    lagd_json_open_array(json, key);
    for (size_t i = list->n; i-- > 0;) {
        const struct lag_checkpoint_row *row = (const struct lag_checkpoint_row *)list->rows + i;
        if (lagd_shape_equal(&row->shape, &stage->shape))
            (void)lagd_write_object(json, NULL, &checkpoint_schema, row, NULL);
    }
    lagd_json_close_array(json);
    return 0;
}

/* How the winner of a growth came about: members of stages and of growths. */
#define TRIED(name, type, member, help) LAGD_MEMBER(struct lagd_tried, name, type, member, help)
static const struct lagd_member winner_members[] = {
    TRIED("operator", "s?", winner.op, NULL),
    TRIED("strategy", "s?", winner.strategy, "Its text."),
    TRIED("recipe", "s?", winner.recipe, "Which layer of the parent each layer is made of."),
    TRIED("verdict", "s?", decision.verdict, "The verdict in a sentence."),
    TRIED("decided_by", "s?", decision.decided_by, "lag: the rule; user: a person."),
};
static const struct lagd_schema winner_schema = LAGD_SCHEMA("LineageWinner", winner_members);

static int write_stage_winner(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_members(json, &winner_schema, ((const struct lagd_stage_line *)object)->tried, NULL);
}

static int write_winner(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_members(json, &winner_schema, object, NULL);
}

#define STAGE(name, type, member, help) LAGD_MEMBER(struct lagd_stage_line, name, type, member, help)
static const struct lagd_member stage_members[] = {
    STAGE("from_step", "i", from_step, NULL),
    STAGE("to_step", "i", to_step, NULL),
    STAGE("n_layer", "i", shape.n_layer, NULL),
    LAGD_OBJECT(struct lagd_stage_line, "shape", &lagd_model_schema, shape, NULL),
    STAGE("n_params", "i", n_params, NULL),
    LAGD_POINTED(struct lagd_stage_line, "growth", "s?", growth, "Id of the growth that it began with."),
    {.of = &winner_schema, .write = write_stage_winner},
    LAGD_WRITTEN_OF("checkpoints", "[@]", &checkpoint_schema, write_checkpoints, "Oldest first."),
};
static const struct lagd_schema stage_schema = LAGD_SCHEMA("LineageStage", stage_members);

/* tried: the growth that the stage began with, NULL of the first; end: the one that it ended with, or NULL. */
static struct lagd_stage_line stage_between(const struct lagd_ancestry *l, const struct lagd_tried *tried,
                                            const struct lagd_tried *end) {
    return (struct lagd_stage_line){
        .ancestry = l,
        .growth = tried ? tried->growth.id : "",
        .tried = tried ? tried : &no_growth,
        .from_step = tried ? tried->growth.start_step : l->run.origin_step,
        .to_step = end ? end->growth.start_step : l->run.step,
        .shape = tried ? tried->growth.to : end ? end->growth.from : l->run.shape,
        .n_params = tried ? tried->winner.n_params : l->n_params,
    };
}

void lagd_ancestry_stages(const struct lagd_ancestry *l, void (*tell)(const struct lagd_stage_line *stage, void *arg),
                          void *arg) {
    const struct lagd_tried *begin = NULL, *end;
    size_t at = 0;
    do {
        end = next_grown(l, &at);
        const struct lagd_stage_line stage = stage_between(l, begin, end);
        tell(&stage, arg);
        begin = end;
    } while (end);
}

static void write_stage(const struct lagd_stage_line *stage, void *json) {
    (void)lagd_write_object(json, NULL, &stage_schema, stage, NULL);
}

static int write_stages(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_open_array(json, key);
    lagd_ancestry_stages(object, write_stage, json);
    lagd_json_close_array(json);
    return 0;
}

static int write_step(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_growth_row *growth = &((const struct lagd_tried *)object)->growth;
    if (growth->start_step >= 0)
        lagd_json_int(json, key, growth->start_step);
    else if (growth->at_step >= 0)
        lagd_json_int(json, key, growth->at_step);
    else
        lagd_json_null(json, key);
    return 0;
}

static int write_loss(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_candidate_row *winner = &((const struct lagd_tried *)object)->winner;
    lagd_json_real(json, key, *winner->id ? winner->loss_at_lag : NAN);
    return 0;
}

static int write_grew(struct lagd_json *json, const char *key, const void *object, void *context) {
    if (is_applied(object))
        lagd_json_bool(json, key, grew(object));
    else
        lagd_json_null(json, key);
    return 0;
}

static const struct lagd_member growth_members[] = {
    TRIED("id", "s", growth.id, NULL),
    LAGD_CHOICE(struct lagd_tried, "state", "s", growth.state, lagd_growth_state_choice, NULL),
    LAGD_WRITTEN("step", "i?", write_step, "Where it began or is to begin."),
    TRIED("n_layer_from", "i", growth.from.n_layer, NULL),
    TRIED("n_layer_to", "i", growth.to.n_layer, NULL),
    LAGD_OBJECT(struct lagd_tried, "from", &lagd_model_schema, growth.from, NULL),
    LAGD_OBJECT(struct lagd_tried, "to", &lagd_model_schema, growth.to, NULL),
    LAGD_WRITTEN("grew", "b?", write_grew, LAGD_GREW_HELP),
    TRIED("n_candidates", "i", n_candidates, NULL),
    TRIED("lag_steps", "i", growth.probe_steps, NULL),
    TRIED("parent_checkpoint", "s?", growth.parent_checkpoint, NULL),
    TRIED("parent_loss", "n?", growth.parent_loss, NULL),
    LAGD_WRITTEN("loss_at_lag", "n?", write_loss, "Of what was decided on."),
    TRIED("tied", "b", decision.tied, NULL),
    {.of = &winner_schema, .write = write_winner},
    TRIED("reason", "s?", growth.reason, NULL),
};
static const struct lagd_schema growth_schema = LAGD_SCHEMA("LineageGrowth", growth_members);

static int write_growths(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_rows *list = &((const struct lagd_ancestry *)object)->growths;
    const struct lagd_tried *rows = list->rows;
    lagd_json_open_array(json, key);
    for (size_t i = 0; i < list->n; i++) (void)lagd_write_object(json, NULL, &growth_schema, &rows[i], NULL);
    lagd_json_close_array(json);
    return 0;
}

static int write_origin(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_origin(json, key, &((const struct lagd_ancestry *)object)->origin);
}

static const struct lagd_member lineage_members[] = {
    LAGD_MEMBER(struct lagd_ancestry, "run", "s", run.id, "Its id."),
    LAGD_MEMBER(struct lagd_ancestry, "name", "s", run.name, NULL),
    LAGD_MEMBER(struct lagd_ancestry, "step", "i", run.step, NULL),
    LAGD_WRITTEN_OF("origin", "@?", &lagd_origin_schema, write_origin, LAGD_ORIGIN_HELP),
    LAGD_WRITTEN_OF("stages", "[@]", &stage_schema, write_stages, "The sizes that the model had, oldest first."),
    LAGD_WRITTEN_OF("growths", "[@]", &growth_schema, write_growths, "All that was tried, oldest first."),
};
const struct lagd_schema lagd_lineage_schema = LAGD_SCHEMA("Lineage", lineage_members);

int lagd_h_run_lineage(struct lagd_request *request) {
    struct lag_db *db;
    struct lagd_ancestry *l = NULL;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_reader_begin(db, &request->err);
    if (status < 0) return status;
    status = lagd_ancestry_read(db, request->params[0], lagd_supervisor_threads(request->supervisor), &l,
                                &request->err);
    lag_reader_end(db);
    if (status == 0) status = lagd_answer_object(request, &lagd_lineage_schema, l, NULL, 0);
    lagd_ancestry_destroy(l);
    return status;
}
