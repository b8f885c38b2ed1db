/* Schemas of answers in a few letters. Pure. */
#pragma once
#include "json/json_out_internal.h"

#include <stddef.h>

/* members: "name:type …". Types: s text, i integer, n number, b boolean, t time, o any object, x any value, [T] array,
 * {T} object with values of T, @Name schema; '?' behind a type: may be null; '~' behind a name: may be missing. */
struct lagd_schema {
    const char *name, *members;
};
const struct lagd_schema *lagd_schemas(size_t *ret_n);
/* Answers' schemas and event types into an open "schemas" object. */
void lagd_schemas_write(struct lagd_json *json);
