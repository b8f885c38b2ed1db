/* Notifications: which sinks there are and how each gets on, and a test of them. */
#include "body/bodies_internal.h"
#include "json/json_in_internal.h"
#include "notify/notifier_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/config.h>
#include <lagd/storage/events.h>
#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 1000 /* events that are looked at to count those that wait */

/* --- GET /notify -------------------------------------------------------------------------------------------------- */

struct sink {
    const char *name, *state;
    char rules[128];
    int64_t waiting; /* -1: not known */
    struct lagd_sink_state now;
};

static const char *sink_state(int i, const char **ret_help) {
    static const char *const words[][2] = {{"off", "it is not configured"},
                                           {"ok", "it takes what it is told"},
                                           {"failing", "it did not take the last one; it is tried again"}};
    if ((size_t)i >= LAG_COUNT(words)) return NULL;
    *ret_help = words[i][1];
    return words[i][0];
}

static const char *sink_name(int i, const char **ret_help) {
    static const char *const meanings[LAGD_N_SINKS] = {
        [LAGD_SINK_WEBHOOK] = "an address that notifications are posted to",
        [LAGD_SINK_COMMAND] = "a program that is run for each",
        [LAGD_SINK_JOURNAL] = "the log, and the journal's fields"};
    if (i >= LAGD_N_SINKS) return NULL;
    *ret_help = meanings[i];
    return lagd_sink_name((enum lagd_sink)i);
}

static const struct lagd_member sink_members[] = {
    {.name = "sink", .type = "s", .offset = offsetof(struct sink, name), .pointed = true, .choice = sink_name,
     .help = "Who is told."},
    {.name = "state", .type = "s", .offset = offsetof(struct sink, state), .pointed = true, .choice = sink_state,
     .help = "How it gets on."},
    LAGD_MEMBER(struct sink, "rules", "[s]", rules, "What it is told of."),
    LAGD_MEMBER(struct sink, "waiting", "i?", waiting, "Notifications that it has not taken yet, among the next "
                LAG_TEXT_OF(WAITING_MAX) " events; null: it is off."),
    LAGD_MEMBER(struct sink, "delivered", "i", now.n_delivered, "Notifications that it took since the daemon's start."),
    LAGD_MEMBER(struct sink, "failures", "i", now.n_failed, "Tries in which it did not."),
    LAGD_MEMBER(struct sink, "delivered_at", "t?", now.delivered_ms, "When it took the last one."),
    LAGD_MEMBER(struct sink, "failing_since", "t?", now.failing_since_ms, "Since when it takes none."),
    LAGD_MEMBER(struct sink, "next_try_at", "t?", now.next_try_ms, "When it is tried again."),
    LAGD_MEMBER(struct sink, "last_error", "s?", now.last_error, "Why it did not take the last one that it did not."),
    LAGD_MEMBER(struct sink, "last_error_at", "t?", now.last_error_ms, "When that was."),
    LAGD_MEMBER(struct sink, "after", "i?", now.after, "Number of the last event that it is done with."),
};
static const struct lagd_schema sink_schema = LAGD_SCHEMA("NotifySink", sink_members);
static const struct lagd_member sink_list_members[] = {LAGD_LIST(&sink_schema)};
const struct lagd_schema lagd_sink_list_schema = LAGD_SCHEMA("NotifySinkList", sink_list_members);

struct counting {
    unsigned rules;
    int64_t n;
};

static int count_event(const struct lag_event_row *row, void *arg) {
    struct counting *counting = arg;
    int rule = lagd_rule_of(row);
    counting->n += rule != LAGD_NO_RULE && counting->rules & 1u << rule;
    return 0;
}

static int describe(struct lagd_request *request, const struct lagd_config *config, enum lagd_sink sink,
                    struct sink *ret) {
    struct lag_db *db;
    struct counting counting = {0};
    lagd_notifier_state(request->services->notifier, sink, &ret->now);
    ret->name = lagd_sink_name(sink);
    ret->state = !ret->now.on ? "off" : ret->now.failing_since_ms > 0 ? "failing" : "ok";
    ret->waiting = -1;
    (void)lag_copy(ret->rules, sizeof(ret->rules), lagd_sink_rules(config, sink));
    if (!ret->now.on || ret->now.after < 0) return 0;
    (void)lagd_rules_parse(ret->rules, &counting.rules, NULL);
    int status = lagd_request_db(request, &db);
    if (status == 0)
        status = lag_event_list(db, ret->now.after, NULL, WAITING_MAX, count_event, &counting, &request->err);
    if (status == 0) ret->waiting = counting.n;
    return status;
}

int lagd_h_notify(struct lagd_request *request) {
    struct sink sinks[LAGD_N_SINKS];
    struct lagd_config *config = lag_calloc(1, sizeof(*config));
    if (!config) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    lagd_supervisor_config(request->supervisor, config);
    int status = 0;
    for (int i = 0; i < LAGD_N_SINKS && status == 0; i++)
        status = describe(request, config, (enum lagd_sink)i, &sinks[i]);
    free(config);
    if (status < 0) return status;
    const struct lagd_list list = {{sinks, LAGD_N_SINKS, sizeof(sinks[0])}, NULL};
    return lagd_answer_object(request, &lagd_sink_list_schema, &list, NULL, 0);
}

/* --- POST /notify/test -------------------------------------------------------------------------------------------- */

struct outcome {
    const char *sink;
    bool delivered;
    double seconds;
    char detail[sizeof(((struct lag_error *)0)->text)];
};
static const struct lagd_member outcome_members[] = {
    {.name = "sink", .type = "s", .offset = offsetof(struct outcome, sink), .pointed = true, .choice = sink_name,
     .help = "Who was told."},
    LAGD_MEMBER(struct outcome, "delivered", "b", delivered, "It has taken the test."),
    LAGD_MEMBER(struct outcome, "seconds", "n", seconds, "What that took."),
    LAGD_MEMBER(struct outcome, "detail", "s?", detail, "Why it has not, and what to do."),
};
static const struct lagd_schema outcome_schema = LAGD_SCHEMA("NotifyOutcome", outcome_members);
static const struct lagd_member outcome_list_members[] = {LAGD_LIST(&outcome_schema)};
const struct lagd_schema lagd_notify_outcome_list_schema = LAGD_SCHEMA("NotifyOutcomeList", outcome_list_members);

static void try_sink(struct lagd_request *request, enum lagd_sink sink, struct outcome *ret) {
    static const char *const keys[LAGD_N_SINKS] = {"notify/webhook_url", "notify/command", "notify/journal"};
    struct lag_error err = {0};
    int64_t begun_ns = lag_clock_mono_ns();
    int rc = lagd_notifier_test(request->services->notifier, sink, &err);
    *ret = (struct outcome){.sink = lagd_sink_name(sink), .delivered = rc == 0,
                            .seconds = (double)(lag_clock_mono_ns() - begun_ns) / 1e9};
    if (rc == LAG_ESTATE) (void)snprintf(ret->detail, sizeof(ret->detail), "it is not configured: set %s", keys[sink]);
    else if (rc != 0) (void)lag_copy(ret->detail, sizeof(ret->detail), err.text);
}

int lagd_h_notify_test(struct lagd_request *request) {
    struct lagd_notify_body body = {""};
    struct outcome outcomes[LAGD_N_SINKS];
    size_t n = 0;
    int status = request->json
                     ? lagd_json_decode(request->json, &lagd_notify_fields, NULL, "", &body, &request->faults) : 0;
    if (status == 0) status = lagd_request_heavy(request, INT64_MAX); /* it waits for others */
    if (status != 0) return status;
    for (int i = 0; i < LAGD_N_SINKS; i++) {
        struct lagd_sink_state now;
        lagd_notifier_state(request->services->notifier, (enum lagd_sink)i, &now);
        bool asked = strcmp(body.sink, lagd_sink_name((enum lagd_sink)i)) == 0;
        if (asked || (!body.sink[0] && now.on)) try_sink(request, (enum lagd_sink)i, &outcomes[n++]);
    }
    const struct lagd_list list = {{outcomes, n, sizeof(outcomes[0])}, NULL};
    return lagd_answer_object(request, &lagd_notify_outcome_list_schema, &list, NULL, 0);
}
