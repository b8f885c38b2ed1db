/* Identifiers: "<prefix>_<26 characters>", a ULID (48-bit milliseconds, 80 random bits, Crockford base 32) in lower
 * case; they sort by creation time, also within one process and millisecond. Thread: any. */
#pragma once
#include <stdbool.h>

#define LAG_ID_SIZE 40
void lag_id_new(const char *prefix, char ret[LAG_ID_SIZE]);
/* true when text is "<prefix>_" and 26 ULID characters. */
bool lag_id_is(const char *text, const char *prefix);
