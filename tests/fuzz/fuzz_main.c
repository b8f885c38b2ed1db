/* Runs a target over its seeds and fixed mutations of them; with a folder as argument, writes the seeds there. */
#include "fuzz.h"
#include <lagd/base/check.h>
#include <lagd/base/fs.h>
#include <lagd/engine/rng.h>
#include <stdio.h>
#include <string.h>

enum { N_MUTATIONS = 400, MAX_GROWTH = 64 };

static uint64_t draw(uint64_t seed, uint64_t mutation, uint64_t *index, uint64_t bound) {
    return lag_rng_below(seed, LAG_RNG_NOISE, mutation, (*index)++, bound);
}

/* 1 to 4 of: a flipped bit, another byte, a cut, a copied stretch, an interesting piece of text. data has room. */
static size_t mutate(uint8_t *data, size_t size, uint64_t seed, uint64_t mutation) {
    static const char *const pieces[] = {"18446744073709551615", "-1", "1e9", "[", "{", "\"", "\\u", "null", ",", "}"};
    uint64_t index = 0;
    const uint64_t n = 1 + draw(seed, mutation, &index, 4);
    for (uint64_t i = 0; i < n && size > 0; i++) {
        const size_t at = (size_t)draw(seed, mutation, &index, size);
        const size_t wanted = 1 + (size_t)draw(seed, mutation, &index, 15), length = LAG_MIN(size - at, wanted);
        const char *piece = pieces[draw(seed, mutation, &index, LAG_COUNT(pieces))];
        switch (draw(seed, mutation, &index, 6)) {
        case 0: data[at] ^= (uint8_t)(1u << draw(seed, mutation, &index, 8)); break;
        case 1: data[at] = (uint8_t)draw(seed, mutation, &index, 256); break;
        case 2: size = at; break;
        case 3: /* again */
            memmove(data + at + length, data + at, size - at);
            size += length;
            break;
        case 4: /* gone */
            memmove(data + at, data + at + length, size - at - length);
            size -= length;
            break;
        default:
            memcpy(data + at, piece, LAG_MIN(size - at, strlen(piece)));
        }
    }
    return size;
}

static int write_seeds(const char *folder) {
    uint8_t *seed;
    size_t size;
    int rc = lag_fs_mkdirs(folder, NULL);
    for (size_t i = 0; rc == 0 && (size = lag_fuzz_seed(i, &seed)) > 0; i++) {
        char name[32];
        snprintf(name, sizeof name, "seed-%zu", i);
        rc = lag_fs_write_file(folder, name, seed, size, NULL);
        free(seed);
    }
    return rc == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc == 2) return write_seeds(argv[1]);
    uint8_t *seed;
    size_t size, n_inputs = 0;
    for (size_t i = 0; (size = lag_fuzz_seed(i, &seed)) > 0; i++) {
        (void)LLVMFuzzerTestOneInput(seed, size);
        for (uint64_t k = 0; k < N_MUTATIONS; k++) {
            uint8_t *room = malloc(size + MAX_GROWTH);
            if (!room) return 1;
            memcpy(room, seed, size);
            const size_t n = mutate(room, size, i + 1, k);
            /* Exactly as large as its content, so that a sanitizer sees the first byte read behind it. */
            uint8_t *input = n ? realloc(room, n) : room;
            if (!input) input = room;
            (void)LLVMFuzzerTestOneInput(input, n);
            free(input);
            n_inputs++;
        }
        free(seed);
    }
    printf("%zu inputs\n", n_inputs);
    return n_inputs > 0 ? 0 : 1;
}
