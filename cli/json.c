/* Reading values out of answers, and writing JSON whose numbers are as short as they can be. */
#include "print_internal.h"

#include <lagd/base/parse.h>
#include <lagd/base/strbuf.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

json_t *ctl_json_at(json_t *object, const char *path) {
    char key[72];
    while (object && *path) {
        size_t n = strcspn(path, ".");
        (void)snprintf(key, sizeof(key), "%.*s", (int)n, path);
        object = json_object_get(object, key);
        path += n + (path[n] == '.');
    }
    return json_is_null(object) ? NULL : object;
}

const char *ctl_json_text(json_t *object, const char *path) {
    const char *text = json_string_value(ctl_json_at(object, path));
    return text ? text : "";
}

double ctl_json_number(json_t *object, const char *path) {
    json_t *value = ctl_json_at(object, path);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static void write_real(struct lag_strbuf *out, double value) {
    char text[32];
    double again = 0;
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, value);
        if (lag_parse_double(text, &again) == 0 && again == value) break;
    }
    lag_strbuf_append(out, text);
    if (!strpbrk(text, ".e")) lag_strbuf_append(out, ".0");
}

static void write_text(struct lag_strbuf *out, const char *text) {
    lag_strbuf_append(out, "\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            lag_strbuf_printf(out, "\\%c", c);
        else if (c == '\n')
            lag_strbuf_append(out, "\\n");
        else if (c < 0x20 || c == 0x7f)
            lag_strbuf_printf(out, "\\u%04x", c);
        else
            lag_strbuf_append_n(out, text, 1);
    }
    lag_strbuf_append(out, "\"");
}

static void new_line(struct lag_strbuf *out, int indent, int level) {
    if (indent) lag_strbuf_printf(out, "\n%*s", indent * level, "");
}

static void write_value(struct lag_strbuf *out, json_t *value, int indent, int level) {
    const char *key;
    json_t *member;
    size_t i;
    bool first = true;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        lag_strbuf_append(out, "{");
        json_object_foreach(value, key, member) {
            if (!first) lag_strbuf_append(out, ",");
            first = false;
            new_line(out, indent, level + 1);
            write_text(out, key);
            lag_strbuf_append(out, indent ? ": " : ":");
            write_value(out, member, indent, level + 1);
        }
        if (!first) new_line(out, indent, level);
        lag_strbuf_append(out, "}");
        break;
    case JSON_ARRAY:
        lag_strbuf_append(out, "[");
        json_array_foreach(value, i, member) {
            bool nested = json_is_object(member) || json_is_array(member);
            if (i) lag_strbuf_append(out, indent && !nested ? ", " : ",");
            if (nested) new_line(out, indent, level + 1);
            first = first && !nested;
            write_value(out, member, indent, level + 1);
        }
        if (!first) new_line(out, indent, level);
        lag_strbuf_append(out, "]");
        break;
    case JSON_STRING: write_text(out, json_string_value(value)); break;
    case JSON_INTEGER: lag_strbuf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value)); break;
    case JSON_REAL: write_real(out, json_real_value(value)); break;
    case JSON_TRUE: lag_strbuf_append(out, "true"); break;
    case JSON_FALSE: lag_strbuf_append(out, "false"); break;
    case JSON_NULL: lag_strbuf_append(out, "null"); break;
    }
}

void ctl_json_write(struct lag_strbuf *out, json_t *value, int indent) { write_value(out, value, indent, 0); }

/* C0, DEL, and C1 as UTF-8 (c2 80 … c2 9f) can steer a terminal. */
void ctl_clean(struct lag_strbuf *out, const char *text, bool lines) {
    while (*text) {
        unsigned char c = (unsigned char)*text;
        size_t n = lag_utf8_length(text);
        bool c1 = c == 0xc2 && n == 2 && (unsigned char)text[1] < 0xa0;
        if (n == 0 || c1)
            lag_strbuf_append(out, "?");
        else if (c >= 0x20 && c != 0x7f)
            lag_strbuf_append_n(out, text, n);
        else
            lag_strbuf_append(out, !lines ? " " : c == '\n' ? "\n" : c == '\t' ? "\t" : "?");
        text += n == 0 ? 1 : n;
    }
}
