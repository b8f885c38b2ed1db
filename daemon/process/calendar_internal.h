/* What lagd takes the time for. Pruning and the life of idempotency keys go by it, so that a clock that jumps by years
 * (a battery that died, a virtual machine that was put back) removes nothing.
 *
 * From one process to the next the clock may go on by up to 90 days or back by a day; within one it may differ from the
 * time that passed by a day. What is outside is doubted: the calendar then goes on from where it was, by the time that
 * passes. It believes the clock when that is plausible again, or has been doubted for as long as events are kept: what
 * was there before is old by then in any case. Times are in ms since 1970; passed_ms: of a clock that only goes on.
 * Pure: the caller looks at the clocks. Thread: any, under the caller's lock. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct lagd_calendar {
    int64_t base_ms, passed_ms; /* it was base_ms when passed_ms had passed */
    int64_t doubt_ms;           /* since when the clock is doubted; 0: it is not */
};

/* seen_ms, doubt_ms: as stored by an earlier process; seen_ms 0: there was none. */
void lagd_calendar_begin(struct lagd_calendar *calendar, int64_t seen_ms, int64_t doubt_ms, int64_t wall_ms,
                         int64_t passed_ms, int64_t patience_ms);
int64_t lagd_calendar_now_ms(const struct lagd_calendar *calendar, int64_t passed_ms);
/* From time to time. true: doubt began or ended. */
bool lagd_calendar_look(struct lagd_calendar *calendar, int64_t wall_ms, int64_t passed_ms, int64_t patience_ms);
