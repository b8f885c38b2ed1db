/* One request on its connection: callbacks of the HTTP library, and what they keep between the request line and the end
 * of the answer. Thread: the connection's worker. */
#pragma once
#include "request/request_internal.h"

#include <microhttpd.h>
#include <stdatomic.h>
struct lagd_server;
struct lagd_socket;

enum lagd_phase { LAGD_PHASE_HEAD, LAGD_PHASE_BODY, LAGD_PHASE_DRAIN, LAGD_PHASE_HANDLE, LAGD_PHASE_ANSWERED };

/* A JSON body as it comes in. */
struct lagd_body {
    char *bytes;
    size_t n, capacity;
    int64_t limit_bytes;
    uint64_t n_drained; /* bytes of a refused body that were read away */
    int64_t begun_ns, rate_bytes, n_window; /* the least that must come a second; what came in these ten seconds */
    bool hurries; /* no more time is given */
};

struct lagd_transport {
    struct lagd_request request;
    struct lagd_server *server; /* borrowed */
    struct MHD_Connection *connection;
    struct lagd_socket *socket; /* NULL: there was no memory for it */
    enum lagd_phase phase;
    char raw[LAGD_TARGET_MAX + 2];
    const char *raw_at; /* where the target was in the library's buffer … */
    size_t n_raw;       /* … and its length there */
    int64_t begun_ns;
    struct lagd_refusal early; /* a problem to be told once the body has been read away */
    char allow[96];
    /* copies of header values, which request points to */
    char if_match[128], if_none_match[128], range[64], accept[256], accept_encoding[128], last_event_id[32],
        idempotency_key[LAG_KEY_SIZE];
    struct lagd_body body;
    bool failed;
    struct lagd_transport *next_waiting; /* wait.c's, or heavy.c's */
    atomic_bool broken_off;              /* heavy.c: nobody needs the outcome any more */
    bool has_outcome;
    int outcome; /* of a handler that was called aside */
};

void *lagd_transport_begin(void *server, const char *raw_target, struct MHD_Connection *connection);
enum MHD_Result lagd_transport_access(void *server, struct MHD_Connection *connection, const char *url,
                                      const char *method, const char *version, const char *data, size_t *size,
                                      void **context);
void lagd_transport_end(void *server, struct MHD_Connection *connection, void **context,
                        enum MHD_RequestTerminationCode code);
