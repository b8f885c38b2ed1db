/* Tables of fields as JSON Schema. Pure. */
#pragma once
#include "json/json_out_internal.h"

#include <lagd/base/fields.h>

/* A request's schema, called name. more: further properties as JSON text, or NULL. */
void lagd_request_schema(struct lagd_json *json, const char *name, const struct lag_fields *table, const char *more);
/* What an answer tells of the fields (only: see lagd_write_fields), into open "properties" and "required". Defaults and
 * ranges, which are those of requests, are left out. */
void lagd_answer_properties(struct lagd_json *json, const struct lag_fields *table, const char *only);
void lagd_answer_required(struct lagd_json *json, const struct lag_fields *table, const char *only);
