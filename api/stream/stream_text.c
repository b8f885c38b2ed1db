/* Events as texts: the JSON of a row, the server-sent event around it, topics. */
#include "stream/stream_text_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/mem.h>
#include <inttypes.h>
#include <math.h>
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

void lagd_event_members(struct lagd_json *json, const struct lag_event_row *row) {
    lagd_json_int(json, "seq", row->seq);
    lagd_json_time(json, "ts", row->ts_ms);
    lagd_json_text(json, "type", row->type);
    if (*row->run_id) lagd_json_text(json, "run", row->run_id);
    if (*row->growth_id) lagd_json_text(json, "growth", row->growth_id);
    if (*row->candidate_id) lagd_json_text(json, "candidate", row->candidate_id);
    if (*row->state) lagd_json_text(json, "state", row->state);
    if (row->step >= 0) lagd_json_int(json, "step", row->step);
    if (isfinite(row->value)) lagd_json_real(json, "value", row->value);
    if (*row->message) lagd_json_text(json, "message", row->message);
}

struct lagd_text *lagd_text_event(const struct lag_event_row *row) {
    struct lagd_json json;
    lagd_json_init(&json, false);
    lagd_json_open_object(&json, NULL);
    lagd_event_members(&json, row);
    lagd_json_close_object(&json);
    return take(&json, row->type, row->seq);
}

struct lagd_text *lagd_text_notice(const char *type, int64_t cursor, bool with_id) {
    struct lagd_json json;
    lagd_json_init(&json, false);
    lagd_json_open_object(&json, NULL);
    lagd_json_time(&json, "ts", lag_clock_wall_ms());
    lagd_json_text(&json, "type", type);
    lagd_json_int(&json, "cursor", cursor);
    lagd_json_close_object(&json);
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
