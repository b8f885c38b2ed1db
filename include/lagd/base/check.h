/* Assertions for programming errors, and arithmetic that cannot overflow silently. Thread: any. */
#pragma once
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAG_ASSERT(condition) assert(condition)
/* The value of a constant as a text literal: LAG_TEXT_OF(LIMIT) is "64". */
#define LAG_TEXT_OF(constant) LAG_TEXT_OF_TOKENS(constant)
#define LAG_TEXT_OF_TOKENS(tokens) #tokens
#define LAG_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LAG_MIN(a, b) ((a) < (b) ? (a) : (b))
#define LAG_MAX(a, b) ((a) > (b) ? (a) : (b))

/* true = the exact result is in *ret; false = it does not fit and *ret is unchanged. */
static inline bool lag_mul_u64(uint64_t a, uint64_t b, uint64_t *ret) {
    uint64_t product;
    if (__builtin_mul_overflow(a, b, &product)) return false;
    *ret = product;
    return true;
}
static inline bool lag_add_u64(uint64_t a, uint64_t b, uint64_t *ret) {
    uint64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) return false;
    *ret = sum;
    return true;
}
static inline uint64_t lag_ceil_div(uint64_t a, uint64_t b) { return a / b + (a % b != 0); }
