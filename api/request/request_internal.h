/* One request under way: what was asked, what a handler needs to answer it, and the answer. A handler sees no sockets
 * and no HTTP library. Thread: the connection's worker; while the request is suspended nobody touches it but the
 * command's answer. */
#pragma once
#include "door/guard_internal.h"
#include "door/route_internal.h"
#include "json/json_in_internal.h"
#include "request/idempotency_internal.h"
#include "request/places_internal.h"
#include "request/response_internal.h"
#include "request/services_internal.h"

#include <lagd/base/ids.h>
#include <lagd/daemon/commands.h>
#include <lagd/daemon/supervisor.h>
#include <lagd/storage/store.h>
#include <jansson.h>

struct MHD_Connection;
struct lagd_upload;

struct lagd_request {
    const struct lagd_services *services; /* borrowed */
    struct lagd_supervisor *supervisor;   /* borrowed */
    char id[LAG_ID_SIZE];
    char method[33];
    struct lagd_target target;
    struct lagd_framing framing;
    const struct lagd_route *route;
    const char *params[LAGD_ROUTE_PARAMS];
    const char *if_match; /* "" when it was too long to be kept: matches nothing */
    const char *if_none_match, *range, *accept, *accept_encoding, *last_event_id; /* header values or NULL */
    const char *idempotency_key; /* NULL: none, or the route takes none */
    struct lagd_idem idem;
    json_t *json;               /* the body, NULL when there is none; owned */
    struct lagd_upload *upload; /* or the finished upload; owned */
    struct lag_db *db;          /* its reading connection, NULL until it is asked for */
    struct MHD_Connection *connection; /* with its descriptor: what a stream is opened on */
    int fd;
    struct lagd_response response;

    /* for handlers that fail */
    struct lag_error err;
    const char *slug; /* NULL: follows from err.code */
    struct lagd_faults faults;
    char state[LAG_ROW_STATE]; /* for invalid-state */
    const char *allowed_actions;
    int64_t revision; /* for revision-mismatch: the present one */
    int64_t next_after; /* for cursor-gone: where to begin … */
    bool has_next_after; /* … told when this is set */

    /* for handlers that wait */
    struct lagd_command *command; /* posted, or answered; owned when answered */
    bool answered;                /* the route's column answered is called */
    int64_t wait_until_ns;        /* monotonic; for the next event */
    uint64_t wait_seen;           /* the server's event counter before the handler looked */
    bool wait_for_event;

    void *kept; /* of a handler that waits more than once; owned, freed by forget */
    void (*forget)(void *kept);

    enum lagd_place place; /* that it has taken */
    bool is_aside;         /* on a thread for heavy work */
};

/* A reading connection for this request. It stays the request's until the request waits or is answered. */
int lagd_request_db(struct lagd_request *request, struct lag_db **ret);
void lagd_request_give_db(struct lagd_request *request);
/* Takes a place for as long as the request is under way, or gives back what it has; 0, or LAG_EBUSY. One that it has
 * already is kept. */
int lagd_request_take_place(struct lagd_request *request, enum lagd_place place);
void lagd_request_give_place(struct lagd_request *request);
/* n_rows are going to be read. 0: go on; LAGD_ASIDE: that takes long: the handler returns this, and is called again on
 * a thread where it holds up nobody. */
int lagd_request_heavy(struct lagd_request *request, int64_t n_rows);
/* Posts a command (takes it) and returns LAGD_WAIT; NULL is LAG_EBUSY. The route's column answered is called when the
 * daemon has answered. */
int lagd_request_post(struct lagd_request *request, struct lagd_command *command);
/* 0, or the command's failure made the request's. */
int lagd_request_answer(struct lagd_request *request);
/* Waits for the next event or until the deadline; then handle is called again. LAG_EBUSY: too many wait. */
int lagd_request_wait_event(struct lagd_request *request, int64_t until_ns);
/* The dashboard's files. */
const struct lagd_static *lagd_request_static(const struct lagd_request *request);
bool lagd_request_draining(const struct lagd_request *request);
/* Events told so far. A handler takes it into wait_seen before it looks: when it has changed by the time the request is
 * to wait, the handler is called again at once. */
uint64_t lagd_request_event_count(const struct lagd_request *request);
