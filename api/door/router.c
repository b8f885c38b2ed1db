/* Finds the row of the route table for a target, and checks queries against it. */
#include "door/route_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/parse.h>
#include <stdio.h>
#include <string.h>

/* A value for "{name}": what ids, names and file names look like; nothing that begins with a dot. */
static bool parameter_ok(const char *text) {
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return n > 0 && n <= 80 && !text[n] && text[0] != '.';
}

static bool path_matches(const char *pattern, const struct lagd_target *target, const char **params) {
    int n_params = 0, segment = 0;
    for (const char *p = pattern; p[0] && p[1]; segment++) { /* "/" alone has no segments */
        p++; /* the slash */
        size_t n = strcspn(p, "/");
        if (segment >= target->n_segments) return false;
        const char *have = target->segments[segment];
        if (*p == '{') {
            LAG_ASSERT(n_params < LAGD_ROUTE_PARAMS);
            if (!parameter_ok(have)) return false;
            params[n_params++] = have;
        } else if (strlen(have) != n || strncmp(have, p, n) != 0) {
            return false;
        }
        p += n;
    }
    return segment == target->n_segments;
}

static void allow_add(char *allow, size_t size, const char *method) {
    size_t n = strlen(allow);
    (void)snprintf(allow + n, size - n, "%s%s", n ? ", " : "", method);
}

void lagd_route_match(const struct lagd_route *routes, size_t n_routes, const char *method,
                      const struct lagd_target *target, struct lagd_match *ret) {
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    const char *params[LAGD_ROUTE_PARAMS] = {NULL, NULL};
    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < n_routes; i++) {
        if (!path_matches(routes[i].path, target, params)) continue;
        allow_add(ret->allow, sizeof(ret->allow), routes[i].method);
        if (strcmp(routes[i].method, "GET") == 0) allow_add(ret->allow, sizeof(ret->allow), "HEAD");
        if (strcmp(routes[i].method, wanted) != 0) continue;
        ret->route = &routes[i];
        memcpy(ret->params, params, sizeof(params));
    }
    if (*ret->allow) allow_add(ret->allow, sizeof(ret->allow), "OPTIONS");
}

const struct lagd_parameter lagd_parameter_pretty = {
    "pretty", LAGD_PARAM_BOOL, false, false, 0, 0, NULL, NULL, "Indent the answer for people."};
const struct lagd_parameter lagd_parameter_dry_run = {
    "dry_run", LAGD_PARAM_BOOL, false, false, 0, 0, NULL, NULL, "Check and estimate only; nothing is changed."};

static const struct lagd_parameter *find(const struct lagd_route *route, const char *name) {
    for (const struct lagd_parameter *p = route->query; p && p->name; p++) {
        if (strcmp(p->name, name) == 0) return p;
    }
    if (strcmp(name, lagd_parameter_pretty.name) == 0) return &lagd_parameter_pretty;
    if ((route->flags & LAGD_DRY_RUN) && strcmp(name, lagd_parameter_dry_run.name) == 0) return &lagd_parameter_dry_run;
    return NULL;
}

static bool choice_ok(const char *const *choices, const char *value) {
    for (; *choices; choices++) {
        if (strcmp(*choices, value) == 0) return true;
    }
    return false;
}

/* NULL, or what the value must be. */
static const char *value_wrong(const struct lagd_parameter *parameter, const char *value, char *text, size_t size) {
    int64_t whole;
    bool truth;
    size_t n = strlen(value);
    switch (parameter->kind) {
    case LAGD_PARAM_INT:
        if (lag_parse_i64(value, &whole) == 0 && (double)whole >= parameter->min) return NULL;
        (void)snprintf(text, size, "must be a whole number of at least %.0f", parameter->min);
        return text;
    case LAGD_PARAM_BOOL: return n == 0 || lag_parse_bool(value, &truth) == 0 ? NULL : "must be true or false";
    case LAGD_PARAM_TEXT:
        if ((double)n >= parameter->min && (double)n <= parameter->max) return NULL;
        (void)snprintf(text, size, "must have between %.0f and %.0f bytes", parameter->min, parameter->max);
        return text;
    case LAGD_PARAM_CHOICE:
        if (choice_ok(parameter->choices, value)) return NULL;
        (void)snprintf(text, size, "must be one of");
        for (size_t i = 0; parameter->choices[i]; i++) {
            size_t used = strlen(text);
            (void)snprintf(text + used, size - used, "%s %s", i ? "," : "", parameter->choices[i]);
        }
        return text;
    }
    return "cannot be read";
}

int lagd_query_check(const struct lagd_route *route, const struct lagd_target *target, const char **ret_slug,
                     char *ret_detail, size_t size) {
    char text[160];
    for (int i = 0; i < target->n_query; i++) {
        const struct lagd_query_item *item = &target->query[i];
        const struct lagd_parameter *parameter = find(route, item->name);
        *ret_slug = "invalid-parameter";
        if (!parameter) {
            *ret_slug = "unknown-parameter";
            int n = snprintf(ret_detail, size, "%s %s knows no query parameter %.60s; it knows", route->method,
                             route->path, item->name);
            for (const struct lagd_parameter *p = route->query; p && p->name && n > 0 && (size_t)n < size; p++) {
                n += snprintf(ret_detail + n, size - (size_t)n, " %s,", p->name);
            }
            if (n > 0 && (size_t)n < size) (void)snprintf(ret_detail + n, size - (size_t)n, " pretty");
            return -1;
        }
        const char *wrong = value_wrong(parameter, item->value, text, sizeof(text));
        if (wrong) {
            (void)snprintf(ret_detail, size, "query parameter %s %s (got '%.60s')", item->name, wrong, item->value);
            return -1;
        }
        for (int j = 0; j < i && !parameter->repeats; j++) {
            if (strcmp(target->query[j].name, item->name) != 0) continue;
            (void)snprintf(ret_detail, size, "query parameter %s is given twice", item->name);
            return -1;
        }
    }
    for (const struct lagd_parameter *p = route->query; p && p->name; p++) {
        if (!p->required || lagd_target_query(target, p->name)) continue;
        *ret_slug = "invalid-parameter";
        (void)snprintf(ret_detail, size, "query parameter %s is required: %s", p->name, p->help);
        return -1;
    }
    return 0;
}

const char *lagd_query_text(const struct lagd_target *target, const struct lagd_route *route, const char *name) {
    const char *value = lagd_target_query(target, name);
    const struct lagd_parameter *parameter = find(route, name);
    return value ? value : parameter ? parameter->preset : NULL;
}

int64_t lagd_query_int(const struct lagd_target *target, const struct lagd_route *route, const char *name) {
    const struct lagd_parameter *parameter = find(route, name);
    const char *text = lagd_query_text(target, route, name);
    int64_t value = 0;
    LAG_ASSERT(parameter && parameter->kind == LAGD_PARAM_INT);
    if (text) (void)lag_parse_i64(text, &value);
    return (double)value > parameter->max ? (int64_t)parameter->max : value;
}

bool lagd_query_bool(const struct lagd_target *target, const char *name) {
    bool value = true;
    const char *text = lagd_target_query(target, name);
    if (!text) return false;
    if (*text) (void)lag_parse_bool(text, &value);
    return value;
}
