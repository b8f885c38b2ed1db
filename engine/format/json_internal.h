/* JSON of checkpoints through jansson: bounded parsing, and objects read and written by tables of members.
 *
 * jansson builds a tree, which costs tens of times its text where values are small. Before a text is parsed it is
 * therefore held against limits that every text of its kind keeps: depth, and the room that each object, array and
 * comma takes on average. Errors are LAG_ECORRUPT and name the byte (grammar) or the key (rules). Thread: one owner of
 * a tree. */
#pragma once
#include <lagd/base/strbuf.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
struct lag_error;

struct lag_json_limits {
    size_t max_depth, bytes_per_container, bytes_per_comma; /* a short text is given 32 of each on top */
};
/* *ret is released with json_decref(). Duplicate keys, NUL in strings and integers beyond 64 bits are refused. */
int lag_json_parse(const char *text, size_t n, const struct lag_json_limits *limits, json_t **ret,
                   struct lag_error *err);

enum lag_json_type {
    LAG_JSON_INT,   /* int */
    LAG_JSON_I64,
    LAG_JSON_U63,   /* uint64_t below 2^63 */
    LAG_JSON_U64,   /* uint64_t as decimal text: JSON readers stop at 2^53, jansson at 2^63 */
    LAG_JSON_REAL,  /* double; an integer will do */
    LAG_JSON_TEXT,  /* char[size] */
    LAG_JSON_VALUE, /* json_t *: borrowed from the object when read, stolen by it when written */
};
struct lag_json_row {
    const char *key;
    enum lag_json_type type;
    size_t offset, size;
};
#define LAG_JSON_ROW(key, type, struct_type, member) \
    {key, type, offsetof(struct struct_type, member), sizeof(((struct struct_type *)0)->member)}

/* The members of the object are exactly the rows, in any order. */
int lag_json_read(const json_t *object, const struct lag_json_row *rows, size_t n_rows, void *ret,
                  struct lag_error *err);
/* LAG_ECORRUPT with "<key>: expected an integer" when value is none. key may be NULL. */
int lag_json_integer(const json_t *value, const char *key, int64_t *ret, struct lag_error *err);
/* The rows as a new object, in their order; NULL when memory is out or a text is not UTF-8. */
json_t *lag_json_object(const struct lag_json_row *rows, size_t n_rows, const void *from);
/* Appends the tree, reals with 17 digits, and releases it; flags are jansson's. NULL fails the buffer. */
void lag_json_append(struct lag_strbuf *out, json_t *tree, size_t flags);
