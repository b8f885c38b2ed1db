/* Time. Order and time-outs use the monotonic clock only; the wall clock is for display. Thread: any. */
#pragma once
#include <stddef.h>
#include <stdint.h>

int64_t lag_clock_mono_ns(void);
int64_t lag_clock_passed_ms(void); /* only goes on, also while the machine sleeps */
int64_t lag_clock_wall_ms(void); /* since 1970-01-01 UTC */
/* RFC 3339, UTC, milliseconds: "2026-01-02T03:04:05.678Z". */
void lag_clock_rfc3339(int64_t wall_ms, char ret[32]);
