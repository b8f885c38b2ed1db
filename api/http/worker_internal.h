/* A connection to one worker of the HTTP library, from inside. */
#pragma once
#include <microhttpd.h>

#define LAGD_HTTP_WORKERS 2u /* of each listener */

/* Our end of a socket pair, non-blocking and the caller's; the worker serves the other. -1: no descriptor is free, or
 * no place among the connections. Thread: any. */
int lagd_worker_connect(struct MHD_Daemon *daemon, unsigned worker);
