/* How many points a second the store takes for good while a reader draws charts, and how long thinning takes.
 * Prints JSON. usage: bench_ingest [points, 2000000] [folder for the database, $TMPDIR or /tmp] */
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/host.h>
#include <lagd/base/parse.h>
#include <lagd/base/thread.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <lagd/storage/store.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define N_RUNS 20 /* a run and its candidates, say */
#define N_KEYS 5
#define N_SERIES (N_RUNS * N_KEYS)
#define N_BUCKETS 1000
#define MAX_LATENCIES 200000

struct bench {
    char dir[300];
    struct lag_store *store;
    int64_t ids[N_SERIES];
    int64_t n_points; /* to write */
    atomic_bool stop;
    int64_t n_reads;
    double read_ms[MAX_LATENCIES];
};

static void must(int rc, const struct lag_error *err) {
    if (!rc) return;
    (void)fprintf(stderr, "bench_ingest: %s\n", err->text);
    _Exit(1);
}

static int make_rows(struct lag_db *db, void *arg, struct lag_error *err) {
    struct bench *bench = arg;
    struct lag_dataset_row dataset = {.id = "ds_1", .name = "d", .origin = "file", .path = "/d", .format = "text"};
    int rc = lag_dataset_insert(db, &dataset, err);
    for (int i = 0; i < N_RUNS && !rc; i++) {
        struct lag_run_row run = {.dataset_id = "ds_1", .state = "running", .revision = 1, .created_ms = 1 + i};
        (void)snprintf(run.id, sizeof run.id, "run_%d", i);
        (void)snprintf(run.name, sizeof run.name, "r%d", i);
        rc = lag_run_insert(db, &run, err);
        for (int k = 0; k < N_KEYS && !rc; k++) {
            char key[32];
            (void)snprintf(key, sizeof key, "key/%d", k);
            rc = lag_series_open(db, run.id, key, true, &bench->ids[i * N_KEYS + k], err);
        }
    }
    return rc;
}

static int each_run(const struct lag_run_row *row, void *arg) { return 0; }

/* What a dashboard does: lists runs and draws a chart, over and over. */
static void read_always(void *arg) {
    struct bench *bench = arg;
    struct lag_error err = {0};
    struct lag_db *db;
    struct lag_bucket *buckets = calloc(N_BUCKETS, sizeof *buckets);
    if (!buckets) return;
    must(lag_reader_open(bench->dir, &db, &err), &err);
    while (!atomic_load(&bench->stop)) {
        int n;
        int64_t total, begin = lag_clock_mono_ns();
        must(lag_run_list(db, NULL, "", 100, each_run, NULL, &err), &err);
        must(lag_points_thin(db, bench->ids[bench->n_reads % N_SERIES], INT64_MIN, INT64_MAX, N_BUCKETS, buckets, &n,
                             &total,
                             &err), &err);
        if (bench->n_reads < MAX_LATENCIES)
            bench->read_ms[bench->n_reads] = (double)(lag_clock_mono_ns() - begin) / 1e6;
        bench->n_reads++;
    }
    lag_reader_close(db);
    free(buckets);
}

static double write_points(struct bench *bench) {
    struct lag_error err = {0};
    struct lag_point points[N_SERIES];
    int64_t begin = lag_clock_mono_ns();
    for (int64_t step = 0; step * N_SERIES < bench->n_points; step++) {
        for (int s = 0; s < N_SERIES; s++)
            points[s] = (struct lag_point){bench->ids[s], step, 2.5 + 1e-7 * (double)((step * 2654435761u) % 1000003)};
        must(lag_store_points(bench->store, points, N_SERIES, &err), &err);
    }
    must(lag_store_flush(bench->store, &err), &err);
    return (double)(lag_clock_mono_ns() - begin) / 1e9;
}

static double thin_million_ms(struct bench *bench) {
    struct lag_error err = {0};
    struct lag_db *db;
    struct lag_bucket *buckets = calloc(N_BUCKETS, sizeof *buckets);
    struct lag_point points[1000];
    double best = 1e9;
    if (!buckets) return -1;
    for (int64_t i = 0; i < 1000; i++) {
        for (int j = 0; j < 1000; j++)
            points[j] = (struct lag_point){bench->ids[0], 10000000 + i * 1000 + j, 1 + 1e-3 * (j % 37)};
        must(lag_store_points(bench->store, points, 1000, &err), &err);
    }
    must(lag_store_flush(bench->store, &err), &err);
    must(lag_reader_open(bench->dir, &db, &err), &err);
    for (int i = 0; i < 5; i++) {
        int n;
        int64_t total, begin = lag_clock_mono_ns();
        must(lag_points_thin(db, bench->ids[0], 10000000, INT64_MAX, N_BUCKETS, buckets, &n, &total, &err), &err);
        double ms = (double)(lag_clock_mono_ns() - begin) / 1e6;
        if (ms < best) best = ms;
    }
    lag_reader_close(db);
    free(buckets);
    return best;
}

static int ascending(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

int main(int argc, char **argv) {
    struct lag_error err = {0};
    struct bench *bench = calloc(1, sizeof *bench);
    pthread_t thread;
    if (!bench) return 1;
    bench->n_points = 2000000;
    if (argc > 1 && (lag_parse_i64(argv[1], &bench->n_points) || bench->n_points < 1)) {
        (void)fprintf(stderr, "usage: bench_ingest [points] [folder]\n");
        return 2;
    }
    const char *tmp = argc > 2 ? argv[2] : getenv("TMPDIR");
    (void)snprintf(bench->dir, sizeof bench->dir, "%s/lagd-bench-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(bench->dir)) must(lag_error_set(&err, LAG_EIO, "cannot make a folder %s", bench->dir), &err);
    must(lag_store_open(bench->dir, &bench->store, &err), &err);
    must(lag_store_write(bench->store, make_rows, bench, &err), &err);
    must(lag_thread_start(&thread, "reader", 0, read_always, bench, &err), &err);
    double seconds = write_points(bench);
    atomic_store(&bench->stop, true);
    (void)pthread_join(thread, NULL);
    uint64_t wal_bytes = lag_store_wal_bytes(bench->dir);
    double thin_ms = thin_million_ms(bench);
    int64_t n = bench->n_reads < MAX_LATENCIES ? bench->n_reads : MAX_LATENCIES;
    qsort(bench->read_ms, (size_t)n, sizeof *bench->read_ms, ascending);
    (void)printf("{\"points\":%lld,\"series\":%d,\"seconds\":%.3f,\"points_per_s\":%.0f,\"reads\":%lld,"
                 "\"read_p50_ms\":%.2f,\"read_p99_ms\":%.2f,\"wal_bytes\":%llu,\"db_bytes\":%llu,"
                 "\"thin_1m_points_ms\":%.1f,\"peak_rss_bytes\":%llu,\"sqlite\":\"%s\"}\n",
                 (long long)bench->n_points, N_SERIES, seconds, (double)bench->n_points / seconds,
                 (long long)bench->n_reads, n ? bench->read_ms[n / 2] : 0, n ? bench->read_ms[n * 99 / 100] : 0,
                 (unsigned long long)wal_bytes, (unsigned long long)lag_store_db_bytes(bench->dir), thin_ms,
                 (unsigned long long)lag_host_peak_rss_bytes(), lag_sqlite_version());
    lag_store_close(bench->store);
    (void)lag_fs_remove_tree(bench->dir, &err);
    free(bench);
    return 0;
}
