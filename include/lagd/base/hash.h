/* SHA-256 (FIPS 180-4, by libcrypto) and constant-time comparison. Thread: any; a stream belongs to one thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
struct lag_error;
struct lag_sha256;

#define LAG_SHA256_HEX 65 /* 64 digits and the terminator */
int lag_sha256_create(struct lag_sha256 **ret);
void lag_sha256_update(struct lag_sha256 *hash, const void *data, size_t length);
void lag_sha256_finish(struct lag_sha256 *hash, char ret_hex[LAG_SHA256_HEX]); /* and destroys it */
void lag_sha256_destroy(struct lag_sha256 *hash);
void lag_sha256_bytes(const void *data, size_t length, char ret_hex[LAG_SHA256_HEX]);
int lag_sha256_file(const char *path, char ret_hex[LAG_SHA256_HEX], struct lag_error *err);
bool lag_equal_constant_time(const char *a, const char *b);
