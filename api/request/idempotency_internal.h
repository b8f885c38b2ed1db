/* Idempotency-Key: a request that is sent again gets the answer of the first time, and has no second effect. Decided
 * around the handler, which knows nothing of it but that its command carries the key. */
#pragma once
#include <lagd/storage/rows.h>
#include <stdbool.h>
#include <stddef.h>
struct lagd_keys;
struct lagd_request;

enum lagd_idem_step { LAGD_IDEM_NONE, LAGD_IDEM_WANTED, LAGD_IDEM_HELD, LAGD_IDEM_KEEPING };
struct lagd_idem {
    enum lagd_idem_step step; /* NONE: no key, or the route takes none; HELD: in the list of keys */
    char fingerprint[65];
    struct lagd_request *next; /* in the list of keys */
};
enum { LAGD_IDEM_REPLAYED = 2 };

/* The keys of requests under way. Thread: any. */
int lagd_keys_create(struct lagd_keys **ret); /* LAG_ENOMEM */
void lagd_keys_destroy(struct lagd_keys *keys);

/* 1 to 255 visible ASCII characters. */
bool lagd_idem_key_valid(const char *key);
/* SHA-256 over method, target and body. body_sha256: of an upload, else NULL. */
void lagd_idem_fingerprint(const char *method, const char *raw_target, const void *body, size_t n,
                           const char *body_sha256, char ret[65]);
/* Before the handler, with step WANTED and the fingerprint set. 0: call it. LAGD_IDEM_REPLAYED: the response is the
 * stored one. Negative: the key is under way, or belongs to another request. */
int lagd_idem_begin(struct lagd_request *request);
/* After the handler succeeded: true when the answer is to be stored before it is sent, by request->command; then the
 * request waits. */
bool lagd_idem_keep(struct lagd_request *request);
/* The key is free again. May be called twice. */
void lagd_idem_end(struct lagd_request *request);
