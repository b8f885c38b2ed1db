/* How many times longer things may take in this run of the tests: LAGD_SLOW, which only sanitizers' runs set; else
 * 1. */
#pragma once
#include <stdlib.h>

static inline unsigned slow(void) {
    const char *text = getenv("LAGD_SLOW");
    int times = text ? atoi(text) : 1;
    return times > 1 ? (unsigned)times : 1;
}
