/* How fast each run trains here: the best of what was measured, kept between two processes.
 *
 * A sample is never faster than the machine, but slower whenever something else has the processors, for a second or for
 * an hour. So the median of a few samples in a row, which no single odd one decides, counts as one measurement, and the
 * best measurement counts: two predictions agree, whatever the machine did in between. */
#include "plan/speeds_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <lagd/storage/rows.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_ENTRIES 64
#define N_SAMPLES 31
#define N_MEASURED 7 /* samples that make a measurement */
#define FILE_NAME "speeds"
#define FILE_BYTES (64 * 1024) /* most of it; N_ENTRIES lines and the head fit */
#define LINE_BYTES 256
#define SAMPLE_NS (50 * 1000000LL) /* shorter steps are taken together */

struct rate {
    double samples[N_SAMPLES]; /* the latest */
    int n_samples, next;
    double best;       /* of their medians; 0: not yet */
    double call_flops; /* of one call: a run that grew is measured anew */
    int n_threads;     /* the most of any call: a run that others left fewer tells nothing about its speed */
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

static double speed_of(const struct rate *rate) { return LAG_MAX(rate->best, median(rate)); }

/* Is this call one of those before, as far as speed goes? Candidates of a probe differ; they are taken together. */
static bool begins_anew(const struct rate *rate, enum lagd_speed_of what, double flops, int n_threads) {
    bool is_probe = what == LAGD_SPEED_PROBE_TRAIN || what == LAGD_SPEED_PROBE_EVAL;
    bool has_grown = rate->call_flops > 0 && fabs(flops / rate->call_flops - 1) > 0.01;
    return (!is_probe && has_grown) || (rate->n_threads > 0 && n_threads > rate->n_threads);
}

static void add(struct rate *rate, enum lagd_speed_of what, double flops, long long compute_ns, int n_threads) {
    if (rate->is_warm && begins_anew(rate, what, flops, n_threads)) *rate = (struct rate){.is_warm = true};
    if (n_threads < rate->n_threads) return;
    rate->call_flops = flops;
    rate->n_threads = n_threads;
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
    if (rate->n_samples >= N_MEASURED) rate->best = LAG_MAX(rate->best, median(rate));
}

void lagd_speeds_add(struct lagd_speeds *speeds, const char *run_id, enum lagd_speed_of what, double flops,
                     long long compute_ns, int n_threads) {
    if (!speeds || compute_ns <= 0 || n_threads <= 0 || !(flops > 0)) return;
    (void)pthread_mutex_lock(&speeds->lock);
    struct entry *entry = make(speeds, run_id);
    entry->used = ++speeds->calls;
    add(&entry->rates[what], what, flops, compute_ns, n_threads);
    (void)pthread_mutex_unlock(&speeds->lock);
}

static bool is_known(const struct entry *entry) {
    return entry->rates[LAGD_SPEED_TRAIN].n_samples > 0 || entry->rates[LAGD_SPEED_PROBE_TRAIN].n_samples > 0;
}

/* The run whose steps are most like those; NULL when all are more than eight times as large or small: operations of a
 * small model take many times as long as those of a large one. Under the lock. */
static const struct entry *most_alike(const struct lagd_speeds *speeds, double step_flops) {
    const struct entry *found = NULL;
    double least = log(8);
    for (int i = 0; i < N_ENTRIES; i++) {
        const struct entry *entry = &speeds->entries[i];
        double flops = entry->rates[LAGD_SPEED_TRAIN].call_flops;
        if (!is_known(entry) || !(flops > 0) || !(step_flops > 0)) continue;
        double far = fabs(log(flops / step_flops));
        if (far > least || (far == least && found)) continue;
        least = far;
        found = entry;
    }
    return found;
}

bool lagd_speeds_get(struct lagd_speeds *speeds, const char *run_id, double step_flops, struct lagd_speed *ret) {
    double values[LAGD_N_SPEEDS] = {0};
    *ret = (struct lagd_speed){0};
    if (!speeds) return false;
    (void)pthread_mutex_lock(&speeds->lock);
    const struct entry *entry = find(speeds, run_id);
    bool own = entry && is_known(entry);
    if (!own) entry = most_alike(speeds, step_flops);
    for (int i = 0; entry && i < LAGD_N_SPEEDS; i++) values[i] = speed_of(&entry->rates[i]);
    (void)pthread_mutex_unlock(&speeds->lock);
    *ret = (struct lagd_speed){.train = values[LAGD_SPEED_TRAIN], .eval = values[LAGD_SPEED_EVAL],
                               .alone = values[LAGD_SPEED_ALONE], .probe_train = values[LAGD_SPEED_PROBE_TRAIN],
                               .probe_eval = values[LAGD_SPEED_PROBE_EVAL]};
    return own;
}

/* --- between two processes: a text of a head and a line a run --- */

static void format_line(const struct entry *entry, char line[LINE_BYTES]) {
    double values[LAGD_N_SPEEDS];
    for (int i = 0; i < LAGD_N_SPEEDS; i++) values[i] = speed_of(&entry->rates[i]);
    (void)snprintf(line, LINE_BYTES, "%s %.9g %.9g %.9g %.9g %.9g %.9g\n", entry->run_id, values[LAGD_SPEED_TRAIN],
                   values[LAGD_SPEED_EVAL], values[LAGD_SPEED_ALONE], values[LAGD_SPEED_PROBE_TRAIN],
                   values[LAGD_SPEED_PROBE_EVAL], entry->rates[LAGD_SPEED_TRAIN].call_flops);
}

int lagd_speeds_save(struct lagd_speeds *speeds, const char *dir, const char *machine, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *text = lag_calloc(FILE_BYTES, 1);
    if (!text) return lag_error_set(err, LAG_ENOMEM, "out of memory for the speeds of runs");
    size_t length = (size_t)LAG_MIN(snprintf(text, LINE_BYTES, "%.200s\n", machine), LINE_BYTES - 1);
    (void)pthread_mutex_lock(&speeds->lock);
    for (int i = 0; i < N_ENTRIES; i++) {
        if (speeds->entries[i].used == 0) continue;
        format_line(&speeds->entries[i], text + length);
        length += strlen(text + length);
    }
    (void)pthread_mutex_unlock(&speeds->lock);
    return lag_fs_write_file(dir, FILE_NAME, text, length, err);
}

/* What the earlier process had measured counts as a measurement. */
static void read_line(struct lagd_speeds *speeds, char *line) {
    double values[LAGD_N_SPEEDS + 1];
    const char *id = strsep(&line, " ");
    if (id[0] == '\0' || strlen(id) >= LAG_ROW_ID) return;
    for (int i = 0; i <= LAGD_N_SPEEDS; i++) {
        const char *word = strsep(&line, " ");
        if (!word || lag_parse_double(word, &values[i]) != 0 || !(values[i] >= 0 && values[i] < 1e18)) return;
    }
    struct entry *entry = make(speeds, id);
    entry->used = ++speeds->calls;
    for (int i = 0; i < LAGD_N_SPEEDS; i++)
        entry->rates[i] = (struct rate){.samples = {values[i]}, .n_samples = values[i] > 0, .next = values[i] > 0,
                                        .best = values[i]};
    entry->rates[LAGD_SPEED_TRAIN].call_flops = values[LAGD_N_SPEEDS];
}

int lagd_speeds_load(struct lagd_speeds *speeds, const char *dir, const char *machine, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/" FILE_NAME, dir);
    LAG_CLEANUP(lag_free_p) char *text = NULL;
    size_t length = 0;
    char head[LINE_BYTES];
    if (!path) return lag_error_set(err, LAG_ENOMEM, "out of memory for the speeds of runs");
    if (!lag_fs_exists(path)) return 0;
    int rc = lag_fs_read_file(path, FILE_BYTES, &text, &length, err);
    if (rc != 0) return rc;
    (void)snprintf(head, sizeof(head), "%.200s\n", machine);
    if (strncmp(text, head, strlen(head)) != 0) return 0; /* another machine measured them */
    (void)pthread_mutex_lock(&speeds->lock);
    for (char *rest = text + strlen(head), *line; (line = strsep(&rest, "\n")) != NULL;) read_line(speeds, line);
    (void)pthread_mutex_unlock(&speeds->lock);
    return 0;
}
