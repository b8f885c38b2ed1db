/* Studies: ask, list, look, steer; and what they show. */
#include "body/bodies_internal.h"
#include "body/study_body_internal.h"
#include "encode/encode_internal.h"
#include "encode/study_internal.h"
#include "request/etag_internal.h"
#include "request/pages_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/audit.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/studies.h>
#include <string.h>

static int answer_study(struct lagd_request *request, const char *id, int success) {
    struct lag_db *db;
    struct lag_study_row row;
    struct lagd_encoding encoding = {.err = &request->err, .supervisor = request->supervisor};
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_reader_begin(db, &request->err);
    if (status < 0) return status;
    encoding.db = db;
    status = lag_study_get(db, id, &row, &request->err);
    if (status == 0) status = lagd_answer_object(request, &lagd_study_schema, &row, &encoding, success);
    lag_reader_end(db);
    return status;
}

int lagd_h_study(struct lagd_request *request) { return answer_study(request, request->params[0], 200); }

/* --- list -------------------------------------------------------------------------------------------------------- */

struct listing {
    struct lagd_page page;
    struct lagd_rows rows;
};

static int add_study(const struct lag_study_row *row, void *arg) {
    struct listing *listing = arg;
    int verdict = lagd_page_add(&listing->page, LAGD_PAGE_BY_ID, row->id);
    if (verdict == LAGD_PAGE_TAKE) return lagd_rows_add(&listing->rows, row);
    return verdict == LAGD_PAGE_FULL;
}

static const struct lagd_member list_members[] = {LAGD_LIST(&lagd_study_schema)};
const struct lagd_schema lagd_study_list_schema = LAGD_SCHEMA("StudyList", list_members);

int lagd_h_studies(struct lagd_request *request) {
    struct lag_db *db;
    struct listing listing = {.rows = LAGD_ROWS_INIT(struct lag_study_row)};
    int status = lagd_page_begin(request, "st", false, &listing.page);
    if (status == 0) status = lagd_request_db(request, &db);
    if (status == 0) status = lag_study_list(db, false, INT32_MAX, add_study, &listing, &request->err);
    if (status >= 0) {
        const struct lagd_list list = {lagd_rows_span(&listing.rows), listing.page.next};
        struct lagd_encoding encoding = {db, &request->err, NULL, request->supervisor};
        status = lagd_answer_object(request, &lagd_study_list_schema, &list, &encoding, 0);
    }
    lagd_rows_deinit(&listing.rows);
    return status;
}

/* --- ask --------------------------------------------------------------------------------------------------------- */

#define CANDIDATE(name, type, member, help) LAGD_MEMBER(struct lagd_candidate_plan, name, type, member, help)
static const struct lagd_member candidate_members[] = {
    CANDIDATE("operator", "s", op, NULL),
    CANDIDATE("strategy", "s", strategy, "Its text."),
    CANDIDATE("names", "s", names, "Strategies of the pool that come to the same, ', ' between."),
    CANDIDATE("n_params", "i", n_params, NULL),
    CANDIDATE("flops", "n?", flops, "To the horizon, evaluations included."),
    CANDIDATE("eligible", "b", eligible, "It is ranked."),
};
static const struct lagd_schema candidate_schema = LAGD_SCHEMA("StudyCandidatePlan", candidate_members);

static int write_candidates(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_growth_plan *plan = ((const struct lagd_study_plan *)object)->candidates;
    lagd_json_open_array(json, key);
    for (int i = 0; i < plan->n_candidates; i++)
        (void)lagd_write_object(json, NULL, &candidate_schema, &plan->candidates[i], NULL);
    lagd_json_close_array(json);
    return 0;
}

static int write_n_times(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_int(json, key, ((const struct lagd_study_plan *)object)->candidates->n_times);
    return 0;
}

#define PLAN(name, type, member, help) LAGD_MEMBER(struct lagd_study_plan, name, type, member, help)
static const struct lagd_member plan_members[] = {
    LAGD_WRITTEN_OF("candidates", "[@]", &candidate_schema, write_candidates, NULL),
    LAGD_WRITTEN("n_times", "i", write_n_times, "Evaluations of a candidate."),
    PLAN("checkpoint", "s", checkpoint.id, "Id of the checkpoint that all go on from."),
    PLAN("start_step", "i", checkpoint.step, "The step of that."),
    PLAN("max_steps", "i", config.max_steps, "The step of the horizon's end."),
    PLAN("decay_steps", "i", decay_steps, "Of the learning rate, at the horizon's end."),
    PLAN("n_seeds", "i", n_seeds, NULL),
    PLAN("n_runs", "i", n_runs, "Baselines included."),
    PLAN("scratch_steps", "i", scratch_steps, "Of a baseline from scratch; 0: there is none."),
    PLAN("parent_flops", "n?", parent_flops, "Spent on training the parent up to the checkpoint."),
    PLAN("flops_total", "n?", flops_total, "Of the whole study."),
    PLAN("seconds_guess", "n?", seconds_guess, "Of the whole study, one run after the other."),
    PLAN("memory_bytes", "i", memory_bytes, "Peak of one of its runs."),
    PLAN("disk_bytes", "i", disk_bytes, "Of the checkpoints that it leaves."),
};
const struct lagd_schema lagd_study_plan_schema = LAGD_SCHEMA("StudyPlan", plan_members);

static int dry_run(struct lagd_request *request, const struct lagd_study_request *study) {
    struct lag_db *db;
    LAG_CLEANUP(lagd_study_plan_destroy_p) struct lagd_study_plan *plan = NULL;
    int status = lagd_request_db(request, &db);
    if (status == 0)
        status = lagd_study_plan_read(db, study, lagd_supervisor_threads(request->supervisor), &plan, &request->err);
    return status < 0 ? status : lagd_answer_object(request, &lagd_study_plan_schema, plan, NULL, 200);
}

int lagd_h_study_created(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status < 0) return status;
    lagd_header_set(request, "Location", "/api/v1/studies/%s", request->command->id);
    lagd_header_set(request, "Retry-After", "5");
    return answer_study(request, request->command->id, 202);
}

int lagd_h_study_create(struct lagd_request *request) {
    LAG_CLEANUP(lag_free_p) struct lagd_study_request *study = lag_calloc(1, sizeof(*study));
    if (!study) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    lagd_study_request_defaults(study);
    lagd_study_decode(request->json, study, &request->faults);
    if (request->faults.n > 0) return LAG_EINVAL;
    if (lagd_query_bool(&request->target, "dry_run")) return dry_run(request, study);
    struct lagd_command *command = lagd_command_create(LAGD_STUDY_CREATE);
    if (command) command->u.study = LAG_TAKE(study);
    return lagd_request_post(request, command);
}

/* --- the audit of a decision, which is a study ------------------------------------------------------------------- */

int lagd_h_growth_audited(struct lagd_request *request) {
    char text[sizeof(request->err.text)];
    const int status = lagd_request_answer(request);
    if (status != LAG_ESTATE) return status < 0 ? status : lagd_h_study_created(request);
    (void)lag_copy(text, sizeof(text), request->err.text);
    return lagd_fail_state(request, LAGD_MACHINE_GROWTH, request->command->state, "%s", text);
}

static int dry_audit(struct lagd_request *request) {
    struct lag_db *db;
    char text[sizeof(request->err.text)];
    struct lag_growth_row growth;
    LAG_CLEANUP(lagd_study_plan_destroy_p) struct lagd_study_plan *plan = NULL;
    LAG_CLEANUP(lag_free_p) struct lagd_study_request *study = NULL;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_growth_get(db, request->params[0], &growth, &request->err);
    if (status < 0) return status;
    status = lagd_audit_plan_read(db, growth.id, lagd_supervisor_threads(request->supervisor), &study, &plan,
                                  &request->err);
    if (status == 0) return lagd_answer_object(request, &lagd_study_plan_schema, plan, NULL, 200);
    if (status != LAG_ESTATE) return status;
    (void)lag_copy(text, sizeof(text), request->err.text);
    return lagd_fail_state(request, LAGD_MACHINE_GROWTH, growth.state, "%s", text);
}

int lagd_h_growth_audit(struct lagd_request *request) {
    return lagd_query_bool(&request->target, "dry_run") ? dry_audit(request)
                                                        : lagd_post_verb(request, LAGD_GROWTH_AUDIT);
}

/* --- steer ------------------------------------------------------------------------------------------------------- */

static int refused(struct lagd_request *request, int status) {
    char text[sizeof(request->err.text)];
    if (status != LAG_ESTATE) return status;
    (void)lag_copy(text, sizeof(text), request->err.text);
    return lagd_fail_state(request, LAGD_MACHINE_STUDY, request->command->state, "%s", text);
}

int lagd_h_study_verb_done(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    return status < 0 ? refused(request, status) : answer_study(request, request->command->id, 200);
}

int lagd_h_study_deleted(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status < 0) return refused(request, status);
    request->response.status = 204;
    return 0;
}

int lagd_h_study_pause(struct lagd_request *request) { return lagd_post_verb(request, LAGD_STUDY_PAUSE); }
int lagd_h_study_resume(struct lagd_request *request) { return lagd_post_verb(request, LAGD_STUDY_RESUME); }
int lagd_h_study_cancel(struct lagd_request *request) { return lagd_post_verb(request, LAGD_STUDY_CANCEL); }
int lagd_h_study_delete(struct lagd_request *request) { return lagd_post_verb(request, LAGD_STUDY_DELETE); }

/* --- the report -------------------------------------------------------------------------------------------------- */

static int answer_words(struct lagd_request *request, const struct lagd_study_result *result, const char *format,
                        const char *figure) {
    const bool svg = strcmp(format, "svg") == 0;
    struct lag_strbuf out = LAG_STRBUF_INIT;
    if (svg && !lagd_study_write_svg(result, figure, &out)) {
        lag_strbuf_deinit(&out);
        return lagd_fail(request, "validation", "there is no figure %s: scatter, agreement, curves, regret and flops "
                         "are there", figure);
    }
    if (!svg) lagd_study_write_markdown(result, &out);
    const size_t length = out.length;
    lagd_header_set(request, "Content-Disposition", "inline; filename=\"%s.%s\"", result->study.name, format);
    return lagd_answer_text(request, svg ? "image/svg+xml" : "text/markdown; charset=utf-8", lag_strbuf_take(&out),
                            length);
}

int lagd_h_study_report(struct lagd_request *request) {
    struct lag_db *db;
    struct lagd_study_result *result = NULL;
    const char *format = lagd_query_text(&request->target, request->route, "format");
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_reader_begin(db, &request->err);
    if (status < 0) return status;
    status = lagd_study_result_create(db, request->params[0], &result, &request->err);
    struct lagd_encoding encoding = {db, &request->err, NULL};
    if (status == 0)
        status = strcmp(format, "json") == 0
                     ? lagd_answer_object(request, &lagd_study_report_schema, result, &encoding, 0)
                     : answer_words(request, result, format,
                                    lagd_query_text(&request->target, request->route, "figure"));
    lag_reader_end(db);
    lagd_study_result_destroy(result);
    return status;
}
