/* Shapes of answers as JSON Schema. Pure. */
#pragma once
#include "json/schema_internal.h"

/* Shapes, each once. */
#define LAGD_SCHEMAS_MAX 128
struct lagd_schemas {
    const struct lagd_schema *list[LAGD_SCHEMAS_MAX];
    int n;
};
/* Adds the schema, if not NULL, with all that it refers to. */
void lagd_schemas_add(struct lagd_schemas *schemas, const struct lagd_schema *schema);
/* All of them, as members of the open object "schemas". */
void lagd_schemas_write(struct lagd_json *json, const struct lagd_schemas *schemas);
/* The words that a text may be, into an open object: enum, and what they mean, x-lagd-meanings. */
void lagd_choices_write(struct lagd_json *json, lagd_choice_fn *choice, bool nullable);
