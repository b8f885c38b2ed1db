/* One POST over HTTP/1.1, and the status of its answer. */
#pragma once
#include <lagd/daemon/outbox.h>
#include <stddef.h>
#include <stdint.h>
struct lag_error;

struct lagd_post_request {
    const struct lagd_hook *hook;
    const char *helper;  /* socket of lagd-notify, for what this process may not reach itself */
    const char *headers; /* lines, each with its \r\n */
    const char *body;
    size_t n_body;
    int64_t deadline_ns; /* monotonic */
    int stop_fd;         /* readable: give up */
};
/* 0: the answer was 2xx. LAG_ECANCELED: told to stop; else LAG_EIO, LAG_EBUSY (the time is over) or what the system
 * said, and why. No text holds the address or the body. Thread: any; it waits. */
int lagd_http_post(const struct lagd_post_request *request, struct lag_error *err);
