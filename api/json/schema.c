/* Writes structs by their schemas. */
#include "json/schema_internal.h"

#include "json/fields_out_internal.h"

#include <lagd/base/check.h>
#include <math.h>
#include <string.h>

static int64_t whole_at(const struct lagd_member *member, const void *at) {
    int64_t large;
    int small;
    if (member->size == sizeof(small)) {
        memcpy(&small, at, sizeof(small));
        return small;
    }
    LAG_ASSERT(member->size == sizeof(large));
    memcpy(&large, at, sizeof(large));
    return large;
}

static double real_at(const void *at) {
    double value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static const char *text_at(const struct lagd_member *member, const void *at) {
    const char *text = at;
    if (member->pointed) memcpy(&text, at, sizeof(text));
    return text ? text : "";
}

static bool is_nothing(const struct lagd_member *member, const void *at) {
    switch (member->type[0]) {
    case 's': return !*text_at(member, at);
    case 'i': return whole_at(member, at) < 0;
    case 'c':
    case 't': return whole_at(member, at) == 0;
    case 'n': return !isfinite(real_at(at));
    default: return false;
    }
}

static int write_span(struct lagd_json *json, const struct lagd_member *member, const struct lagd_span *span,
                      void *context) {
    int status = 0;
    lagd_json_open_array(json, member->name);
    for (size_t i = 0; i < span->n && status == 0; i++)
        status = lagd_write_object(json, NULL, member->of, (const char *)span->rows + i * span->size, context);
    lagd_json_close_array(json);
    return status;
}

static int write_value(struct lagd_json *json, const struct lagd_member *member, const void *at, void *context) {
    const char *key = member->name;
    switch (member->type[0]) {
    case 's': lagd_json_text(json, key, text_at(member, at)); return 0;
    case 'i':
    case 'c': lagd_json_int(json, key, whole_at(member, at)); return 0;
    case 'n': lagd_json_real(json, key, real_at(at)); return 0;
    case 'b': lagd_json_bool(json, key, *(const bool *)at); return 0;
    case 't': lagd_json_time(json, key, whole_at(member, at)); return 0;
    case '[':
        if (member->of) return write_span(json, member, at, context);
        lagd_json_list(json, key, at);
        return 0;
    case '@': return lagd_write_object(json, key, member->of, at, context);
    default: LAG_ASSERT(false); return 0;
    }
}

static int write_member(struct lagd_json *json, const struct lagd_member *member, const void *object, void *context) {
    const char *at = (const char *)object + member->offset;
    if (member->write) return member->write(json, member->name, object, context);
    if (member->constant) {
        lagd_json_text(json, member->name, member->constant);
        return 0;
    }
    if (!member->name) {
        lagd_write_fields(json, member->fields, at, member->only);
        return 0;
    }
    size_t n_type = strlen(member->type);
    bool nullable = strchr("?~", member->type[n_type - 1]) != NULL;
    if (!nullable || !is_nothing(member, at)) return write_value(json, member, at, context);
    if (member->type[n_type - 1] == '?') lagd_json_null(json, member->name);
    return 0;
}

int lagd_write_members(struct lagd_json *json, const struct lagd_schema *schema, const void *object, void *context) {
    int status = 0;
    for (size_t i = 0; i < schema->n; i++) {
        int written = write_member(json, &schema->members[i], object, context);
        if (status == 0) status = written;
    }
    return status;
}

int lagd_write_object(struct lagd_json *json, const char *key, const struct lagd_schema *schema, const void *object,
                     void *context) {
    lagd_json_open_object(json, key);
    int status = lagd_write_members(json, schema, object, context);
    lagd_json_close_object(json);
    return status;
}

int lagd_write_null(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_null(json, key);
    return 0;
}
