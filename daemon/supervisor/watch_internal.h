/* The watchdog and the status line. Thread: main. */
#pragma once
#include <lagd/daemon/supervisor.h>
#include <stdint.h>

struct lagd_watch {
    lagd_watch_fn *http_fn;      /* of the HTTP server */
    void *http_arg;
    char stuck[160];             /* who was, at the last tick; "": nobody */
    uint64_t status_sign;        /* of the status line told last */
    int64_t watchdog_ns;         /* the service manager's patience; 0: it asks for no signs of life */
    int64_t next_watchdog_ns, next_status_ns;
};
/* On every tick: WATCHDOG=1 while every thread makes progress; STATUS= with prefix when it is due or changed. */
void lagd_watch(struct lagd_supervisor *s, int64_t now_ns);
void lagd_say_status(struct lagd_supervisor *s, int64_t now_ns, const char *prefix);
