/* Writes a table of fields as nested JSON. */
#include "json/fields_out_internal.h"

#include <stdio.h>
#include <string.h>

#define LEVELS 4

static void write_value(struct lagd_json *json, const char *key, const struct lag_field *field, const void *object) {
    const char *at = (const char *)object + field->offset;
    int64_t whole;
    double real;
    bool truth;
    if (field->flags & LAG_FIELD_SECRET) {
        lagd_json_text(json, key, "(hidden)");
        return;
    }
    switch (field->type) {
    case LAG_FIELD_INT:
    case LAG_FIELD_BYTES:
        memcpy(&whole, at, sizeof(whole));
        lagd_json_int(json, key, whole);
        break;
    case LAG_FIELD_REAL:
        memcpy(&real, at, sizeof(real));
        lagd_json_real(json, key, real);
        break;
    case LAG_FIELD_BOOL:
        memcpy(&truth, at, sizeof(truth));
        lagd_json_bool(json, key, truth);
        break;
    case LAG_FIELD_TEXT:
    case LAG_FIELD_CHOICE: lagd_json_text_n(json, key, at, strnlen(at, field->size)); break;
    case LAG_FIELD_LIST: lagd_json_list(json, key, at); break;
    }
}

bool lagd_field_wanted(const char *path, const char *only) {
    for (const char *p = only; p && *p;) {
        size_t n = strcspn(p, ",");
        if (strncmp(path, p, n) == 0 && (path[n] == '\0' || path[n] == '/')) return true;
        p += n + (p[n] == ',');
    }
    return !only;
}

/* "a/b/0" → {"a","b","0"}; the number of parts. */
static int split(const char *path, char parts[LEVELS][64]) {
    int n = 0;
    for (const char *p = path; *p && n < LEVELS; n++) {
        size_t length = strcspn(p, "/");
        (void)snprintf(parts[n], 64, "%.*s", (int)length, p);
        p += length + (p[length] == '/');
    }
    return n;
}

static bool is_index(const char *part) { return *part >= '0' && *part <= '9'; }

void lagd_write_fields(struct lagd_json *json, const struct lag_fields *table, const void *object, const char *only) {
    char open[LEVELS][64], parts[LEVELS][64];
    bool is_array[LEVELS] = {false};
    int n_open = 0;
    for (size_t i = 0; i < table->n_rows; i++) {
        if (!lagd_field_wanted(table->rows[i].path, only) || lag_field_is_absent(&table->rows[i], object)) continue;
        int n = split(table->rows[i].path, parts), same = 0;
        while (same < n_open && same < n - 1 && strcmp(open[same], parts[same]) == 0) same++;
        for (; n_open > same; n_open--)
            is_array[n_open - 1] ? lagd_json_close_array(json) : lagd_json_close_object(json);
        for (; n_open < n - 1; n_open++) {
            memcpy(open[n_open], parts[n_open], sizeof(open[0]));
            is_array[n_open] = is_index(parts[n_open + 1]);
            if (is_array[n_open])
                lagd_json_open_array(json, parts[n_open]);
            else
                lagd_json_open_object(json, parts[n_open]);
        }
        write_value(json, is_index(parts[n - 1]) ? NULL : parts[n - 1], &table->rows[i], object);
    }
    for (; n_open > 0; n_open--) is_array[n_open - 1] ? lagd_json_close_array(json) : lagd_json_close_object(json);
}
