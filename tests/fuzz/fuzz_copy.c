/* A copy of exactly the input, so that AddressSanitizer sees every byte beyond it. */
#include "fuzz.h"
#include <string.h>

size_t lag_fuzz_copy(const void *data, size_t n, uint8_t **ret) {
    *ret = malloc(n + 1);
    FUZZ_CHECK(*ret);
    memcpy(*ret, data, n);
    return n;
}
