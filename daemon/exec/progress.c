/* Signs of life of a thread, how long its silence is tolerated, and the line that tells what runs do. */
#include "exec/progress_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)
#define FIRST_NS (600 * SECOND_NS)
#define LEAST_NS (60 * SECOND_NS)
#define FACTOR 5

void lagd_progress_begin(struct lagd_progress *progress) {
    atomic_store(&progress->doing, LAGD_DOING_OPENING);
    atomic_store(&progress->beat_ns, lag_clock_mono_ns());
    atomic_store(&progress->loss, (double)NAN);
}

enum lagd_doing lagd_progress_do(struct lagd_progress *progress, enum lagd_doing doing) {
    int64_t now = lag_clock_mono_ns(), silence = now - atomic_load(&progress->beat_ns);
    int before = atomic_load(&progress->doing);
    if (silence > atomic_load(&progress->slowest_ns[before])) atomic_store(&progress->slowest_ns[before], silence);
    atomic_store(&progress->beat_ns, now); /* first: a reader between the two sees a young beat */
    atomic_store(&progress->doing, doing);
    return (enum lagd_doing)before;
}

int64_t lagd_patience_ns(int64_t slowest_ns) {
    int64_t patience = slowest_ns > 0 ? LAG_MAX(LEAST_NS, FACTOR * slowest_ns) : FIRST_NS;
#ifdef LAG_FAILPOINTS
    const char *text = getenv("LAGD_PATIENCE_MS");
    int64_t most_ms;
    if (text && lag_parse_i64(text, &most_ms) == 0) patience = LAG_MIN(patience, most_ms * 1000000);
#endif
    return patience;
}

bool lagd_progress_stuck(const struct lagd_progress *progress, int64_t now_ns) {
    int doing = atomic_load(&progress->doing);
    if (doing >= LAGD_DOING_PROBING) return false;
    return now_ns - atomic_load(&progress->beat_ns) > lagd_patience_ns(atomic_load(&progress->slowest_ns[doing]));
}

/* --- the status line --------------------------------------------------------------------------------------------- */

/* What is told of each: short waits belong to training, or the line would flicker. */
static const struct {
    const char *verb;
    enum lagd_doing told;
    bool shows_loss, shows_probes;
} doings[LAGD_N_DOING] = {
    [LAGD_DOING_OPENING] = {"opening", LAGD_DOING_OPENING, false, false},
    [LAGD_DOING_TRAINING] = {"training", LAGD_DOING_TRAINING, true, false},
    [LAGD_DOING_VALIDATING] = {"training", LAGD_DOING_TRAINING, true, false},
    [LAGD_DOING_CHECKPOINTING] = {"checkpointing", LAGD_DOING_TRAINING, false, false},
    [LAGD_DOING_VERIFYING] = {"reading the dataset of", LAGD_DOING_VERIFYING, false, false},
    [LAGD_DOING_PROBING] = {"probing", LAGD_DOING_PROBING, false, true},
    [LAGD_DOING_QUEUED] = {"training", LAGD_DOING_TRAINING, true, false},
    [LAGD_DOING_AWAITING] = {"awaiting approval of", LAGD_DOING_AWAITING, false, false},
    [LAGD_DOING_STORAGE] = {"waiting for storage:", LAGD_DOING_STORAGE, false, false},
};

void lagd_snapshot_take(const struct lagd_progress *progress, const char *name, struct lagd_snapshot *ret) {
    *ret = (struct lagd_snapshot){
        .doing = (enum lagd_doing)atomic_load(&progress->doing), .step = atomic_load(&progress->step),
        .max_steps = atomic_load(&progress->max_steps), .loss = atomic_load(&progress->loss),
        .n_candidates = atomic_load(&progress->n_candidates), .n_ended = atomic_load(&progress->n_ended)};
    (void)lag_copy(ret->name, sizeof(ret->name), name);
}

static void describe(const struct lagd_snapshot *run, char *ret, size_t size) {
    char probes[32] = "", step[64] = "", loss[32] = "";
    bool shows_probes = doings[run->doing].shows_probes;
    if (shows_probes) (void)snprintf(probes, sizeof(probes), " %d/%d", run->n_ended, run->n_candidates);
    if (run->max_steps > 0)
        (void)snprintf(step, sizeof(step), "%s step %" PRId64 "/%" PRId64, shows_probes ? " at" : "", run->step,
                       run->max_steps);
    if (doings[run->doing].shows_loss && isfinite(run->loss))
        (void)snprintf(loss, sizeof(loss), " loss %.2f", run->loss);
    (void)snprintf(ret, size, "%s %s%s%s%s", doings[run->doing].verb, run->name, probes, step, loss);
}

static uint64_t mix(uint64_t sign, uint64_t value) { return (sign ^ value) * UINT64_C(0x100000001b3); }

static uint64_t sign_of(const struct lagd_snapshot *run, uint64_t sign) {
    for (const char *p = run->name; *p; p++) sign = mix(sign, (unsigned char)*p);
    sign = mix(sign, doings[run->doing].told);
    return doings[run->doing].shows_probes ? mix(sign, (uint64_t)run->n_ended) : sign;
}

#define MORE_SIZE 24 /* " · 63 more" */

void lagd_status_line(const struct lagd_snapshot *runs, int n_runs, char *ret, size_t size, uint64_t *ret_sign) {
    uint64_t sign = UINT64_C(0xcbf29ce484222325);
    size_t length = 0;
    (void)snprintf(ret, size, "idle");
    for (int i = 0, full = 0; i < n_runs; i++) {
        char text[256];
        sign = sign_of(&runs[i], sign);
        describe(&runs[i], text, sizeof(text));
        size_t room = strlen(text) + sizeof(" · ") + MORE_SIZE;
        if (full) continue;
        if (length + room > size) {
            (void)snprintf(ret + length, size - length, "%s%d more", length ? " · " : "", n_runs - i);
            full = 1;
            continue;
        }
        length += (size_t)snprintf(ret + length, size - length, "%s%s", length ? " · " : "", text);
    }
    *ret_sign = sign;
}
