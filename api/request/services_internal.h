/* What the server lends to every request. All of it is made before the first request and outlives the last one.
 * Thread: any; each part keeps its own lock. */
#pragma once
#include <stdatomic.h>
#include <stdint.h>

struct lagd_hub;
struct lagd_http_counters;
struct lagd_kept_answers;
struct lagd_keys;
struct lagd_notifier;
struct lagd_places;
struct lagd_readers;
struct lagd_route_table;
struct lagd_static;
struct lagd_supervisor;

/* Written by the server alone. */
struct lagd_news {
    _Atomic uint64_t n_events; /* times that the daemon told of new events */
    atomic_bool draining;      /* the server is stopping: nobody waits any more */
};
struct lagd_services {
    struct lagd_supervisor *supervisor; /* borrowed */
    const struct lagd_route_table *routes;
    struct lagd_readers *readers;
    struct lagd_places *places;
    struct lagd_keys *keys;
    struct lagd_kept_answers *kept;
    struct lagd_http_counters *counters;
    struct lagd_hub *hub;
    struct lagd_notifier *notifier;
    struct lagd_static *files; /* of the dashboard */
    char dashboard[112];       /* its address on this machine; "" = there is none. Written before anything is served */
    struct lagd_news news;
};
