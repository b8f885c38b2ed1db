/* lagd_http_requests_total and lagd_http_request_duration_seconds. */
#include "request/counters_internal.h"

#include "door/route_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

static const int codes[] = {200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405,
                            409, 410, 413, 414, 415, 416, 421, 422, 431, 500, 503, 507};
static const double bounds_seconds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30};

struct row {
    _Atomic uint64_t codes[LAG_COUNT(codes) + 1]; /* the last: any other */
    _Atomic uint64_t buckets[LAG_COUNT(bounds_seconds) + 1];
    _Atomic uint64_t sum_us;
};
struct lagd_http_counters {
    const struct lagd_route_table *routes;
    struct row rows[]; /* one a route, and one for no route */
};

int lagd_http_counters_create(const struct lagd_route_table *routes, struct lagd_http_counters **ret) {
    struct lagd_http_counters *counters = lag_calloc(1, sizeof(*counters) + (routes->n + 1) * sizeof(struct row));
    if (!counters) return LAG_ENOMEM;
    counters->routes = routes;
    *ret = counters;
    return 0;
}

void lagd_http_counters_destroy(struct lagd_http_counters *counters) { free(counters); }

static void add(_Atomic uint64_t *counter, uint64_t n) { atomic_fetch_add_explicit(counter, n, memory_order_relaxed); }

void lagd_http_counted(struct lagd_http_counters *counters, int route, int status, int64_t duration_ns) {
    struct row *row = &counters->rows[route < 0 ? counters->routes->n : (size_t)route];
    size_t code = 0, bucket = 0;
    while (code < LAG_COUNT(codes) && codes[code] != status) code++;
    while (bucket < LAG_COUNT(bounds_seconds) && (double)duration_ns > bounds_seconds[bucket] * 1e9) bucket++;
    add(&row->codes[code], 1);
    add(&row->buckets[bucket], 1);
    add(&row->sum_us, duration_ns > 0 ? (uint64_t)duration_ns / 1000 : 0);
}

static uint64_t get(const _Atomic uint64_t *counter) { return atomic_load_explicit(counter, memory_order_relaxed); }

static void write_histogram(const struct row *row, const char *route, const char *method, struct lag_strbuf *out) {
    uint64_t n = 0;
    for (size_t b = 0; b <= LAG_COUNT(bounds_seconds); b++) {
        n += get(&row->buckets[b]);
        lag_strbuf_printf(out, "lagd_http_request_duration_seconds_bucket{method=\"%s\",route=\"%s\",le=\"", method,
                          route);
        if (b < LAG_COUNT(bounds_seconds))
            lag_strbuf_printf(out, "%g\"} %" PRIu64 "\n", bounds_seconds[b], n);
        else
            lag_strbuf_printf(out, "+Inf\"} %" PRIu64 "\n", n);
    }
    lag_strbuf_printf(out, "lagd_http_request_duration_seconds_sum{method=\"%s\",route=\"%s\"} %.6f\n", method, route,
                      (double)get(&row->sum_us) / 1e6);
    lag_strbuf_printf(out, "lagd_http_request_duration_seconds_count{method=\"%s\",route=\"%s\"} %" PRIu64 "\n", method,
                      route, n);
}

static bool was_used(const struct row *row) {
    for (size_t c = 0; c <= LAG_COUNT(codes); c++) {
        if (get(&row->codes[c])) return true;
    }
    return false;
}

void lagd_http_counters_write(const struct lagd_http_counters *counters, struct lag_strbuf *out) {
    const struct lagd_route *routes = counters->routes->rows;
    size_t n = counters->routes->n;
    lag_strbuf_append(out,
                      "# HELP lagd_http_requests_total Requests answered.\n# TYPE lagd_http_requests_total counter\n");
    for (size_t r = 0; r <= n; r++) {
        const char *route = r < n ? routes[r].path : "none", *method = r < n ? routes[r].method : "none";
        for (size_t c = 0; c <= LAG_COUNT(codes); c++) {
            uint64_t count = get(&counters->rows[r].codes[c]);
            if (!count) continue;
            lag_strbuf_printf(out, "lagd_http_requests_total{method=\"%s\",route=\"%s\",code=\"%d\"} %" PRIu64 "\n",
                              method, route, c < LAG_COUNT(codes) ? codes[c] : 0, count);
        }
    }
    lag_strbuf_append(out, "# HELP lagd_http_request_duration_seconds Time from the request line to the answer.\n"
                           "# TYPE lagd_http_request_duration_seconds histogram\n");
    for (size_t r = 0; r <= n; r++) {
        if (!was_used(&counters->rows[r])) continue;
        write_histogram(&counters->rows[r], r < n ? routes[r].path : "none", r < n ? routes[r].method : "none", out);
    }
}
