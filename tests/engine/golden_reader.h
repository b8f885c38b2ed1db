/* Reads a golden file of numbers: whole ones of 32 bits and reals of 64, as tests/golden/make_*.py write them. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct reader {
    char *at, *end;
};

static inline void take(struct reader *r, void *to, size_t n) {
    assert_true(n <= (size_t)(r->end - r->at));
    memcpy(to, r->at, n);
    r->at += n;
}

static inline int take_int(struct reader *r) {
    int32_t value;
    take(r, &value, sizeof(value));
    return value;
}

static inline double take_real(struct reader *r) {
    double value;
    take(r, &value, sizeof(value));
    return value;
}
