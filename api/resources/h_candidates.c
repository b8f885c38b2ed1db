/* Candidates, their ranking, and decisions. */
#include "body/bodies_internal.h"
#include "encode/encode_internal.h"
#include "request/etag_internal.h"
#include "resources/handlers_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/ranking.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/growths.h>
#include <math.h>
#include <string.h>

static int add_candidate(const struct lag_candidate_row *row, void *arg) { return lagd_rows_add(arg, row); }

int lagd_h_growth_candidates(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_growth_row growth;
    struct lagd_json json;
    struct lagd_rows list = LAGD_ROWS_INIT(struct lag_candidate_row);
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_growth_get(db, request->params[0], &growth, &request->err);
    if (status == 0) status = lag_candidate_list(db, growth.id, add_candidate, &list, &request->err);
    if (status == 0) {
        lagd_answer_begin(request, &json);
        lagd_json_open_object(&json, NULL);
        lagd_json_open_array(&json, "items");
        for (size_t i = 0; i < list.n; i++)
            lagd_write_candidate(&json, NULL, (struct lag_candidate_row *)list.rows + i, list.rows, list.n);
        lagd_json_close_array(&json);
        lagd_json_null(&json, "next_cursor");
        lagd_json_close_object(&json);
        status = lagd_answer_end(request, &json, 0);
    }
    lagd_rows_deinit(&list);
    return status;
}

int lagd_h_candidate(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_candidate_row row;
    struct lagd_json json;
    struct lagd_rows list = LAGD_ROWS_INIT(struct lag_candidate_row);
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_candidate_get(db, request->params[0], &row, &request->err);
    if (status == 0) status = lag_candidate_list(db, row.growth_id, add_candidate, &list, &request->err);
    if (status == 0) {
        lagd_answer_begin(request, &json);
        lagd_write_candidate(&json, NULL, &row, list.rows, list.n);
        status = lagd_answer_end(request, &json, 0);
    }
    lagd_rows_deinit(&list);
    return status;
}

/* --- ranking ----------------------------------------------------------------------------------------------------- */

static void write_entry(struct lagd_json *json, const struct lagd_ranking_entry *entry) {
    lagd_json_open_object(json, NULL);
    lagd_json_text(json, "candidate", entry->candidate);
    lagd_json_text(json, "operator", entry->op);
    lagd_json_bool(json, "eligible", entry->eligible);
    if (entry->rank > 0)
        lagd_json_int(json, "rank", entry->rank);
    else
        lagd_json_null(json, "rank");
    if (entry->rank_at_0 > 0)
        lagd_json_int(json, "rank_at_0", entry->rank_at_0);
    else
        lagd_json_null(json, "rank_at_0");
    lagd_json_real(json, "mean", entry->mean);
    lagd_json_bool(json, "finite", isfinite(entry->mean));
    lagd_json_real(json, "margin_to_best", entry->margin_to_best);
    lagd_json_open_array(json, "margin_interval");
    lagd_json_real(json, NULL, entry->low);
    lagd_json_real(json, NULL, entry->high);
    lagd_json_close_array(json);
    lagd_json_close_object(json);
}

int lagd_h_growth_ranking(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_growth_row growth;
    struct lagd_json json;
    int64_t at_step = lagd_query_int(&request->target, request->route, "at_step");
    LAG_CLEANUP(lag_free_p) struct lagd_ranking *ranking = lag_calloc(1, sizeof(*ranking));
    if (!ranking) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_growth_get(db, request->params[0], &growth, &request->err);
    if (status == 0) status = lagd_ranking_compute(db, growth.id, at_step, ranking, &request->err);
    if (status == LAG_ESTATE) request->slug = "not-reached";
    if (status < 0) return status;
    lagd_answer_begin(request, &json);
    lagd_json_open_object(&json, NULL);
    lagd_json_text(&json, "growth", growth.id);
    lagd_json_int(&json, "at_step", ranking->t);
    lagd_json_open_array(&json, "items");
    for (int i = 0; i < ranking->n_entries; i++) write_entry(&json, &ranking->entries[i]);
    lagd_json_close_array(&json);
    lagd_json_real(&json, "tau_0", ranking->tau_0);
    lagd_json_real(&json, "tau_half", ranking->tau_half);
    lagd_json_bool(&json, "tied", ranking->tied);
    lagd_json_open_array(&json, "times");
    for (int i = 0; i < ranking->n_times; i++) lagd_json_int(&json, NULL, ranking->times[i]);
    lagd_json_close_array(&json);
    lagd_json_close_object(&json);
    return lagd_answer_end(request, &json, 0);
}

/* --- decision ---------------------------------------------------------------------------------------------------- */

int lagd_h_decision(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_growth_row growth;
    struct lag_decision_row row;
    struct lagd_json json;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_growth_get(db, request->params[0], &growth, &request->err);
    if (status == 0) status = lag_decision_get(db, growth.id, &row, &request->err);
    if (status < 0) return status;
    lagd_answer_begin(request, &json);
    lagd_write_decision(&json, NULL, &row);
    return lagd_answer_end(request, &json, 0);
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
    status = lagd_write_growth(&json, NULL, &row, db, &request->err);
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
