/* Monotonic time, wall time, and wall time as text. */
#include <lagd/base/clock.h>

#include <stdio.h>
#include <time.h>

int64_t lag_clock_mono_ns(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t lag_clock_wall_ms(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
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
