/* Names of an enum's values: a NULL-terminated array in the order of the values. It is the one place where they are
 * written; choices of fields, parsers and texts for people read it. Thread: any. */
#pragma once
#include <stddef.h>
struct lag_error;

int lag_names_find(const char *const *names, const char *name); /* the value, or -1 */
/* LAG_EINVAL at pointer: "<what> must be one of a, b, c (got <got>)". Returns it. */
int lag_names_refuse(const char *const *names, const char *pointer, const char *what, const char *got,
                     struct lag_error *err);
/* How far a name that somebody gave is from a known one: 0 = the same but for case, '_' and '-'; more = that many
 * letters differ; LAG_NAMES_FAR = nobody would mean it. For "did you mean". */
#define LAG_NAMES_FAR 4
int lag_names_distance(const char *given, const char *known);
