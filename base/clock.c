/* Monotonic time, wall time, and wall time as text. */
#include <lagd/base/clock.h>

#include <lagd/base/parse.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int64_t lag_clock_mono_ns(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t lag_clock_passed_ms(void) {
    struct timespec now = {0};
    if (clock_gettime(CLOCK_BOOTTIME, &now) != 0) (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Tests set the clock wrong by this, in ms. */
static int64_t wrong_by_ms(void) {
    int64_t ms = 0;
#ifdef LAG_FAILPOINTS
    const char *text = getenv("LAGD_CLOCK_WRONG_BY_MS");
    if (text) (void)lag_parse_i64(text, &ms);
#endif
    return ms;
}

int64_t lag_clock_wall_ms(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + wrong_by_ms();
}

void lag_clock_rfc3339(int64_t wall_ms, char ret[32]) {
    static const int64_t end_of_9999_ms = 253402300799999;
    if (wall_ms < 0) wall_ms = 0; /* the format has four digits for the year and lagd no times before 1970 */
    if (wall_ms > end_of_9999_ms) wall_ms = end_of_9999_ms;
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc = {0};
    (void)gmtime_r(&seconds, &utc);
    size_t length = strftime(ret, 32, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(ret + length, 32 - length, ".%03dZ", (int)(wall_ms % 1000));
}
