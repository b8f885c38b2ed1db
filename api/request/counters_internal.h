/* Counts of requests and their durations, by route. Thread: any. */
#pragma once
#include <stddef.h>
#include <stdint.h>
struct lag_strbuf;
struct lagd_http_counters;
struct lagd_route_table;

/* routes: borrowed. LAG_ENOMEM. */
int lagd_http_counters_create(const struct lagd_route_table *routes, struct lagd_http_counters **ret);
void lagd_http_counters_destroy(struct lagd_http_counters *counters);
/* route: index into the route table, or -1 for requests that found none. */
void lagd_http_counted(struct lagd_http_counters *counters, int route, int status, int64_t duration_ns);
/* In the Prometheus text format 0.0.4. */
void lagd_http_counters_write(const struct lagd_http_counters *counters, struct lag_strbuf *out);
