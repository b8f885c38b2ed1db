/* Hostile JSON in, checked structs out. */
#include "json/json_in_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/base/names.h>
#include <lagd/base/parse.h>
#include <stdio.h>
#include <string.h>

void lagd_fault_add(struct lagd_faults *faults, bool unknown_field, const char *pointer, const char *detail) {
    if (faults->n == LAGD_FAULTS_MAX) return;
    struct lagd_fault *fault = &faults->list[faults->n++];
    fault->unknown_field = unknown_field;
    (void)lag_copy(fault->pointer, sizeof(fault->pointer), pointer);
    (void)lag_copy(fault->detail, sizeof(fault->detail), detail);
}

const char *lagd_faults_slug(const struct lagd_faults *faults) {
    for (int i = 0; i < faults->n; i++) {
        if (faults->list[i].unknown_field) return "unknown-field";
    }
    return "validation";
}

/* --- text → tree ------------------------------------------------------------------------------------------------- */

bool lagd_json_depth_ok(const char *text, size_t length) {
    int depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (in_text) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_text = false;
            }
        } else if (c == '"') {
            in_text = true;
        } else if (c == '[' || c == '{') {
            if (++depth > LAGD_BODY_DEPTH) return false;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return true;
}

int lagd_json_parse(const char *text, size_t length, json_t **ret, struct lag_error *err) {
    const size_t mark = lag_utf8_mark(text, length);
    text += mark;
    length -= mark;
    if (length == 0) return lag_error_set(err, LAG_EINVAL, "this request needs a JSON object as its body");
    if (!lagd_json_depth_ok(text, length)) {
        return lag_error_set(err, LAG_EINVAL, "the body nests deeper than %d levels", LAGD_BODY_DEPTH);
    }
    json_error_t where;
    json_t *tree = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
    if (!tree) {
        return lag_error_set(err, LAG_EINVAL, "the body is not valid JSON: %s (line %d, column %d)", where.text,
                             where.line, where.column);
    }
    if (!json_is_object(tree)) {
        json_decref(tree);
        return lag_error_set(err, LAG_EINVAL, "the body must be a JSON object, such as {\"name\": \"first\"}");
    }
    *ret = tree;
    return 0;
}

/* --- tree → struct ----------------------------------------------------------------------------------------------- */

void lagd_pointer_append(char *pointer, size_t size, const char *key) {
    size_t used = strlen(pointer);
    if (used + 1 < size) pointer[used++] = '/';
    for (; *key && used + 2 < size; key++) {
        if (*key == '~' || *key == '/') {
            pointer[used++] = '~';
            pointer[used++] = *key == '~' ? '0' : '1';
        } else {
            pointer[used++] = (unsigned char)*key < 0x20 ? '?' : *key;
        }
    }
    pointer[used] = '\0';
}

struct decoder {
    const struct lag_fields *table;
    const char *const *others;
    const char *prefix; /* of pointers */
    void *object;
    bool *seen;
    struct lagd_faults *faults;
};

static void fault_at(struct decoder *decoder, const char *path, const char *detail) {
    char pointer[512];
    (void)snprintf(pointer, sizeof(pointer), "%s%s%s", decoder->prefix, *path ? "/" : "", path);
    lagd_fault_add(decoder->faults, false, pointer, detail);
}

static void set_list(struct decoder *decoder, const struct lag_field *field, json_t *value) {
    size_t i;
    json_t *item;
    struct lag_error err = {0};
    if (!json_is_array(value)) {
        fault_at(decoder, field->path, "must be an array of texts");
        return;
    }
    ((char *)decoder->object)[field->offset] = '\0';
    json_array_foreach(value, i, item) {
        const char *text = json_string_value(item);
        int status = text && strlen(text) == json_string_length(item)
                         ? lag_field_add_item(field, decoder->object, text, &err)
                         : lag_error_set(&err, LAG_EINVAL, "must be a text without NUL bytes");
        if (status < 0) {
            char path[160];
            (void)snprintf(path, sizeof(path), "%s/%zu", field->path, i);
            fault_at(decoder, path, err.text);
        }
    }
}

static void set_field(struct decoder *decoder, const struct lag_field *field, json_t *value) {
    struct lag_error err = {0};
    int status;
    decoder->seen[field - decoder->table->rows] = true;
    if (field->type == LAG_FIELD_LIST) {
        set_list(decoder, field, value);
        return;
    }
    bool takes_text =
        field->type == LAG_FIELD_TEXT || field->type == LAG_FIELD_CHOICE || field->type == LAG_FIELD_BYTES;
    if (json_is_integer(value)) {
        status = lag_field_set_int(field, decoder->object, json_integer_value(value), &err);
    } else if (json_is_real(value)) {
        status = lag_field_set_real(field, decoder->object, json_real_value(value), &err);
    } else if (json_is_boolean(value)) {
        status = lag_field_set_bool(field, decoder->object, json_is_true(value), &err);
    } else if (json_is_string(value) && takes_text) {
        const char *text = json_string_value(value);
        status = strlen(text) == json_string_length(value)
                     ? lag_field_set_text(field, decoder->object, text, &err)
                     : lag_error_set(&err, LAG_EINVAL, "must not contain NUL bytes");
    } else {
        static const char *const wanted[] = {"a whole number", "a number", "true or false",
                                             "a text", "a text", "a number of bytes, or a text such as \"64K\""};
        status = lag_error_set(&err, LAG_EINVAL, "must be %s, not %s", wanted[field->type],
                               json_is_null(value)     ? "null"
                               : json_is_string(value) ? "a text"
                               : json_is_array(value)  ? "an array"
                                                       : "an object");
    }
    if (status < 0) fault_at(decoder, field->path, err.text);
}

/* What may stand below a path: its keys, how many there are, and the one that is nearest to another key. */
struct known {
    char list[200], nearest[64];
    int least, n;
};

static void note_known(struct known *known, const char *key, const char *word) {
    int distance = lag_names_distance(key, word);
    size_t n = strlen(known->list), n_word = strlen(word);
    if (distance < known->least) {
        known->least = distance;
        (void)lag_copy(known->nearest, sizeof(known->nearest), word);
    }
    bool repeated = n >= n_word && strcmp(known->list + n - n_word, word) == 0;
    if (repeated) return;
    known->n++;
    if (n + n_word + 3 < sizeof(known->list))
        (void)snprintf(known->list + n, sizeof(known->list) - n, "%s%s", n ? ", " : "", word);
}

/* Those that the caller decodes itself stand at the top. */
static void find_known(const struct decoder *decoder, const char *base, const char *key, struct known *known) {
    size_t n_base = strlen(base);
    for (size_t i = 0; !*base && decoder->others && decoder->others[i]; i++)
        note_known(known, key, decoder->others[i]);
    for (size_t i = 0; i < decoder->table->n_rows; i++) {
        char word[64];
        const char *row = decoder->table->rows[i].path;
        if (strncmp(row, base, n_base) != 0 || (n_base > 0 && row[n_base] != '/')) continue;
        row += n_base + (n_base > 0);
        (void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(row, "/"), row);
        note_known(known, key, word);
    }
}

/* "unknown field model.layers; did you mean n_layer?" */
static void unknown_key(struct decoder *decoder, const char *base, const char *key) {
    char path[256], detail[256], name[80] = "";
    struct known known = {.least = LAG_NAMES_FAR};
    find_known(decoder, base, key, &known);
    (void)snprintf(path, sizeof(path), "%s%s%s", decoder->prefix, *base ? "/" : "", base);
    /* not cut: half a character of UTF-8 is none */
    if (strlen(path) < 38 && strlen(path) + strlen(key) + 3 < sizeof(name)) {
        int n = snprintf(name, sizeof(name), " %.38s%s", *path ? path + 1 : "", *path ? "." : "");
        for (char *p = name; *p; p++) *p = *p == '/' ? '.' : *p;
        (void)lag_copy(name + n, sizeof(name) - (size_t)n, key);
    }
    if (known.list[0] == '0') { /* an array, whose items are rows "0", "1" … */
        (void)snprintf(detail, sizeof(detail), "there is no item %.20s; give at most %d items", key, known.n);
    } else if (*known.nearest) {
        (void)snprintf(detail, sizeof(detail), "unknown field%s; did you mean %s?", name, known.nearest);
    } else {
        const char *there = *known.list ? "; there are " : "";
        (void)snprintf(detail, sizeof(detail), "unknown field%s%s%s", name, there, known.list);
    }
    lagd_pointer_append(path, sizeof(path), key);
    lagd_fault_add(decoder->faults, true, path, detail);
}

static void decode_value(struct decoder *decoder, const char *base, const char *key, json_t *value);

static void decode_children(struct decoder *decoder, const char *path, json_t *value) {
    const char *key;
    json_t *item;
    size_t i;
    if (json_is_object(value)) {
        json_object_foreach(value, key, item) decode_value(decoder, path, key, item);
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, item) {
            char index[24];
            (void)snprintf(index, sizeof(index), "%zu", i);
            decode_value(decoder, path, index, item);
        }
    } else {
        fault_at(decoder, path, "must be an object");
    }
}

static void decode_value(struct decoder *decoder, const char *base, const char *key, json_t *value) {
    char path[256];
    for (size_t i = 0; !*base && decoder->others && decoder->others[i]; i++) {
        if (strcmp(decoder->others[i], key) == 0) return;
    }
    int n = snprintf(path, sizeof(path), "%s%s%s", base, *base ? "/" : "", key);
    if (n < 0 || (size_t)n >= sizeof(path) || strchr(key, '/') || !*key) {
        unknown_key(decoder, base, key);
        return;
    }
    const struct lag_field *field = lag_fields_find(decoder->table, path);
    if (field) {
        set_field(decoder, field, value);
        return;
    }
    for (size_t i = 0; i < decoder->table->n_rows; i++) {
        const char *row = decoder->table->rows[i].path;
        if (strncmp(row, path, (size_t)n) != 0 || row[n] != '/') continue;
        bool is_list = row[n + 1] == '0'; /* "optim/betas/0" */
        if (is_list ? !json_is_array(value) : !json_is_object(value)) {
            fault_at(decoder, path, is_list ? "must be an array" : "must be an object");
        } else {
            decode_children(decoder, path, value);
        }
        return;
    }
    unknown_key(decoder, base, key);
}

int lagd_json_decode(json_t *body, const struct lag_fields *table, const char *const *others,
                     const char *pointer_prefix, void *object, struct lagd_faults *faults) {
    LAG_CLEANUP(lag_free_p) bool *seen = lag_calloc(table->n_rows + 1, sizeof(*seen));
    if (!seen) {
        lagd_fault_add(faults, false, pointer_prefix, "out of memory");
        return LAG_ENOMEM;
    }
    struct decoder decoder = {table, others, pointer_prefix, object, seen, faults};
    int before = faults->n;
    decode_children(&decoder, "", body);
    for (size_t i = 0; i < table->n_rows; i++) {
        if ((table->rows[i].flags & LAG_FIELD_REQUIRED) && !seen[i]) {
            fault_at(&decoder, table->rows[i].path, "is required");
        }
    }
    return faults->n > before ? LAG_EINVAL : 0;
}
