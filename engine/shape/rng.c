/* Philox4x32-10 and what is drawn from it. Constants: Salmon et al., SC'11, table 2. */
#include <lagd/engine/rng.h>

#include <math.h>

#define N_ROUNDS 10

static inline struct lag_rng_block philox_round(struct lag_rng_block c, uint32_t k0, uint32_t k1) {
    const uint64_t a = (uint64_t)0xD2511F53u * c.word[0], b = (uint64_t)0xCD9E8D57u * c.word[2];
    return (struct lag_rng_block){{
        (uint32_t)(b >> 32) ^ c.word[1] ^ k0, (uint32_t)b,
        (uint32_t)(a >> 32) ^ c.word[3] ^ k1, (uint32_t)a,
    }};
}

struct lag_rng_block lag_philox(uint64_t key, uint64_t counter_high, uint64_t counter_low) {
    struct lag_rng_block c = {{(uint32_t)counter_low, (uint32_t)(counter_low >> 32), (uint32_t)counter_high,
                               (uint32_t)(counter_high >> 32)}};
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int i = 0; i < N_ROUNDS; i++) {
        c = philox_round(c, k0, k1);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

uint64_t lag_rng_high(enum lag_purpose purpose, uint64_t step) {
    return (uint64_t)purpose << 56 | (step & ((UINT64_C(1) << 56) - 1));
}

struct lag_rng_block lag_rng(uint64_t seed, enum lag_purpose purpose, uint64_t step, uint64_t index) {
    return lag_philox(seed, lag_rng_high(purpose, step), index);
}

static inline uint64_t join(uint32_t low, uint32_t high) {
    return (uint64_t)high << 32 | low;
}

uint64_t lag_rng_u64(uint64_t seed, enum lag_purpose purpose, uint64_t step, uint64_t index) {
    const struct lag_rng_block b = lag_rng(seed, purpose, step, index);
    return join(b.word[0], b.word[1]);
}

uint64_t lag_rng_below(uint64_t seed, enum lag_purpose purpose, uint64_t step, uint64_t index, uint64_t bound) {
    /* Multiply and reject (Lemire, arXiv 1805.10941); a rejected draw goes on with another key. */
    const uint64_t threshold = -bound % bound;
    for (uint64_t key = seed;; key += UINT64_C(0x9E3779B97F4A7C15)) {
        const unsigned __int128 product = (unsigned __int128)lag_rng_u64(key, purpose, step, index) * bound;
        if ((uint64_t)product >= threshold) return (uint64_t)(product >> 64);
    }
}

static inline double unit(uint64_t bits) {
    return (double)(bits >> 11) * 0x1p-53;
}

double lag_rng_uniform(uint64_t seed, enum lag_purpose purpose, uint64_t step, uint64_t index) {
    return unit(lag_rng_u64(seed, purpose, step, index));
}

double lag_rng_normal(uint64_t seed, enum lag_purpose purpose, uint64_t step, uint64_t index) {
    const struct lag_rng_block b = lag_rng(seed, purpose, step, index);
    const double u = 1 - unit(join(b.word[0], b.word[1])); /* (0, 1]: its logarithm is finite */
    return sqrt(-2 * log(u)) * cos(2 * M_PI * unit(join(b.word[2], b.word[3])));
}
