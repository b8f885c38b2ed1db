/* JSON text, written piece by piece. */
#include "json/json_out_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/parse.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void lagd_json_init(struct lagd_json *json, bool pretty) {
    memset(json, 0, sizeof(*json));
    json->pretty = pretty;
}

void lagd_json_deinit(struct lagd_json *json) { lag_strbuf_deinit(&json->out); }

char *lagd_json_take(struct lagd_json *json, size_t *ret_length) {
    LAG_ASSERT(json->depth == 0);
    lag_strbuf_append(&json->out, "\n"); /* a text file by POSIX: the prompt after curl begins on its own line */
    size_t length = json->out.length;
    char *text = lag_strbuf_take(&json->out);
    if (text) *ret_length = length;
    return text;
}

void lagd_json_take_into(struct lagd_json *json, struct lag_strbuf *ret) {
    LAG_ASSERT(json->depth == 0);
    lag_strbuf_append(&json->out, "\n");
    *ret = json->out;
    json->out = (struct lag_strbuf)LAG_STRBUF_INIT;
}

static void put(struct lagd_json *json, const char *text, size_t length) {
    lag_strbuf_append_n(&json->out, text, length);
}

static void new_line(struct lagd_json *json) {
    if (!json->pretty) return;
    put(json, "\n", 1);
    for (int i = 0; i < json->depth; i++) put(json, "  ", 2);
}

static void put_quoted(struct lagd_json *json, const char *text, size_t length) {
    put(json, "\"", 1);
    for (size_t i = 0; i < length;) {
        unsigned char c = (unsigned char)text[i];
        char escape[8];
        if (c < 0x20 || c == 0x7f) {
            const char *known = strchr("\nn\tt\rr", c);
            int n = c && known ? snprintf(escape, sizeof(escape), "\\%c", known[1])
                               : snprintf(escape, sizeof(escape), "\\u%04x", c);
            put(json, escape, (size_t)n);
            i++;
        } else if (c == '"' || c == '\\') {
            escape[0] = '\\';
            escape[1] = (char)c;
            put(json, escape, 2);
            i++;
        } else if (c < 0x80) {
            size_t run = 1;
            while (i + run < length && (unsigned char)text[i + run] >= 0x20 && (unsigned char)text[i + run] < 0x7f &&
                   text[i + run] != '"' && text[i + run] != '\\') {
                run++;
            }
            put(json, text + i, run);
            i += run;
        } else {
            /* lag_utf8_length needs a terminated text: copy what may belong to one character. */
            char piece[5] = {0};
            memcpy(piece, text + i, LAG_MIN(length - i, (size_t)4));
            size_t n = lag_utf8_length(piece);
            if (n > 0) {
                put(json, text + i, n);
            } else {
                put(json, "\xef\xbf\xbd", 3);
            }
            i += n > 0 ? n : 1;
        }
    }
    put(json, "\"", 1);
}

static void begin_value(struct lagd_json *json, const char *key) {
    if (json->depth > 0) {
        bool *has_items = &json->has_items[json->depth - 1];
        if (*has_items) put(json, ",", 1);
        *has_items = true;
        new_line(json);
    }
    if (!key) return;
    put_quoted(json, key, strlen(key));
    put(json, ": ", json->pretty ? 2 : 1);
}

static void open_container(struct lagd_json *json, const char *key, const char *bracket) {
    begin_value(json, key);
    put(json, bracket, 1);
    LAG_ASSERT(json->depth < LAGD_JSON_DEPTH);
    json->has_items[json->depth++] = false;
}

static void close_container(struct lagd_json *json, const char *bracket) {
    LAG_ASSERT(json->depth > 0);
    json->depth--;
    if (json->has_items[json->depth]) new_line(json);
    put(json, bracket, 1);
}

void lagd_json_open_object(struct lagd_json *json, const char *key) { open_container(json, key, "{"); }
void lagd_json_close_object(struct lagd_json *json) { close_container(json, "}"); }
void lagd_json_open_array(struct lagd_json *json, const char *key) { open_container(json, key, "["); }
void lagd_json_close_array(struct lagd_json *json) { close_container(json, "]"); }

void lagd_json_text_n(struct lagd_json *json, const char *key, const char *text, size_t length) {
    begin_value(json, key);
    put_quoted(json, text, length);
}

void lagd_json_text(struct lagd_json *json, const char *key, const char *text) {
    lagd_json_text_n(json, key, text, strlen(text));
}

void lagd_json_text_or_null(struct lagd_json *json, const char *key, const char *text) {
    if (text && *text) {
        lagd_json_text(json, key, text);
    } else {
        lagd_json_null(json, key);
    }
}

void lagd_json_int(struct lagd_json *json, const char *key, int64_t value) {
    begin_value(json, key);
    lag_strbuf_printf(&json->out, "%" PRId64, value);
}

void lagd_json_format_real(double value, char ret[32]) {
    if (!isfinite(value)) {
        (void)snprintf(ret, 32, "null");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(ret, 32, "%.*g", digits, value);
        double back;
        if (lag_parse_double(ret, &back) == 0 && back == value) break;
    }
}

void lagd_json_real(struct lagd_json *json, const char *key, double value) {
    char digits[32];
    lagd_json_format_real(value, digits);
    begin_value(json, key);
    lag_strbuf_append(&json->out, digits);
}

void lagd_json_bool(struct lagd_json *json, const char *key, bool value) {
    begin_value(json, key);
    lag_strbuf_append(&json->out, value ? "true" : "false");
}

void lagd_json_null(struct lagd_json *json, const char *key) {
    begin_value(json, key);
    put(json, "null", 4);
}

void lagd_json_raw(struct lagd_json *json, const char *text) {
    begin_value(json, NULL);
    put(json, text, strlen(text));
}

void lagd_json_time(struct lagd_json *json, const char *key, int64_t wall_ms) {
    char text[32];
    if (wall_ms <= 0) {
        lagd_json_null(json, key);
        return;
    }
    lag_clock_rfc3339(wall_ms, text);
    lagd_json_text(json, key, text);
}

void lagd_json_list(struct lagd_json *json, const char *key, const char *items) {
    lagd_json_open_array(json, key);
    for (const char *p = items; *p;) {
        size_t n = strcspn(p, ",");
        while (n > 0 && *p == ' ') p++, n--;
        lagd_json_text_n(json, NULL, p, n);
        p += n + (p[n] == ',');
    }
    lagd_json_close_array(json);
}
