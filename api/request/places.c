/* Places for requests that stay: taken, given back, counted. */
#include "request/places_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

static const struct {
    const char *name, *key, *what;
    size_t at;             /* of the number in the configuration */
    int factor;            /* places for each of that number */
    int n_descriptors;     /* that one takes beside its connection */
} rows[LAGD_N_PLACES] = {
    [LAGD_PLACE_WAIT] = {"wait", "server/max_waits", "requests wait for an event",
                         offsetof(struct lagd_config, max_waits), 1, 0},
    [LAGD_PLACE_UPLOAD] = {"upload", "server/max_uploads", "uploads are under way",
                           offsetof(struct lagd_config, max_uploads), 1, 1},
    [LAGD_PLACE_DOWNLOAD] = {"download", "server/max_downloads", "files, archives and exports are being read",
                             offsetof(struct lagd_config, max_downloads), 1, 8},
    [LAGD_PLACE_READ] = {"read", "server/max_reads", "requests read very many points",
                         offsetof(struct lagd_config, max_reads), 1 + LAGD_READS_WAITING, 0},
};
static const char *const cuts[LAGD_N_CUTS] = {[LAGD_CUT_SLOW] = "slow", [LAGD_CUT_CROWDED] = "crowded"};

struct lagd_places {
    long n[LAGD_N_PLACES]; /* set before the first request */
    atomic_long used[LAGD_N_PLACES];
    _Atomic uint64_t refused[LAGD_N_PLACES], cut[LAGD_N_CUTS];
};

int lagd_places_create(const struct lagd_config *config, struct lagd_places **ret) {
    struct lagd_places *places = lag_calloc(1, sizeof(*places));
    if (!places) return LAG_ENOMEM;
    for (int i = LAGD_PLACE_NONE + 1; i < LAGD_N_PLACES; i++) {
        const int64_t *number = (const int64_t *)(const void *)((const char *)config + rows[i].at);
        places->n[i] = (long)*number * rows[i].factor;
    }
    *ret = places;
    return 0;
}

void lagd_places_destroy(struct lagd_places *places) { free(places); }

long lagd_places_descriptors(const struct lagd_places *places) {
    long sum = 0;
    for (int i = LAGD_PLACE_NONE + 1; i < LAGD_N_PLACES; i++) sum += places->n[i] * rows[i].n_descriptors;
    return sum;
}

void lagd_places_fit(struct lagd_places *places, long n_descriptors) {
    bool halved = true;
    while (halved && lagd_places_descriptors(places) > n_descriptors) {
        halved = false;
        for (int i = LAGD_PLACE_NONE + 1; i < LAGD_N_PLACES; i++) {
            if (rows[i].n_descriptors == 0 || places->n[i] == 1) continue;
            places->n[i] /= 2;
            halved = true;
        }
    }
}

int lagd_place_take(struct lagd_places *places, enum lagd_place place, struct lag_error *err) {
    if (atomic_fetch_add(&places->used[place], 1) < places->n[place]) return 0;
    atomic_fetch_sub(&places->used[place], 1);
    atomic_fetch_add(&places->refused[place], 1);
    return lag_error_set(err, LAG_EBUSY, "%ld %s already (%s): try again in a moment", places->n[place],
                         rows[place].what, rows[place].key);
}

void lagd_place_give(struct lagd_places *places, enum lagd_place place) {
    if (place != LAGD_PLACE_NONE) atomic_fetch_sub(&places->used[place], 1);
}

void lagd_places_count_cut(struct lagd_places *places, enum lagd_cut why, int n) {
    atomic_fetch_add(&places->cut[why], (uint64_t)n);
}

void lagd_places_write(struct lagd_places *places, struct lag_strbuf *out) {
    lag_strbuf_append(out, "# HELP lagd_http_places_used Requests under way, of kinds that have places.\n"
                           "# TYPE lagd_http_places_used gauge\n");
    for (int i = LAGD_PLACE_NONE + 1; i < LAGD_N_PLACES; i++)
        lag_strbuf_printf(out, "lagd_http_places_used{kind=\"%s\"} %ld\n", rows[i].name,
                          atomic_load(&places->used[i]));
    lag_strbuf_append(out, "# HELP lagd_http_places Such requests that may be under way at once.\n"
                           "# TYPE lagd_http_places gauge\n");
    for (int i = LAGD_PLACE_NONE + 1; i < LAGD_N_PLACES; i++)
        lag_strbuf_printf(out, "lagd_http_places{kind=\"%s\"} %ld\n", rows[i].name, places->n[i]);
    lag_strbuf_append(out, "# HELP lagd_http_refused_total Requests refused because all places were taken.\n"
                           "# TYPE lagd_http_refused_total counter\n");
    for (int i = LAGD_PLACE_NONE + 1; i < LAGD_N_PLACES; i++)
        lag_strbuf_printf(out, "lagd_http_refused_total{kind=\"%s\"} %" PRIu64 "\n", rows[i].name,
                          atomic_load(&places->refused[i]));
    lag_strbuf_append(out, "# HELP lagd_http_cut_total Connections cut off as they were slow.\n"
                           "# TYPE lagd_http_cut_total counter\n");
    for (int i = 0; i < LAGD_N_CUTS; i++)
        lag_strbuf_printf(out, "lagd_http_cut_total{why=\"%s\"} %" PRIu64 "\n", cuts[i],
                          atomic_load(&places->cut[i]));
}
