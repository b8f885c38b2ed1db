/* HMAC-SHA256 of a message in parts, and Base64. Nothing is allocated, nothing can fail but what says so. Thread: any.
 */
#pragma once
#include <stddef.h>

#define LAG_HMAC_BYTES 32
struct lag_part {
    const void *data;
    size_t length;
};
void lag_hmac_sha256(const void *key, size_t n_key, const struct lag_part *parts, size_t n_parts,
                     unsigned char ret[LAG_HMAC_BYTES]);

#define LAG_BASE64_SIZE(bytes) (((bytes) + 2) / 3 * 4 + 1) /* with the terminator */
void lag_base64_encode(const void *data, size_t length, char *ret); /* ret: LAG_BASE64_SIZE(length) */
/* Padding may be left out. 0, or -1: a character that is no digit of Base64, or more than size bytes. */
int lag_base64_decode(const char *text, void *ret, size_t size, size_t *ret_length);
