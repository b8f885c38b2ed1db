/* Strict parsing: the whole text must be the value; no locale, no leading blanks. 0, or -1 with *ret unchanged.
 * Thread: any. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int lag_parse_i64(const char *text, int64_t *ret);
int lag_parse_u64(const char *text, uint64_t *ret);
/* Finite decimal or C99 hexadecimal floating point. */
int lag_parse_double(const char *text, double *ret);
/* true, yes, on, 1 / false, no, off, 0 */
int lag_parse_bool(const char *text, bool *ret);
/* "64K", "2G", "1T" or plain bytes; binary multiples. */
int lag_parse_bytes(const char *text, uint64_t *ret);
/* "176 GiB", "1.2 MiB", "12 B": three digits at most before the point, for people. */
void lag_bytes_text(uint64_t bytes, char ret[16]);
#define LAG_NAME_MAX 64
/* 1 to LAG_NAME_MAX characters of [A-Za-z0-9._-], not starting with '.' or '-': names of runs and datasets. */
bool lag_name_valid(const char *text);
/* Bytes of the byte order mark of UTF-8 that text begins with: 3, or 0. Some editors write it before JSON. */
size_t lag_utf8_mark(const char *text, size_t length);
/* Bytes of the UTF-8 character that begins text; 0 when it is no valid one, or the end. */
size_t lag_utf8_length(const char *text);
