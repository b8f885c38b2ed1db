/* One member's clock: the part that it works on and the time spent in each. */
#pragma once
#include <lagd/base/clock.h>
#include <lagd/engine/parts.h>
#include <stdint.h>

struct lag_parts {
    int64_t since_ns, ns[LAG_N_PARTS]; /* since: when it began the part */
    enum lag_part part;
    char line[128 - sizeof(int64_t) * (1 + LAG_N_PARTS) - sizeof(enum lag_part)]; /* cache lines of its own */
};

/* parts: one a member, or NULL when nobody asked. */
static inline void lag_part_begin(struct lag_parts *parts, int member, enum lag_part part) {
    if (!parts) return;
    struct lag_parts *p = &parts[member];
    const int64_t now_ns = lag_clock_mono_ns();
    p->ns[p->part] += now_ns - p->since_ns;
    p->since_ns = now_ns;
    p->part = part;
}
