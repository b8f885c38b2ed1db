/* Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC'11), keyed by (seed, purpose) and counted
 * by (step, index). There is no state: the same four numbers give the same bits for ever. Thread: any (pure). */
#pragma once
#include <stdint.h>

enum lag_purpose { LAG_RNG_INIT = 1, LAG_RNG_BATCH = 2, LAG_RNG_GROWTH = 3, LAG_RNG_SAMPLE = 4, LAG_RNG_NOISE = 5,
                   LAG_RNG_BOOTSTRAP = 6 };

struct lag_rng_block { uint32_t word[4]; };
struct lag_rng_block lag_philox(uint64_t key, uint64_t counter_high, uint64_t counter_low);
/* Block for (seed, purpose, step, index); key = seed, counter = (purpose « 56 | step, index). step < 2^56. */
uint64_t lag_rng_high(enum lag_purpose purpose, uint64_t step); /* the counter's first half */
struct lag_rng_block lag_rng(uint64_t seed, enum lag_purpose purpose, uint64_t step, uint64_t index);
uint64_t lag_rng_u64(uint64_t seed, enum lag_purpose purpose, uint64_t step, uint64_t index);
/* Unbiased in [0, bound), bound ≥ 1. */
uint64_t lag_rng_below(uint64_t seed, enum lag_purpose purpose, uint64_t step, uint64_t index, uint64_t bound);
/* In [0, 1), 53 bits. */
double lag_rng_uniform(uint64_t seed, enum lag_purpose purpose, uint64_t step, uint64_t index);
/* N(0,1) by Box–Muller in double. */
double lag_rng_normal(uint64_t seed, enum lag_purpose purpose, uint64_t step, uint64_t index);
