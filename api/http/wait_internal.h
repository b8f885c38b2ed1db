/* Requests that wait, for a command's answer or for the next event. Their connections are suspended meanwhile; the
 * HTTP library does not notice a client that goes away then, so a request always lives until it was resumed. */
#pragma once
#include <stdint.h>
struct lagd_news;
struct lagd_transport;
struct lagd_waits;

/* news: what the server tells of itself, written here only; borrowed. LAG_ENOMEM. */
int lagd_waits_create(struct lagd_news *news, struct lagd_waits **ret);
void lagd_waits_destroy(struct lagd_waits *waits);
/* Suspends the request for what its handler asked for. It may be answered and gone when this returns. Thread: the
 * connection's worker. */
void lagd_wait(struct lagd_waits *waits, struct lagd_transport *transport);
/* There are new events. Thread: any, quick. */
void lagd_waits_tell(struct lagd_waits *waits);
/* Resumes those that wait for an event and whose time is over. Thread: any. */
void lagd_waits_expire(struct lagd_waits *waits, int64_t now_ns);
/* Resumes those whose clients are gone, so that their places are free. Thread: any. */
void lagd_waits_sweep(struct lagd_waits *waits);
/* From now on nobody waits for events. The commands under way get wait_ns to be answered; returns how many are not. */
int lagd_waits_drain(struct lagd_waits *waits, int64_t wait_ns);
