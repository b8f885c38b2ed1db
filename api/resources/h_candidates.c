/* Candidates, their ranking, and decisions. */
#include "body/bodies_internal.h"
#include "encode/encode_internal.h"
#include "request/etag_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/ranking.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/growths.h>
#include <math.h>
#include <string.h>

static int add_candidate(const struct lag_candidate_row *row, void *arg) { return lagd_rows_add(arg, row); }

static const struct lagd_member list_members[] = {LAGD_LIST(&lagd_candidate_schema)};
const struct lagd_schema lagd_candidate_list_schema = LAGD_SCHEMA("CandidateList", list_members);

int lagd_h_growth_candidates(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_growth_row growth;
    struct lagd_rows rows = LAGD_ROWS_INIT(struct lag_candidate_row);
    struct lagd_encoding encoding = {.candidates = &rows};
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_growth_get(db, request->params[0], &growth, &request->err);
    if (status == 0) status = lag_candidate_list(db, growth.id, add_candidate, &rows, &request->err);
    if (status == 0) {
        const struct lagd_list list = {lagd_rows_span(&rows), NULL};
        status = lagd_answer_object(request, &lagd_candidate_list_schema, &list, &encoding, 0);
    }
    lagd_rows_deinit(&rows);
    return status;
}

int lagd_h_candidate(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_candidate_row row;
    struct lagd_rows rows = LAGD_ROWS_INIT(struct lag_candidate_row);
    struct lagd_encoding encoding = {.candidates = &rows};
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_candidate_get(db, request->params[0], &row, &request->err);
    if (status == 0) status = lag_candidate_list(db, row.growth_id, add_candidate, &rows, &request->err);
    if (status == 0) status = lagd_answer_object(request, &lagd_candidate_schema, &row, &encoding, 0);
    lagd_rows_deinit(&rows);
    return status;
}

/* --- ranking ----------------------------------------------------------------------------------------------------- */

static int write_finite(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_bool(json, key, isfinite(((const struct lagd_ranking_entry *)object)->mean));
    return 0;
}

static int write_interval(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_ranking_entry *entry = object;
    return lagd_write_interval(json, key, entry->low, entry->high);
}

#define ENTRY(name, type, member, help) LAGD_MEMBER(struct lagd_ranking_entry, name, type, member, help)
static const struct lagd_member entry_members[] = {
    ENTRY("candidate", "s", candidate, "Its id."),
    ENTRY("operator", "s", op, NULL),
    ENTRY("label", "s", label, "What it is called beside the others."),
    ENTRY("eligible", "b", eligible, "It may win."),
    ENTRY("rank", "c?", rank, "At at_step; 1 is best, equal ones share the lowest rank."),
    ENTRY("rank_at_0", "c?", rank_at_0, "Right after growth."),
    ENTRY("stopped", "s?", stopped, "Why its probe ended at a rung; null: it did not."),
    ENTRY("tied", "b", tied, "It belongs to those that no other beats at 95 %."),
    ENTRY("mean", "n?", mean, "Mean validation loss at at_step."),
    LAGD_WRITTEN("finite", "b", write_finite, "Whether mean is a number."),
    ENTRY("margin_to_best", "n?", margin_to_best, "Loss above that of the best, over the last evaluations up to "
          "at_step."),
    LAGD_WRITTEN("margin_interval", "[n?]", write_interval, "Its interval at 95 %, over batches and evaluations."),
};
static const struct lagd_schema entry_schema = LAGD_SCHEMA("RankingEntry", entry_members);

static int write_entries(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_ranking *ranking = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < ranking->n_entries; i++)
        (void)lagd_write_object(json, NULL, &entry_schema, &ranking->entries[i], NULL);
    lagd_json_close_array(json);
    return 0;
}

static int write_times(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_ranking *ranking = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < ranking->n_times; i++) lagd_json_int(json, NULL, ranking->times[i]);
    lagd_json_close_array(json);
    return 0;
}

static int write_growth_id(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_text(json, key, context);
    return 0;
}

#define RANKING(name, type, member, help) LAGD_MEMBER(struct lagd_ranking, name, type, member, help)
static const struct lagd_member ranking_members[] = {
    LAGD_WRITTEN("growth", "s", write_growth_id, "Its id."),
    RANKING("at_step", "i", t, "The probe step of the evaluations that are compared."),
    LAGD_WRITTEN_OF("items", "[@]", &entry_schema, write_entries, "By rank; those without one come last."),
    RANKING("tau_0", "n?", tau_0, "Kendall's tau between the ranks right after growth and at at_step."),
    RANKING("tau_half", "n?", tau_half, "Kendall's tau between the ranks at half of at_step and at at_step."),
    RANKING("tied", "b", tied, "More than one belongs to those that no other beats."),
    RANKING("n_tied", "i", n_tied, "How many do."),
    RANKING("n_evaluations", "i", n_tail, "Evaluations up to at_step that the margins rest on."),
    RANKING("p_now", "n?", p_now, "At least so likely is the first the best now."),
    RANKING("basis", "s", basis, "What a decision at at_step would rest on."),
    RANKING("n_candidates", "i", n_candidates, "All of the growth."),
    RANKING("n_reached", "i", n_reached, "Those that have ended, or were evaluated at the lag."),
    LAGD_WRITTEN("times", "[i]", write_times, "Probe steps with an evaluation."),
};
const struct lagd_schema lagd_ranking_schema = LAGD_SCHEMA("Ranking", ranking_members);

int lagd_h_growth_ranking(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_growth_row growth;
    int64_t at_step = lagd_query_int(&request->target, request->route, "at_step");
    LAG_CLEANUP(lag_free_p) struct lagd_ranking *ranking = lag_calloc(1, sizeof(*ranking));
    if (!ranking) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_growth_get(db, request->params[0], &growth, &request->err);
    if (status == 0) status = lagd_ranking_compute(db, growth.id, at_step, ranking, &request->err);
    if (status == LAG_ESTATE) request->slug = "not-reached";
    return status < 0 ? status : lagd_answer_object(request, &lagd_ranking_schema, ranking, growth.id, 0);
}

/* --- decision ---------------------------------------------------------------------------------------------------- */

int lagd_h_decision(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_growth_row growth;
    struct lag_decision_row row;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_growth_get(db, request->params[0], &growth, &request->err);
    if (status == 0) status = lag_decision_get(db, growth.id, &row, &request->err);
    struct lagd_encoding encoding = {.db = db, .err = &request->err};
    return status < 0 ? status : lagd_answer_object(request, &lagd_decision_schema, &row, &encoding, 0);
}

static int answer_growth(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_growth_row row;
    struct lagd_json json;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_growth_get(db, request->params[0], &row, &request->err);
    if (status < 0) return status;
    (void)lagd_etag_fresh(request, row.revision);
    lagd_answer_begin(request, &json);
    status = lagd_write_growth(&json, NULL, &row, request->supervisor, db, &request->err);
    int ended = lagd_answer_end(request, &json, 0);
    return status < 0 ? status : ended;
}

int lagd_h_decided(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status == 0) return answer_growth(request);
    if (status != LAG_ESTATE) return status;
    if (request->command->mismatch) return lagd_fail_revision(request);
    char text[sizeof(request->err.text)];
    (void)lag_copy(text, sizeof(text), request->err.text);
    return lagd_fail_state(request, LAGD_MACHINE_GROWTH, request->command->state, "%s", text);
}

int lagd_h_decide(struct lagd_request *request) {
    struct lagd_decide_body body;
    lag_fields_defaults(&lagd_decide_fields, &body);
    int status = lagd_json_decode(request->json, &lagd_decide_fields, NULL, "", &body, &request->faults);
    if (status < 0) return status;
    if (body.reject ? body.approve || *body.candidate : !body.approve && !*body.candidate) {
        return lagd_fail(request, "validation",
                         "say one of {\"approve\": true}, {\"candidate\": ID} and {\"reject\": true}");
    }
    struct lagd_command *command = lagd_command_create(LAGD_GROWTH_DECIDE);
    if (command) {
        (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
        (void)lag_copy(command->reason, sizeof(command->reason), body.reason);
        lagd_etag_precondition(request->if_match, &command->if_match);
        command->u.decide.approve = !body.reject;
        (void)lag_copy(command->u.decide.candidate, sizeof(command->u.decide.candidate), body.candidate);
    }
    return lagd_request_post(request, command);
}
