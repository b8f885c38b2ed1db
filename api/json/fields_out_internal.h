/* A struct that a table of fields describes, as JSON. Thread: any. */
#pragma once
#include "json/json_out_internal.h"

#include <lagd/base/fields.h>

/* The fields of a table as nested members of the open object. only NULL: all; else those whose path begins with one of
 * its comma-separated prefixes. Secret ones are shown as "(hidden)". */
void lagd_write_fields(struct lagd_json *json, const struct lag_fields *table, const void *object, const char *only);
/* Is the path among those of only? */
bool lagd_field_wanted(const char *path, const char *only);
