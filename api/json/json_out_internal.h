/* Writes JSON text into a growing buffer: nothing to allocate a node, nothing to forget to check. Numbers that JSON
 * lacks (NaN, infinities) become null. Bytes that are no UTF-8 become U+FFFD. A failed allocation is remembered and
 * told by lagd_json_take. Thread: one owner. */
#pragma once
#include <lagd/base/strbuf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAGD_JSON_DEPTH 32

struct lagd_json {
    struct lag_strbuf out;
    bool pretty;
    int depth;
    bool has_items[LAGD_JSON_DEPTH];
};

void lagd_json_init(struct lagd_json *json, bool pretty);
void lagd_json_deinit(struct lagd_json *json);
/* The text (owned), NULL after a failed allocation. Every container must be closed. */
char *lagd_json_take(struct lagd_json *json, size_t *ret_length);
void lagd_json_take_into(struct lagd_json *json, struct lag_strbuf *ret); /* the same; failed as the buffer is */

/* key NULL: an item of an array, or the whole text. */
void lagd_json_open_object(struct lagd_json *json, const char *key);
void lagd_json_close_object(struct lagd_json *json);
void lagd_json_open_array(struct lagd_json *json, const char *key);
void lagd_json_close_array(struct lagd_json *json);
void lagd_json_text(struct lagd_json *json, const char *key, const char *text);
void lagd_json_text_n(struct lagd_json *json, const char *key, const char *text, size_t length);
void lagd_json_text_or_null(struct lagd_json *json, const char *key, const char *text); /* "" and NULL become null */
void lagd_json_int(struct lagd_json *json, const char *key, int64_t value);
/* The shortest digits that read back as the same double. */
void lagd_json_real(struct lagd_json *json, const char *key, double value);
void lagd_json_bool(struct lagd_json *json, const char *key, bool value);
void lagd_json_null(struct lagd_json *json, const char *key);
/* RFC 3339 from wall-clock milliseconds; 0 becomes null. */
void lagd_json_time(struct lagd_json *json, const char *key, int64_t wall_ms);
/* "a,b,c" as an array of texts. */
void lagd_json_list(struct lagd_json *json, const char *key, const char *items);

/* Members or items that are JSON text already, without the brackets around. */
void lagd_json_raw(struct lagd_json *json, const char *text);

/* The digits themselves, for lines written by hand (NaN and infinities: "null"). ret: at least 32 bytes. */
void lagd_json_format_real(double value, char ret[32]);
