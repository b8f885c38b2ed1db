/* The calendar of this process: where it begins, when it is compared with the clock, and what goes by it. */
#include "supervisor/supervisor_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/ids.h>
#include <lagd/base/log.h>
#include <lagd/storage/calendar.h>
#include <lagd/storage/store.h>

#define DAY_MS INT64_C(86400000)
#define KEPT_ANYWAY_DAYS 30 /* where events are kept for ever */

static int64_t patience_ms(struct lagd_supervisor *s) {
    struct lagd_config config;
    lagd_settings_get(s->settings, &config);
    return DAY_MS * (config.event_retention_days > 0 ? config.event_retention_days : KEPT_ANYWAY_DAYS);
}

static void tell(const struct lagd_calendar *calendar, int64_t wall_ms, int64_t now_ms) {
    char wall[32], now[32];
    lag_clock_rfc3339(wall_ms, wall);
    lag_clock_rfc3339(now_ms, now);
    if (calendar->doubt_ms > 0)
        lag_log(LAG_LOG_WARNING, "the clock says %s, but by the time that passed it should be about %s: until that is "
                "cleared up, no event and no idempotency key is removed for its age by the clock; set the clock right "
                "if it is wrong", wall, now);
    else
        lag_log(LAG_LOG_INFO, "the clock is believed again: %s", wall);
}

static int store(struct lag_db *db, void *arg, struct lag_error *err) { return lag_calendar_set(db, arg, err); }

static void keep(struct lagd_supervisor *s, const struct lagd_calendar *calendar) {
    struct lag_calendar_row row = {lagd_calendar_now_ms(calendar, lag_clock_passed_ms()), calendar->doubt_ms};
    struct lag_error err = {0};
    if (lag_store_write(s->deps.store, store, &row, &err) < 0)
        lag_log(LAG_LOG_WARNING, "what time it is was not stored: %s", err.text);
}

static void follow(const char *id, void *arg) {
    (void)arg;
    lag_id_follow(id);
}

int lagd_time_begin(struct lagd_supervisor *s, struct lag_error *err) {
    struct lag_calendar_row row = {0};
    int64_t wall_ms = lag_clock_wall_ms(), passed_ms = lag_clock_passed_ms();
    int rc = lag_calendar_get(s->db, &row, err);
    if (rc >= 0) rc = lag_ids_newest(s->db, follow, NULL, err);
    if (rc < 0) return rc;
    struct lagd_calendar calendar;
    lagd_calendar_begin(&calendar, row.seen_ms, row.doubt_ms, wall_ms, passed_ms, patience_ms(s));
    if ((calendar.doubt_ms > 0) || row.doubt_ms > 0)
        tell(&calendar, wall_ms, lagd_calendar_now_ms(&calendar, passed_ms));
    (void)pthread_mutex_lock(&s->calendar_lock);
    s->calendar = calendar;
    (void)pthread_mutex_unlock(&s->calendar_lock);
    return 0;
}

void lagd_time_look(struct lagd_supervisor *s) {
    int64_t wall_ms = lag_clock_wall_ms(), passed_ms = lag_clock_passed_ms(), patience = patience_ms(s);
    (void)pthread_mutex_lock(&s->calendar_lock);
    int64_t now_ms = lagd_calendar_now_ms(&s->calendar, passed_ms);
    bool changed = lagd_calendar_look(&s->calendar, wall_ms, passed_ms, patience);
    struct lagd_calendar calendar = s->calendar;
    (void)pthread_mutex_unlock(&s->calendar_lock);
    if (changed) tell(&calendar, wall_ms, now_ms);
    keep(s, &calendar);
}

int64_t lagd_supervisor_now_ms(struct lagd_supervisor *s) {
    (void)pthread_mutex_lock(&s->calendar_lock);
    int64_t now_ms = lagd_calendar_now_ms(&s->calendar, lag_clock_passed_ms());
    (void)pthread_mutex_unlock(&s->calendar_lock);
    return now_ms;
}
