/* The catalogue of problem types, and what a problem tells. */
#include "door/problem_internal.h"

#include <lagd/base/check.h>
#include <stdio.h>
#include <string.h>

static const struct lagd_problem_type types[] = {
    {"malformed", 400, "Malformed request", "The request is not well-formed HTTP or JSON; detail says where."},
    {"unknown-field", 400, "Unknown field",
     "The body has a field that this request does not know; errors[].pointer names it."},
    {"unknown-parameter", 400, "Unknown query parameter", "The query has a parameter that this request does not know."},
    {"invalid-parameter", 400, "Invalid query parameter", "A query parameter has a value that cannot be read."},
    {"invalid-cursor", 400, "Invalid cursor", "The cursor was not made by this list; begin again without one."},
    {"unauthenticated", 401, "Authentication required",
     "Send the token of the file auth/token_file as 'Authorization: Bearer TOKEN'."},
    {"cross-origin", 403, "Cross-origin request refused", "Pages of other origins may not change anything here."},
    {"not-found", 404, "Not found", "There is no such thing; the address or the id is wrong."},
    {"method-not-allowed", 405, "Method not allowed", "Header Allow lists the methods of this address."},
    {"invalid-state", 409, "Action not possible in this state",
     "Members state and allowed_actions tell what is possible now."},
    {"name-taken", 409, "Name is taken", "Choose another name, or delete what has it."},
    {"not-reached", 409, "Step not reached yet", "Ask again later, or for an earlier step."},
    {"in-use", 409, "Still in use", "Something still needs it; delete that first."},
    {"idempotency-in-flight", 409, "Same request under way",
     "The first request with this Idempotency-Key is not answered yet; ask again in a moment."},
    {"cursor-gone", 410, "Cursor is gone",
     "Events behind this cursor were removed, or it is of another database: look at everything anew, then go on with "
     "the cursor in member seq, or without one."},
    {"revision-mismatch", 412, "Changed meanwhile",
     "If-Match names another revision than the present one, which member revision tells; look at it again."},
    {"too-large", 413, "Body too large", "The body is larger than the limit that detail names."},
    {"uri-too-long", 414, "Request target too long", "Shorten the address and its query."},
    {"unsupported-media-type", 415, "Unsupported media type", "Send JSON as 'Content-Type: application/json'."},
    {"range-not-satisfiable", 416, "Range not satisfiable", "Ask for bytes that the file has."},
    {"host-not-allowed", 421, "Host not allowed",
     "Use localhost or the bound address, or add the name to server/allowed_hosts."},
    {"validation", 422, "Invalid value", "A value is not acceptable; errors[].pointer names it."},
    {"idempotency-mismatch", 422, "Key of another request",
     "This Idempotency-Key was used with another address or body; a new request needs a new key."},
    {"unsupported", 422, "Not supported", "Well-formed, but this version cannot do it."},
    {"bad-token-file", 422, "Bad token file", "The file is not what its format promises; detail says where."},
    {"path-not-readable", 422, "Path not readable",
     "Only regular files below storage/dataset_roots, reached without links and readable by the daemon, can be "
     "registered."},
    {"insufficient-memory", 422, "Does not fit in memory",
     "Make the model or the batch smaller, or end another run first."},
    {"header-too-large", 431, "Too many header fields", "Send fewer or shorter header fields."},
    {"internal", 500, "Internal error", "A defect or a damaged file; the log has the request_id."},
    {"busy", 503, "Busy", "Too many requests wait; try again after Retry-After seconds."},
    {"too-many-streams", 503, "Too many streams",
     "As many clients follow events as server/max_streams allows; try again after Retry-After seconds."},
    {"shortage", 503, "Short of a resource",
     "The daemon has no memory, descriptor or thread free now; try again after Retry-After seconds."},
    {"draining", 503, "Shutting down", "The daemon is stopping; try again after Retry-After seconds."},
    {"storage-failed", 503, "Nothing can be stored",
     "The database takes no writes until lagd is started again; detail says why and what to do."},
    {"not-ready", 503, "Not ready", "Member checks names what is not ready."},
    {"insufficient-storage", 507, "Not enough disk space", "Free space on the file system of the state directory."},
};

const struct lagd_problem_type *lagd_problem_types(size_t *ret_n) {
    *ret_n = LAG_COUNT(types);
    return types;
}

const struct lagd_problem_type *lagd_problem_find(const char *slug) {
    const struct lagd_problem_type *internal = NULL;
    for (size_t i = 0; i < LAG_COUNT(types); i++) {
        if (slug && strcmp(types[i].slug, slug) == 0) return &types[i];
        if (strcmp(types[i].slug, "internal") == 0) internal = &types[i];
    }
    return internal;
}

const char *lagd_problem_slug(int lag_code) {
    switch (lag_code) {
    case LAG_EINVAL:
    case LAG_ENONFINITE: return "validation";
    case LAG_ENOTFOUND: return "not-found";
    case LAG_EEXIST: return "name-taken";
    case LAG_ESTATE:
    case LAG_EAWAY: return "invalid-state";
    case LAG_EFIT: return "insufficient-memory";
    case LAG_ENOSPC: return "insufficient-storage";
    case LAG_EBUSY: return "busy";
    case LAG_ENOMEM:
    case LAG_ESHORT: return "shortage";
    case LAG_ECANCELED: return "draining";
    case LAG_EUNSUPPORTED: return "unsupported";
    case LAG_EDENIED:
    case LAG_EPATH: return "path-not-readable";
    case LAG_ETOOBIG: return "too-large";
    default: return "internal";
    }
}

/* --- the body of an error answer --------------------------------------------------------------------------------- */

static int write_pointer(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_problem_fault *fault = object;
    char text[160];
    (void)snprintf(text, sizeof(text), "#%s", fault->pointer);
    lagd_json_text(json, key, text);
    return 0;
}

static const struct lagd_member fault_members[] = {
    LAGD_POINTED(struct lagd_problem_fault, "detail", "s", detail, "What is wrong."),
    LAGD_WRITTEN("pointer", "s", write_pointer, "Where in the body: '#' and a JSON pointer."),
};
static const struct lagd_schema fault_schema = LAGD_SCHEMA("Fault", fault_members);

static int write_uri(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_problem *problem = object;
    return lagd_problem_write_uri(json, key, problem->type, NULL);
}

int lagd_problem_write_uri(struct lagd_json *json, const char *key, const void *type, void *context) {
    char uri[96];
    (void)snprintf(uri, sizeof(uri), "tag:lagd,2026:problem/%s", ((const struct lagd_problem_type *)type)->slug);
    lagd_json_text(json, key, uri);
    return 0;
}

static int write_title(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_text(json, key, ((const struct lagd_problem *)object)->type->title);
    return 0;
}

static int write_status(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_int(json, key, ((const struct lagd_problem *)object)->type->status);
    return 0;
}

static int write_detail(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_problem *problem = object;
    lagd_json_text(json, key, problem->detail && *problem->detail ? problem->detail : problem->type->help);
    return 0;
}

static int write_faults(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_problem *problem = object;
    if (problem->n_faults == 0) return 0;
    lagd_json_open_array(json, key);
    for (int i = 0; i < problem->n_faults; i++)
        (void)lagd_write_object(json, NULL, &fault_schema, &problem->faults[i], NULL);
    lagd_json_close_array(json);
    return 0;
}

static int write_actions(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_problem *problem = object;
    if (problem->state && *problem->state) lagd_json_list(json, key, problem->allowed_actions);
    return 0;
}

#define TEXT(name, type, member, help) LAGD_POINTED(struct lagd_problem, name, type, member, help)
static const struct lagd_member problem_members[] = {
    LAGD_WRITTEN("type", "s", write_uri, "URI of the problem's type; GET /problems lists them."),
    LAGD_WRITTEN("title", "s", write_title, "What kind of problem it is."),
    LAGD_WRITTEN("status", "i", write_status, "Status of the answer."),
    LAGD_WRITTEN("detail", "s", write_detail, "What happened, and what to change."),
    TEXT("instance", "s~", instance, "Path of the request."),
    TEXT("request_id", "s", request_id, "Names this request in the log."),
    LAGD_WRITTEN_OF("errors", "[@]~", &fault_schema, write_faults, "What is wrong with the body; the first few."),
    TEXT("state", "s~", state, "The state that does not allow it."),
    LAGD_WRITTEN("allowed_actions", "[s]~", write_actions, "What that state allows."),
    LAGD_MEMBER(struct lagd_problem, "revision", "c~", revision, "The present one, when If-Match named another."),
    LAGD_MEMBER(struct lagd_problem, "seq", "i~", next_after, "When a cursor is gone: the one to begin with."),
};
const struct lagd_schema lagd_problem_schema = LAGD_SCHEMA("Problem", problem_members);
