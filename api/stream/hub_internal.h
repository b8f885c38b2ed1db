/* The hub of /events: one thread and one reading connection for all followers. It reads each event once, puts it on the
 * board, and resumes the suspended connections that it concerns; their readers copy from the board by themselves. A
 * follower costs no thread and, at rest, no memory but its connection's. */
#pragma once
#include "stream/stream_internal.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
struct MHD_Connection;
struct lag_error;
struct lag_point;
struct lagd_hub;
struct lagd_stream;

#define LAGD_STREAM_WAIT ((ssize_t)-2) /* nothing now; the connection has been suspended */

int lagd_hub_create(const char *state_dir, int max_streams, struct lagd_hub **ret, struct lag_error *err);
/* Gives everyone a bye and closes what does not take it within a second; ends the thread. No stream waits afterwards,
 * and new ones are refused. */
void lagd_hub_stop(struct lagd_hub *hub);
void lagd_hub_destroy(struct lagd_hub *hub); /* once every stream is closed */

/* There are new events, or new points. Quick, never wait for followers. Thread: any, storage. */
void lagd_hub_wake(struct lagd_hub *hub);
void lagd_hub_points(void *hub, const struct lag_point *points, size_t n_points);
/* Ends all present streams, as the token they were opened with is no longer good. Thread: any. */
void lagd_hub_expel(struct lagd_hub *hub);

/* feed: what was asked for (lines, has_after, cursor, topics, run_id). fd: the connection's, for looking after dead
 * peers. LAG_EBUSY: server/max_streams are open; LAG_ECANCELED: stopping. Thread: the connection's worker. */
int lagd_stream_open(struct lagd_hub *hub, struct MHD_Connection *connection, int fd, const struct lagd_feed *feed,
                     struct lagd_stream **ret, struct lag_error *err);
/* > 0 bytes, 0 end, LAGD_STREAM_WAIT, -1 failed. Thread: the connection's worker. */
ssize_t lagd_stream_read(void *stream, char *buffer, size_t size);
void lagd_stream_close(void *stream); /* Thread: the connection's worker */

/* For how long the thread has gone without a round; 0 while that is not more than usual. Thread: any. */
int64_t lagd_hub_silence_ns(const struct lagd_hub *hub);

struct lagd_hub_counts {
    int n_streams;
    int64_t n_opened, n_refused, n_events, n_batches, n_lagged, n_dead;
};
void lagd_hub_counts(struct lagd_hub *hub, struct lagd_hub_counts *ret); /* Thread: any */
