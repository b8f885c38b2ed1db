/* /studies/{study}/tfevents: what a study's candidates and baselines came to, as TensorBoard reads it: a folder for
 * each of them below one for each seed. Steps count from the growth, and for a baseline from its beginning. */
#include "encode/tar_stream_internal.h"
#include "encode/tfevents_internal.h"
#include "resources/handlers_internal.h"

#include <lagd/base/error.h>
#include <lagd/daemon/study_report.h>
#include <lagd/storage/store.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define TAG "val/loss"

struct curve {
    int n;
    const int64_t *steps;
    const double *losses; /* NaN: none there */
};

/* A folder's name: letters, digits and what joins them. */
static void clean(char *name) {
    static const char known[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/";
    for (char *c = name; *c; c++)
        if (!strchr(known, *c)) *c = '-';
}

/* wall_time: of the study's creation, for all: what its candidates took is no part of its result. */
static int add_curve(struct lagd_tar_stream *stream, char *folder, double wall_time, const struct curve *curve) {
    struct lag_strbuf text = LAG_STRBUF_INIT;
    struct lagd_tfevent event = LAGD_TFEVENT_INIT;
    char name[64];
    clean(folder);
    (void)snprintf(name, sizeof(name), "%.32s/events.out.tfevents.%" PRId64, folder, (int64_t)wall_time);
    lagd_tfevents_begin(&text, wall_time);
    for (int i = 0; i < curve->n; i++) {
        if (isnan(curve->losses[i])) continue;
        lagd_tfevent_begin(&event, wall_time, curve->steps[i]);
        lagd_tfevent_add(&event, TAG, curve->losses[i]);
        lagd_tfevent_append(&event, &text);
    }
    lagd_tfevent_deinit(&event);
    return lagd_tar_stream_add_text(stream, name, &text);
}

/* The number tells candidates apart whose operators are equal. */
static int add_candidates(struct lagd_tar_stream *stream, const struct lagd_study_result *result, double wall_time) {
    int status = 0;
    for (int s = 0; s < result->n_seeds; s++)
        for (int c = 0; c < result->n_candidates && status == 0; c++) {
            const struct lagd_study_candidate *candidate = &result->candidates[c];
            const struct curve curve = {result->n_times, result->times, candidate->losses + s * result->n_times};
            char folder[64];
            (void)snprintf(folder, sizeof(folder), "s%" PRId64 "/%02d-%.22s", result->seeds[s].seed, c + 1,
                           candidate->op);
            status = add_curve(stream, folder, wall_time, &curve);
        }
    return status;
}

static int add_scratch(struct lagd_tar_stream *stream, const struct lagd_study_result *result, double wall_time) {
    int status = 0;
    for (int i = 0; i < result->n_scratch && status == 0; i++) {
        const struct lagd_study_scratch *scratch = &result->scratch[i];
        const struct curve curve = {scratch->n_points, scratch->steps, scratch->losses};
        char folder[64];
        (void)snprintf(folder, sizeof(folder), "s%" PRId64 "/scratch", scratch->seed);
        status = add_curve(stream, folder, wall_time, &curve);
    }
    return status;
}

static int answer_result(struct lagd_request *request, const struct lagd_study_result *result) {
    if (result->n_seeds == 0)
        return lag_error_set(&request->err, LAG_ESTATE, "the study has no curves yet: %s", result->why_not);
    const double wall_time = (double)result->study.created_ms / 1000;
    struct lagd_tar_stream *stream =
        lagd_tar_stream_create(result->study.name, result->study.id, result->study.created_ms / 1000);
    int status = stream ? add_candidates(stream, result, wall_time) : LAG_ENOMEM;
    if (status == 0) status = add_scratch(stream, result, wall_time);
    if (status < 0) {
        lagd_tar_stream_destroy(stream);
        return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    }
    lagd_answer_tar(request, stream, result->study.name);
    return 0;
}

int lagd_h_study_tfevents(struct lagd_request *request) {
    struct lag_db *db;
    struct lagd_study_result *result = NULL;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lagd_request_take_place(request, LAGD_PLACE_DOWNLOAD);
    if (status == 0) status = lag_reader_begin(db, &request->err);
    if (status < 0) return status;
    status = lagd_study_result_create(db, request->params[0], &result, &request->err);
    lag_reader_end(db);
    if (status == 0) status = answer_result(request, result);
    lagd_study_result_destroy(result);
    return status;
}
