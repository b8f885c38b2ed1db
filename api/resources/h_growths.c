/* Growths: ask, list, look, withdraw; candidates. */
#include "body/bodies_internal.h"
#include "body/growth_body_internal.h"
#include "encode/encode_internal.h"
#include "request/etag_internal.h"
#include "request/pages_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/effect.h>
#include <lagd/daemon/extension.h>
#include <lagd/daemon/growth_plan.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <string.h>

/* Whether what it tells may change without another revision: then the answer has no tag. */
static int find_move(struct lag_db *db, const struct lag_growth_row *row, bool *ret, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) struct lagd_effect *effect = lag_calloc(1, sizeof(*effect));
    if (!effect) return lag_error_set(err, LAG_EBUSY, "out of memory");
    const int status = lagd_effect_read(db, row, effect, err);
    *ret = lagd_effect_moves(effect);
    return status;
}

static int answer_growth(struct lagd_request *request, const char *id, int success) {
    struct lag_db *db;
    struct lag_growth_row row;
    struct lagd_json json;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_reader_begin(db, &request->err); /* the tag and the answer are of one moment */
    if (status < 0) return status;
    status = lag_growth_get(db, id, &row, &request->err);
    bool moves = false;
    if (status == 0) status = find_move(db, &row, &moves, &request->err);
    if (status < 0 || (!moves && lagd_etag_fresh(request, row.revision))) {
        lag_reader_end(db);
        return status;
    }
    lagd_answer_begin(request, &json);
    status = lagd_write_growth(&json, NULL, &row, request->supervisor, db, &request->err);
    lag_reader_end(db);
    int ended = lagd_answer_end(request, &json, success);
    return status < 0 ? status : ended;
}

int lagd_h_growth(struct lagd_request *request) { return answer_growth(request, request->params[0], 200); }

/* --- lists ------------------------------------------------------------------------------------------------------- */

struct listing {
    struct lagd_page page;
    struct lagd_rows rows;
};

static int add_growth(const struct lag_growth_row *row, void *arg) {
    struct listing *listing = arg;
    int verdict = lagd_page_add(&listing->page, LAGD_PAGE_BY_ID, row->id);
    if (verdict == LAGD_PAGE_TAKE) return lagd_rows_add(&listing->rows, row);
    return verdict == LAGD_PAGE_FULL;
}

static int write_items(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_span *items = &((const struct lagd_list *)object)->items;
    const struct lag_growth_row *rows = items->rows;
    const struct lagd_encoding *encoding = context;
    int status = 0;
    lagd_json_open_array(json, key);
    for (size_t i = 0; i < items->n && status == 0; i++)
        status = lagd_write_growth(json, NULL, &rows[i], encoding->supervisor, encoding->db, encoding->err);
    lagd_json_close_array(json);
    return status;
}

static const struct lagd_member list_members[] = {LAGD_LIST_WRITTEN(&lagd_growth_schema, write_items)};
const struct lagd_schema lagd_growth_list_schema = LAGD_SCHEMA("GrowthList", list_members);

static int list_growths(struct lagd_request *request, const char *run) {
    struct lag_db *db;
    struct lag_run_row found;
    struct listing listing = {.rows = LAGD_ROWS_INIT(struct lag_growth_row)};
    int status = lagd_page_begin(request, "gr", true, &listing.page);
    if (status == 0) status = lagd_request_db(request, &db);
    if (status == 0 && run) status = lag_run_get(db, run, &found, &request->err);
    if (status == 0)
        status = lag_growth_list(db, run ? found.id : NULL, INT32_MAX, add_growth, &listing, &request->err);
    if (status >= 0) {
        const struct lagd_list list = {lagd_rows_span(&listing.rows), listing.page.next};
        struct lagd_encoding encoding = {db, &request->err, NULL, request->supervisor};
        status = lagd_answer_object(request, &lagd_growth_list_schema, &list, &encoding, 0);
    }
    lagd_rows_deinit(&listing.rows);
    return status;
}

int lagd_h_growths(struct lagd_request *request) {
    return list_growths(request, lagd_query_text(&request->target, request->route, "run"));
}
int lagd_h_run_growths(struct lagd_request *request) { return list_growths(request, request->params[0]); }

/* --- ask --------------------------------------------------------------------------------------------------------- */

static int write_plan_strategy(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_write_strategy(json, key, ((const struct lagd_candidate_plan *)object)->strategy);
    return 0;
}

#define CANDIDATE(name, type, member, help) LAGD_MEMBER(struct lagd_candidate_plan, name, type, member, help)
static const struct lagd_member candidate_members[] = {
    CANDIDATE("operator", "s", op, NULL),
    LAGD_WRITTEN_OF("strategy", "@?", &lagd_strategy_schema, write_plan_strategy, NULL),
    CANDIDATE("names", "s", names, "Strategies of the pool that come to the same, ', ' between."),
    CANDIDATE("recipe", "s", recipe, "Which layer of the parent each layer is made of."),
    CANDIDATE("n_params", "i", n_params, NULL),
    CANDIDATE("rewarm_steps", "i", rewarm_steps, NULL),
    CANDIDATE("flops", "n?", flops, "Of its probe, and of the steps that learn how it grows."),
    CANDIDATE("learn_steps", "i", learn_steps, "Steps before its probe that learn how it grows; 0: none."),
    CANDIDATE("learn_flops", "n?", learn_flops, "Theirs."),
    CANDIDATE("eligible", "b", eligible, "It may win."),
    CANDIDATE("function_preserving", "b", function_preserving, "It begins with the parent's loss."),
    CANDIDATE("connection_rate", "n?", connection_rate, "Share of neighbouring layers that were neighbours before."),
    CANDIDATE("prior", "n?", prior, LAGD_PRIOR_HELP),
};
static const struct lagd_schema candidate_schema = LAGD_SCHEMA("CandidatePlan", candidate_members);

static int write_plan_candidates(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_growth_plan *plan = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < plan->n_candidates; i++)
        (void)lagd_write_object(json, NULL, &candidate_schema, &plan->candidates[i], NULL);
    lagd_json_close_array(json);
    return 0;
}

#define COST(name, type, member, help) LAGD_MEMBER(struct lagd_growth_cost, name, type, member, help)
static const struct lagd_member cost_members[] = {
    COST("steps", "i", steps, "Training steps."),
    COST("flops", "n?", flops, "Of steps and evaluations."),
};
#undef COST
static const struct lagd_schema cost_schema = LAGD_SCHEMA("GrowthCost", cost_members);

static int write_plan_rungs(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_growth_plan *plan = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < plan->n_rungs; i++) lagd_json_int(json, NULL, plan->rungs[i]);
    lagd_json_close_array(json);
    return 0;
}

static int write_least_seconds(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_growth_plan *plan = object;
    lagd_json_real(json, key, plan->seconds_guess * plan->least.flops / plan->flops_total);
    return 0;
}

#define BATCH(name, member, help) LAGD_MEMBER(struct lagd_batch_plan, name, "i", member, help)
static const struct lagd_member batch_members[] = {
    BATCH("sequences", sequences, "Sequences of a micro-batch."),
    BATCH("tokens_per_sequence", tokens_per_sequence, "Tokens of each."),
    BATCH("accumulate", accumulate, "Micro-batches of a step."),
};
#undef BATCH
static const struct lagd_schema batch_schema = LAGD_SCHEMA("BatchPlan", batch_members);

#define PLAN(name, type, member, help) LAGD_MEMBER(struct lagd_growth_plan, name, type, member, help)
static const struct lagd_member plan_members[] = {
    LAGD_WRITTEN_OF("candidates", "[@]", &candidate_schema, write_plan_candidates, NULL),
    LAGD_OBJECT(struct lagd_growth_plan, "from", &lagd_model_schema, from, "Shape of the run."),
    LAGD_OBJECT(struct lagd_growth_plan, "to", &lagd_model_schema, to, "Shape that it is to become."),
    LAGD_OBJECT(struct lagd_growth_plan, "batch", &batch_schema, batch, "What it trains on after the growth; a step "
                "has as many tokens as before."),
    PLAN("batch_note", "s?", batch_note, "Why sequences are shorter than the grown context; null: they are not, or it "
         "does not grow."),
    LAGD_WRITTEN_OF("prior", "@?", &lagd_prior_schema, lagd_write_plan_prior, "What the candidates' prior is made of; "
                    "null: too few growths have been decided here."),
    PLAN("n_times", "i", n_times, "Evaluations of a candidate."),
    PLAN("n_full", "i", n_full, "Evaluations of them that are full."),
    PLAN("n_batches", "i", n_batches, "Validation batches of a full evaluation."),
    PLAN("eval_stride", "i", eval_stride, "The other evaluations take every so-many-th of them."),
    PLAN("eval_sequences", "i", eval_sequences, "Sequences of a validation batch."),
    PLAN("eval_share", "n?", eval_share, "Share of the FLOPs that goes into evaluations."),
    PLAN("flops_total", "n?", flops_total, "Of all candidates, as far as the probe may go."),
    LAGD_WRITTEN("rungs", "[i]", write_plan_rungs, "Steps at which the allocator looks at the candidates; none where "
                 "it is all."),
    LAGD_OBJECT(struct lagd_growth_plan, "least", &cost_schema, least, "What all candidates take together, if the "
                "allocator ends as much as it may as early as it may."),
    LAGD_OBJECT(struct lagd_growth_plan, "most", &cost_schema, most, "And if it ends as little as it may, and extends "
                "the probe as far as it may."),
    LAGD_WRITTEN("seconds_least", "n?", write_least_seconds, "As seconds_guess, for the least."),
    PLAN("n_workers", "i", n_workers, "Candidates that are probed at once."),
    PLAN("seconds_guess", "n?", seconds_guess, "From the request to the verdict, when probing may begin at once."),
    PLAN("time_basis", "s", time_basis, "What the time is predicted from: run, other_runs or machine."),
    PLAN("memory_bytes", "i", memory_bytes, "Needed beside what the run has."),
    PLAN("memory_peak_bytes", "i", memory_peak_bytes, "Of the run and its growth together."),
    PLAN("memory_available_bytes", "i", memory_available_bytes, "What would be granted now."),
};
const struct lagd_schema lagd_growth_plan_schema = LAGD_SCHEMA("GrowthPlan", plan_members);

static int dry_run(struct lagd_request *request, const struct lagd_growth_request *growth) {
    struct lag_db *db;
    bool extends = false;
    LAG_CLEANUP(lag_free_p) struct lagd_growth_plan *plan = NULL;
    LAG_CLEANUP(lag_free_p) struct lagd_extension *extension = lag_calloc(1, sizeof(*extension));
    if (!extension) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    int status = lagd_request_db(request, &db);
    if (status == 0)
        status = lagd_extension_for_growth(db, lagd_supervisor_state_dir(request->supervisor), growth,
                                           request->params[0], &extends, extension, &request->err);
    if (status == 0)
        status = lagd_growth_plan_read(db, growth, &extension->run, lagd_supervisor_threads(request->supervisor), &plan,
                                       &request->err);
    if (status < 0) return lagd_refuse_run(request, status, extension->run.state);
    plan->memory_available_bytes = lagd_supervisor_memory_available(request->supervisor);
    lagd_supervisor_predict(request->supervisor, &extension->run, plan);
    return lagd_answer_object(request, &lagd_growth_plan_schema, plan, NULL, 200);
}

int lagd_h_growth_created(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status < 0) return lagd_refuse_run(request, status, request->command->state);
    lagd_header_set(request, "Location", "/api/v1/growths/%s", request->command->id);
    lagd_header_set(request, "Retry-After", "1");
    return answer_growth(request, request->command->id, 202);
}

void lagd_audit_by_default(const struct lagd_request *request, const json_t *body, struct lagd_growth_request *growth) {
    struct lagd_config config;
    if (json_object_get(body, "audit")) return;
    lagd_supervisor_config(request->supervisor, &config);
    growth->audit = config.growth_audit;
}

int lagd_h_growth_create(struct lagd_request *request) {
    LAG_CLEANUP(lag_free_p) struct lagd_growth_request *growth = lag_calloc(1, sizeof(*growth));
    if (!growth) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    lagd_growth_decode(request->json, "", growth, &request->faults);
    lagd_audit_by_default(request, request->json, growth);
    if (request->faults.n > 0) return LAG_EINVAL;
    if (lagd_query_bool(&request->target, "dry_run")) return dry_run(request, growth);
    struct lagd_command *command = lagd_command_create(LAGD_GROWTH_CREATE);
    if (command) {
        (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
        command->u.growth = LAG_TAKE(growth);
    }
    return lagd_request_post(request, command);
}

int lagd_h_growth_cancelled(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status == LAG_ESTATE && !lagd_growth_is(request->command->state, LAGD_GROWTH_CANCELLED)) {
        char text[sizeof(request->err.text)];
        (void)lag_copy(text, sizeof(text), request->err.text);
        return lagd_fail_state(request, LAGD_MACHINE_GROWTH, request->command->state, "%s", text);
    }
    return status < 0 && status != LAG_ESTATE ? status : answer_growth(request, request->params[0], 200);
}

int lagd_h_growth_cancel(struct lagd_request *request) { return lagd_post_verb(request, LAGD_GROWTH_CANCEL); }
