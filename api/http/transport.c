/* Between the HTTP library and the rest: reads a request's head and body, calls its handler, and waits where asked. */
#include "http/transport_internal.h"

#include "door/admit_internal.h"
#include "door/problem_internal.h"
#include "http/bad_length_internal.h"
#include "http/heavy_internal.h"
#include "http/listeners_internal.h"
#include "http/policy_internal.h"
#include "http/raw_head_internal.h"
#include "http/reply_internal.h"
#include "http/server_internal.h"
#include "http/sockets_internal.h"
#include "http/wait_internal.h"
#include "request/answer_internal.h"
#include "request/kept_internal.h"
#include "request/upload_internal.h"

#include <lagd/base/clock.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A refused body up to this size is read away, so that the client sees the answer. */
#define DRAIN_MAX_BYTES (16 << 20)

void *lagd_transport_begin(void *cls, const char *raw_target, struct MHD_Connection *connection) {
    LAG_FP("http.request");
    struct lagd_server *server = cls;
    struct lagd_transport *transport = lag_calloc(1, sizeof(*transport));
    if (!transport) return NULL;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    transport->server = server;
    transport->connection = connection;
    transport->socket = info ? info->socket_context : NULL;
    transport->begun_ns = lag_clock_mono_ns();
    (void)lag_copy(transport->raw, sizeof(transport->raw), raw_target);
    transport->raw_at = raw_target;
    transport->n_raw = strlen(raw_target);
    struct lagd_request *request = &transport->request;
    request->services = &server->services;
    request->supervisor = server->services.supervisor;
    request->connection = connection;
    request->fd = transport->socket ? lagd_socket_fd(transport->socket) : -1;
    request->response.fd = -1;
    lag_id_new("req", request->id);
    lagd_socket_deadline(server->sockets, transport->socket, LAGD_SOCKET_READS, LAGD_HEADER_DEADLINE_NS);
    lagd_heads_add(transport);
    return transport;
}

/* --- head -------------------------------------------------------------------------------------------------------- */

static enum MHD_Result collect_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                      const char *value, size_t value_size) {
    struct lagd_head *head = arg;
    if (head->n_headers == LAGD_HEADERS_MAX) {
        head->too_many_headers = true;
        return MHD_NO;
    }
    if (!name) name = "";
    if (!value) value = "";
    if (strlen(name) != name_size || strlen(value) != value_size) head->has_nul = true;
    head->headers[head->n_headers++] = (struct lagd_header){name, value};
    return MHD_YES;
}

static void keep_header(const struct lagd_head *head, const char *name, char *copy, size_t size, const char **ret) {
    const char *value = lagd_head_find(head, name);
    if (value && lag_copy(copy, size, value) == 0) *ret = copy;
}

static enum MHD_Result answer_problem(struct lagd_transport *transport, const struct lagd_refusal *verdict) {
    transport->failed = true;
    lagd_reply_problem(&transport->request, verdict->slug, verdict->detail);
    if (*transport->allow) lagd_header_set(&transport->request, "Allow", "%s", transport->allow);
    return lagd_reply(transport);
}

/* Tells the problem now, or, when a small body is on its way, after that has been read away. */
static enum MHD_Result refuse(struct lagd_transport *transport, const struct lagd_refusal *verdict) {
    const struct lagd_framing *framing = &transport->request.framing;
    if (!framing->has_body || framing->asks_first || framing->content_length > DRAIN_MAX_BYTES)
        return answer_problem(transport, verdict);
    transport->early = *verdict;
    transport->phase = LAGD_PHASE_DRAIN;
    return MHD_YES;
}

static enum MHD_Result refuse_error(struct lagd_transport *transport, int status) {
    struct lagd_refusal verdict = {lagd_problem_slug(status), ""};
    (void)lag_copy(verdict.detail, sizeof(verdict.detail), transport->request.err.text);
    /* Where all places are taken, nobody may stand in the door for long. */
    transport->body.hurries = status == LAG_EBUSY;
    if (transport->body.hurries)
        lagd_socket_deadline(transport->server->sockets, transport->socket, LAGD_SOCKET_READS, LAGD_CROWDED_NS);
    return refuse(transport, &verdict);
}

static enum MHD_Result begin_body(struct lagd_transport *transport, enum lagd_body_plan plan,
                                  const struct lagd_limits *limits, int64_t min_free_bytes) {
    struct lagd_request *request = &transport->request;
    transport->body.limit_bytes = limits->body_bytes;
    transport->phase = plan == LAGD_PLAN_NONE ? LAGD_PHASE_HANDLE : LAGD_PHASE_BODY;
    if (plan != LAGD_PLAN_UPLOAD) return MHD_YES;
    int status = lagd_request_take_place(request, LAGD_PLACE_UPLOAD);
    if (status == 0)
        status = lagd_upload_create(lagd_supervisor_state_dir(request->supervisor), request->id, limits->upload_bytes,
                                    min_free_bytes, request->framing.content_length, &request->upload, &request->err);
    if (status == 0 && request->idempotency_key) status = lagd_upload_hash(request->upload, &request->err);
    if (status == 0) lagd_socket_deadline(transport->server->sockets, transport->socket, LAGD_SOCKET_STAYS,
                                          LAGD_BODY_WINDOW_NS);
    return status == 0 ? MHD_YES : refuse_error(transport, status);
}

/* Where nothing is changed, a key means nothing and is passed over. */
static void check_key(struct lagd_transport *transport, const char *key, struct lagd_refusal *verdict) {
    struct lagd_request *request = &transport->request;
    if (!(request->route->flags & LAGD_KEYED) || lagd_query_bool(&request->target, "dry_run")) return;
    if (!lagd_idem_key_valid(key)) {
        verdict->slug = "malformed";
        (void)snprintf(verdict->detail, sizeof(verdict->detail),
                       "Idempotency-Key must be 1 to %d visible ASCII characters without blanks", LAG_KEY_SIZE - 1);
        return;
    }
    (void)lag_copy(transport->idempotency_key, sizeof(transport->idempotency_key), key);
    request->idempotency_key = transport->idempotency_key;
    request->idem.step = LAGD_IDEM_WANTED;
}

static void keep_headers(struct lagd_transport *transport, const struct lagd_head *head) {
    struct lagd_request *request = &transport->request;
    struct lagd_transport *t = transport;
    if (lagd_head_find(head, "If-Match")) request->if_match = "";
    keep_header(head, "If-Match", t->if_match, sizeof(t->if_match), &request->if_match);
    keep_header(head, "If-None-Match", t->if_none_match, sizeof(t->if_none_match), &request->if_none_match);
    keep_header(head, "Accept-Encoding", t->accept_encoding, sizeof(t->accept_encoding), &request->accept_encoding);
    keep_header(head, "Range", t->range, sizeof(t->range), &request->range);
    keep_header(head, "Accept", t->accept, sizeof(t->accept), &request->accept);
    keep_header(head, "Last-Event-ID", t->last_event_id, sizeof(t->last_event_id), &request->last_event_id);
}

/* What the guard and the route table say of a head. */
struct judgement {
    struct lagd_refusal verdict; /* the guard's; with a slug, admission is not set */
    struct lagd_admitted admission;
    struct lagd_limits limits;
    int64_t min_free_bytes;
};

static void judge(struct lagd_transport *transport, const struct lagd_head *head, struct judgement *ret) {
    struct lagd_request *request = &transport->request;
    struct lagd_server *server = transport->server;
    const struct lagd_route_table *routes = server->services.routes;
    const struct lagd_auth *auth;
    const struct lagd_config *config = lagd_policy_acquire(server->policy, &auth);
    const struct lagd_host_policy policy = {config->allowed_hosts, lagd_listeners_hosts(server->listeners),
                                            config->allowed_origins};
    ret->limits = (struct lagd_limits){config->body_limit_bytes, config->upload_limit_bytes};
    ret->min_free_bytes = config->min_free_bytes;
    transport->body.rate_bytes = config->body_rate_bytes;
    lagd_guard(head, &policy, &request->target, &request->framing, &ret->verdict);
    if (!ret->verdict.slug) {
        lagd_admit(routes->rows, routes->n, head, &request->target, &request->framing, auth, &ret->limits,
                   &ret->admission);
    }
    lagd_policy_release(server->policy);
}

/* Texts cannot tell of a NUL byte. */
static void look_at_bytes(const struct lagd_transport *transport, struct lagd_head *head) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(transport->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (!info || head->too_many_headers) return;
    const struct lagd_raw_head raw = {.method = head->method, .version = head->version, .target = transport->raw_at,
                                      .n_target = transport->n_raw, .n_bytes = info->header_size};
    if (!lagd_raw_head_is_whole(&raw, head)) head->has_nul = true;
}

static enum MHD_Result begin(struct lagd_transport *transport, const char *method, const char *version) {
    struct lagd_request *request = &transport->request;
    struct lagd_head head = {
        .method = method ? method : "", .version = version ? version : "", .raw_target = transport->raw};
    struct judgement judgement;
    struct lagd_admitted *admission = &judgement.admission;
    (void)MHD_get_connection_values_n(transport->connection, MHD_HEADER_KIND, collect_header, &head);
    look_at_bytes(transport, &head);
    (void)lag_copy(request->method, sizeof(request->method), head.method);
    keep_headers(transport, &head);
    judge(transport, &head, &judgement);
    transport->body.begun_ns = lag_clock_mono_ns();
    lagd_socket_deadline(transport->server->sockets, transport->socket, LAGD_SOCKET_READS,
                         request->framing.has_body ? LAGD_BODY_WINDOW_NS : 0);
    if (judgement.verdict.slug)
        return answer_problem(transport, &judgement.verdict); /* the framing cannot be trusted: nothing more is read */
    request->route = admission->match.route;
    memcpy(request->params, admission->match.params, sizeof(request->params));
    if (admission->options || (admission->verdict.slug && strcmp(admission->verdict.slug, "method-not-allowed") == 0))
        (void)lag_copy(transport->allow, sizeof(transport->allow), admission->match.allow);
    const char *key = lagd_head_find(&head, "Idempotency-Key");
    if (!admission->verdict.slug && key && !admission->options) check_key(transport, key, &admission->verdict);
    if (admission->verdict.slug) return refuse(transport, &admission->verdict);
    if (admission->options) {
        request->response.status = 204;
        lagd_header_set(request, "Allow", "%s", transport->allow);
        return lagd_reply(transport);
    }
    return begin_body(transport, admission->plan, &judgement.limits, judgement.min_free_bytes);
}

/* --- body -------------------------------------------------------------------------------------------------------- */

static enum MHD_Result drain(struct lagd_transport *transport, size_t size) {
    transport->body.n_drained += size;
    return transport->body.n_drained > DRAIN_MAX_BYTES ? MHD_NO : MHD_YES; /* MHD_NO closes the connection */
}

static void body_failed(struct lagd_transport *transport, int status) {
    struct lagd_request *request = &transport->request;
    transport->phase = LAGD_PHASE_DRAIN;
    transport->early.slug = lagd_problem_slug(status);
    (void)lag_copy(transport->early.detail, sizeof(transport->early.detail), request->err.text);
    lagd_upload_destroy(request->upload);
    request->upload = NULL;
    lagd_request_give_place(request);
    request->err = (struct lag_error){0};
}

/* A body that brings its least in these ten seconds gets ten more. One that is no upload is small and comes at once. */
static void count_body(struct lagd_transport *transport, size_t size) {
    struct lagd_body *body = &transport->body;
    const bool is_upload = transport->request.upload != NULL;
    body->n_window += (int64_t)size;
    if (body->hurries || body->n_window < body->rate_bytes * (LAGD_BODY_WINDOW_NS / INT64_C(1000000000))) return;
    if (!is_upload && lag_clock_mono_ns() + LAGD_BODY_WINDOW_NS > body->begun_ns + LAGD_BODY_DEADLINE_NS) return;
    body->n_window = 0;
    lagd_socket_deadline(transport->server->sockets, transport->socket,
                         is_upload ? LAGD_SOCKET_STAYS : LAGD_SOCKET_READS, LAGD_BODY_WINDOW_NS);
}

static enum MHD_Result take_body(struct lagd_transport *transport, const char *data, size_t size) {
    struct lagd_request *request = &transport->request;
    struct lagd_body *body = &transport->body;
    int status = 0;
    count_body(transport, size);
    if (transport->phase == LAGD_PHASE_DRAIN) return drain(transport, size);
    if (request->upload) {
        status = lagd_upload_write(request->upload, data, size, &request->err);
    } else if (size > (uint64_t)body->limit_bytes - body->n) {
        status = lag_error_set(&request->err, LAG_ETOOBIG, "a body may have %lld bytes (server/body_limit_bytes)",
                               (long long)body->limit_bytes);
    } else if (lag_grow_array((void **)&body->bytes, &body->capacity, body->n + size, 1) < 0) {
        status = lag_error_set(&request->err, LAG_EBUSY, "out of memory for the body");
    } else {
        memcpy(body->bytes + body->n, data, size);
        body->n += size;
    }
    if (status < 0) {
        body_failed(transport, status);
        return drain(transport, size);
    }
    return MHD_YES;
}

static void note_fingerprint(struct lagd_transport *transport) {
    struct lagd_request *request = &transport->request;
    if (request->idem.step != LAGD_IDEM_WANTED) return;
    lagd_idem_fingerprint(request->method, transport->raw, transport->body.bytes, transport->body.n,
                          request->upload ? lagd_upload_sha256(request->upload) : NULL, request->idem.fingerprint);
}

/* 0, or a failure in request->err. */
static int finish_body(struct lagd_transport *transport) {
    struct lagd_request *request = &transport->request;
    struct lagd_body *body = &transport->body;
    if (request->upload) {
        int finished = lagd_upload_finish(request->upload, &request->err);
        lagd_request_give_place(request);
        if (finished == 0) note_fingerprint(transport);
        return finished;
    }
    note_fingerprint(transport);
    int status = lagd_json_parse(body->bytes ? body->bytes : "", body->n, &request->json, &request->err);
    if (status == LAG_EINVAL) request->slug = "malformed";
    free(body->bytes);
    body->bytes = NULL;
    return status;
}

/* --- handler ----------------------------------------------------------------------------------------------------- */

/* The row's function for before or after the daemon answered. */
static int dispatch(struct lagd_request *request) {
    return request->answered ? request->route->answered(request) : request->route->handle(request);
}

/* The same, unless the last answer still holds. An odd version means that a commit is under way: then an answer may be
 * of the state before it or after it, and is not kept. Nor is an answer during which the version changed. */
static int call(struct lagd_transport *transport) {
    struct lagd_request *request = &transport->request;
    const struct lag_store *store = lagd_supervisor_store(request->supervisor);
    struct lagd_kept_answers *kept = request->services->kept;
    const uint64_t version = lag_store_version(store);
    if (!(request->route->flags & LAGD_KEPT) || version % 2) return dispatch(request);
    if (lagd_kept_find(kept, transport->raw, version, transport->begun_ns, &request->response)) return 0;
    const int status = dispatch(request);
    if (status == 0 && lag_store_version(store) == version)
        lagd_kept_put(kept, transport->raw, version, transport->begun_ns, &request->response);
    return status;
}

/* The handler, and what a key asks for around it. */
static int work(struct lagd_transport *transport) {
    struct lagd_request *request = &transport->request;
    int status = 0;
    if (request->idem.step == LAGD_IDEM_WANTED) {
        if (!*request->idem.fingerprint) note_fingerprint(transport); /* there was no body */
        status = lagd_idem_begin(request);
        if (status == LAGD_IDEM_REPLAYED) return 0;
    }
    if (status == 0) status = call(transport);
    return status == 0 && lagd_idem_keep(request) ? LAGD_WAIT : status;
}

/* A write that failed since nothing can be stored at all is no defect of this request. */
static const char *slug_of(struct lagd_request *request, int status) {
    bool is_stored_nothing = status == LAG_EIO && lagd_supervisor_storage(request->supervisor, NULL) == LAG_EIO;
    return is_stored_nothing ? "storage-failed" : lagd_problem_slug(status);
}

int lagd_transport_work_aside(struct lagd_transport *transport) {
    struct lagd_request *request = &transport->request;
    struct lag_db *db;
    request->is_aside = true;
    int status = lagd_request_db(request, &db);
    if (status < 0) return status;
    lag_reader_stop_when(db, &transport->broken_off);
    status = dispatch(request);
    lag_reader_stop_when(db, NULL);
    lagd_request_give_db(request);
    return status;
}

static enum MHD_Result conclude(struct lagd_transport *transport, int status) {
    struct lagd_request *request = &transport->request;
    if (status == LAGD_WAIT) {
        lagd_wait(transport->server->waits, transport); /* it may be answered and gone when this returns */
        return MHD_YES;
    }
    if (status < 0) {
        const char *slug = request->faults.n > 0 ? lagd_faults_slug(&request->faults) : request->slug;
        if (!slug) slug = slug_of(request, status);
        bool inner = lagd_problem_find(slug)->status == 500;
        const struct lag_log_field fields[] = {{"REQUEST_ID", request->id}, {0}};
        if (inner)
            lag_log_fields(LAG_LOG_ERROR, fields, "http: %s %s failed (%s): %s", request->method, request->target.path,
                           request->id, request->err.text);
        transport->failed = true;
        lagd_reply_problem(request, slug, request->err.text);
    }
    return lagd_reply(transport);
}

static enum MHD_Result handle(struct lagd_transport *transport, int status) {
    if (status == 0) status = work(transport);
    lagd_request_give_db(&transport->request);
    if (status == LAGD_ASIDE) {
        status = lagd_heavy_post(transport->server->heavy, transport);
        if (status == 0) return MHD_YES; /* it may be answered and gone */
    }
    return conclude(transport, status);
}

/* The answer waited until it was stored, or could not be; the client gets it in any case. */
static enum MHD_Result answer_kept(struct lagd_transport *transport) {
    const struct lagd_request *request = &transport->request;
    const struct lag_log_field fields[] = {{"REQUEST_ID", request->id}, {0}};
    if (request->command->status < 0)
        lag_log_fields(LAG_LOG_WARNING, fields, "http: the answer to %s could not be kept for its Idempotency-Key: %s",
                       request->id, request->command->err.text);
    return lagd_reply(transport);
}

enum MHD_Result lagd_transport_access(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                      const char *version, const char *data, size_t *size, void **context) {
    struct lagd_transport *transport = *context;
    int status = 0;
    if (!transport || !transport->socket) return MHD_NO;
    if (transport->phase == LAGD_PHASE_HEAD) {
        lagd_heads_remove(transport);
        return begin(transport, method, version);
    }
    if (*size > 0) {
        size_t n = *size;
        *size = 0;
        return take_body(transport, data, n);
    }
    if (transport->phase == LAGD_PHASE_ANSWERED) return MHD_YES;
    if (transport->phase == LAGD_PHASE_DRAIN) {
        struct lagd_refusal early = transport->early;
        return answer_problem(transport, &early);
    }
    lagd_socket_deadline(transport->server->sockets, transport->socket, LAGD_SOCKET_STAYS, 0);
    if (transport->has_outcome) {
        transport->has_outcome = false;
        return conclude(transport, transport->outcome);
    }
    if (transport->request.idem.step == LAGD_IDEM_KEEPING) return answer_kept(transport);
    if (transport->phase == LAGD_PHASE_BODY) {
        transport->phase = LAGD_PHASE_HANDLE;
        status = finish_body(transport);
    }
    return handle(transport, status);
}

void lagd_transport_end(void *cls, struct MHD_Connection *connection, void **context,
                        enum MHD_RequestTerminationCode code) {
    struct lagd_transport *transport = *context;
    *context = NULL;
    if (!transport) return;
    struct lagd_request *request = &transport->request;
    if (transport->phase == LAGD_PHASE_HEAD) lagd_heads_remove(transport);
    lagd_request_give_db(request);
    lagd_idem_end(request);
    lagd_request_give_place(request);
    lagd_socket_deadline(transport->server->sockets, transport->socket, LAGD_SOCKET_READS,
                         LAGD_IDLE_SECONDS * INT64_C(1000000000));
    json_decref(request->json);
    if (request->forget) request->forget(request->kept);
    lagd_upload_destroy(request->upload);
    lagd_command_destroy(request->command);
    if (request->response.fd >= 0) (void)close(request->response.fd);
    if (request->response.stream_free) request->response.stream_free(request->response.stream_arg);
    free(request->response.text);
    free(transport->body.bytes);
    free(transport);
}
