/* The thread that writes the log.
 *
 * Standard error may be a pipe, a terminal or a socket whose reader stands still, and the journal's socket can fill.
 * Then a write blocks, for ever perhaps. The descriptor is shared with other processes, so it is not made non-blocking;
 * a thread of its own waits instead. All others leave their entries in a ring. They wait for the writer a moment, so
 * that a line is normally out when lag_log returns, and a crash behind it loses nothing. Whoever waits in vain marks
 * the reader as standing still, and nobody waits until the ring is empty again. What finds no room is lost and
 * counted. */
#include "log_internal.h"

#include "journal_internal.h"

#include <lagd/base/clock.h>
#include <lagd/base/thread.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RING_BYTES ((size_t)256 * 1024)
#define PATIENCE_NS INT64_C(100000000) /* of a caller, for the writer */
#define END_NS INT64_C(2000000000)     /* of lag_log_stop, for the reader */

struct head {
    size_t n_record, n_line;
    uint64_t n_told; /* of a notice: the lost lines that it tells of; 0: another entry */
};

/* Global, because the log is. */
static struct {
    pthread_mutex_t lock; /* all below */
    pthread_cond_t is_work, is_done;
    unsigned char ring[RING_BYTES];
    size_t first, n_used;       /* bytes */
    uint64_t n_put, n_finished; /* entries since the start, without notices */
    uint64_t n_untold;          /* lost since this was last told */
    bool exists, ends, still;   /* a writer; it is to end; its reader stands still */
    pthread_t thread;
} writer = {.lock = PTHREAD_MUTEX_INITIALIZER};

static atomic_uint_fast64_t n_lost;
static atomic_bool is_torn; /* the last line on standard error has no end */

uint64_t lag_log_n_lost(void) { return atomic_load(&n_lost); }

/* --- output ------------------------------------------------------------------------------------------------------ */

/* 0 when all is written. One write a line, so that lines of different threads never mix. */
static int write_all(const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, bytes, length);
        if (written < 0 && errno == EAGAIN) {
            struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
            (void)poll(&room, 1, -1);
        }
        if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (written <= 0) return -1;
        bytes += written;
        length -= (size_t)written;
        if (length > 0) atomic_store(&is_torn, true);
    }
    atomic_store(&is_torn, false);
    return 0;
}

bool lag_log_output(const struct lag_log_entry *entry) {
    if (entry->n_record > 0 && lag_journal_send(entry->record, entry->n_record) == 0) return true;
    if (atomic_load(&is_torn) && write_all("\n", 1) < 0) return false;
    return write_all(entry->line, entry->n_line) == 0;
}

/* --- the ring ---------------------------------------------------------------------------------------------------- */

static void copy_in_locked(const void *from, size_t n) {
    size_t at = (writer.first + writer.n_used) % RING_BYTES, n_end = n < RING_BYTES - at ? n : RING_BYTES - at;
    memcpy(writer.ring + at, from, n_end);
    memcpy(writer.ring, (const unsigned char *)from + n_end, n - n_end);
    writer.n_used += n;
}

static void copy_out_locked(void *to, size_t n) {
    size_t n_end = n < RING_BYTES - writer.first ? n : RING_BYTES - writer.first;
    memcpy(to, writer.ring + writer.first, n_end);
    memcpy((unsigned char *)to + n_end, writer.ring, n - n_end);
    writer.first = (writer.first + n) % RING_BYTES;
    writer.n_used -= n;
}

static bool put_locked(const struct lag_log_entry *entry, uint64_t n_told) {
    const struct head head = {entry->n_record, entry->n_line, n_told};
    if (writer.n_used + sizeof(head) + head.n_record + head.n_line > RING_BYTES) return false;
    copy_in_locked(&head, sizeof(head));
    copy_in_locked(entry->record, head.n_record);
    copy_in_locked(entry->line, head.n_line);
    if (n_told == 0) writer.n_put++;
    return true;
}

static uint64_t take_locked(struct lag_log_entry *ret) {
    struct head head;
    copy_out_locked(&head, sizeof(head));
    copy_out_locked(ret->record, head.n_record);
    copy_out_locked(ret->line, head.n_line);
    ret->n_record = head.n_record;
    ret->n_line = head.n_line;
    return head.n_told;
}

/* --- callers ----------------------------------------------------------------------------------------------------- */

static void make_notice(struct lag_log_entry *entry, uint64_t n) {
    char text[160];
    (void)snprintf(text, sizeof(text), "log: %" PRIu64 " lines before this one are lost, because the reader of the log "
                   "stood still or could not be written to", n);
    lag_log_entry_make(entry, LAG_LOG_WARNING, NULL, text, false);
}

static void lose_locked(void) {
    writer.n_untold++;
    atomic_fetch_add(&n_lost, 1);
}

/* What was lost is told in its place: behind the lines that found room, before the next one that does. */
static bool put_behind_notice_locked(const struct lag_log_entry *entry) {
    static struct lag_log_entry notice; /* under the lock; too large for every caller's stack */
    if (writer.n_untold > 0) {
        make_notice(&notice, writer.n_untold);
        if (writer.n_used + 2 * sizeof(struct head) + notice.n_record + notice.n_line + entry->n_record +
                entry->n_line > RING_BYTES) return false;
        (void)put_locked(&notice, writer.n_untold);
        writer.n_untold = 0;
    }
    return put_locked(entry, 0);
}

bool lag_log_writer_put(const struct lag_log_entry *entry, bool *ret_written) {
    (void)pthread_mutex_lock(&writer.lock);
    bool exists = writer.exists;
    uint64_t n_lost_before = atomic_load(&n_lost);
    *ret_written = false;
    if (exists && !writer.ends && put_behind_notice_locked(entry)) {
        uint64_t own = writer.n_put;
        int64_t until_ns = lag_clock_mono_ns() + PATIENCE_NS;
        (void)pthread_cond_signal(&writer.is_work);
        while (!writer.still && writer.n_finished < own)
            if (lag_cond_wait_until(&writer.is_done, &writer.lock, until_ns)) writer.still = writer.n_finished < own;
        *ret_written = writer.n_finished >= own && atomic_load(&n_lost) == n_lost_before;
    } else if (exists) {
        lose_locked();
    }
    (void)pthread_mutex_unlock(&writer.lock);
    return exists;
}

/* --- the thread -------------------------------------------------------------------------------------------------- */

/* Unlocks while it writes. What fails is lost too: a full disk, a reader that is gone. A notice that fails is no line
 * of its own: what it tells of stays untold. */
static bool write_locked(struct lag_log_entry *entry, uint64_t n_told) {
    (void)pthread_mutex_unlock(&writer.lock);
    bool good = lag_log_output(entry);
    (void)pthread_mutex_lock(&writer.lock);
    if (good) return true;
    if (n_told > 0) writer.n_untold += n_told;
    else lose_locked();
    return false;
}

static void write_next_locked(struct lag_log_entry *entry) {
    uint64_t n_told = take_locked(entry);
    bool good = write_locked(entry, n_told);
    if (n_told == 0) writer.n_finished++;
    if (writer.n_used > 0) return;
    if (good && writer.n_untold > 0) { /* the reader is back, and no other line comes to tell it before */
        n_told = writer.n_untold;
        writer.n_untold = 0;
        make_notice(entry, n_told);
        (void)write_locked(entry, n_told);
    }
    writer.still = writer.n_used > 0 && writer.still;
}

static void write_entries(void *arg) {
    static struct lag_log_entry entry; /* of this thread alone */
    (void)arg;
    (void)pthread_mutex_lock(&writer.lock);
    for (;;) {
        while (writer.n_used == 0 && !writer.ends) (void)pthread_cond_wait(&writer.is_work, &writer.lock);
        if (writer.n_used == 0) break;
        write_next_locked(&entry);
        (void)pthread_cond_broadcast(&writer.is_done);
    }
    writer.exists = false;
    (void)pthread_cond_broadcast(&writer.is_done);
    (void)pthread_mutex_unlock(&writer.lock);
}

int lag_log_start(struct lag_error *err) {
    lag_cond_init(&writer.is_work);
    lag_cond_init(&writer.is_done);
    (void)pthread_mutex_lock(&writer.lock);
    int rc = lag_thread_start(&writer.thread, "log", 0, write_entries, NULL, err);
    writer.exists = rc == 0;
    writer.ends = writer.still = false;
    (void)pthread_mutex_unlock(&writer.lock);
    return rc;
}

void lag_log_stop(void) {
    (void)pthread_mutex_lock(&writer.lock);
    bool exists = writer.exists;
    int64_t until_ns = lag_clock_mono_ns() + END_NS;
    writer.ends = true;
    if (exists) (void)pthread_cond_signal(&writer.is_work);
    while (writer.exists)
        if (lag_cond_wait_until(&writer.is_done, &writer.lock, until_ns)) break;
    bool ended = !writer.exists;
    (void)pthread_mutex_unlock(&writer.lock);
    if (exists && ended) (void)pthread_join(writer.thread, NULL);
}
