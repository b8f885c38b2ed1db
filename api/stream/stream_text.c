/* Events as texts: the JSON of a row, the server-sent event around it, topics. */
#include "stream/stream_text_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/outbox.h>
#include <lagd/storage/event_types.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 2000

/* --- topics ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    unsigned topic;
} topics[] = {
    {"run", LAGD_TOPIC_RUN},       {"growth", LAGD_TOPIC_GROWTH},   {"candidate", LAGD_TOPIC_CANDIDATE},
    {"metric", LAGD_TOPIC_METRIC}, {"dataset", LAGD_TOPIC_DATASET}, {"system", LAGD_TOPIC_SYSTEM},
    {"study", LAGD_TOPIC_STUDY},
};

static unsigned topic_named(const char *name, size_t n) {
    for (size_t i = 0; i < LAG_COUNT(topics); i++) {
        if (strlen(topics[i].name) == n && strncmp(topics[i].name, name, n) == 0) return topics[i].topic;
    }
    return 0;
}

unsigned lagd_topic_of(const char *type) {
    const char *dot = strchr(type, '.');
    unsigned topic = topic_named(type, dot ? (size_t)(dot - type) : strlen(type));
    if (dot && strcmp(dot, ".metric") == 0) return LAGD_TOPIC_METRIC;
    return topic ? topic : LAGD_TOPIC_SYSTEM;
}

bool lagd_topics_parse(const char *text, unsigned *ret) {
    unsigned all = 0;
    for (const char *p = text;; p++) {
        size_t n = strcspn(p, ",");
        unsigned topic = topic_named(p, n);
        if (!topic) return false;
        all |= topic;
        p += n;
        if (!*p) break;
    }
    *ret = all;
    return true;
}

/* --- texts ------------------------------------------------------------------------------------------------------- */

static struct lagd_text *allocate(size_t n_bytes) {
    struct lagd_text *text = malloc(sizeof(*text) + n_bytes);
    if (text) *text = (struct lagd_text){.n_references = 1};
    return text;
}

void lagd_text_drop(struct lagd_text *text) {
    if (text && --text->n_references == 0) free(text);
}

struct lagd_text *lagd_text_make(const char *type, int64_t id, const char *json, size_t n_json) {
    char head[160], number[32] = "";
    if (n_json > 0 && json[n_json - 1] == '\n') n_json--; /* an empty line would end the event */
    if (id >= 0) (void)snprintf(number, sizeof(number), "id: %" PRId64 "\n", id);
    int n_head = snprintf(head, sizeof(head), "%sevent: %s\ndata: ", number, type);
    if (n_head < 0 || (size_t)n_head >= sizeof(head)) return NULL;
    struct lagd_text *text = allocate((size_t)n_head + n_json + 2);
    if (!text) return NULL;
    memcpy(text->data, head, (size_t)n_head);
    memcpy(text->data + n_head, json, n_json);
    memcpy(text->data + n_head + n_json, "\n\n", 2);
    text->line_at = (size_t)n_head;
    text->n_line = n_json + 1;
    text->n_sse = text->line_at + n_json + 2;
    return text;
}

static struct lagd_text *take(struct lagd_json *json, const char *type, int64_t id) {
    size_t length = 0;
    char *written = lagd_json_take(json, &length);
    struct lagd_text *text = written ? lagd_text_make(type, id, written, length) : NULL;
    free(written);
    return text;
}

static const char *event_type(int i, const char **ret_help) {
    if (i >= LAG_N_EVENT_TYPES) return NULL;
    *ret_help = lag_event_kind((enum lag_event_type)i)->help;
    return lag_event_kind((enum lag_event_type)i)->name;
}

static const char *rule_word(int i, const char **ret_help) {
    if (i >= LAGD_N_RULES) return NULL;
    *ret_help = lagd_rule_kind((enum lagd_rule)i)->help;
    return lagd_rule_kind((enum lagd_rule)i)->name;
}

static int write_rule(struct lagd_json *json, const char *key, const void *object, void *context) {
    int rule = lagd_rule_of(object);
    if (rule != LAGD_NO_RULE) lagd_json_text(json, key, lagd_rule_kind((enum lagd_rule)rule)->name);
    return 0;
}

#define EVENT(name, type, member, help) LAGD_MEMBER(struct lag_event_row, name, type, member, help)
static const struct lagd_member event_members[] = {
    EVENT("seq", "i", seq, "Its number; the cursor of what comes behind it."),
    EVENT("ts", "t?", ts_ms, NULL),
    LAGD_CHOICE(struct lag_event_row, "type", "s", type, event_type, NULL),
    EVENT("run", "s~", run_id, NULL),
    EVENT("growth", "s~", growth_id, NULL),
    EVENT("candidate", "s~", candidate_id, NULL),
    EVENT("state", "s~", state, NULL),
    EVENT("step", "i~", step, NULL),
    EVENT("value", "n~", value, NULL),
    EVENT("message", "s~", message, NULL),
    {.name = "rule", .type = "s~", .write = write_rule, .choice = rule_word,
     .help = "The rule of [notify] that it falls under; missing: none."},
};
const struct lagd_schema lagd_event_schema = LAGD_SCHEMA("Event", event_members);

struct lagd_text *lagd_text_event(const struct lag_event_row *row) {
    struct lagd_json json;
    lagd_json_init(&json, false);
    (void)lagd_write_object(&json, NULL, &lagd_event_schema, row, NULL);
    return take(&json, row->type, row->seq);
}

static const char *const notices[] = {"hello", "caught-up", "reset", "lagged", "bye", "hb"};

static const char *notice_type(int i, const char **ret_help) {
    static const char *const meanings[] = {
        "a stream that begins with what happens from now on", "all events of the past have been sent",
        "events behind the cursor that was given are gone", "the stream ends: its reader is too slow",
        "the stream ends: the daemon is stopping, or the token is no longer good", "a sign of life"};
    if ((size_t)i >= LAG_COUNT(notices)) return NULL;
    *ret_help = meanings[i];
    return notices[i];
}

struct notice {
    int64_t ts_ms, cursor;
    const char *type;
};
static const struct lagd_member notice_members[] = {
    LAGD_MEMBER(struct notice, "ts", "t~", ts_ms, NULL),
    {.name = "type", .type = "s", .offset = offsetof(struct notice, type), .pointed = true, .choice = notice_type},
    LAGD_MEMBER(struct notice, "cursor", "i~", cursor, "seq of the last event that was sent or passed over."),
};
const struct lagd_schema lagd_notice_schema = LAGD_SCHEMA("EventNotice", notice_members);

struct lagd_text *lagd_text_notice(const char *type, int64_t cursor, bool with_id) {
    const struct notice notice = {lag_clock_wall_ms(), cursor, type};
    struct lagd_json json;
    lagd_json_init(&json, false);
    (void)lagd_write_object(&json, NULL, &lagd_notice_schema, &notice, NULL);
    return take(&json, type, with_id ? cursor : -1);
}

/* sse and line one behind the other. */
static struct lagd_text *pair(const char *sse, const char *line) {
    size_t n_sse = strlen(sse), n_line = strlen(line);
    struct lagd_text *text = allocate(n_sse + n_line);
    if (!text) return NULL;
    memcpy(text->data, sse, n_sse);
    memcpy(text->data + n_sse, line, n_line);
    text->n_sse = text->line_at = n_sse;
    text->n_line = n_line;
    return text;
}

struct lagd_text *lagd_text_retry(void) {
    char sse[32];
    (void)snprintf(sse, sizeof(sse), "retry: %d\n\n", RETRY_MS);
    return pair(sse, "");
}

struct lagd_text *lagd_text_beat(void) { return pair(": hb\n\n", "{\"type\":\"hb\"}\n"); }

struct lagd_text *lagd_text_join(struct lagd_text *const *texts, size_t n) {
    size_t n_sse = 0, n_line = 0;
    for (size_t i = 0; i < n; i++) {
        n_sse += texts[i]->n_sse;
        n_line += texts[i]->n_line;
    }
    struct lagd_text *text = allocate(n_sse + n_line);
    if (!text) return NULL;
    text->line_at = n_sse;
    for (size_t i = 0; i < n; i++) {
        memcpy(text->data + text->n_sse, texts[i]->data, texts[i]->n_sse);
        memcpy(text->data + n_sse + text->n_line, texts[i]->data + texts[i]->line_at, texts[i]->n_line);
        text->n_sse += texts[i]->n_sse;
        text->n_line += texts[i]->n_line;
    }
    return text;
}
