/* PATCH /runs/{run}: what a run is called and how it is kept, and the rate of one that has failed; all else was fixed
 * when it was made. */
#include "body/bodies_internal.h"
#include "request/etag_internal.h"
#include "resources/handlers_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <stdio.h>
#include <string.h>

static const json_t *find(const json_t *body, const char *path) {
    char key[64];
    while (body && *path) {
        size_t n = strcspn(path, "/");
        (void)snprintf(key, sizeof(key), "%.*s", (int)n, path);
        body = json_is_array(body) ? json_array_get(body, key[0] == '0' ? 0 : 1) : json_object_get(body, key);
        path += n + (path[n] == '/');
    }
    return body;
}

uint32_t lagd_fields_given(const json_t *body, const struct lag_fields *table) {
    uint32_t given = 0;
    for (size_t i = 0; i < table->n_rows; i++)
        if (find(body, table->rows[i].path)) given |= UINT32_C(1) << i;
    return given;
}

/* Fields that a run has but that cannot be changed get a text of their own; misspelt ones are the decoder's. */
static void refuse_fixed(json_t *body, struct lagd_faults *faults) {
    for (size_t i = 0; i < lagd_run_fields.n_rows; i++) {
        const char *path = lagd_run_fields.rows[i].path;
        char pointer[128];
        if (lag_fields_find(&lagd_run_patch_fields, path) || !find(body, path)) continue;
        (void)snprintf(pointer, sizeof(pointer), "/%s", path);
        lagd_fault_add(faults, false, pointer, "cannot be changed: it was fixed when the run was made");
    }
}

static struct lagd_command *make_command(struct lagd_request *request, struct lagd_run_patch *patch) {
    patch->given = lagd_fields_given(request->json, &lagd_run_patch_fields);
    struct lagd_command *command = lagd_command_create(LAGD_RUN_PATCH);
    if (!command) return NULL;
    (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
    lagd_etag_precondition(request->if_match, &command->if_match);
    return command;
}

int lagd_h_run_patched(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status < 0) return request->command->mismatch ? lagd_fail_revision(request) : status;
    return lagd_answer_run(request, request->command->id, 200);
}

int lagd_h_run_patch(struct lagd_request *request) {
    refuse_fixed(request->json, &request->faults);
    if (request->faults.n > 0) return LAG_EINVAL;
    LAG_CLEANUP(lag_free_p) struct lagd_run_patch *patch = lag_calloc(1, sizeof(*patch));
    if (!patch) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    int status = lagd_json_decode(request->json, &lagd_run_patch_fields, NULL, "", &patch->config, &request->faults);
    if (status < 0) return status;
    struct lagd_command *command = make_command(request, patch);
    if (command) command->u.patch = LAG_TAKE(patch);
    return lagd_request_post(request, command);
}
