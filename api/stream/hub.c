/* The hub's thread: reads what is new, serves pages of the past, beats, and ends it all. */
#include "stream/hub_parts_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/base/thread.h>
#include <lagd/storage/events.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MS_NS INT64_C(1000000)
#define BEAT_NS (15000 * MS_NS)
#define SWEEP_NS (5000 * MS_NS)
#define FETCH_NS (20 * MS_NS) /* between two reads of new events: those of a burst go out together */
/* Time between two batches of points. Sending one costs time for each follower, so the time grows with their number,
 * from the least to the most. */
#define BATCH_LEAST_NS (250 * MS_NS)
#define BATCH_PER_STREAM_NS (2 * MS_NS)
#define BATCH_MOST_NS (1000 * MS_NS)
#define RETRY_NS (1000 * MS_NS) /* after a failed read of the database */
#define BYE_NS (1000 * MS_NS)   /* at the end, for followers to take what is there */
#define PAGE_EVENTS 128
#define STACK_BYTES ((size_t)512 << 10)

/* When each kind of work is due next. */
struct schedule {
    int64_t beat_ns, sweep_ns, fetch_ns, batch_ns;
};

void lagd_hub_wake(struct lagd_hub *hub) {
    (void)pthread_mutex_lock(&hub->points_lock);
    hub->woken = true;
    (void)pthread_cond_signal(&hub->wake);
    (void)pthread_mutex_unlock(&hub->points_lock);
}

/* Points that do not fit are left out: a stream promises all events, but not all points. */
void lagd_hub_points(void *arg, const struct lag_point *points, size_t n_points) {
    struct lagd_hub *hub = arg;
    if (atomic_load(&hub->n_metric_streams) == 0) return;
    (void)pthread_mutex_lock(&hub->points_lock);
    size_t n = LAG_MIN(n_points, LAGD_POINTS_WAITING - hub->n_waiting_points);
    memcpy(hub->waiting_points + hub->n_waiting_points, points, n * sizeof(*points));
    if (hub->n_waiting_points == 0) (void)pthread_cond_signal(&hub->wake);
    hub->n_waiting_points += n;
    (void)pthread_mutex_unlock(&hub->points_lock);
}

/* --- points ------------------------------------------------------------------------------------------------------ */

static void put_batch(void *arg, int slot, struct lagd_text *text, const char *run_id) {
    struct lagd_hub *hub = arg;
    (void)pthread_mutex_lock(&hub->lock);
    lagd_board_put_batch(&hub->board, slot, text, run_id);
    hub->n_batches++;
    (void)pthread_mutex_unlock(&hub->lock);
}

static int tell_points(struct lagd_hub *hub, struct lag_error *err) {
    (void)pthread_mutex_lock(&hub->points_lock);
    struct lag_point *points = hub->waiting_points;
    size_t n = hub->n_waiting_points;
    hub->waiting_points = hub->taken_points;
    hub->taken_points = points;
    hub->n_waiting_points = 0;
    (void)pthread_mutex_unlock(&hub->points_lock);
    if (n == 0) return 0;
    int status = lagd_points_batch(hub->points, hub->db, points, n, put_batch, hub, err);
    (void)pthread_mutex_lock(&hub->lock);
    lagd_hub_resume_pending_locked(hub);
    (void)pthread_mutex_unlock(&hub->lock);
    return status;
}

/* --- new events -------------------------------------------------------------------------------------------------- */

struct page {
    size_t n;
    int64_t last_seq;
    struct lagd_text *texts[PAGE_EVENTS + 1]; /* one more for a reset */
    struct lag_event_row rows[PAGE_EVENTS];
};

static int add_to_page(const struct lag_event_row *row, void *arg) {
    struct page *page = arg;
    struct lagd_text *text = lagd_text_event(row);
    if (!text) return LAG_ENOMEM;
    page->rows[page->n] = *row;
    page->texts[page->n++] = text;
    page->last_seq = row->seq;
    return 0;
}

/* A run that goes back gives up its points from there on. What waits of them is told before that or not at all, never
 * behind it: a stream promises all events, but not all points. */
static bool is_return(const struct lag_event_row *row) { return lag_event_is(row->type, LAG_EVENT_RUN_ROLLBACK); }

static bool goes_back(const struct page *page) {
    bool found = false;
    for (size_t i = 0; i < page->n; i++) found |= is_return(&page->rows[i]);
    return found;
}

/* The board's ring is changed by this thread only, so it is read here without the lock. */
static int fetch_some(struct lagd_hub *hub, struct page *page, struct lag_error *err) {
    page->n = 0;
    int status = lag_event_list(hub->db, hub->board.ring.last_seq, NULL, PAGE_EVENTS, add_to_page, page, err);
    if (status == 0 && goes_back(page)) status = tell_points(hub, err);
    (void)pthread_mutex_lock(&hub->lock);
    for (size_t i = 0; i < page->n; i++) {
        lagd_board_push(&hub->board, page->texts[i], &page->rows[i]);
        if (is_return(&page->rows[i])) lagd_board_drop_batches(&hub->board, page->rows[i].run_id);
    }
    hub->n_events += (int64_t)page->n;
    if (page->n > 0) lagd_hub_resume_pending_locked(hub);
    (void)pthread_mutex_unlock(&hub->lock);
    return status;
}

static int fetch(struct lagd_hub *hub, struct page *page, struct lag_error *err) {
    int status;
    do status = fetch_some(hub, page, err);
    while (status == 0 && page->n == PAGE_EVENTS);
    return status;
}

/* --- the past ---------------------------------------------------------------------------------------------------- */

static struct lagd_stream *next_waiting_locked(struct lagd_hub *hub) {
    for (struct lagd_stream *stream = hub->streams; stream; stream = stream->next) {
        if (stream->waiting && stream->feed.phase == LAGD_FEED_BACKLOG && !stream->feed.page && !stream->feed.failed)
            return stream;
    }
    return NULL;
}

/* A cursor whose events were pruned, perhaps since the page before, or of another database, is set to the first event
 * there is. */
static int check_cursor(struct lagd_hub *hub, int64_t *cursor, struct lagd_text **ret, struct lag_error *err) {
    int64_t first = 0, last = 0;
    int status = lag_event_bounds(hub->db, &first, &last, err);
    if (status < 0 || (*cursor >= first - 1 && *cursor <= last)) return status;
    *cursor = LAG_MAX(first - 1, 0);
    *ret = lagd_text_notice("reset", *cursor, true);
    return *ret ? 0 : lag_error_set(err, LAG_ENOMEM, "out of memory");
}

struct selection {
    const struct lagd_feed *feed;
    struct page *page;
    size_t n_rows;
    int64_t last_seq;
};

static int select_row(const struct lag_event_row *row, void *arg) {
    struct selection *selection = arg;
    struct page *page = selection->page;
    selection->n_rows++;
    selection->last_seq = row->seq;
    if (!lagd_feed_wants(selection->feed, lagd_topic_of(row->type), row->run_id)) return 0;
    page->texts[page->n] = lagd_text_event(row);
    return page->texts[page->n] ? (page->n++, 0) : LAG_ENOMEM;
}

/* In one view: nothing is pruned between the look at the cursor and the list. */
static int select_rows(struct lagd_hub *hub, struct selection *selection, struct lag_error *err) {
    const struct lagd_feed *feed = selection->feed;
    struct page *page = selection->page;
    struct lagd_text *reset = NULL;
    int status = lag_reader_begin(hub->db, err);
    if (status == 0) status = check_cursor(hub, &selection->last_seq, &reset, err);
    if (reset) page->texts[page->n++] = reset;
    if (status == 0)
        status = lag_event_list(hub->db, selection->last_seq, *feed->run_id ? feed->run_id : NULL, PAGE_EVENTS,
                                select_row, selection, err);
    lag_reader_end(hub->db);
    return status;
}

/* The stream is suspended, so its feed stays as it is and nobody closes it meanwhile. */
static int load_page(struct lagd_hub *hub, const struct lagd_feed *feed, struct page *page, struct lagd_text **ret,
                     int64_t *ret_cursor, struct lag_error *err) {
    int64_t ring_last = hub->board.ring.last_seq;
    struct selection selection = {feed, page, 0, feed->cursor};
    page->n = 0;
    LAG_FP("hub.page");
    int status = select_rows(hub, &selection, err);
    /* The page is not full: it reaches to the last event that the ring had before the database was read. */
    if (selection.n_rows < PAGE_EVENTS) selection.last_seq = LAG_MAX(selection.last_seq, ring_last);
    struct lagd_text *text = page->n > 0 && status == 0 ? lagd_text_join(page->texts, page->n) : NULL;
    if (status == 0 && page->n > 0 && !text) status = lag_error_set(err, LAG_ENOMEM, "out of memory");
    for (size_t i = 0; i < page->n; i++) lagd_text_drop(page->texts[i]);
    if (status < 0) return status;
    *ret = text;
    *ret_cursor = selection.last_seq;
    return 0;
}

/* A page for each stream that waits for one, but no more pages than there are streams: then new events come first. */
static int serve_pages(struct lagd_hub *hub, struct page *page, struct lag_error *err) {
    int status = 0;
    (void)pthread_mutex_lock(&hub->lock);
    int n = hub->n_streams;
    struct lagd_stream *stream = next_waiting_locked(hub);
    for (; stream && n > 0 && status == 0; n--, stream = next_waiting_locked(hub)) {
        struct lagd_text *text = NULL;
        int64_t cursor = 0;
        stream->loading = true;
        (void)pthread_mutex_unlock(&hub->lock);
        status = load_page(hub, &stream->feed, page, &text, &cursor, err);
        (void)pthread_mutex_lock(&hub->lock);
        stream->loading = false;
        if (status == 0) lagd_feed_page(&stream->feed, &hub->board, text, cursor);
        if (lagd_feed_pending(&stream->feed, &hub->board)) lagd_hub_resume_locked(stream);
    }
    (void)pthread_mutex_unlock(&hub->lock);
    if (stream && status == 0) lagd_hub_wake(hub);
    return status;
}

/* --- the thread -------------------------------------------------------------------------------------------------- */

static void tick(struct lagd_hub *hub, struct schedule *due, int64_t now_ns) {
    if (now_ns < due->beat_ns && now_ns < due->sweep_ns) return;
    (void)pthread_mutex_lock(&hub->lock);
    if (now_ns >= due->beat_ns) {
        due->beat_ns = now_ns + BEAT_NS;
        hub->board.beat++;
        lagd_hub_resume_pending_locked(hub);
    }
    if (now_ns >= due->sweep_ns) {
        due->sweep_ns = now_ns + SWEEP_NS;
        lagd_hub_sweep_locked(hub);
    }
    (void)pthread_mutex_unlock(&hub->lock);
}

/* Until something is to be done; false: stop. */
static bool wait_for_work(struct lagd_hub *hub, const struct schedule *due) {
    int64_t calm_ns = LAG_MIN(due->beat_ns, due->sweep_ns);
    (void)pthread_mutex_lock(&hub->points_lock);
    for (;;) {
        int64_t now_ns = lag_clock_mono_ns(), until_ns = calm_ns;
        if (hub->woken) until_ns = LAG_MIN(until_ns, due->fetch_ns);
        if (hub->n_waiting_points > 0) until_ns = LAG_MIN(until_ns, due->batch_ns);
        if (hub->stop || now_ns >= until_ns) break;
        (void)lag_cond_wait_until(&hub->wake, &hub->points_lock, until_ns);
    }
    hub->woken = false;
    bool stop = hub->stop;
    (void)pthread_mutex_unlock(&hub->points_lock);
    return !stop;
}

static int64_t batch_ns(struct lagd_hub *hub) {
    int64_t wanted_ns = atomic_load(&hub->n_metric_streams) * BATCH_PER_STREAM_NS;
    return LAG_MAX(BATCH_LEAST_NS, LAG_MIN(BATCH_MOST_NS, wanted_ns));
}

static int open_db(struct lagd_hub *hub, struct lag_error *err) {
    return hub->db ? 0 : lag_reader_open(hub->state_dir, &hub->db, err);
}

/* A failure may come from the connection: a new one is opened for the next attempt. */
static void after_failure(struct lagd_hub *hub, struct schedule *due, const struct lag_error *err) {
    lag_log(LAG_LOG_ERROR, "events: cannot be read for those who follow them: %s", err->text);
    lag_reader_close(hub->db);
    hub->db = NULL;
    due->fetch_ns = due->batch_ns = lag_clock_mono_ns() + RETRY_NS;
    lagd_hub_wake(hub);
}

static void say_bye(struct lagd_hub *hub) {
    int64_t until_ns = lag_clock_mono_ns() + BYE_NS;
    (void)pthread_mutex_lock(&hub->lock);
    hub->board.closing = hub->stopping = true;
    lagd_hub_resume_pending_locked(hub);
    while (hub->n_streams > 0 && !lag_cond_wait_until(&hub->changed, &hub->lock, until_ns)) continue;
    for (struct lagd_stream *stream = hub->streams; stream; stream = stream->next) {
        stream->dead = true;
        (void)shutdown(stream->fd, SHUT_RDWR);
        lagd_hub_resume_locked(stream);
    }
    (void)pthread_mutex_unlock(&hub->lock);
}

static void work(void *arg) {
    struct lagd_hub *hub = arg;
    struct page *page = lag_calloc(1, sizeof(*page));
    int64_t now_ns = lag_clock_mono_ns();
    struct schedule due = {now_ns + BEAT_NS, now_ns + SWEEP_NS, 0, 0};
    bool goes_on = page != NULL;
    atomic_store(&hub->turned_ns, now_ns);
    while (goes_on) {
        goes_on = wait_for_work(hub, &due);
        LAG_FP("hub.turn");
        struct lag_error err = {0};
        now_ns = lag_clock_mono_ns();
        atomic_store(&hub->turned_ns, now_ns);
        int status = open_db(hub, &err);
        if (status == 0) status = fetch(hub, page, &err);
        due.fetch_ns = now_ns + FETCH_NS;
        if (status == 0) status = serve_pages(hub, page, &err);
        if (status == 0 && now_ns >= due.batch_ns) {
            due.batch_ns = now_ns + batch_ns(hub);
            status = tell_points(hub, &err);
        }
        if (status < 0) after_failure(hub, &due, &err);
        tick(hub, &due, now_ns);
    }
    say_bye(hub);
    free(page);
}

int64_t lagd_hub_silence_ns(const struct lagd_hub *hub) {
    int64_t turned_ns = atomic_load(&hub->turned_ns), silence_ns = lag_clock_mono_ns() - turned_ns;
    return turned_ns && silence_ns > SWEEP_NS + RETRY_NS ? silence_ns : 0;
}

/* --- making and unmaking ----------------------------------------------------------------------------------------- */

static int prepare(struct lagd_hub *hub, struct lag_error *err) {
    int64_t first = 0, last = 0;
    int status = lag_reader_open(hub->state_dir, &hub->db, err);
    if (status == 0) status = lag_event_bounds(hub->db, &first, &last, err);
    if (status < 0) return status;
    hub->waiting_points = lag_calloc(LAGD_POINTS_WAITING, sizeof(*hub->waiting_points));
    hub->taken_points = lag_calloc(LAGD_POINTS_WAITING, sizeof(*hub->taken_points));
    if (!hub->waiting_points || !hub->taken_points || lagd_points_create(&hub->points) < 0 ||
        lagd_board_init(&hub->board, last) < 0)
        return lag_error_set(err, LAG_ENOMEM, "out of memory");
    status = lag_thread_start(&hub->thread, "lagd-events", STACK_BYTES, work, hub, err);
    hub->has_thread = status == 0;
    return status;
}

int lagd_hub_create(const char *state_dir, int max_streams, struct lagd_hub **ret, struct lag_error *err) {
    struct lagd_hub *hub = lag_calloc(1, sizeof(*hub));
    if (!hub) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    hub->max_streams = max_streams;
    (void)lag_copy(hub->state_dir, sizeof(hub->state_dir), state_dir);
    (void)pthread_mutex_init(&hub->lock, NULL);
    (void)pthread_mutex_init(&hub->points_lock, NULL);
    lag_cond_init(&hub->changed);
    lag_cond_init(&hub->wake);
    int status = prepare(hub, err);
    if (status < 0) {
        lagd_hub_destroy(hub);
        return status;
    }
    *ret = hub;
    return 0;
}

void lagd_hub_stop(struct lagd_hub *hub) {
    if (!hub || !hub->has_thread) return;
    (void)pthread_mutex_lock(&hub->points_lock);
    hub->stop = true;
    (void)pthread_cond_signal(&hub->wake);
    (void)pthread_mutex_unlock(&hub->points_lock);
    (void)pthread_join(hub->thread, NULL);
    hub->has_thread = false;
}

void lagd_hub_destroy(struct lagd_hub *hub) {
    if (!hub) return;
    lagd_hub_stop(hub);
    lag_reader_close(hub->db);
    lagd_points_destroy(hub->points);
    lagd_board_deinit(&hub->board);
    free(hub->waiting_points);
    free(hub->taken_points);
    (void)pthread_cond_destroy(&hub->changed);
    (void)pthread_cond_destroy(&hub->wake);
    (void)pthread_mutex_destroy(&hub->points_lock);
    (void)pthread_mutex_destroy(&hub->lock);
    free(hub);
}

void lagd_hub_expel(struct lagd_hub *hub) {
    (void)pthread_mutex_lock(&hub->lock);
    for (struct lagd_stream *stream = hub->streams; stream; stream = stream->next) stream->feed.closing = true;
    lagd_hub_resume_pending_locked(hub);
    (void)pthread_mutex_unlock(&hub->lock);
}

void lagd_hub_counts(struct lagd_hub *hub, struct lagd_hub_counts *ret) {
    (void)pthread_mutex_lock(&hub->lock);
    *ret = (struct lagd_hub_counts){.n_streams = hub->n_streams,
                                    .n_opened = hub->n_opened,
                                    .n_refused = hub->n_refused,
                                    .n_events = hub->n_events,
                                    .n_batches = hub->n_batches,
                                    .n_lagged = (int64_t)hub->board.n_lagged,
                                    .n_dead = hub->n_dead};
    (void)pthread_mutex_unlock(&hub->lock);
}
