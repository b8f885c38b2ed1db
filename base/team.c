/* How a run works. The leader writes the task and then publishes it: one 64-bit word that holds the number of the run
 * (upper half) and how many tiles are still to claim (lower half). Members claim by taking one off the lower half, and
 * only when the upper half is the run they were called for. Whoever holds a claimed tile may read the task, because
 * run() does not return before that tile is counted as done. So a member that wakes too late finds nothing to claim and
 * touches nothing, and the leader never waits for a member that has not begun. */
#include <lagd/base/team.h>

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/host.h>
#include <lagd/base/mem.h>
#include <lagd/base/thread.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SPINS = 4000, LINE_BYTES = 64 };

/* One a member, each on its own cache line. */
struct member {
    _Alignas(LINE_BYTES) atomic_uint called; /* the last run this member was called for; a futex word */
    atomic_int parked;
    int index;
    struct lag_team *team;
    pthread_t thread;
};

struct lag_team {
    int n_members, n_active, n_spins;
    size_t bytes;
    uint32_t run;
    atomic_bool stopping;
    lag_tile_fn *fn; /* the task: written by the leader while no tile is claimed */
    void *arg;
    unsigned n_tiles;
    _Alignas(LINE_BYTES) atomic_uint_least64_t claim; /* run << 32 | tiles to claim */
    _Alignas(LINE_BYTES) atomic_uint n_done;          /* tiles done; a futex word */
    atomic_int leader_parked;
    _Alignas(LINE_BYTES) struct member members[];
};

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void futex_wait(atomic_uint *word, unsigned expected) {
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word) { (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0); }

/* Waits until *word is not old: a short spin, then sleep. Parked is raised before the word is looked at once more, and
 * the waker changes the word before it looks at parked (both sequentially consistent): one of the two sees the
 * other. */
static unsigned wait_change(atomic_uint *word, unsigned old, atomic_int *parked, int n_spins) {
    unsigned now = atomic_load(word);
    for (int i = 0; now == old && i < n_spins; i++) {
        relax();
        now = atomic_load_explicit(word, memory_order_acquire);
    }
    if (now != old) return now;
    atomic_store(parked, 1);
    while ((now = atomic_load(word)) == old) futex_wait(word, old);
    atomic_store(parked, 0);
    return now;
}

/* Tiles left in run when one of them was taken (so 1 is the last), 0 when there is none for us. */
static unsigned claim_tile(struct lag_team *team, uint32_t run) {
    uint64_t word = atomic_load(&team->claim);
    for (;;) {
        if ((uint32_t)(word >> 32) != run || (uint32_t)word == 0) return 0;
        if (atomic_compare_exchange_weak(&team->claim, &word, word - 1)) return (unsigned)(uint32_t)word;
    }
}

static void work(struct lag_team *team, uint32_t run, int member) {
    unsigned n_mine = 0, n_tiles = 0, left;
    while ((left = claim_tile(team, run)) != 0) {
        n_tiles = team->n_tiles;
        team->fn(team->arg, (int)(n_tiles - left), member);
        n_mine++;
    }
    if (n_mine == 0) return;
    if (atomic_fetch_add(&team->n_done, n_mine) + n_mine == n_tiles && atomic_load(&team->leader_parked)) {
        futex_wake(&team->n_done);
    }
}

static void member_main(void *arg) {
    struct member *self = arg;
    struct lag_team *team = self->team;
    unsigned seen = 0;
    for (;;) {
        seen = wait_change(&self->called, seen, &self->parked, team->n_spins);
        if (atomic_load(&team->stopping)) return;
        work(team, seen, self->index);
    }
}

static void call_member(struct member *member, uint32_t run) {
    atomic_store(&member->called, run);
    if (atomic_load(&member->parked)) futex_wake(&member->called);
}

int lag_team_create(int n_members, struct lag_team **ret, struct lag_error *err) {
    if (n_members < 1 || n_members > LAG_TEAM_MAX) {
        return lag_error_set(err, LAG_EINVAL, "a team must have between 1 and %d threads (got %d)", LAG_TEAM_MAX,
                             n_members);
    }
    size_t bytes = sizeof(struct lag_team) + (size_t)n_members * sizeof(struct member);
    struct lag_team *team = lag_block_alloc(bytes);
    if (!team) return lag_error_set(err, LAG_ENOMEM, "out of memory for a team of %d threads", n_members);
    team->bytes = bytes;
    team->n_members = 1; /* counts up as threads start, so that destroy joins just those */
    team->n_spins = n_members <= lag_host_cpus() ? SPINS : 0;
    for (int i = 1; i < n_members; i++) {
        struct member *member = &team->members[i];
        member->index = i;
        member->team = team;
        char name[16];
        (void)snprintf(name, sizeof(name), "lagd-team-%d", i);
        int status = lag_thread_start(&member->thread, name, 0, member_main, member, err);
        if (status < 0) {
            lag_team_destroy(team);
            return status;
        }
        team->n_members++;
    }
    team->n_active = n_members;
    *ret = team;
    return 0;
}

void lag_team_destroy(struct lag_team *team) {
    if (!team) return;
    atomic_store(&team->stopping, true);
    for (int i = 1; i < team->n_members; i++) call_member(&team->members[i], team->run + 1);
    for (int i = 1; i < team->n_members; i++) (void)pthread_join(team->members[i].thread, NULL);
    lag_block_free(team, team->bytes);
}

int lag_team_size(const struct lag_team *team) { return team ? team->n_members : 1; }

void lag_team_set_active(struct lag_team *team, int n) {
    if (!team) return;
    LAG_ASSERT(n >= 1 && n <= team->n_members);
    team->n_active = n;
}

void lag_team_run(struct lag_team *team, int n_tiles, lag_tile_fn *fn, void *arg) {
    int n_members = team ? LAG_MIN(team->n_active, n_tiles) : 1;
    if (n_members <= 1) {
        for (int tile = 0; tile < n_tiles; tile++) fn(arg, tile, 0);
        return;
    }
    team->fn = fn;
    team->arg = arg;
    team->n_tiles = (unsigned)n_tiles;
    if (++team->run == 0) team->run = 1; /* 0 is what members have seen at their start */
    atomic_store(&team->n_done, 0);
    atomic_store(&team->claim, (uint64_t)team->run << 32 | (unsigned)n_tiles);
    for (int i = 1; i < n_members; i++) call_member(&team->members[i], team->run);
    work(team, team->run, 0);
    unsigned n_done = atomic_load(&team->n_done);
    while (n_done != (unsigned)n_tiles) {
        n_done = wait_change(&team->n_done, n_done, &team->leader_parked, team->n_spins);
    }
}
