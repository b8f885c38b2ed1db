/* The board that all followers read, and the order in which one of them is given what is on it. */
#include "stream/stream_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <stdlib.h>
#include <string.h>

/* --- the board --------------------------------------------------------------------------------------------------- */

static struct lagd_ring_entry *entry_at(const struct lagd_ring *ring, uint64_t place) {
    return &ring->entries[place % LAGD_RING_EVENTS];
}

int lagd_board_init(struct lagd_board *board, int64_t last_seq) {
    *board = (struct lagd_board){.retry_text = lagd_text_retry(), .beat_text = lagd_text_beat()};
    board->ring.entries = lag_calloc(LAGD_RING_EVENTS, sizeof(*board->ring.entries));
    board->ring.base_seq = board->ring.last_seq = last_seq;
    return board->retry_text && board->beat_text && board->ring.entries ? 0 : -1;
}

static void evict(struct lagd_ring *ring) {
    struct lagd_ring_entry *oldest = entry_at(ring, ring->first++);
    ring->base_seq = oldest->seq;
    ring->n_bytes -= oldest->text->n_sse;
    lagd_text_drop(oldest->text);
    oldest->text = NULL;
}

void lagd_board_deinit(struct lagd_board *board) {
    while (board->ring.first < board->ring.next) evict(&board->ring);
    for (size_t i = 0; i < LAGD_BATCH_SLOTS; i++) lagd_text_drop(board->batches[i].text);
    lagd_text_drop(board->retry_text);
    lagd_text_drop(board->beat_text);
    free(board->ring.entries);
}

void lagd_board_push(struct lagd_board *board, struct lagd_text *text, const struct lag_event_row *row) {
    struct lagd_ring *ring = &board->ring;
    while (ring->first < ring->next &&
           (ring->next - ring->first == LAGD_RING_EVENTS || ring->n_bytes + text->n_sse > LAGD_RING_BYTES)) {
        evict(ring);
    }
    struct lagd_ring_entry *entry = entry_at(ring, ring->next++);
    *entry = (struct lagd_ring_entry){.text = text, .seq = row->seq, .topic = lagd_topic_of(row->type)};
    memcpy(entry->run_id, row->run_id, sizeof(entry->run_id));
    ring->last_seq = row->seq;
    ring->n_bytes += text->n_sse;
}

void lagd_board_put_batch(struct lagd_board *board, int slot, struct lagd_text *text, const char *run_id) {
    struct lagd_batch_slot *batch = &board->batches[slot];
    lagd_text_drop(batch->text);
    batch->text = text;
    batch->version = ++board->version;
    (void)lag_copy(batch->run_id, sizeof(batch->run_id), run_id);
}

void lagd_board_drop_batches(struct lagd_board *board, const char *run_id) {
    for (size_t i = 0; i < LAGD_BATCH_SLOTS; i++) {
        struct lagd_batch_slot *batch = &board->batches[i];
        if (!batch->text || strcmp(batch->run_id, run_id) != 0) continue;
        lagd_text_drop(batch->text);
        batch->text = NULL;
    }
}

/* The first place with an event after seq, which is ≥ base_seq. */
static uint64_t place_after(const struct lagd_ring *ring, int64_t seq) {
    uint64_t low = ring->first, high = ring->next;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (entry_at(ring, middle)->seq <= seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- a feed ------------------------------------------------------------------------------------------------------ */

bool lagd_feed_wants(const struct lagd_feed *feed, unsigned topic, const char *run_id) {
    return (feed->topics & topic) && (!*feed->run_id || strcmp(feed->run_id, run_id) == 0);
}

static bool covers(const struct lagd_ring *ring, int64_t cursor) {
    return cursor >= ring->base_seq && cursor <= ring->last_seq;
}

/* Passes over events of no interest; true when one of interest is next. */
static bool skip(struct lagd_feed *feed, const struct lagd_ring *ring) {
    for (; feed->at < ring->next; feed->at++) {
        const struct lagd_ring_entry *entry = entry_at(ring, feed->at);
        if (lagd_feed_wants(feed, entry->topic, entry->run_id)) return true;
        feed->cursor = entry->seq;
    }
    return false;
}

/* The oldest batch that this feed has not seen; it never sees batches that were replaced meanwhile. */
static const struct lagd_batch_slot *next_batch(const struct lagd_feed *feed, const struct lagd_board *board) {
    const struct lagd_batch_slot *found = NULL;
    if (feed->seen_version == board->version) return NULL;
    for (size_t i = 0; i < LAGD_BATCH_SLOTS; i++) {
        const struct lagd_batch_slot *batch = &board->batches[i];
        if (!batch->text || batch->version <= feed->seen_version || (found && found->version < batch->version))
            continue;
        if (lagd_feed_wants(feed, LAGD_TOPIC_METRIC, batch->run_id)) found = batch;
    }
    return found;
}

static struct lagd_text *share(struct lagd_text *text) {
    text->n_references++;
    return text;
}

static struct lagd_text *notice(struct lagd_feed *feed, const char *type, bool with_id) {
    struct lagd_text *text = lagd_text_notice(type, feed->cursor, with_id);
    if (!text) feed->failed = true;
    return text;
}

static struct lagd_text *last_notice(struct lagd_feed *feed, const char *type) {
    feed->phase = LAGD_FEED_OVER;
    return notice(feed, type, false);
}

static struct lagd_text *open_feed(struct lagd_feed *feed, const struct lagd_board *board) {
    const struct lagd_ring *ring = &board->ring;
    feed->seen_version = board->version;
    feed->seen_beat = board->beat;
    if (feed->has_after && !covers(ring, feed->cursor)) {
        feed->phase = LAGD_FEED_BACKLOG;
        return NULL;
    }
    if (!feed->has_after) feed->cursor = ring->last_seq;
    feed->phase = LAGD_FEED_LIVE;
    feed->at = place_after(ring, feed->cursor);
    return feed->has_after ? NULL : notice(feed, "hello", true);
}

static struct lagd_text *next_live(struct lagd_feed *feed, struct lagd_board *board) {
    const struct lagd_ring *ring = &board->ring;
    if (feed->at < ring->first) {
        board->n_lagged++;
        return last_notice(feed, "lagged");
    }
    if (skip(feed, ring)) {
        const struct lagd_ring_entry *entry = entry_at(ring, feed->at++);
        feed->cursor = entry->seq;
        return share(entry->text);
    }
    if (!feed->caught_up) {
        feed->caught_up = true;
        return notice(feed, "caught-up", true);
    }
    if (board->closing || feed->closing) return last_notice(feed, "bye");
    const struct lagd_batch_slot *batch = next_batch(feed, board);
    feed->seen_version = batch ? batch->version : board->version;
    if (batch) return share(batch->text);
    if (feed->seen_beat == board->beat) return NULL;
    feed->seen_beat = board->beat;
    return share(board->beat_text);
}

/* One reference, or NULL: nothing now, or the end. */
static struct lagd_text *next(struct lagd_feed *feed, struct lagd_board *board) {
    struct lagd_text *text = feed->page;
    if (text) {
        feed->page = NULL;
        return text;
    }
    if (feed->phase == LAGD_FEED_NEW) {
        feed->phase = LAGD_FEED_OPEN;
        return share(board->retry_text);
    }
    if (feed->phase == LAGD_FEED_OPEN && (text = open_feed(feed, board))) return text;
    if (feed->phase == LAGD_FEED_LIVE) return next_live(feed, board);
    if (feed->phase == LAGD_FEED_BACKLOG && (board->closing || feed->closing)) return last_notice(feed, "bye");
    return NULL;
}

ssize_t lagd_feed_read(struct lagd_feed *feed, struct lagd_board *board, char *buffer, size_t size) {
    size_t n = 0;
    while (n < size) {
        if (!feed->current) {
            feed->offset = 0;
            feed->current = next(feed, board);
            if (feed->failed) return -1;
            if (!feed->current) break;
        }
        const struct lagd_text *text = feed->current;
        const char *bytes = text->data + (feed->lines ? text->line_at : 0);
        size_t n_text = feed->lines ? text->n_line : text->n_sse, part = LAG_MIN(size - n, n_text - feed->offset);
        memcpy(buffer + n, bytes + feed->offset, part);
        n += part;
        feed->offset += part;
        if (feed->offset < n_text) break;
        lagd_text_drop(feed->current);
        feed->current = NULL;
    }
    return (ssize_t)n;
}

bool lagd_feed_pending(struct lagd_feed *feed, const struct lagd_board *board) {
    if (feed->current || feed->page || feed->failed || feed->closing || board->closing) return true;
    if (feed->phase != LAGD_FEED_LIVE) return feed->phase != LAGD_FEED_BACKLOG;
    if (feed->at < board->ring.first || skip(feed, &board->ring) || !feed->caught_up) return true;
    return feed->seen_beat != board->beat || next_batch(feed, board);
}

void lagd_feed_page(struct lagd_feed *feed, const struct lagd_board *board, struct lagd_text *page, int64_t cursor) {
    lagd_text_drop(feed->page);
    feed->page = page;
    feed->cursor = cursor;
    if (!covers(&board->ring, cursor)) return;
    feed->phase = LAGD_FEED_LIVE;
    feed->at = place_after(&board->ring, cursor);
}

void lagd_feed_deinit(struct lagd_feed *feed) {
    lagd_text_drop(feed->page);
    lagd_text_drop(feed->current);
}
