/* What an answer looks like, written once: an encoder writes a struct by its schema, and the OpenAPI document tells the
 * same schema. Thread: any (const tables). */
#pragma once
#include "json/json_out_internal.h"

#include <lagd/base/check.h>
#include <stddef.h>

struct lag_fields;
struct lagd_schema;

/* Writes one member of object; context is what lagd_write_object was given. 0, or a failure. */
typedef int lagd_member_fn(struct lagd_json *json, const char *key, const void *object, void *context);
/* The i-th word that a text may be, with what it means (NULL: nothing to say); NULL behind the last. */
typedef const char *lagd_choice_fn(int i, const char **ret_help);

/* Types: s text, i integer, c count (an integer that begins with 1), n number, b boolean, t time, o any object, @ an
 * object by the schema `of`; [T] array, {T} object with values of T. '?' behind a type: may be null; '~' at the end:
 * may be missing.
 *
 * In the struct s is a char array, or, when pointed, a const char *; i and c are int or int64_t; n is double, b bool, t
 * int64_t milliseconds, [s] a char array "a,b", @ a struct, [@] a struct lagd_span. Null, or missing, is an empty text,
 * a negative i, a c of 0, an n that is not finite, a t of 0. Every other type has a function. */
struct lagd_member {
    const char *name, *type, *help;
    size_t offset, size;
    bool pointed;
    const char *constant;     /* of s: the text that it always is */
    lagd_member_fn *write;    /* NULL: the value lies at offset */
    lagd_choice_fn *choice;   /* of s: the words that it may be */
    const struct lagd_schema *of;
    /* name NULL: members that are written down elsewhere, in a table of fields or, without that, in `of`; write writes
     * them, without it the table's struct lies at offset */
    const struct lag_fields *fields;
    const char *only; /* see lagd_write_fields */
};
#define LAGD_MEMBER(struct_type, name, type, member, help) \
    { name, type, help, offsetof(struct_type, member), sizeof(((struct_type *)0)->member) }
#define LAGD_POINTED(struct_type, name, type, member, help) \
    { name, type, help, offsetof(struct_type, member), sizeof(const char *), .pointed = true }
#define LAGD_CHOICE(struct_type, name, type, member, choice_fn, help) \
    { name, type, help, offsetof(struct_type, member), sizeof(((struct_type *)0)->member), .choice = choice_fn }
#define LAGD_OBJECT(struct_type, name, schema, member, help) \
    { name, "@", help, offsetof(struct_type, member), sizeof(((struct_type *)0)->member), .of = schema }
#define LAGD_CONSTANT(name, text, help) \
    { name, "s", help, .constant = text }
#define LAGD_WRITTEN(name, type, write_fn, help) \
    { name, type, help, .write = write_fn }
#define LAGD_WRITTEN_OF(name, type, schema, write_fn, help) \
    { name, type, help, .write = write_fn, .of = schema }

struct lagd_schema {
    const char *name;
    const struct lagd_member *members;
    size_t n;
};
#define LAGD_SCHEMA(name, members) \
    { name, members, LAG_COUNT(members) }

/* Writes object as one JSON object. 0, or the first failure of a member's function; the JSON is whole in any case. */
int lagd_write_object(struct lagd_json *json, const char *key, const struct lagd_schema *schema, const void *object,
                     void *context);
/* The same into the open object. */
int lagd_write_members(struct lagd_json *json, const struct lagd_schema *schema, const void *object, void *context);

/* For members that are null in every answer. */
lagd_member_fn lagd_write_null;

/* --- arrays and lists -------------------------------------------------------------------------------------------- */

struct lagd_span {
    const void *rows;
    size_t n, size; /* how many, and the bytes of one */
};
struct lagd_list {
    struct lagd_span items;
    const char *next_cursor; /* "" or NULL: this is the last page */
};
/* The members of a list, whose items are in the span, or are written by a function. */
#define LAGD_LIST(schema) \
    {.name = "items", .type = "[@]", .of = schema, .offset = offsetof(struct lagd_list, items)}, LAGD_NEXT_CURSOR
#define LAGD_LIST_WRITTEN(schema, write_fn) LAGD_WRITTEN_OF("items", "[@]", schema, write_fn, NULL), LAGD_NEXT_CURSOR
#define LAGD_NEXT_CURSOR \
    LAGD_POINTED(struct lagd_list, "next_cursor", "s?", next_cursor, "For ?cursor=; null on the last page.")
/* next_cursor of a list that is always told whole, and is no struct lagd_list. */
#define LAGD_ONE_PAGE LAGD_WRITTEN("next_cursor", "s?", lagd_write_null, "null: the list has one page.")
