/* What a follower of /events is sent, and in which order: the board, with the ring of the latest events and the latest
 * points of each run, and a feed, one follower's place on it. Knows no threads, sockets or database; the hub
 * (hub_internal.h) serialises. */
#pragma once
#include "stream/stream_text_internal.h"

#include <sys/types.h>

/* The latest events in the order of their numbers; the oldest go when there is no room. */
#define LAGD_RING_EVENTS 4096u /* a power of two */
#define LAGD_RING_BYTES ((size_t)2 << 20)
struct lagd_ring_entry {
    struct lagd_text *text;
    int64_t seq;
    unsigned topic;
    char run_id[LAG_ROW_ID];
};
struct lagd_ring {
    struct lagd_ring_entry *entries; /* [LAGD_RING_EVENTS] */
    uint64_t first, next;            /* places ever taken; entry i is at i % LAGD_RING_EVENTS */
    int64_t base_seq, last_seq;      /* every event after base_seq and up to last_seq is here */
    size_t n_bytes;
};
/* The latest batch of a run's or candidate's points. */
#define LAGD_BATCH_SLOTS 64
struct lagd_batch_slot {
    struct lagd_text *text; /* NULL: none yet */
    char run_id[LAG_ROW_ID];
    uint64_t version;
};
struct lagd_board {
    struct lagd_ring ring;
    struct lagd_batch_slot batches[LAGD_BATCH_SLOTS];
    uint64_t version, beat; /* counts of batches and heartbeats */
    struct lagd_text *retry_text, *beat_text;
    bool closing; /* everyone gets what is there, a bye, and the end */
    uint64_t n_lagged;
};
/* 0, or -1 without memory. */
int lagd_board_init(struct lagd_board *board, int64_t last_seq);
void lagd_board_deinit(struct lagd_board *board);
/* Takes text. */
void lagd_board_push(struct lagd_board *board, struct lagd_text *text, const struct lag_event_row *row);
/* Takes text; slot < LAGD_BATCH_SLOTS. */
void lagd_board_put_batch(struct lagd_board *board, int slot, struct lagd_text *text, const char *run_id);
void lagd_board_drop_batches(struct lagd_board *board, const char *run_id); /* that nobody took yet */

enum lagd_feed_phase { LAGD_FEED_NEW, LAGD_FEED_OPEN, LAGD_FEED_BACKLOG, LAGD_FEED_LIVE, LAGD_FEED_OVER };
struct lagd_feed {
    bool lines, has_after; /* NDJSON; begin after cursor instead of now */
    unsigned topics;
    char run_id[LAG_ROW_ID]; /* "" = all */
    enum lagd_feed_phase phase;
    int64_t cursor; /* every event up to here was given out or filtered out */
    uint64_t at;    /* place in the ring, when live */
    bool caught_up, closing, failed;
    uint64_t seen_version, seen_beat;
    struct lagd_text *page, *current; /* from the database; being copied */
    size_t offset;
};
bool lagd_feed_wants(const struct lagd_feed *feed, unsigned topic, const char *run_id);
/* Bytes copied; 0: nothing now (waits, in phase BACKLOG for a page) or the end (phase OVER); -1: no memory. */
ssize_t lagd_feed_read(struct lagd_feed *feed, struct lagd_board *board, char *buffer, size_t size);
/* Would lagd_feed_read give anything? Passes over what is filtered out. */
bool lagd_feed_pending(struct lagd_feed *feed, const struct lagd_board *board);
/* A page of the database up to cursor (takes it; NULL: nothing for this one). The ring takes over where it reaches. */
void lagd_feed_page(struct lagd_feed *feed, const struct lagd_board *board, struct lagd_text *page, int64_t cursor);
void lagd_feed_deinit(struct lagd_feed *feed);
