/* What a thread is doing and when it last showed a sign of life: for the watchdog and the status line. Writers: the
 * thread that works; readers: any. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lagd_doing {
    LAGD_DOING_OPENING,
    LAGD_DOING_TRAINING,
    LAGD_DOING_VALIDATING,
    LAGD_DOING_CHECKPOINTING,
    LAGD_DOING_VERIFYING, /* reads the dataset's file again, as it may have been changed */
    /* In those below the thread only waits, and its silence is never taken for being stuck: */
    LAGD_DOING_PROBING,   /* … for its probes, which are watched on their own */
    LAGD_DOING_QUEUED,    /* … for compute slots; those who hold them are watched */
    LAGD_DOING_AWAITING,  /* … for a person's decision */
    LAGD_DOING_STORAGE,   /* … for a disk that is full or refuses */
    LAGD_N_DOING,
};

struct lagd_progress {
    _Atomic int doing;
    _Atomic int64_t beat_ns;                  /* monotonic, last sign of life */
    _Atomic int64_t slowest_ns[LAGD_N_DOING]; /* longest time without one so far */
    _Atomic int64_t step, max_steps;
    _Atomic double loss;                      /* NAN before the first step */
    _Atomic int n_candidates, n_ended;        /* of the growth under way */
};

void lagd_progress_begin(struct lagd_progress *progress);
/* A sign of life; from now on the thread does this. Returns what it did before. */
enum lagd_doing lagd_progress_do(struct lagd_progress *progress, enum lagd_doing doing);
/* true when it has shown no sign of life for far longer than ever before at what it does. */
bool lagd_progress_stuck(const struct lagd_progress *progress, int64_t now_ns);
/* How long silence is tolerated: the longest seen so far five times over, a minute at least; ten minutes at a first
 * time (slowest 0). Test builds have it bounded by $LAGD_PATIENCE_MS. Pure but for that. Thread: main. */
int64_t lagd_patience_ns(int64_t slowest_ns);

/* One line of what runs do, e.g. "training a step 12/200 loss 3.21 · probing b 3/11 at step 60/200", "idle"; cut
 * between runs where it does not fit. *ret_sign changes when more than numbers of steps changed. Pure. */
struct lagd_snapshot {
    char name[65];
    enum lagd_doing doing;
    int64_t step, max_steps;
    double loss;
    int n_candidates, n_ended;
};
void lagd_snapshot_take(const struct lagd_progress *progress, const char *name, struct lagd_snapshot *ret);
void lagd_status_line(const struct lagd_snapshot *runs, int n_runs, char *ret, size_t size, uint64_t *ret_sign);
