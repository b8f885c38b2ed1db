/* Lets a listener go on once a shortage of descriptors or memory has passed. */
#pragma once
#include "http/worker_internal.h"

#include <stdatomic.h>
#include <stdint.h>

struct lagd_accept {
    int fd;                        /* the listening socket; the library's */
    int64_t waited_since_ns;       /* somebody waits in its queue, at each look since then; 0: nobody does */
    int nudges[LAGD_HTTP_WORKERS]; /* our ends of connections that the workers are to end; -1: none */
    _Atomic int64_t told_ns;       /* of a shortage, last */
};
void lagd_accept_init(struct lagd_accept *accept, int fd);
void lagd_accept_deinit(struct lagd_accept *accept);
/* Call it several times a second. Thread: one, while the library serves. */
void lagd_accept_look(struct lagd_accept *accept, struct MHD_Daemon *daemon, int64_t now_ns);
/* What the library logs. Thread: its workers. */
void lagd_accept_heard(struct lagd_accept *accept, const char *format, const char *where);
