/* Identifiers: "<prefix>_<26 characters>", a ULID (48-bit milliseconds, 80 random bits, Crockford base 32) in lower
 * case; they sort by creation, also within one process and millisecond. Thread: any. */
#pragma once
#include <stdbool.h>
struct lag_error;

#define LAG_ID_SIZE 40
void lag_id_new(const char *prefix, char ret[LAG_ID_SIZE]);
/* Ids from now on sort behind this one, whatever the clock says: for the newest of an earlier process. Others than ids
 * change nothing. */
void lag_id_follow(const char *id);
/* true when text is "<prefix>_" and 26 ULID characters. */
bool lag_id_is(const char *text, const char *prefix);
/* Of a run, dataset, tokenizer, model, growth, candidate, checkpoint, study or request. */
bool lag_id_is_any(const char *text);
/* May a run, dataset, tokenizer or model be called so? LAG_EINVAL at "/name": not a name, or of the form of an id,
 * which an address could then mean as well. */
int lag_name_check(const char *name, struct lag_error *err);
