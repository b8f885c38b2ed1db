/* GET /runs/{run}/lineage: the sizes that a run's model had, how each came about, and what was tried. */
#include "encode/encode_internal.h"
#include "resources/handlers_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
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
    if (status == 0) status = lag_growth_list(db, l->run.id, INT32_MAX, add_growth, &l->growths, err);
    if (status == 0) status = lag_checkpoint_list(db, l->run.id, add_checkpoint, &l->checkpoints, err);
    for (size_t i = 0; i < l->growths.n && status == 0; i++)
        status = read_tried(db, (struct tried *)l->growths.rows + i, err);
    if (status == 0) status = first_params(&l->run, lagd_supervisor_threads(request->supervisor), &l->n_params, err);
    return status;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static const struct tried *next_applied(const struct lineage *l, size_t *at) {
    while (*at < l->growths.n) {
        const struct tried *tried = (const struct tried *)l->growths.rows + (*at)++;
        if (strcmp(tried->growth.state, "applied") == 0) return tried;
    }
    return NULL;
}

/* Growth changes the shape, so it says to which stage a checkpoint belongs. */
static void write_checkpoints(struct lagd_json *json, const struct lineage *l, const struct lag_shape *shape) {
    lagd_json_open_array(json, "checkpoints");
    for (size_t i = l->checkpoints.n; i-- > 0;) {
        const struct lag_checkpoint_row *row = (const struct lag_checkpoint_row *)l->checkpoints.rows + i;
        if (!lagd_shape_equal(&row->shape, shape)) continue;
        lagd_json_open_object(json, NULL);
        lagd_json_text(json, "id", row->id);
        lagd_json_text(json, "kind", row->kind);
        lagd_json_int(json, "step", row->step);
        lagd_json_int(json, "n_bytes", row->n_bytes);
        lagd_json_bool(json, "keep", row->keep);
        lagd_json_close_object(json);
    }
    lagd_json_close_array(json);
}

static void write_winner(struct lagd_json *json, const struct tried *tried) {
    static const struct tried none = {0};
    const struct tried *t = tried ? tried : &none;
    lagd_json_text_or_null(json, "operator", t->winner.op);
    lagd_json_text_or_null(json, "strategy", t->winner.strategy);
    lagd_json_text_or_null(json, "recipe", t->winner.recipe);
    lagd_json_text_or_null(json, "verdict", t->decision.verdict);
    lagd_json_text_or_null(json, "decided_by", t->decision.decided_by);
}

/* tried: the growth that the stage began with, NULL of the first; end: the one that it ended with, or NULL. */
static void write_stage(struct lagd_json *json, const struct lineage *l, const struct tried *tried,
                        const struct tried *end) {
    const struct lag_shape *shape = tried ? &tried->growth.to : end ? &end->growth.from : &l->run.shape;
    lagd_json_open_object(json, NULL);
    lagd_json_int(json, "from_step", tried ? tried->growth.start_step : 0);
    lagd_json_int(json, "to_step", end ? end->growth.start_step : l->run.step);
    lagd_json_int(json, "n_layer", shape->n_layer);
    lagd_write_shape(json, "shape", shape);
    lagd_json_int(json, "n_params", tried ? tried->winner.n_params : l->n_params);
    lagd_json_text_or_null(json, "growth", tried ? tried->growth.id : "");
    write_winner(json, tried);
    write_checkpoints(json, l, shape);
    lagd_json_close_object(json);
}

static void write_tried(struct lagd_json *json, const struct tried *tried) {
    const struct lag_growth_row *growth = &tried->growth;
    lagd_json_open_object(json, NULL);
    lagd_json_text(json, "id", growth->id);
    lagd_json_text(json, "state", growth->state);
    if (growth->start_step >= 0) lagd_json_int(json, "step", growth->start_step);
    else if (growth->at_step >= 0) lagd_json_int(json, "step", growth->at_step);
    else lagd_json_null(json, "step");
    lagd_write_shapes(json, &growth->from, &growth->to);
    lagd_json_int(json, "n_candidates", tried->n_candidates);
    lagd_json_int(json, "lag_steps", growth->probe_steps);
    lagd_json_text_or_null(json, "parent_checkpoint", growth->parent_checkpoint);
    lagd_json_real(json, "parent_loss", growth->parent_loss);
    bool decided = tried->winner.id[0] != '\0';
    lagd_json_real(json, "loss_at_lag", decided ? tried->winner.loss_at_lag : NAN);
    lagd_json_bool(json, "tied", tried->decision.tied);
    write_winner(json, tried);
    lagd_json_text_or_null(json, "reason", growth->reason);
    lagd_json_close_object(json);
}

static int write_lineage(struct lagd_request *request, const struct lineage *l) {
    struct lagd_json json;
    size_t at = 0;
    lagd_answer_begin(request, &json);
    lagd_json_open_object(&json, NULL);
    lagd_json_text(&json, "run", l->run.id);
    lagd_json_text(&json, "name", l->run.name);
    lagd_json_int(&json, "step", l->run.step);
    lagd_json_open_array(&json, "stages");
    const struct tried *begin = NULL, *end;
    do {
        end = next_applied(l, &at);
        write_stage(&json, l, begin, end);
        begin = end;
    } while (end);
    lagd_json_close_array(&json);
    lagd_json_open_array(&json, "growths");
    for (size_t i = 0; i < l->growths.n; i++) write_tried(&json, (const struct tried *)l->growths.rows + i);
    lagd_json_close_array(&json);
    lagd_json_close_object(&json);
    return lagd_answer_end(request, &json, 0);
}

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
    if (status == 0) status = write_lineage(request, l);
    lagd_rows_deinit(&l->growths);
    lagd_rows_deinit(&l->checkpoints);
    return status;
}
