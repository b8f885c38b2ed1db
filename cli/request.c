/* The generic command: arguments and options become a path, a query and a body as the table says. */
#include "ctl_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/* "/runs/{RUN}/pause": names of arguments become their values; a query whose argument was left out goes. */
static void expand_path(const struct ctl_call *call, struct lag_strbuf *out) {
    for (const char *p = call->command->path; *p; p++) {
        char kind[32];
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        if (!end) {
            lag_strbuf_append_n(out, p, 1);
            continue;
        }
        (void)snprintf(kind, sizeof(kind), "%.*s", (int)(end - p - 1), p + 1);
        const char *value = ctl_argument(call, kind);
        if (value) {
            ctl_escape(out, value);
        } else if (!out->failed && strchr(out->data, '?')) {
            out->length = (size_t)(strchr(out->data, '?') - out->data);
            out->data[out->length] = '\0';
        }
        p = end;
    }
}

/* What an option says of its parameter; *ret_n is the length of the parameter's name. */
static const char *said(const struct ctl_value *value, size_t *ret_n) {
    const char *sends = value->option->sends;
    *ret_n = strcspn(sends + 1, "=");
    return sends[1 + *ret_n] == '=' ? sends + *ret_n + 2 : value->value;
}

/* Two options may speak of one parameter, as --csv and --format do, if they say the same: then the first counts. */
static int check_said(const struct ctl_call *call, int i, bool *ret_again) {
    const struct ctl_value *one = &call->values[i];
    size_t n, n_other;
    const char *text = said(one, &n);
    *ret_again = false;
    for (int k = 0; k < i; k++) {
        const struct ctl_value *other = &call->values[k];
        if (!other->option->sends || *other->option->sends != '?' || other->option == one->option) continue;
        const char *before = said(other, &n_other);
        if (n != n_other || strncmp(one->option->sends, other->option->sends, n + 1) != 0) continue;
        *ret_again = true;
        if (strcmp(text, before) != 0)
            return ctl_fail(CTL_USAGE, "--%s means %.*s %s, and --%s says %s: leave one of them out",
                            other->option->name, (int)n, other->option->sends + 1, before, one->option->name, text);
    }
    return CTL_OK;
}

int ctl_path_of(struct ctl *ctl, struct lag_strbuf *ret) {
    const struct ctl_call *call = ctl->call;
    bool again;
    expand_path(call, ret);
    for (int i = 0; i < call->n_values; i++) {
        const char *sends = call->values[i].option->sends, *value = call->values[i].value;
        if (!sends || *sends != '?') continue;
        int status = check_said(call, i, &again);
        if (status != CTL_OK) return status;
        if (again) continue;
        size_t name = strcspn(sends + 1, "=");
        lag_strbuf_printf(ret, "%c%.*s=", !ret->failed && strchr(ret->data, '?') ? '&' : '?', (int)name, sends + 1);
        ctl_escape(ret, sends[1 + name] == '=' ? sends + name + 2 : value);
    }
    return ret->failed ? ctl_fail(CTL_FAILED, "out of memory") : CTL_OK;
}

static json_t *words_value(const char *text) {
    json_t *list = json_array();
    while (*text) {
        size_t n = strcspn(text, ",");
        if (n > 0 && json_array_append_new(list, json_stringn(text, n)) < 0) break;
        text += n + (text[n] == ',');
    }
    return list;
}

json_t *ctl_list_value(const char *text) {
    static const char *const pools[] = {"default", "depth", "width", "all", "preserving", "published",
                                        "blocks"};
    for (size_t i = 0; i < LAG_COUNT(pools); i++)
        if (strcmp(text, pools[i]) == 0) return json_string(text);
    return words_value(text);
}

/* "1,2" → [1,2]; what is no whole number stays text, for the daemon to refuse. */
static json_t *numbers_value(const char *text) {
    json_t *list = ctl_list_value(text), *item;
    int64_t integer;
    size_t i;
    json_array_foreach(list, i, item) {
        if (lag_parse_i64(json_string_value(item), &integer) == 0 &&
            json_array_set_new(list, i, json_integer(integer)) < 0)
            break;
    }
    return list;
}

/* One axis of "n_layer=6,n_embd=256"; a number alone is of layers. */
static bool add_axis(json_t *shape, const char *item) {
    const char *equals = strchr(item, '=');
    char axis[32] = "n_layer";
    int64_t integer;
    const char *text = equals ? equals + 1 : item;
    if (equals) (void)snprintf(axis, sizeof(axis), "%.*s", (int)(equals - item), item);
    json_t *value = lag_parse_i64(text, &integer) == 0 ? json_integer(integer) : json_string(text);
    return json_object_set_new(shape, axis, value) == 0;
}

static json_t *shape_value(const char *text) {
    json_t *list = ctl_list_value(text), *shape = json_object(), *item;
    size_t i;
    bool good = list && shape;
    json_array_foreach(list, i, item) good = good && add_axis(shape, json_string_value(item));
    json_decref(list);
    if (good) return shape;
    json_decref(shape);
    return NULL;
}

static json_t *typed_value(const char *kind, const char *text) {
    static const char whole[] = "N STEP STEPS SEQ STEPS-OR-KEEP"; /* else a text: the daemon judges it */
    int64_t integer;
    double real;
    if (!kind && lag_parse_i64(text, &integer) < 0)
        return strcmp(text, "true") == 0 ? json_true() : strcmp(text, "false") == 0 ? json_false() : json_string(text);
    if ((!kind || strstr(whole, kind)) && lag_parse_i64(text, &integer) == 0) return json_integer(integer);
    if (kind && strcmp(kind, "X") == 0 && lag_parse_double(text, &real) == 0) return json_real(real);
    if (kind && strcmp(kind, "SEEDS") == 0) return numbers_value(text);
    if (kind && strcmp(kind, "WORDS") == 0) return words_value(text);
    return kind && strcmp(kind, "LIST") == 0 ? ctl_list_value(text) : json_string(text);
}

/* A pool is a name, a list, or an object with either of them and rules. What is no object yet becomes one, so that a
 * rule finds its place beside it. */
static int make_object(json_t *body, const char *key) {
    json_t *there = json_object_get(body, key);
    if (json_is_object(there)) return 0;
    json_t *object = json_object();
    if (!object || (there && json_object_set(object, "operators", there) < 0)) {
        json_decref(object);
        return -1;
    }
    return json_object_set_new(body, key, object);
}

/* The object that a pointer such as "/target/n_layer" leads to, made on the way; its last name in key. */
static json_t *walk_to(json_t *body, const char *pointer, char key[64]) {
    while (body) {
        size_t n = strcspn(pointer + 1, "/=");
        (void)snprintf(key, 64, "%.*s", (int)n, pointer + 1);
        pointer += n + 1;
        if (*pointer != '/') return body;
        if (make_object(body, key) < 0) return NULL;
        body = json_object_get(body, key);
    }
    return NULL;
}

/* What a file says of other axes stays. */
static int set_shape(json_t *object, const char *key, const char *value) {
    json_t *shape = shape_value(value), *there = json_object_get(object, key);
    int rc = -1;
    if (shape && json_is_object(there)) rc = json_object_update(there, shape);
    else if (shape) rc = json_object_set(object, key, shape);
    json_decref(shape);
    return rc;
}

/* A flag sends what stands behind '=' of "/mode=manual". */
static int set_member(json_t *body, const struct ctl_option *option, const char *value) {
    const char *constant = strchr(option->sends, '=');
    char key[64];
    json_t *object = walk_to(body, option->sends, key);
    json_t *there = json_object_get(object, key);
    if (object && option->argument && strcmp(option->argument, "SHAPE") == 0) return set_shape(object, key, value);
    if (json_is_object(there)) { /* a pool with rules already */
        object = there;
        (void)snprintf(key, sizeof(key), "operators");
    }
    return object ? json_object_set_new(object, key, typed_value(option->argument, constant ? constant + 1 : value))
                  : -1;
}

static int read_body(const char *path, json_t **ret) {
    json_error_t error;
    LAG_CLEANUP(lag_free_p) char *text = NULL;
    size_t length = 0;
    int status = ctl_read(path, CTL_BODY_MAX, &text, &length);
    if (status != CTL_OK) return status;
    const size_t mark = lag_utf8_mark(text, length);
    json_t *value = json_loadb(text + mark, length - mark, JSON_REJECT_DUPLICATES, &error);
    if (!value) return ctl_fail(CTL_FAILED, "%s:%d:%d: %s", path, error.line, error.column, error.text);
    if (!json_is_object(value)) {
        json_decref(value);
        return ctl_fail(CTL_FAILED, "%s: this must be a JSON object", path);
    }
    *ret = value;
    return CTL_OK;
}

int ctl_body_of(struct ctl *ctl, json_t **ret) {
    const struct ctl_call *call = ctl->call;
    const char *file = NULL;
    json_t *body = NULL;
    for (int i = 0; i < call->n_values; i++) {
        if (strcmp(call->values[i].option->name, "file") == 0) file = call->values[i].value;
    }
    int status = file ? read_body(file, &body) : CTL_OK;
    for (int i = 0; status == CTL_OK && i < call->n_values; i++) {
        const struct ctl_option *option = call->values[i].option;
        if (!option->sends || *option->sends != '/') continue;
        if (!body) body = json_object();
        if (set_member(body, option, call->values[i].value) < 0)
            status = ctl_fail(CTL_FAILED, "out of memory, or an option's value is no UTF-8");
    }
    if (status == CTL_OK)
        *ret = body;
    else
        json_decref(body);
    return status;
}

int ctl_run_generic(struct ctl *ctl) {
    const struct ctl_command *command = ctl->call->command;
    struct lag_strbuf path = LAG_STRBUF_INIT;
    json_t *body = NULL, *answer = NULL;
    bool reads = strcmp(command->method, "GET") == 0;
    int status = ctl_path_of(ctl, &path);
    if (status == CTL_OK && !reads) status = ctl_body_of(ctl, &body);
    if (status == CTL_OK) {
        status = reads ? ctl_get_all(ctl, path.data, ctl_value_int(ctl->call, "limit", -1), &answer)
                       : ctl_ask(ctl, command->method, path.data, body, &answer);
    }
    if (status == CTL_OK && answer) {
        status = ctl_print(ctl, command->view, answer);
    } else if (status == CTL_OK && ctl->form == CTL_FORM_TABLE && !ctl->quiet && ctl->call->n_arguments) {
        struct lag_strbuf out = LAG_STRBUF_INIT;
        lag_strbuf_printf(&out, "%s %s\n", command->view && command->view->say ? command->view->say : "done",
                          ctl->call->arguments[0]);
        status = ctl_put(&out);
    }
    json_decref(answer);
    json_decref(body);
    lag_strbuf_deinit(&path);
    return status;
}
