/* What the machine does now, to be read again and again: use between two looks, and what is in use at this one. What
 * cannot be read here, as another process's times inside a service, is NaN. Thread: one owner of the struct. */
#pragma once
#include <stdint.h>

struct lag_readings {
    double cpu_share;             /* of all processors of the machine, by everybody: 0 to 1 */
    double cpu_own;               /* processors that this process kept busy */
    double memory_used_bytes;     /* of the machine or the control group, but what can be taken back */
    double memory_own_bytes;
    double read_bytes_per_s, written_bytes_per_s; /* of this process, from and to disks */
    double temperature_celsius;   /* of the hottest sensor */
};
/* Zero it before the first look, whose rates are NaN. */
struct lag_readings_before {
    int64_t at_ns;
    double own_s, busy, all, read_bytes, written_bytes;
};
/* now_ns: of the monotonic clock. */
void lag_readings_take(struct lag_readings_before *before, int64_t now_ns, struct lag_readings *ret);
