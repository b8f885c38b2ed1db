/* How many requests of a kind may be under way at once, so that none of them keeps others out: rows of one table, whose
 * numbers are keys of the configuration. Thread: any. */
#pragma once
#include <lagd/daemon/config.h>
#include <stdbool.h>
struct lag_error;
struct lag_strbuf;
struct lagd_places;

enum lagd_place {
    LAGD_PLACE_NONE,     /* needs none */
    LAGD_PLACE_WAIT,     /* waits for an event: server/max_waits */
    LAGD_PLACE_UPLOAD,   /* brings a dataset: server/max_uploads */
    LAGD_PLACE_DOWNLOAD, /* reads a file, an archive or an export: server/max_downloads */
    LAGD_PLACE_READ,     /* reads very many points: server/max_reads at once, and as many as LAGD_READS_WAITING wait */
    LAGD_N_PLACES
};
#define LAGD_READS_WAITING 8 /* for each of those that may be read at once */

/* LAG_ENOMEM. */
int lagd_places_create(const struct lagd_config *config, struct lagd_places **ret);
void lagd_places_destroy(struct lagd_places *places);
/* Halves the places that take descriptors, until so many are enough. Before the first request. */
void lagd_places_fit(struct lagd_places *places, long n_descriptors);
/* Descriptors that requests with places may hold beside their connections. */
long lagd_places_descriptors(const struct lagd_places *places);
/* 0, or LAG_EBUSY, which is counted: all are taken; the text names the key. */
int lagd_place_take(struct lagd_places *places, enum lagd_place place, struct lag_error *err);
void lagd_place_give(struct lagd_places *places, enum lagd_place place); /* LAGD_PLACE_NONE: nothing */
/* Why connections were cut off. */
enum lagd_cut { LAGD_CUT_SLOW, LAGD_CUT_CROWDED, LAGD_N_CUTS };
void lagd_places_count_cut(struct lagd_places *places, enum lagd_cut why, int n);
/* In the Prometheus text format 0.0.4. */
void lagd_places_write(struct lagd_places *places, struct lag_strbuf *out);
