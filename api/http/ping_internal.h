/* Asks a worker of the HTTP library for a sign of life, over a connection that is kept open for that. Thread: main. */
#pragma once
#include <microhttpd.h>
#include <stdint.h>

struct lagd_ping {
    int fd;           /* -1: none */
    int64_t asked_ns; /* when the unanswered question was sent, 0 = all are answered */
    int64_t due_ns;   /* of the next question */
};
/* Asks now and then; for how long the worker has left a question unanswered, else 0. */
int64_t lagd_ping_ask(struct lagd_ping *ping, struct MHD_Daemon *daemon, unsigned worker, int64_t now_ns);
void lagd_ping_end(struct lagd_ping *ping);
