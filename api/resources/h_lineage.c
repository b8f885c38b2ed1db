/* GET /runs/{run}/lineage: the sizes that a run's model had, how each came about, and what was tried. */
#include "encode/encode_internal.h"
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
#include <string.h>

struct tried {
    struct lag_growth_row growth;
    struct lag_decision_row decision; /* growth_id "": none yet */
    struct lag_candidate_row winner;  /* id "": none */
    int64_t n_candidates;
};
struct lineage {
    struct lag_run_row run;
    struct lagd_origin origin;
    int64_t n_params; /* of the first stage */
    struct lagd_rows growths; /* struct tried, oldest first */
    struct lagd_rows checkpoints; /* newest first, without those of candidates */
};

static int add_growth(const struct lag_growth_row *row, void *arg) {
    struct tried tried = {.growth = *row};
    return lagd_rows_add(arg, &tried);
}

static int add_checkpoint(const struct lag_checkpoint_row *row, void *arg) {
    return row->candidate_id[0] ? 0 : lagd_rows_add(arg, row);
}

static int note_candidate(const struct lag_candidate_row *row, void *arg) {
    struct tried *tried = arg;
    tried->n_candidates++;
    if (strcmp(row->id, tried->decision.candidate) == 0) tried->winner = *row;
    return 0;
}

static int read_tried(struct lag_db *db, struct tried *tried, struct lag_error *err) {
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

static int read_lineage(struct lagd_request *request, struct lag_db *db, struct lineage *l) {
    struct lag_error *err = &request->err;
    int status = lag_run_get(db, request->params[0], &l->run, err);
    if (status == 0) lagd_origin_read(db, &l->run, &l->origin);
    if (status == 0) status = lag_growth_list(db, l->run.id, INT32_MAX, add_growth, &l->growths, err);
    if (status == 0) status = lag_checkpoint_list(db, l->run.id, add_checkpoint, &l->checkpoints, err);
    for (size_t i = 0; i < l->growths.n && status == 0; i++)
        status = read_tried(db, (struct tried *)l->growths.rows + i, err);
    if (status == 0) status = first_params(&l->run, lagd_supervisor_threads(request->supervisor), &l->n_params, err);
    return status;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

/* Where no growth was chosen, the model keeps its size. */
static bool is_applied(const struct tried *tried) {
    return lagd_growth_is(tried->growth.state, LAGD_GROWTH_APPLIED);
}

static bool grew(const struct tried *tried) { return is_applied(tried) && lagd_operator_grows(tried->winner.op); }

static const struct tried *next_grown(const struct lineage *l, size_t *at) {
    while (*at < l->growths.n) {
        const struct tried *tried = (const struct tried *)l->growths.rows + (*at)++;
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

/* Between two growths that gave the model another size. */
struct stage {
    const struct lineage *lineage;
    const char *growth; /* that it began with; "" of the first stage */
    const struct tried *tried;
    struct lag_shape shape;
    int64_t from_step, to_step, n_params;
};
static const struct tried no_growth;

/* Growth changes the shape, so it says to which stage a checkpoint belongs. */
static int write_checkpoints(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct stage *stage = object;
    const struct lagd_rows *list = &stage->lineage->checkpoints;
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
#define TRIED(name, type, member, help) LAGD_MEMBER(struct tried, name, type, member, help)
static const struct lagd_member winner_members[] = {
    TRIED("operator", "s?", winner.op, NULL),
    TRIED("strategy", "s?", winner.strategy, "Its text."),
    TRIED("recipe", "s?", winner.recipe, "Which layer of the parent each layer is made of."),
    TRIED("verdict", "s?", decision.verdict, "The verdict in a sentence."),
    TRIED("decided_by", "s?", decision.decided_by, "lag: the rule; user: a person."),
};
static const struct lagd_schema winner_schema = LAGD_SCHEMA("LineageWinner", winner_members);

static int write_stage_winner(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_members(json, &winner_schema, ((const struct stage *)object)->tried, NULL);
}

static int write_winner(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_members(json, &winner_schema, object, NULL);
}

#define STAGE(name, type, member, help) LAGD_MEMBER(struct stage, name, type, member, help)
static const struct lagd_member stage_members[] = {
    STAGE("from_step", "i", from_step, NULL),
    STAGE("to_step", "i", to_step, NULL),
    STAGE("n_layer", "i", shape.n_layer, NULL),
    LAGD_OBJECT(struct stage, "shape", &lagd_model_schema, shape, NULL),
    STAGE("n_params", "i", n_params, NULL),
    LAGD_POINTED(struct stage, "growth", "s?", growth, "Id of the growth that it began with."),
    {.of = &winner_schema, .write = write_stage_winner},
    LAGD_WRITTEN_OF("checkpoints", "[@]", &checkpoint_schema, write_checkpoints, "Oldest first."),
};
static const struct lagd_schema stage_schema = LAGD_SCHEMA("LineageStage", stage_members);

/* tried: the growth that the stage began with, NULL of the first; end: the one that it ended with, or NULL. */
static int write_stage(struct lagd_json *json, const struct lineage *l, const struct tried *tried,
                       const struct tried *end) {
    const struct stage stage = {
        .lineage = l,
        .growth = tried ? tried->growth.id : "",
        .tried = tried ? tried : &no_growth,
        .from_step = tried ? tried->growth.start_step : l->run.origin_step,
        .to_step = end ? end->growth.start_step : l->run.step,
        .shape = tried ? tried->growth.to : end ? end->growth.from : l->run.shape,
        .n_params = tried ? tried->winner.n_params : l->n_params,
    };
    return lagd_write_object(json, NULL, &stage_schema, &stage, NULL);
}

static int write_stages(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct tried *begin = NULL, *end;
    size_t at = 0;
    lagd_json_open_array(json, key);
    do {
        end = next_grown(object, &at);
        (void)write_stage(json, object, begin, end);
        begin = end;
    } while (end);
    lagd_json_close_array(json);
    return 0;
}

static int write_step(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_growth_row *growth = &((const struct tried *)object)->growth;
    if (growth->start_step >= 0)
        lagd_json_int(json, key, growth->start_step);
    else if (growth->at_step >= 0)
        lagd_json_int(json, key, growth->at_step);
    else
        lagd_json_null(json, key);
    return 0;
}

static int write_loss(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_candidate_row *winner = &((const struct tried *)object)->winner;
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
    LAGD_CHOICE(struct tried, "state", "s", growth.state, lagd_growth_state_choice, NULL),
    LAGD_WRITTEN("step", "i?", write_step, "Where it began or is to begin."),
    TRIED("n_layer_from", "i", growth.from.n_layer, NULL),
    TRIED("n_layer_to", "i", growth.to.n_layer, NULL),
    LAGD_OBJECT(struct tried, "from", &lagd_model_schema, growth.from, NULL),
    LAGD_OBJECT(struct tried, "to", &lagd_model_schema, growth.to, NULL),
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
    const struct lagd_rows *list = &((const struct lineage *)object)->growths;
    const struct tried *rows = list->rows;
    lagd_json_open_array(json, key);
    for (size_t i = 0; i < list->n; i++) (void)lagd_write_object(json, NULL, &growth_schema, &rows[i], NULL);
    lagd_json_close_array(json);
    return 0;
}

static int write_origin(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_origin(json, key, &((const struct lineage *)object)->origin);
}

static const struct lagd_member lineage_members[] = {
    LAGD_MEMBER(struct lineage, "run", "s", run.id, "Its id."),
    LAGD_MEMBER(struct lineage, "name", "s", run.name, NULL),
    LAGD_MEMBER(struct lineage, "step", "i", run.step, NULL),
    LAGD_WRITTEN_OF("origin", "@?", &lagd_origin_schema, write_origin, LAGD_ORIGIN_HELP),
    LAGD_WRITTEN_OF("stages", "[@]", &stage_schema, write_stages, "The sizes that the model had, oldest first."),
    LAGD_WRITTEN_OF("growths", "[@]", &growth_schema, write_growths, "All that was tried, oldest first."),
};
const struct lagd_schema lagd_lineage_schema = LAGD_SCHEMA("Lineage", lineage_members);

int lagd_h_run_lineage(struct lagd_request *request) {
    struct lag_db *db;
    LAG_CLEANUP(lag_free_p) struct lineage *l = lag_calloc(1, sizeof(*l));
    if (!l) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    l->growths = (struct lagd_rows)LAGD_ROWS_INIT(struct tried);
    l->checkpoints = (struct lagd_rows)LAGD_ROWS_INIT(struct lag_checkpoint_row);
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_reader_begin(db, &request->err);
    if (status < 0) return status;
    status = read_lineage(request, db, l);
    lag_reader_end(db);
    if (status == 0) status = lagd_answer_object(request, &lagd_lineage_schema, l, NULL, 0);
    lagd_rows_deinit(&l->growths);
    lagd_rows_deinit(&l->checkpoints);
    return status;
}
