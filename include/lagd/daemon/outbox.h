/* Notifications: which events people are told of, where, and how far each sink has got.
 *
 * The rows of the outbox are the events themselves: what a sink is still to be told follows from the events behind its
 * cursor and from its rules, and from nothing else. A cursor is stored when the sink has taken a notification, so after
 * a crash some are told again, with the same id, and none is lost. Thread: any. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct lag_error;
struct lag_event_row;
struct lag_store;
struct lagd_config;

/* --- rules ------------------------------------------------------------------------------------------------------- */

enum lagd_rule {
    LAGD_RULE_WAITING, LAGD_RULE_FAILED, LAGD_RULE_TROUBLE, LAGD_RULE_ROLLBACK, LAGD_RULE_DECIDED, LAGD_RULE_COMPLETED,
    LAGD_RULE_STALLED, LAGD_RULE_DIVERGED,
    LAGD_N_RULES
};
#define LAGD_NO_RULE (-1)
#define LAGD_RULES_ALL "waiting,failed,trouble,rollback,decided,completed,stalled,diverged"
struct lagd_rule_kind {
    const char *name;
    bool warns;       /* it needs a person, or may */
    const char *help; /* when it is told */
};
const struct lagd_rule_kind *lagd_rule_kind(enum lagd_rule rule);
/* The rule that an event falls under, or LAGD_NO_RULE. A function of the event alone. */
int lagd_rule_of(const struct lag_event_row *event);
/* "waiting,failed" → bits of 1 << rule. LAG_EINVAL names the word that is none, and those that there are. */
int lagd_rules_parse(const char *list, unsigned *ret, struct lag_error *err);
#define LAGD_NOTICE_ID 48
/* The same event has the same id, whoever is told and how often. */
void lagd_notice_id(const struct lag_event_row *event, char ret[LAGD_NOTICE_ID]);
/* How long a sink is left alone after so many failures in a row (1 …): a second, then twice as long each time, at most
 * five minutes; by up to a quarter less, by salt, so that many daemons do not knock together. */
int64_t lagd_backoff_ms(int n_failures, uint64_t salt);

/* --- sinks ------------------------------------------------------------------------------------------------------- */

enum lagd_sink { LAGD_SINK_WEBHOOK, LAGD_SINK_COMMAND, LAGD_SINK_JOURNAL, LAGD_N_SINKS };
const char *lagd_sink_name(enum lagd_sink sink);
int lagd_sink_find(const char *name); /* -1: there is none */
bool lagd_sink_is_on(const struct lagd_config *config, enum lagd_sink sink);
const char *lagd_sink_rules(const struct lagd_config *config, enum lagd_sink sink);

/* Where a webhook is. */
struct lagd_hook {
    bool by_helper;    /* https: lagd-notify does it */
    char url[1024];    /* as it was given */
    char socket[108];  /* a unix socket, or "" */
    char host[64];     /* else 127.0.0.1 or ::1 */
    int port;
    char target[1024]; /* path and query */
};
/* https://HOST/PATH, http://LOOPBACK:PORT/PATH or unix:/SOCKET[:/PATH]. LAG_EINVAL says what it may be; the text never
 * holds the address, which may be a secret. Pure. */
int lagd_hook_parse(const char *url, struct lagd_hook *ret, struct lag_error *err);
/* The webhook of the configuration, read from its file where it has one. */
int lagd_hook_of(const struct lagd_config *config, struct lagd_hook *ret, struct lag_error *err);
/* The sinks' part of lagd_config_check. */
int lagd_outbox_check(const struct lagd_config *config, struct lag_error *err);

/* --- cursors ----------------------------------------------------------------------------------------------------- */

/* Where a sink goes on: behind the last event that it is done with; one that is new begins with what happens now. */
int lagd_outbox_open(struct lag_store *store, enum lagd_sink sink, int64_t *ret_after, struct lag_error *err);
int lagd_outbox_set(struct lag_store *store, enum lagd_sink sink, int64_t after, struct lag_error *err);
/* The sink is configured no more. */
int lagd_outbox_forget(struct lag_store *store, enum lagd_sink sink, struct lag_error *err);
/* Logged, and an event for all who look. */
void lagd_outbox_warn(struct lag_store *store, const char *text);
