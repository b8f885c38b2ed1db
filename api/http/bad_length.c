/* Answers heads whose Content-Length the HTTP library refuses by itself. */
#include "http/bad_length_internal.h"

#include "http/server_internal.h"
#include "http/transport_internal.h"
#include "request/answer_internal.h"
#include "request/counters_internal.h"

#include <lagd/base/clock.h>
#include <lagd/base/parse.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Of this worker: connections stay with theirs. Global, since the library's log tells of no connection. */
static _Thread_local struct lagd_transport *heads;

void lagd_heads_add(struct lagd_transport *transport) {
    transport->next_waiting = heads;
    heads = transport;
}

void lagd_heads_remove(struct lagd_transport *transport) {
    for (struct lagd_transport **link = &heads; *link; link = &(*link)->next_waiting) {
        if (*link != transport) continue;
        *link = transport->next_waiting;
        transport->next_waiting = NULL;
        return;
    }
}

/* The slug, or NULL: that length is good, or has not come yet. */
static const char *judge(const struct lagd_transport *transport) {
    int64_t length;
    const char *value = MHD_lookup_connection_value(transport->connection, MHD_HEADER_KIND, "Content-Length");
    if (!value) return NULL;
    if (!*value || value[strspn(value, "0123456789")]) return "malformed";
    return lag_parse_i64(value, &length) < 0 ? "too-large" : NULL;
}

static void answer(struct lagd_transport *transport, const char *slug) {
    struct lagd_request *request = &transport->request;
    char head[512];
    lagd_reply_problem(request, slug, "Content-Length must be a decimal number that this server can count to");
    const struct lagd_response *response = &request->response;
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n"
                     "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: %s\r\n\r\n",
                     response->status, response->status == 400 ? "Bad Request" : "Content Too Large",
                     response->content_type, response->n_text, request->id);
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    if (request->fd < 0) return;
    (void)send(request->fd, head, (size_t)n, flags | MSG_MORE);
    if (response->text) (void)send(request->fd, response->text, response->n_text, flags);
    (void)shutdown(request->fd, SHUT_WR);
    lagd_http_counted(request->services->counters, -1, response->status, lag_clock_mono_ns() - transport->begun_ns);
}

/* Several may be on their way; one that is not whole yet and has such a length, too, has no better end. */
void lagd_heads_heard(const char *format) {
    if (!strstr(format, "Content-Length") || !strstr(format, "Closing")) return;
    for (struct lagd_transport *transport = heads, *next; transport; transport = next) {
        next = transport->next_waiting;
        const char *slug = judge(transport);
        if (!slug) continue;
        lagd_heads_remove(transport);
        answer(transport, slug);
    }
}
