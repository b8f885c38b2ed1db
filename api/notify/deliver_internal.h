/* Brings one notification to one sink. Thread: any; it waits until the sink has taken it, at most its time. */
#pragma once
#include "notify/notice_internal.h"
struct lag_error;
struct lagd_config;

struct lagd_delivery {
    const struct lagd_config *config;
    const struct lagd_notice *notice;
    const char *body; /* the notification as JSON */
    size_t n_body;
    int stop_fd;      /* readable: give up */
};
/* 0: the sink has taken it. LAG_ECANCELED: told to stop; else why not, without secrets. */
int lagd_deliver(enum lagd_sink sink, const struct lagd_delivery *delivery, struct lag_error *err);

/* to_webhook.c, to_command.c, to_journal.c */
int lagd_deliver_to_webhook(const struct lagd_delivery *delivery, struct lag_error *err);
int lagd_deliver_to_command(const struct lagd_delivery *delivery, struct lag_error *err);
int lagd_deliver_to_journal(const struct lagd_delivery *delivery, struct lag_error *err);

/* The headers of a signed message by Standard Webhooks 1.0 (standardwebhooks.com): webhook-id, webhook-timestamp, and,
 * where there is a secret, webhook-signature: v1,Base64(HMAC-SHA256(secret, "<id>.<seconds>.<body>")). A secret that
 * begins with whsec_ is Base64 behind that; else its bytes are the key. LAG_EINVAL: it is no Base64. Pure. */
#define LAGD_SIGNATURE_SIZE 320
int lagd_sign(const char *secret, const char *id, int64_t seconds, const char *body, size_t n_body,
              char ret[LAGD_SIGNATURE_SIZE], struct lag_error *err);
