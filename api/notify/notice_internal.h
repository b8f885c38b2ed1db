/* A notification: what an event that falls under a rule tells people, as text and as JSON. Thread: any. */
#pragma once
#include "json/schema_internal.h"

#include <lagd/daemon/outbox.h>
#include <lagd/storage/rows.h>
struct lag_db;
struct lagd_config;

struct lagd_notice {
    char id[LAGD_NOTICE_ID];
    char rule[16];
    bool warns;
    char text[LAG_ROW_VERDICT + 256]; /* one sentence or two */
    char run_name[LAG_ROW_NAME];
    char link[512]; /* to the dashboard, "" = its address is not configured */
    struct lag_event_row event;
};
/* 0, or 1: nobody is told of it: it is of no rule in rules, or of a run of a study, of which the study tells. *ret is
 * the same each time, but for names that were changed meanwhile. */
int lagd_notice_make(struct lag_db *db, const char *dashboard_url, unsigned rules, const struct lag_event_row *event,
                     struct lagd_notice *ret, struct lag_error *err);
/* One that only says that notifications arrive. */
void lagd_notice_test(int64_t now_ms, const char *dashboard_url, struct lagd_notice *ret);
/* free(); NULL without memory. */
char *lagd_notice_json(const struct lagd_notice *notice, size_t *ret_length);
extern const struct lagd_schema lagd_notification_schema; /* of struct lagd_notice */
