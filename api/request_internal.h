/* One request under way: what was asked, what a handler needs to answer it, and the answer. A handler sees no sockets
 * and no HTTP library. Thread: the connection's worker; while it is suspended nobody touches it but the command's
 * answer. */
#pragma once
#include <jansson.h>
#include <sys/types.h>

#include "guard_internal.h"
#include "idempotency_internal.h"
#include "json_in_internal.h"
#include "json_out_internal.h"
#include "lagd/base/ids.h"
#include "lagd/daemon/commands.h"
#include "lagd/daemon/supervisor.h"
#include "lagd/storage/store.h"
#include "route_internal.h"

struct lagd_server;
struct lagd_socket;
struct lagd_static;
struct lagd_upload;

struct lagd_response {
    int status;               /* 0: the route's */
    const char *content_type; /* NULL: the route's */
    char *text;               /* owned */
    size_t n_text;
    int fd; /* ≥ 0: bytes of a file, owned */
    uint64_t fd_offset, fd_length;
    /* or bytes as they come: > 0 bytes, 0 end, LAGD_STREAM_WAIT suspended, else < 0 failed. Called by the worker. */
    ssize_t (*stream)(void *arg, char *buffer, size_t size);
    void (*stream_free)(void *arg);
    void *stream_arg;
    uint64_t stream_bytes; /* all that will come, when that is known before; else 0 */
    bool follows; /* has no end of its own */
    int n_headers;
    struct {
        const char *name;
        char value[256];
    } headers[8];
};

struct lagd_request {
    struct lagd_server *server;
    struct lagd_supervisor *supervisor; /* borrowed */
    char id[LAG_ID_SIZE];
    char method[33];
    struct lagd_target target;
    struct lagd_framing framing;
    const struct lagd_route *route;
    const char *params[LAGD_ROUTE_PARAMS];
    const char *if_match; /* "" when it was too long to be kept: matches nothing */
    const char *if_none_match, *range, *accept, *accept_encoding, *last_event_id; /* header values or NULL */
    const char *idempotency_key;       /* NULL: none, or the route takes none */
    struct lagd_idem idem;
    bool too_long;                     /* the raw target was cut */
    json_t *json;                      /* the body, NULL when there is none; owned */
    struct lagd_upload *upload;        /* or the finished upload; owned */
    struct lagd_response response;

    /* for handlers that fail */
    struct lag_error err;
    const char *slug; /* NULL: follows from err.code */
    struct lagd_faults faults;
    char state[LAG_ROW_STATE]; /* for invalid-state */
    const char *allowed_actions;
    int64_t revision; /* for revision-mismatch: the present one */

    /* for handlers that wait */
    struct lagd_command *command; /* posted, or answered; owned when answered */
    bool answered;
    int64_t wait_until_ns; /* monotonic; for the next event */
    uint64_t wait_seen;    /* the server's event counter before the handler looked */
    bool wait_for_event;

    struct lagd_transport *transport; /* the server's part */
};

/* A reading connection for this request, given back when it is answered. */
int lagd_request_db(struct lagd_request *request, struct lag_db **ret);
/* Fails with a slug of its own. Always returns LAG_EINVAL. */
int lagd_fail(struct lagd_request *request, const char *slug, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Fails with state and allowed actions of a life cycle. */
int lagd_fail_state(struct lagd_request *request, int machine, const char *state, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void lagd_header_set(struct lagd_request *request, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* JSON answers: begin gives a writer, end puts its text into the response. status 0: the route's. */
void lagd_answer_begin(struct lagd_request *request, struct lagd_json *json);
int lagd_answer_end(struct lagd_request *request, struct lagd_json *json, int status);
/* Takes text. */
int lagd_answer_text(struct lagd_request *request, const char *content_type, char *text, size_t length);

/* Posts a command (takes it) and returns LAGD_WAIT; NULL is LAG_ENOMEM. After it was answered the handler runs again
 * with request->answered. */
int lagd_request_post(struct lagd_request *request, struct lagd_command *command);
/* 0, or the command's failure made the request's. */
int lagd_request_answer(struct lagd_request *request);
/* Waits for the next event or until the deadline. */
int lagd_request_wait_event(struct lagd_request *request, int64_t until_ns);
/* The dashboard's files. */
const struct lagd_static *lagd_request_static(const struct lagd_request *request);
bool lagd_request_draining(const struct lagd_request *request);
/* Events told so far; taken before a handler looks, it closes the gap between looking and waiting. */
uint64_t lagd_request_event_count(const struct lagd_request *request);
/* Makes the response a problem of this type; detail "": the type's own text. */
void lagd_reply_problem(struct lagd_request *request, const char *slug, const char *detail);
