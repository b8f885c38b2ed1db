/* The threads that tell people what happens: one a sink, so that none waits for another. Each goes through the events
 * behind its sink's cursor, and stores the cursor when the sink has taken one. A sink that does not is asked again,
 * less and less often, and nothing is passed over. Thread: any, unless said otherwise. */
#pragma once
#include "notify/deliver_internal.h"
struct lag_strbuf;
struct lagd_notifier;
struct lagd_supervisor;

/* Begins at once. supervisor: borrowed. Thread: main. */
int lagd_notifier_start(struct lagd_supervisor *supervisor, struct lagd_notifier **ret, struct lag_error *err);
/* What is under way is given up; it is told again by the next process. Deliveries of others end too. Thread: main. */
void lagd_notifier_stop(struct lagd_notifier *notifier);
void lagd_notifier_destroy(struct lagd_notifier *notifier);
/* There are new events; reloaded: or another configuration. */
void lagd_notifier_wake(struct lagd_notifier *notifier, bool reloaded);

struct lagd_sink_state {
    bool on;
    int64_t after;             /* seq of the last event that it is done with; -1: not known yet */
    int64_t n_delivered, n_failed; /* since the start of this process */
    int64_t delivered_ms;      /* when it last took one, 0: not yet */
    int64_t failing_since_ms;  /* wall clock, 0: it does not fail */
    int64_t next_try_ms;       /* 0: at once */
    char last_error[400];      /* of the last failure, "" = none so far */
    int64_t last_error_ms;
};
void lagd_notifier_state(struct lagd_notifier *notifier, enum lagd_sink sink, struct lagd_sink_state *ret);
/* Brings a test to the sink now, on the caller's thread, and waits for what comes of it. LAG_ESTATE: it is not
 * configured. */
int lagd_notifier_test(struct lagd_notifier *notifier, enum lagd_sink sink, struct lag_error *err);
/* In the Prometheus text format 0.0.4. */
void lagd_notifier_write(struct lagd_notifier *notifier, struct lag_strbuf *out);
