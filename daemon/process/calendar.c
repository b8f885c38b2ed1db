/* Which time to believe. */
#include "process/calendar_internal.h"

#define DAY_MS INT64_C(86400000)
#define BACK_MS DAY_MS          /* a clock may be set back by this */
#define OFF_MS (90 * DAY_MS)    /* and a machine switched off for this */

static void believe(struct lagd_calendar *calendar, int64_t wall_ms, int64_t passed_ms) {
    *calendar = (struct lagd_calendar){.base_ms = wall_ms, .passed_ms = passed_ms};
}

static bool is_between(int64_t value, int64_t low, int64_t high) { return value >= low && value <= high; }

/* The clock as it is, when it was doubted for so long that it does not matter any more. */
static void end_patience(struct lagd_calendar *calendar, int64_t wall_ms, int64_t passed_ms, int64_t patience_ms) {
    if (lagd_calendar_now_ms(calendar, passed_ms) - calendar->doubt_ms >= patience_ms)
        believe(calendar, wall_ms, passed_ms);
}

void lagd_calendar_begin(struct lagd_calendar *calendar, int64_t seen_ms, int64_t doubt_ms, int64_t wall_ms,
                         int64_t passed_ms, int64_t patience_ms) {
    believe(calendar, wall_ms, passed_ms);
    if (seen_ms <= 0 || is_between(wall_ms, seen_ms - BACK_MS, seen_ms + OFF_MS)) return;
    calendar->base_ms = seen_ms;
    calendar->doubt_ms = doubt_ms > 0 ? doubt_ms : seen_ms;
    end_patience(calendar, wall_ms, passed_ms, patience_ms);
}

int64_t lagd_calendar_now_ms(const struct lagd_calendar *calendar, int64_t passed_ms) {
    return calendar->base_ms + (passed_ms - calendar->passed_ms);
}

bool lagd_calendar_look(struct lagd_calendar *calendar, int64_t wall_ms, int64_t passed_ms, int64_t patience_ms) {
    int64_t now_ms = lagd_calendar_now_ms(calendar, passed_ms);
    bool doubted = calendar->doubt_ms > 0;
    if (is_between(wall_ms, now_ms - BACK_MS, now_ms + BACK_MS)) {
        believe(calendar, wall_ms, passed_ms);
    } else {
        if (!doubted) calendar->doubt_ms = now_ms;
        end_patience(calendar, wall_ms, passed_ms, patience_ms);
    }
    return doubted != (calendar->doubt_ms > 0);
}
