/* Writes schemas of answers as JSON Schema. */
#include "openapi/schemas_internal.h"

#include "openapi/field_schemas_internal.h"
#include "openapi/glossary_internal.h"

#include <lagd/base/check.h>
#include <stdio.h>
#include <string.h>

void lagd_schemas_add(struct lagd_schemas *schemas, const struct lagd_schema *schema) {
    if (!schema) return;
    for (int i = 0; i < schemas->n; i++) {
        if (schemas->list[i] == schema) return;
    }
    LAG_ASSERT(schemas->n < LAGD_SCHEMAS_MAX);
    schemas->list[schemas->n++] = schema;
    for (size_t i = 0; i < schema->n; i++) {
        const struct lagd_member *member = &schema->members[i];
        if (member->name) {
            lagd_schemas_add(schemas, member->of);
        } else if (member->of) { /* its members are among this schema's own */
            for (size_t k = 0; k < member->of->n; k++) lagd_schemas_add(schemas, member->of->members[k].of);
        }
    }
}

void lagd_choices_write(struct lagd_json *json, lagd_choice_fn *choice, bool nullable) {
    const char *help = NULL, *word;
    lagd_json_open_array(json, "enum");
    for (int i = 0; (word = choice(i, &help)) != NULL; i++) lagd_json_text(json, NULL, word);
    if (nullable) lagd_json_null(json, NULL);
    lagd_json_close_array(json);
    lagd_json_open_object(json, "x-lagd-meanings");
    for (int i = 0; (word = choice(i, &help)) != NULL; i++) lagd_json_text(json, word, help);
    lagd_json_close_object(json);
}

static const char *simple_type(char letter) {
    switch (letter) {
    case 's':
    case 't': return "string";
    case 'i':
    case 'c': return "integer";
    case 'n': return "number";
    case 'b': return "boolean";
    case '[': return "array";
    default: return "object";
    }
}

static void write_reference(struct lagd_json *json, const struct lagd_schema *schema, bool nullable) {
    char text[96];
    (void)snprintf(text, sizeof(text), "#/components/schemas/%s", schema->name);
    if (!nullable) {
        lagd_json_text(json, "$ref", text);
        return;
    }
    lagd_json_open_array(json, "oneOf");
    lagd_json_open_object(json, NULL);
    lagd_json_text(json, "$ref", text);
    lagd_json_close_object(json);
    lagd_json_open_object(json, NULL);
    lagd_json_text(json, "type", "null");
    lagd_json_close_object(json);
    lagd_json_close_array(json);
}

/* The character behind the type that begins here: brackets nest. */
static const char *end_of(const char *type) {
    int depth = 0;
    do depth += *type == '[' || *type == '{' ? 1 : *type == ']' || *type == '}' ? -1 : 0;
    while (*type++ && depth > 0);
    return type;
}

/* The keywords of the type that begins here, into the open object. */
static void write_type(struct lagd_json *json, const struct lagd_member *member, const char *type) {
    bool nullable = *end_of(type) == '?', container = *type == '[' || *type == '{';
    if (*type == '@') {
        write_reference(json, member->of, nullable);
        return;
    }
    if (nullable) {
        lagd_json_open_array(json, "type");
        lagd_json_text(json, NULL, simple_type(*type));
        lagd_json_text(json, NULL, "null");
        lagd_json_close_array(json);
    } else {
        lagd_json_text(json, "type", simple_type(*type));
    }
    if (*type == 't') lagd_json_text(json, "format", "date-time");
    if (*type == 'c') lagd_json_int(json, "minimum", 1);
    if (!container) return;
    lagd_json_open_object(json, *type == '[' ? "items" : "additionalProperties");
    write_type(json, member, type + 1);
    lagd_json_close_object(json);
}

static void write_properties(struct lagd_json *json, const struct lagd_schema *schema) {
    for (size_t i = 0; i < schema->n; i++) {
        const struct lagd_member *member = &schema->members[i];
        if (!member->name) {
            if (member->fields)
                lagd_answer_properties(json, member->fields, member->only);
            else
                write_properties(json, member->of);
            continue;
        }
        lagd_json_open_object(json, member->name);
        write_type(json, member, member->type);
        if (member->constant) lagd_json_text(json, "const", member->constant);
        if (member->choice) lagd_choices_write(json, member->choice, strchr(member->type, '?') != NULL);
        const char *help = member->help ? member->help : lagd_glossary_member(schema->name, member->name);
        if (help) lagd_json_text(json, "description", help);
        lagd_json_close_object(json);
    }
}

static void write_required(struct lagd_json *json, const struct lagd_schema *schema) {
    for (size_t i = 0; i < schema->n; i++) {
        const struct lagd_member *member = &schema->members[i];
        if (member->name) {
            if (!strchr(member->type, '~')) lagd_json_text(json, NULL, member->name);
        } else if (member->fields) {
            lagd_answer_required(json, member->fields, member->only);
        } else {
            write_required(json, member->of);
        }
    }
}

void lagd_schemas_write(struct lagd_json *json, const struct lagd_schemas *schemas) {
    for (int i = 0; i < schemas->n; i++) {
        const struct lagd_schema *schema = schemas->list[i];
        lagd_json_open_object(json, schema->name);
        lagd_json_text(json, "type", "object");
        lagd_json_open_object(json, "properties");
        write_properties(json, schema);
        lagd_json_close_object(json);
        lagd_json_open_array(json, "required");
        write_required(json, schema);
        lagd_json_close_array(json);
        lagd_json_close_object(json);
    }
}
