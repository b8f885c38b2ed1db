/* Events as texts that many followers share: the JSON of a row, the server-sent event around it, and the topic that an
 * event belongs to. Thread: the hub serialises. */
#pragma once
#include "json/schema_internal.h"

#include <lagd/storage/rows.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lagd_topic {
    LAGD_TOPIC_RUN = 1,
    LAGD_TOPIC_GROWTH = 2,
    LAGD_TOPIC_CANDIDATE = 4,
    LAGD_TOPIC_METRIC = 8, /* run.metric and candidate.metric, which have no number and may be left out */
    LAGD_TOPIC_DATASET = 16,
    LAGD_TOPIC_SYSTEM = 32, /* whatever else there is */
    LAGD_TOPIC_STUDY = 64,
    LAGD_TOPICS_ALL = 127,
};
#define LAGD_TOPIC_NAMES "run, growth, candidate, metric, dataset, study, system" /* for texts */
unsigned lagd_topic_of(const char *type);
/* "run,growth" → bits; false when an item is none. */
bool lagd_topics_parse(const char *text, unsigned *ret);

/* One message in both forms: server-sent event, and line. Counted references, not atomic. */
struct lagd_text {
    int n_references;
    size_t n_sse, line_at, n_line; /* the line may be a part of the event */
    char data[];
};
/* All make one reference; NULL without memory. */
struct lagd_text *lagd_text_event(const struct lag_event_row *row);
/* caught-up, reset, hello, lagged, bye: {"type":…,"ts":…,"cursor":…}; with_id: the cursor is also the event's id. */
struct lagd_text *lagd_text_notice(const char *type, int64_t cursor, bool with_id);
struct lagd_text *lagd_text_retry(void);
struct lagd_text *lagd_text_beat(void);
/* json: one line, with or without its end. id < 0: none. */
struct lagd_text *lagd_text_make(const char *type, int64_t id, const char *json, size_t n_json);
/* Texts one behind the other as one; takes nothing. */
struct lagd_text *lagd_text_join(struct lagd_text *const *texts, size_t n);
void lagd_text_drop(struct lagd_text *text);
extern const struct lagd_schema lagd_event_schema;  /* of lag_event_row */
extern const struct lagd_schema lagd_notice_schema; /* what a stream tells of itself */
