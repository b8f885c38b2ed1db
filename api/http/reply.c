/* Hands an answer to the HTTP library: body, headers that everything carries, counters and the access log. */
#include "http/reply_internal.h"

#include "http/server_internal.h"
#include "http/sockets_internal.h"
#include "http/transport_internal.h"
#include "request/counters_internal.h"
#include "stream/hub_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define REFUSALS_A_SECOND 10
#define STREAM_BLOCK 32768
#define FOLLOW_BLOCK 2048 /* for HTTP/1.0 only; kept as long as the client follows */
#define DRAIN_NS (30 * INT64_C(1000000000))
#define DRAIN_BYTES_PER_S 16384 /* the slowest reader that is waited for */

struct lagd_refusals {
    pthread_mutex_t lock;
    int64_t second, n;
};

static ssize_t stream_read(void *arg, uint64_t position, char *buffer, size_t size) {
    struct lagd_transport *transport = arg;
    struct lagd_response *response = &transport->request.response;
    /* What was given before has gone out: the next block has as long. */
    if (!response->follows)
        lagd_socket_deadline(transport->server->sockets, transport->socket, LAGD_SOCKET_STAYS, DRAIN_NS);
    ssize_t n = response->stream(response->stream_arg, buffer, size);
    if (n > 0) return n;
    if (n == LAGD_STREAM_WAIT) return 0;
    return n == 0 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

/* The stream's argument stays the request's: it outlives the library's use of it. */
static struct MHD_Response *make(struct lagd_transport *transport) {
    struct lagd_response *response = &transport->request.response;
    if (response->stream) {
        uint64_t n_bytes = response->stream_bytes ? response->stream_bytes : MHD_SIZE_UNKNOWN;
        size_t block = response->follows ? FOLLOW_BLOCK : STREAM_BLOCK;
        return MHD_create_response_from_callback(n_bytes, block, stream_read, transport, NULL);
    }
    if (response->fd >= 0) {
        struct MHD_Response *made =
            MHD_create_response_from_fd_at_offset64(response->fd_length, response->fd, response->fd_offset);
        if (made) response->fd = -1; /* the library closes it */
        return made;
    }
    char *text = response->text;
    response->text = NULL;
    struct MHD_Response *made = MHD_create_response_from_buffer(text ? response->n_text : 0, text,
                                                                text ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!made) free(text);
    return made;
}

static bool add_headers(struct lagd_transport *transport, struct MHD_Response *made, bool close_after) {
    const struct lagd_request *request = &transport->request;
    const struct lagd_response *response = &request->response;
    static const struct {
        const char *name, *value;
    } always[] = {
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    };
    bool ok = true, has_cache = false, has_policy = false;
    for (int i = 0; i < response->n_headers; i++) {
        has_cache = has_cache || strcmp(response->headers[i].name, "Cache-Control") == 0;
        has_policy = has_policy || strcmp(response->headers[i].name, "Content-Security-Policy") == 0;
    }
    for (size_t i = 0; i < LAG_COUNT(always); i++) {
        if (has_policy && strcmp(always[i].name, "Content-Security-Policy") == 0) continue;
        ok = ok && MHD_add_response_header(made, always[i].name, always[i].value) == MHD_YES;
    }
    const char *type = response->content_type;
    if (!type && request->route)
        type = request->route->content_type ? request->route->content_type : "application/json";
    bool bodyless = response->status == 204 || response->status == 304;
    if (type && !bodyless) ok = ok && MHD_add_response_header(made, "Content-Type", type) == MHD_YES;
    ok = ok && MHD_add_response_header(made, "X-Request-Id", request->id) == MHD_YES;
    for (int i = 0; i < response->n_headers; i++) {
        ok = ok && MHD_add_response_header(made, response->headers[i].name, response->headers[i].value) == MHD_YES;
    }
    if (!has_cache) ok = ok && MHD_add_response_header(made, "Cache-Control", "no-store") == MHD_YES;
    if (close_after) ok = ok && MHD_add_response_header(made, "Connection", "close") == MHD_YES;
    return ok;
}

int lagd_refusals_create(struct lagd_refusals **ret) {
    struct lagd_refusals *refusals = lag_calloc(1, sizeof(*refusals));
    if (!refusals) return LAG_ENOMEM;
    (void)pthread_mutex_init(&refusals->lock, NULL);
    *ret = refusals;
    return 0;
}

void lagd_refusals_destroy(struct lagd_refusals *refusals) {
    if (!refusals) return;
    (void)pthread_mutex_destroy(&refusals->lock);
    free(refusals);
}

/* Refusals are told, but a client that goes on and on cannot fill the log. */
static bool may_log(struct lagd_refusals *refusals) {
    int64_t now_s = lag_clock_mono_ns() / INT64_C(1000000000);
    (void)pthread_mutex_lock(&refusals->lock);
    if (refusals->second != now_s) refusals->n = 0;
    refusals->second = now_s;
    bool may = refusals->n++ < REFUSALS_A_SECOND;
    (void)pthread_mutex_unlock(&refusals->lock);
    return may;
}

static void account(struct lagd_transport *transport) {
    const struct lagd_request *request = &transport->request;
    const struct lagd_services *services = request->services;
    int64_t duration_ns = lag_clock_mono_ns() - transport->begun_ns;
    int status = request->response.status, row = request->route ? (int)(request->route - services->routes->rows) : -1;
    lagd_http_counted(services->counters, row, status, duration_ns);
    bool changed = !lagd_method_is_safe(request->method) && status < 400;
    bool told = changed || (status >= 400 && may_log(transport->server->refusals));
    const struct lag_log_field fields[] = {{"REQUEST_ID", request->id}, {0}};
    lag_log_fields(told ? LAG_LOG_INFO : LAG_LOG_DEBUG, fields, "http: %s %s %d %.1f ms %s", request->method,
                   *request->target.path ? request->target.path : "-", status, (double)duration_ns / 1e6, request->id);
}

enum MHD_Result lagd_reply(struct lagd_transport *transport) {
    struct lagd_request *request = &transport->request;
    struct lagd_response *response = &request->response;
    if (!response->status) response->status = request->route ? request->route->status : 200;
    lagd_idem_end(request); /* the client may ask again as soon as it reads the answer */
    uint64_t n_bytes = response->stream ? 0 : response->fd >= 0 ? response->fd_length : response->n_text;
    /* The library takes a bare line feed for the end of a line and does not show it. A second request could be hidden
     * that way, so only what was read without a body, changes nothing and succeeded keeps its connection. */
    bool close_after = transport->failed || response->follows || response->status >= 400 || request->framing.has_body ||
                       !lagd_method_is_safe(request->method);
    transport->phase = LAGD_PHASE_ANSWERED;
    struct MHD_Response *made = make(transport);
    if (!made) return MHD_NO;
    enum MHD_Result result = add_headers(transport, made, close_after)
                                 ? MHD_queue_response(transport->connection, (unsigned)response->status, made)
                                 : MHD_NO;
    MHD_destroy_response(made);
    account(transport);
    /* A stream's end is not known: each block of it has its time. What has a place keeps it until it was read. */
    bool has_place = request->place == LAGD_PLACE_DOWNLOAD;
    int64_t drain_ns = response->follows ? 0 : DRAIN_NS + (int64_t)(n_bytes / DRAIN_BYTES_PER_S) * INT64_C(1000000000);
    if (!has_place) lagd_request_give_place(request);
    lagd_socket_deadline(transport->server->sockets, transport->socket,
                         has_place ? LAGD_SOCKET_STAYS : LAGD_SOCKET_WRITES, drain_ns);
    return result;
}
