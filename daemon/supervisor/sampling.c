/* The machine over time: sampled on the main thread, kept as series of its own, thinned as it grows old, so that the
 * database holds at most some thousand points of each however long lagd runs. */
#include "supervisor/supervisor_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/fs.h>
#include <lagd/base/log.h>
#include <lagd/daemon/machine.h>
#include <lagd/storage/series.h>
#include <lagd/storage/store.h>
#include <math.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)
#define MINUTE_NS (60 * SECOND_NS)
#define HOUR_S INT64_C(3600)
#define COARSEN_NS (3600 * SECOND_NS)

struct sample {
    struct lag_readings read;
    double disk_free_bytes;
};
#define KEY(name, unit, member, help) {name, unit, help, offsetof(struct sample, member)}
static const struct lagd_machine_key keys[LAGD_N_MACHINE_KEYS] = {
    KEY("cpu/share", "share", read.cpu_share, "Of all processors, by everybody: 0 to 1."),
    KEY("cpu/lagd", "processors", read.cpu_own, "Processors that lagd kept busy."),
    KEY("memory/used_bytes", "bytes", read.memory_used_bytes, "In use by everybody."),
    KEY("memory/lagd_bytes", "bytes", read.memory_own_bytes, "In use by lagd."),
    KEY("disk/free_bytes", "bytes", disk_free_bytes, "Free on the disk of the state directory."),
    KEY("disk/read_bytes_per_s", "bytes/s", read.read_bytes_per_s, "Read from disks by lagd."),
    KEY("disk/written_bytes_per_s", "bytes/s", read.written_bytes_per_s, "Written to disks by lagd."),
    KEY("temperature/celsius", "°C", read.temperature_celsius, "Of the hottest sensor; none where there is none."),
};

const struct lagd_machine_key *lagd_machine_key(int i) { return i >= 0 && i < LAGD_N_MACHINE_KEYS ? &keys[i] : NULL; }

/* Older than age: one point each width; the last row: none. */
static const struct {
    int64_t age_s, width_s;
} levels[] = {{2 * HOUR_S, 60}, {48 * HOUR_S, 900}, {60 * 24 * HOUR_S, 0}};

/* --- storing ----------------------------------------------------------------------------------------------------- */

static int open_series(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lagd_sampling *sampling = arg;
    int rc = 0;
    for (int i = 0; i < LAGD_N_MACHINE_KEYS && rc == 0; i++)
        rc = lag_series_open(db, LAG_MACHINE_OWNER, keys[i].name, false, &sampling->series[i], err);
    return rc;
}

static int coarsen(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lagd_sampling *sampling = arg;
    int rc = 0;
    for (int i = 0; i < LAGD_N_MACHINE_KEYS; i++)
        for (size_t j = 0; j < LAG_COUNT(levels) && rc == 0; j++)
            rc = lag_points_coarsen(db, sampling->series[i], LAG_MAX(0, sampling->at_s - levels[j].age_s),
                                    levels[j].width_s, err);
    return rc;
}

/* Whatever goes wrong is told once a time, and ends nothing: the samples are lost. */
static void flush(struct lagd_supervisor *s, int64_t now_ns) {
    struct lagd_sampling *sampling = &s->sampling;
    struct lag_store *store = s->deps.store;
    struct lag_error err = {0};
    int rc = lag_store_check(store, &err); /* in trouble the queue may be full, and nobody waits for it here */
    if (rc == 0 && !sampling->opened) rc = lag_store_write(store, open_series, sampling, &err);
    sampling->opened = sampling->opened || rc == 0;
    for (int i = 0; i < sampling->n; i++) sampling->points[i].series = sampling->series[sampling->points[i].series];
    if (rc == 0) rc = lag_store_points(store, sampling->points, (size_t)sampling->n, &err);
    if (rc == 0 && now_ns >= sampling->next_coarsen_ns) {
        sampling->next_coarsen_ns = now_ns + COARSEN_NS;
        rc = lag_store_write(store, coarsen, sampling, &err);
    }
    if (rc < 0 && !sampling->troubled)
        lag_log(LAG_LOG_WARNING, "what the machine did in the last minute is not kept: %s", err.text);
    sampling->troubled = rc < 0;
    sampling->n = 0;
    sampling->flushed_ns = now_ns;
}

void lagd_sampling_end(struct lagd_supervisor *s) {
    if (s->sampling.n > 0 && s->sampling.opened) flush(s, s->sampling.flushed_ns);
}

/* --- sampling ---------------------------------------------------------------------------------------------------- */

static void take(struct lagd_supervisor *s, int64_t now_ns) {
    struct lagd_sampling *sampling = &s->sampling;
    struct sample sample;
    uint64_t free_bytes = 0;
    bool first = sampling->before.at_ns == 0;
    lag_readings_take(&sampling->before, now_ns, &sample.read);
    if (first) return; /* rates need two looks */
    sample.disk_free_bytes = lag_fs_free_bytes(s->deps.state_dir, &free_bytes, NULL) == 0 ? (double)free_bytes : NAN;
    for (int i = 0; i < LAGD_N_MACHINE_KEYS; i++) {
        double value;
        memcpy(&value, (const char *)&sample + keys[i].offset, sizeof(value));
        if (isfinite(value)) sampling->points[sampling->n++] = (struct lag_point){i, sampling->at_s, value};
    }
}

void lagd_sample(struct lagd_supervisor *s, int64_t now_ns) {
    struct lagd_sampling *sampling = &s->sampling;
    struct lagd_config config;
    if (now_ns < sampling->next_ns) return;
    lagd_settings_get(s->settings, &config);
    const int64_t every_s = config.sample_seconds;
    sampling->next_ns = now_ns + LAG_MAX(every_s, 1) * SECOND_NS;
    if (every_s == 0) return;
    sampling->at_s = lagd_supervisor_now_ms(s) / 1000;
    if (sampling->flushed_ns == 0) sampling->flushed_ns = now_ns;
    take(s, now_ns);
    /* Runs commit all the time anyway; else the disk is woken once a minute. */
    const bool full = sampling->n + LAGD_N_MACHINE_KEYS > LAGD_SAMPLES_MAX;
    if (sampling->n && (full || s->runs.n_active > 0 || now_ns - sampling->flushed_ns >= MINUTE_NS)) flush(s, now_ns);
}
