#include "speeds_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/storage/rows.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define N_ENTRIES 64
#define N_SAMPLES 31
#define SAMPLE_NS (50 * 1000000LL) /* shorter steps are taken together */

/* The latest samples. What counts is their median: a step during which something else had the processors is left out. */
struct rate {
    double samples[N_SAMPLES];
    int n_samples, next;
    bool is_warm;      /* the very first step touches its memory for the first time */
    double flops;      /* of the sample under way */
    double thread_ns;
    long long wall_ns;
};

struct entry {
    char run_id[LAG_ROW_ID];
    long long used; /* when, in calls */
    struct rate rates[LAGD_N_SPEEDS];
};

struct lagd_speeds {
    pthread_mutex_t lock;
    long long calls;
    struct entry entries[N_ENTRIES];
};

int lagd_speeds_create(struct lagd_speeds **ret, struct lag_error *err) {
    struct lagd_speeds *speeds = lag_calloc(1, sizeof(*speeds));
    if (!speeds) return lag_error_set(err, LAG_ENOMEM, "out of memory for the speeds of runs");
    (void)pthread_mutex_init(&speeds->lock, NULL);
    *ret = speeds;
    return 0;
}

void lagd_speeds_destroy(struct lagd_speeds *speeds) {
    if (!speeds) return;
    (void)pthread_mutex_destroy(&speeds->lock);
    free(speeds);
}

/* The run's entry, or NULL. Under the lock. */
static struct entry *find(struct lagd_speeds *speeds, const char *run_id) {
    for (int i = 0; i < N_ENTRIES; i++)
        if (strcmp(speeds->entries[i].run_id, run_id) == 0) return &speeds->entries[i];
    return NULL;
}

/* The run's entry, made in the place of the one that was used longest ago. Under the lock. */
static struct entry *make(struct lagd_speeds *speeds, const char *run_id) {
    struct entry *entry = find(speeds, run_id);
    if (entry) return entry;
    entry = speeds->entries;
    for (int i = 1; i < N_ENTRIES; i++)
        if (speeds->entries[i].used < entry->used) entry = &speeds->entries[i];
    *entry = (struct entry){0};
    (void)lag_copy(entry->run_id, sizeof(entry->run_id), run_id);
    return entry;
}

static void add(struct rate *rate, double flops, long long compute_ns, int n_threads) {
    if (!rate->is_warm) {
        rate->is_warm = true;
        return;
    }
    rate->flops += flops;
    rate->thread_ns += (double)compute_ns * n_threads;
    rate->wall_ns += compute_ns;
    if (rate->wall_ns < SAMPLE_NS && rate->n_samples > 0) return;
    rate->samples[rate->next] = rate->flops * 1e9 / rate->thread_ns;
    rate->next = (rate->next + 1) % N_SAMPLES;
    rate->n_samples = LAG_MIN(rate->n_samples + 1, N_SAMPLES);
    rate->flops = rate->thread_ns = 0;
    rate->wall_ns = 0;
}

static int ascending(const void *a, const void *b) {
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* 0 without samples. */
static double median(const struct rate *rate) {
    double samples[N_SAMPLES];
    if (rate->n_samples == 0) return 0;
    memcpy(samples, rate->samples, sizeof(samples));
    qsort(samples, (size_t)rate->n_samples, sizeof(*samples), ascending);
    return samples[rate->n_samples / 2];
}

void lagd_speeds_add(struct lagd_speeds *speeds, const char *run_id, enum lagd_speed_of what, double flops,
                     long long compute_ns, int n_threads) {
    if (!speeds || compute_ns <= 0 || n_threads <= 0 || !(flops > 0)) return;
    (void)pthread_mutex_lock(&speeds->lock);
    struct entry *entry = make(speeds, run_id);
    entry->used = ++speeds->calls;
    add(&entry->rates[what], flops, compute_ns, n_threads);
    (void)pthread_mutex_unlock(&speeds->lock);
}

/* Over all runs that know it; 0 when none does. Under the lock. */
static double average(const struct lagd_speeds *speeds, enum lagd_speed_of what) {
    double sum = 0;
    int n = 0;
    for (int i = 0; i < N_ENTRIES; i++) {
        if (speeds->entries[i].rates[what].n_samples == 0) continue;
        sum += median(&speeds->entries[i].rates[what]);
        n++;
    }
    return n > 0 ? sum / n : 0;
}

bool lagd_speeds_get(struct lagd_speeds *speeds, const char *run_id, struct lagd_speed *ret) {
    double values[LAGD_N_SPEEDS] = {0};
    *ret = (struct lagd_speed){0};
    if (!speeds) return false;
    (void)pthread_mutex_lock(&speeds->lock);
    const struct entry *entry = find(speeds, run_id);
    bool own = entry && (entry->rates[LAGD_SPEED_TRAIN].n_samples > 0 ||
                         entry->rates[LAGD_SPEED_PROBE_TRAIN].n_samples > 0);
    for (int i = 0; i < LAGD_N_SPEEDS; i++)
        values[i] = own ? median(&entry->rates[i]) : average(speeds, (enum lagd_speed_of)i);
    (void)pthread_mutex_unlock(&speeds->lock);
    *ret = (struct lagd_speed){.train = values[LAGD_SPEED_TRAIN], .eval = values[LAGD_SPEED_EVAL],
                               .alone = values[LAGD_SPEED_ALONE], .probe_train = values[LAGD_SPEED_PROBE_TRAIN],
                               .probe_eval = values[LAGD_SPEED_PROBE_EVAL]};
    return own;
}
