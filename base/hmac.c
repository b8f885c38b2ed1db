/* HMAC-SHA256 (RFC 2104), and Base64 (RFC 4648), in which signatures travel. SHA-256 by libcrypto's low-level functions
 * for the reason that hash.c tells. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <lagd/base/hmac.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK = 64 }; /* bytes of a block of SHA-256 */

_Static_assert(LAG_HMAC_BYTES == SHA256_DIGEST_LENGTH, "the digest of SHA-256");

void lag_hmac_sha256(const void *key, size_t n_key, const struct lag_part *parts, size_t n_parts,
                     unsigned char ret[LAG_HMAC_BYTES]) {
    unsigned char block[BLOCK] = {0}, pad[BLOCK], digest[SHA256_DIGEST_LENGTH];
    SHA256_CTX hash;
    if (n_key > BLOCK) {
        (void)SHA256_Init(&hash);
        (void)SHA256_Update(&hash, key, n_key);
        (void)SHA256_Final(block, &hash);
    } else if (n_key > 0) {
        memcpy(block, key, n_key);
    }
    for (int i = 0; i < BLOCK; i++) pad[i] = block[i] ^ 0x36;
    (void)SHA256_Init(&hash);
    (void)SHA256_Update(&hash, pad, BLOCK);
    for (size_t i = 0; i < n_parts; i++) (void)SHA256_Update(&hash, parts[i].data, parts[i].length);
    (void)SHA256_Final(digest, &hash);
    for (int i = 0; i < BLOCK; i++) pad[i] = block[i] ^ 0x5c;
    (void)SHA256_Init(&hash);
    (void)SHA256_Update(&hash, pad, BLOCK);
    (void)SHA256_Update(&hash, digest, sizeof(digest));
    (void)SHA256_Final(ret, &hash);
    OPENSSL_cleanse(block, sizeof(block));
    OPENSSL_cleanse(pad, sizeof(pad));
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void lag_base64_encode(const void *data, size_t length, char *ret) {
    const unsigned char *bytes = data;
    for (size_t i = 0; i < length; i += 3) {
        size_t n = length - i;
        uint32_t three = (uint32_t)bytes[i] << 16 | (n > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                         (n > 2 ? (uint32_t)bytes[i + 2] : 0);
        *ret++ = digits[three >> 18];
        *ret++ = digits[three >> 12 & 63];
        *ret++ = n > 1 ? digits[three >> 6 & 63] : '=';
        *ret++ = n > 2 ? digits[three & 63] : '=';
    }
    *ret = '\0';
}

int lag_base64_decode(const char *text, void *ret, size_t size, size_t *ret_length) {
    unsigned char *out = ret;
    size_t n_text = strlen(text), n = 0;
    uint32_t bits = 0;
    int n_bits = 0;
    while (n_text > 0 && text[n_text - 1] == '=') n_text--;
    if (n_text % 4 == 1) return -1;
    for (size_t i = 0; i < n_text; i++) {
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
        if (!digit) return -1;
        bits = bits << 6 | (uint32_t)(digit - digits);
        n_bits += 6;
        if (n_bits < 8) continue;
        if (n == size) return -1;
        n_bits -= 8;
        out[n++] = (unsigned char)(bits >> n_bits);
    }
    *ret_length = n;
    return 0;
}
