/* Route, token, query and kind of body: decided from the head alone. */
#include "door/admit_internal.h"

#include <lagd/base/parse.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool __attribute__((format(printf, 3, 4)))
refuse(struct lagd_refusal *verdict, const char *slug, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    verdict->slug = slug;
    (void)vsnprintf(verdict->detail, sizeof(verdict->detail), format, arguments);
    va_end(arguments);
    return false;
}

/* "application/json; charset=utf-8" is application/json. */
static bool is_media_type(const char *value, const char *type) {
    size_t n = strlen(type);
    if (!value || strncasecmp(value, type, n) != 0) return false;
    value += n;
    while (*value == ' ' || *value == '\t') value++;
    return *value == '\0' || *value == ';';
}

static bool check_route(const struct lagd_head *head, const struct lagd_target *target, struct lagd_admitted *ret) {
    if (ret->match.route) return true;
    if (strcmp(head->method, "OPTIONS") == 0 && (*ret->match.allow || strcmp(head->raw_target, "*") == 0)) {
        if (!*ret->match.allow)
            (void)snprintf(ret->match.allow, sizeof(ret->match.allow), "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        ret->options = true;
        return true;
    }
    if (*ret->match.allow) {
        return refuse(&ret->verdict, "method-not-allowed", "%s is not possible here; %s are", head->method,
                      ret->match.allow);
    }
    bool api =
        target->n_segments >= 2 && strcmp(target->segments[0], "api") == 0 && strcmp(target->segments[1], "v1") == 0;
    return refuse(&ret->verdict, "not-found",
                  api ? "there is no such address; GET /api/v1/openapi.json lists them"
                      : "there is no such address; the API begins at /api/v1");
}

static bool check_body(const struct lagd_head *head, const struct lagd_target *target,
                       const struct lagd_framing *framing, const struct lagd_limits *limits,
                       struct lagd_admitted *ret) {
    const struct lagd_route *route = ret->match.route;
    const char *type = lagd_head_find(head, "Content-Type");
    bool json = is_media_type(type, "application/json");
    bool bytes = is_media_type(type, "text/plain") || is_media_type(type, "application/octet-stream");
    ret->plan = LAGD_PLAN_NONE;
    if (ret->options || route->body == LAGD_BODY_NONE) {
        return !framing->has_body || refuse(&ret->verdict, "malformed", "%s takes no body here", head->method);
    }
    if (route->body == LAGD_BODY_UPLOAD && bytes) {
        const char *name = lagd_target_query(target, "name");
        if (!name || !lag_name_valid(name)) {
            return refuse(&ret->verdict, "validation",
                          "an upload needs ?name= with 1 to %d letters, digits, '.', '_' or '-'", LAG_NAME_MAX);
        }
        if (framing->content_length > limits->upload_bytes) {
            return refuse(&ret->verdict, "too-large",
                          "the upload has %lld bytes; %lld are allowed (server/upload_limit_bytes)",
                          (long long)framing->content_length, (long long)limits->upload_bytes);
        }
        ret->plan = LAGD_PLAN_UPLOAD;
        return true;
    }
    if (framing->has_body && !json) {
        return refuse(&ret->verdict, "unsupported-media-type", "%s%.80s is not accepted here; send %s",
                      type ? "Content-Type " : "a body without Content-Type", type ? type : "",
                      route->body == LAGD_BODY_UPLOAD
                          ? "application/json, or an upload as text/plain or application/octet-stream"
                          : "application/json");
    }
    if (framing->content_length > limits->body_bytes) {
        return refuse(&ret->verdict, "too-large", "the body has %lld bytes; %lld are allowed (server/body_limit_bytes)",
                      (long long)framing->content_length, (long long)limits->body_bytes);
    }
    if (framing->has_body || route->body != LAGD_BODY_JSON_OPTIONAL) ret->plan = LAGD_PLAN_JSON;
    return true;
}

void lagd_admit(const struct lagd_route *routes, size_t n_routes, const struct lagd_head *head,
                const struct lagd_target *target, const struct lagd_framing *framing, const struct lagd_auth *auth,
                const struct lagd_limits *limits, struct lagd_admitted *ret) {
    const char *slug;
    char detail[256];
    memset(ret, 0, sizeof(*ret));
    lagd_route_match(routes, n_routes, head->method, target, &ret->match);
    const struct lagd_route *route = ret->match.route;
    if (!(route && (route->flags & LAGD_OPEN)) && !lagd_auth_check(auth, lagd_head_find(head, "Authorization"))) {
        (void)refuse(&ret->verdict, "unauthenticated",
                     "this daemon asks for a token: send 'Authorization: Bearer TOKEN'");
        return;
    }
    if (!check_route(head, target, ret)) return;
    if (!ret->options && lagd_query_check(route, target, &slug, detail, sizeof(detail)) < 0) {
        (void)refuse(&ret->verdict, slug, "%s", detail);
        return;
    }
    (void)check_body(head, target, framing, limits, ret);
}
