/* Growths, candidates and strategies as JSON: their schemas, and what no column holds. */
#include "encode/audit_internal.h"
#include "encode/effect_internal.h"
#include "encode/encode_internal.h"
#include "encode/prior_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/operators.h>
#include <lagd/daemon/ranking.h>
#include <lagd/daemon/shape.h>
#include <lagd/storage/growths.h>
#include <math.h>
#include <string.h>

/* --- shapes of models -------------------------------------------------------------------------------------------- */

static int write_head_dim(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_int(json, key, lagd_shape_head_dim(object));
    return 0;
}

/* One member an axis, as lagd_axis_name names them. */
#define AXIS(member) LAGD_MEMBER(struct lag_shape, #member, "i", member, NULL)
static const struct lagd_member model_members[] = {
    AXIS(n_layer), AXIS(n_head), AXIS(n_embd), AXIS(n_inner), AXIS(n_positions), AXIS(vocab_size),
    LAGD_WRITTEN("head_dim", "i", write_head_dim, "Numbers of a head."),
};
const struct lagd_schema lagd_model_schema = LAGD_SCHEMA("Shape", model_members);

/* --- strategies -------------------------------------------------------------------------------------------------- */

static int write_params(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_strategy_request *strategy = object;
    lagd_json_open_object(json, key);
    for (int i = 0; i < strategy->n_params; i++)
        lagd_json_real(json, strategy->params[i].name, strategy->params[i].value);
    lagd_json_close_object(json);
    return 0;
}

static int write_with_params(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_strategy_request *strategy = object;
    lagd_json_open_object(json, key);
    for (int i = 0; i < strategy->n_with_params; i++)
        lagd_json_real(json, strategy->with_params[i].name, strategy->with_params[i].value);
    lagd_json_close_object(json);
    return 0;
}

static int write_parents(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_strategy_request *strategy = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < strategy->n_parents; i++) lagd_json_text(json, NULL, strategy->parents[i]);
    lagd_json_close_array(json);
    return 0;
}

static int write_canonical(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_text(json, key, context);
    return 0;
}

#define ROW(name, type, member, help) LAGD_MEMBER(struct lagd_strategy_request, name, type, member, help)
static const struct lagd_member strategy_members[] = {
    ROW("operator", "s", op, NULL),
    LAGD_WRITTEN("params", "{n}", write_params, "The operator's parameters."),
    ROW("with", "s?", with, "The operator that grows width beside one that grows depth; null: none does."),
    LAGD_WRITTEN("with_params", "{n}", write_with_params, "Its parameters."),
    LAGD_WRITTEN("parents", "[s]", write_parents, "Ids of the checkpoints whose models are fused with the run's own."),
    ROW("optimizer", "s", optimizer, "What becomes of the optimiser's state."),
    ROW("lr", "s", lr, "What becomes of the learning rate."),
    ROW("rewarm_steps", "i?", rewarm_steps, "null: " LAG_TEXT_OF(LAGD_REWARM_STEPS) ", whatever the lag."),
    ROW("freeze_old", "i?", freeze_old, "Steps for which only the new layers train; 0: all do; null: kept for good."),
    ROW("seed", "i", seed, "Of random layers; -1: the run's."),
    LAGD_WRITTEN("text", "s", write_canonical, "All of it as one text, which a pool takes too."),
};
#undef ROW
const struct lagd_schema lagd_strategy_schema = LAGD_SCHEMA("Strategy", strategy_members);

void lagd_write_strategy(struct lagd_json *json, const char *key, const char *canonical) {
    struct lagd_strategy_request strategy;
    if (lagd_strategy_decode(canonical, &strategy, NULL) < 0)
        lagd_json_null(json, key);
    else
        (void)lagd_write_object(json, key, &lagd_strategy_schema, &strategy, (void *)canonical);
}

/* --- candidates -------------------------------------------------------------------------------------------------- */

int lagd_candidate_rank(const struct lag_candidate_row *row, const struct lag_candidate_row *all, size_t n_all,
                        bool at_lag) {
    double mine = at_lag ? row->loss_at_lag : row->loss_at_0;
    int rank = 1;
    if (!row->eligible || !isfinite(mine)) return 0;
    for (size_t i = 0; i < n_all; i++) {
        double other = at_lag ? all[i].loss_at_lag : all[i].loss_at_0;
        if (!isfinite(other) && !lagd_state_has_ended(LAGD_MACHINE_CANDIDATE, all[i].state)) return 0;
        if (all[i].eligible && isfinite(other) && other < mine) rank++;
    }
    return rank;
}

static int write_rank(struct lagd_json *json, const char *key, const void *row, const void *context, bool at_lag) {
    const struct lagd_rows *all = ((const struct lagd_encoding *)context)->candidates;
    int rank = lagd_candidate_rank(row, all->rows, all->n, at_lag);
    if (rank > 0)
        lagd_json_int(json, key, rank);
    else
        lagd_json_null(json, key);
    return 0;
}

static int write_rank_at_0(struct lagd_json *json, const char *key, const void *object, void *context) {
    return write_rank(json, key, object, context, false);
}

static int write_rank_at_lag(struct lagd_json *json, const char *key, const void *object, void *context) {
    return write_rank(json, key, object, context, true);
}

static int write_label(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_rows *all = ((const struct lagd_encoding *)context)->candidates;
    const struct lag_candidate_row *rows = all->rows, *row = object;
    char label[LAGD_LABEL];
    (void)lag_copy(label, sizeof(label), row->op);
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(rows[i].id, row->id) == 0) lagd_candidate_label(rows, (int)all->n, (int)i, label);
    lagd_json_text(json, key, label);
    return 0;
}

static int write_row_strategy(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_write_strategy(json, key, ((const struct lag_candidate_row *)object)->strategy);
    return 0;
}

static int write_names(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_list(json, key, ((const struct lag_candidate_row *)object)->names);
    return 0;
}

static const char *candidate_state(int i, const char **ret_help) {
    return lagd_state_choice(LAGD_MACHINE_CANDIDATE, i, ret_help);
}

static int write_candidate_links(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_candidate_row *row = object;
    lagd_json_open_object(json, key);
    lagd_write_link(json, "self", "/api/v1/candidates/%s", row->id);
    lagd_write_link(json, "series", "/api/v1/candidates/%s/series", row->id);
    lagd_json_close_object(json);
    return 0;
}

#define ROW(name, type, member, help) LAGD_MEMBER(struct lag_candidate_row, name, type, member, help)
static const struct lagd_member candidate_members[] = {
    ROW("id", "s", id, NULL),
    ROW("growth", "s", growth_id, "Id of its growth."),
    ROW("position", "i", position, "Its place in the pool, from 0."),
    ROW("operator", "s", op, NULL),
    LAGD_WRITTEN("label", "s", write_label, "What it is called beside the others of its growth."),
    LAGD_WRITTEN_OF("strategy", "@?", &lagd_strategy_schema, write_row_strategy, NULL),
    LAGD_WRITTEN("names", "[s]", write_names, "Strategies of the pool that come to the same."),
    ROW("recipe", "s", recipe, "Which layer of the parent each layer is made of."),
    ROW("eligible", "b", eligible, "It may win."),
    LAGD_CHOICE(struct lag_candidate_row, "state", "s", state, candidate_state, NULL),
    ROW("reason", "s?", reason, "Why it is in this state."),
    ROW("t", "i", t, "Steps probed."),
    ROW("n_params", "i", n_params, NULL),
    ROW("rewarm_steps", "i", rewarm_steps, NULL),
    ROW("loss_at_0", "n?", loss_at_0, "Validation loss right after growth."),
    ROW("loss_at_lag", "n?", loss_at_lag, "Validation loss at the lag."),
    LAGD_WRITTEN("rank_at_0", "c?", write_rank_at_0, "By loss_at_0 among the eligible ones; 1 is best."),
    LAGD_WRITTEN("rank", "c?", write_rank_at_lag, "By loss_at_lag among the eligible ones; 1 is best."),
    ROW("flops", "n?", flops, "Spent by its probe."),
    ROW("checkpoint", "s?", checkpoint, "Id of its kept state."),
    ROW("prior", "n?", prior, LAGD_PRIOR_HELP),
    LAGD_WRITTEN("links", "{s}", write_candidate_links, NULL),
};
#undef ROW
const struct lagd_schema lagd_candidate_schema = LAGD_SCHEMA("Candidate", candidate_members);

/* --- growths ----------------------------------------------------------------------------------------------------- */

struct progress {
    int64_t done_steps, total_steps;
};
static const struct lagd_member progress_members[] = {
    LAGD_MEMBER(struct progress, "done_steps", "i", done_steps, "Steps that the candidates have probed together."),
    LAGD_MEMBER(struct progress, "total_steps", "i", total_steps, "Steps that they will have probed."),
};
static const struct lagd_schema progress_schema = LAGD_SCHEMA("Progress", progress_members);

static int write_progress(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_rows *list = ((const struct lagd_encoding *)context)->candidates;
    const struct lag_candidate_row *all = list->rows;
    struct progress progress = {0, 0};
    for (size_t i = 0; i < list->n; i++) {
        bool ended = lagd_state_has_ended(LAGD_MACHINE_CANDIDATE, all[i].state); /* then it takes no more steps */
        progress.done_steps += all[i].t;
        progress.total_steps += ended ? all[i].t : ((const struct lag_growth_row *)object)->probe_steps;
    }
    return lagd_write_object(json, key, &progress_schema, &progress, NULL);
}

#define REQUEST "target,when,probe,allow_none"

static int write_request(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    LAG_CLEANUP(lag_free_p) struct lagd_growth_request *request = lag_calloc(1, sizeof(*request));
    if (!request) return lag_error_set(encoding->err, LAG_EINTERNAL, "out of memory");
    const char *text = ((const struct lag_growth_row *)object)->request;
    int status = lag_fields_parse_to_show(&lagd_growth_fields, request, text, encoding->err);
    if (status < 0) return status; /* what cannot be read of it harms no list */
    lagd_write_fields(json, &lagd_growth_fields, request, REQUEST);
    return 0;
}

static int write_candidates(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_rows *list = ((const struct lagd_encoding *)context)->candidates;
    const struct lag_candidate_row *rows = list->rows;
    lagd_json_open_array(json, key);
    for (size_t i = 0; i < list->n; i++) (void)lagd_write_object(json, NULL, &lagd_candidate_schema, &rows[i], context);
    lagd_json_close_array(json);
    return 0;
}

#define ROW(name, type, member, help) LAGD_MEMBER(struct lag_growth_parent_row, name, type, member, help)
static const struct lagd_member parent_members[] = {
    ROW("checkpoint", "s", checkpoint_id, "Its id."),
    ROW("run", "s", run_id, "Id of the run that it is of."),
    ROW("run_name", "s", run_name, "That run's name when the growth was asked for."),
    ROW("step", "i", step, "Steps that it had been trained."),
    ROW("sha256", "s?", sha256, "Of its weights' file."),
};
#undef ROW
static const struct lagd_schema parent_schema = LAGD_SCHEMA("GrowthParent", parent_members);

static int write_parent(const struct lag_growth_parent_row *row, void *arg) {
    return lagd_write_object(arg, NULL, &parent_schema, row, NULL);
}

static int write_growth_parents(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    lagd_json_open_array(json, key);
    int status = lag_growth_parent_list(encoding->db, ((const struct lag_growth_row *)object)->id, write_parent, json,
                                        encoding->err);
    lagd_json_close_array(json);
    return status;
}

static int write_decision(struct lagd_json *json, const char *key, const void *object, void *context) {
    struct lag_decision_row row;
    struct lag_error ignored;
    const struct lagd_encoding *encoding = context;
    if (lag_decision_get(encoding->db, ((const struct lag_growth_row *)object)->id, &row, &ignored) == 0)
        return lagd_write_object(json, key, &lagd_decision_schema, &row, context);
    lagd_json_null(json, key);
    return 0;
}

static int write_audit(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    return lagd_write_audit(json, key, object, encoding->db, encoding->err);
}

static int write_effect(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    return lagd_write_effect(json, key, object, encoding->db, encoding->err);
}

int lagd_growth_grew(struct lag_db *db, const struct lag_growth_row *row, bool *ret_grew, struct lag_error *err) {
    struct lag_decision_row decision;
    struct lag_candidate_row winner;
    *ret_grew = false;
    if (!lagd_growth_is(row->state, LAGD_GROWTH_APPLIED)) return 0;
    int status = lag_decision_get(db, row->id, &decision, err);
    if (status == 0) status = lag_candidate_get(db, decision.candidate, &winner, err);
    if (status == 0) *ret_grew = lagd_operator_grows(winner.op);
    return status;
}

static int write_grew(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    const struct lag_growth_row *row = object;
    bool grew;
    int status = lagd_growth_grew(encoding->db, row, &grew, encoding->err);
    if (lagd_growth_is(row->state, LAGD_GROWTH_APPLIED))
        lagd_json_bool(json, key, grew);
    else
        lagd_json_null(json, key);
    return status;
}

const char *lagd_growth_state_choice(int i, const char **ret_help) {
    return lagd_state_choice(LAGD_MACHINE_GROWTH, i, ret_help);
}

static int write_growth_actions(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_actions(json, key, LAGD_MACHINE_GROWTH, ((const struct lag_growth_row *)object)->state);
}

static int write_growth_links(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_growth_row *row = object;
    lagd_json_open_object(json, key);
    lagd_write_link(json, "self", "/api/v1/growths/%s", row->id);
    lagd_write_link(json, "run", "/api/v1/runs/%s", row->run_id);
    lagd_write_link(json, "candidates", "/api/v1/growths/%s/candidates", row->id);
    lagd_write_link(json, "ranking", "/api/v1/growths/%s/ranking", row->id);
    lagd_write_link(json, "report", "/api/v1/growths/%s/report", row->id);
    lagd_write_link(json, "events", "/api/v1/events?run=%s", row->run_id);
    lagd_json_close_object(json);
    return 0;
}

int lagd_write_change(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_growth_row *row = object;
    char text[LAGD_SHAPE_CHANGE];
    (void)context;
    lagd_shape_change(&row->from, &row->to, text);
    lagd_json_text(json, key, text);
    return 0;
}

static int write_growth_left(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    struct lagd_supervisor *supervisor = encoding->supervisor;
    lagd_json_real(json, key, supervisor ? lagd_supervisor_growth_left(supervisor, encoding->db, object) : (double)NAN);
    return 0;
}

#define ROW(name, type, member, help) LAGD_MEMBER(struct lag_growth_row, name, type, member, help)
static const struct lagd_member growth_members[] = {
    ROW("id", "s", id, NULL),
    ROW("run", "s", run_id, "Id of its run."),
    LAGD_CHOICE(struct lag_growth_row, "state", "s", state, lagd_growth_state_choice, NULL),
    ROW("reason", "s?", reason, "Why it is in this state."),
    ROW("mode", "s", mode, "auto: the pick is applied at once; manual: it waits for approval."),
    {.fields = &lagd_growth_fields, .only = REQUEST, .write = write_request},
    ROW("n_layer_from", "i", from.n_layer, NULL),
    ROW("n_layer_to", "i", to.n_layer, NULL),
    LAGD_OBJECT(struct lag_growth_row, "from", &lagd_model_schema, from, "Shape of the parent."),
    LAGD_OBJECT(struct lag_growth_row, "to", &lagd_model_schema, to, "Shape that it is to become."),
    LAGD_WRITTEN("change", "s", lagd_write_change, "What changes between the two, in words."),
    LAGD_WRITTEN("grew", "b?", write_grew, LAGD_GREW_HELP),
    ROW("start_step", "i?", start_step, "Step of the parent; null before it has begun."),
    ROW("parent_checkpoint", "s?", parent_checkpoint, "Id of the state that the candidates are made of."),
    LAGD_WRITTEN_OF("fused", "[@]", &parent_schema, write_growth_parents, "Checkpoints of runs whose models its "
                    "candidates fuse with the run's own; they may have been deleted since it ended."),
    ROW("parent_loss", "n?", parent_loss, "Validation loss of the parent."),
    ROW("n_batches", "i", n_batches, "Validation batches of a full evaluation: at 0, half the lag, the lag, and three "
        "times between these two."),
    ROW("eval_stride", "i", eval_stride, "The other evaluations take every so-many-th of them, which is what the run "
        "itself validates on."),
    ROW("eval_sequences", "i", eval_sequences, "Sequences of a validation batch."),
    ROW("tokens_per_sequence", "i", tokens_per_sequence, "Tokens of a training sequence and of a validation window "
        "after it; 0: as before."),
    LAGD_WRITTEN_OF("progress", "@", &progress_schema, write_progress, NULL),
    LAGD_WRITTEN("seconds_left", "n?", write_growth_left, "Until its candidates have been probed, by the speed of the "
                 "run; null while they are not."),
    LAGD_WRITTEN_OF("candidates", "[@]", &lagd_candidate_schema, write_candidates, "In the order of the pool."),
    ROW("lag", "i", probe_steps, "Steps at which it is decided: those asked for, unless its allocator ended the probe "
        "before or led it beyond."),
    LAGD_WRITTEN_OF("rungs", "[@]", &lagd_rung_schema, lagd_write_rungs, "Where the allocator has looked at the "
                    "candidates; none where it is all."),
    LAGD_WRITTEN_OF("prior", "@?", &lagd_prior_schema, lagd_write_growth_prior, "What the candidates' prior was made "
                    "of when it was asked for; null: too few growths had been decided here."),
    LAGD_WRITTEN_OF("decision", "@?", &lagd_decision_schema, write_decision, NULL),
    LAGD_WRITTEN_OF("effect", "@?", &lagd_effect_schema, write_effect, LAGD_EFFECT_HELP),
    LAGD_WRITTEN_OF("audit", "@?", &lagd_audit_schema, write_audit, LAGD_AUDIT_HELP),
    LAGD_WRITTEN("allowed_actions", "[s]", write_growth_actions, "What can be asked of it in this state."),
    LAGD_WRITTEN("links", "{s}", write_growth_links, NULL),
    ROW("revision", "i", revision, "Grows with every change; the ETag holds it."),
    ROW("created_at", "t?", created_ms, NULL),
    ROW("updated_at", "t?", updated_ms, NULL),
};
#undef ROW
const struct lagd_schema lagd_growth_schema = LAGD_SCHEMA("Growth", growth_members);

static int add_candidate(const struct lag_candidate_row *row, void *arg) { return lagd_rows_add(arg, row); }

int lagd_write_growth(struct lagd_json *json, const char *key, const struct lag_growth_row *row,
                      struct lagd_supervisor *supervisor, struct lag_db *db, struct lag_error *err) {
    struct lagd_rows list = LAGD_ROWS_INIT(struct lag_candidate_row);
    struct lagd_encoding encoding = {db, err, &list, supervisor};
    int status = lag_candidate_list(db, row->id, add_candidate, &list, err);
    if (status == 0) status = lagd_write_object(json, key, &lagd_growth_schema, row, &encoding);
    lagd_rows_deinit(&list);
    return status;
}
