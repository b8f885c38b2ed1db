/* A strict pull reader for the JSON of safetensors headers and manifests (RFC 8259).
 *
 * Both have a fixed shape, so the caller asks for what must come next; there is no tree and no recursion. A document
 * tree would cost a hostile file of 16 MiB a gigabyte; this costs nothing beyond what the caller keeps, and nesting
 * ends where the grammar ends. Errors are LAG_ECORRUPT and name the byte. Thread: one owner. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct lag_error;
struct lag_strbuf;

struct lag_json {
    const char *begin, *at, *end; /* *end is readable: '\0' or what follows the document */
    struct lag_error *err;
};

int lag_json_fail(const struct lag_json *json, const char *rule);
/* The next byte that is not white space must be c. */
int lag_json_expect(struct lag_json *json, char c);
/* Only white space may be left. */
int lag_json_end(struct lag_json *json);
/* Within an array or object: 1 = an item follows (its comma is taken), 0 = close is taken, or an error. */
int lag_json_next(struct lag_json *json, char close, bool first);
/* A string without NUL, as valid UTF-8, into ret[size], terminated. It never takes more room than its source. */
int lag_json_string(struct lag_json *json, char *ret, size_t size, size_t *ret_length);
/* A string and the colon. */
int lag_json_key(struct lag_json *json, char *ret, size_t size, size_t *ret_length);
/* Integers have no fraction and no exponent. */
int lag_json_u64(struct lag_json *json, uint64_t *ret);
int lag_json_i64(struct lag_json *json, int64_t *ret);
int lag_json_real(struct lag_json *json, double *ret);

/* Appends text in quotes, escaped. */
void lag_json_append_string(struct lag_strbuf *out, const char *text);
