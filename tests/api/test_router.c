/* Routes, queries, admission, tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "door/admit_internal.h"
#include "door/problem_internal.h"
#include <lagd/api/server.h>
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>

static struct lagd_target target; /* of the last request; its answer points into it */

static struct lagd_admitted admit(const char *method, const char *raw, const struct lagd_header *header,
                                   const struct lagd_auth *auth) {
    static const struct lagd_auth open = {0};
    struct lagd_limits limits = {65536, 1 << 20};
    struct lagd_head head = {
        .method = method, .version = "HTTP/1.1", .raw_target = raw, .n_headers = 1, .headers = {{"Host", "localhost"}}};
    struct lagd_admitted ret = {0};
    struct lagd_framing framing = {0};
    struct lagd_host_policy policy = {"", "", ""};
    const struct lagd_route *routes = lagd_routes.rows;
    size_t n = lagd_routes.n;
    for (; header && header->name; header++) head.headers[head.n_headers++] = *header;
    lagd_guard(&head, &policy, &target, &framing, &ret.verdict);
    if (!ret.verdict.slug) lagd_admit(routes, n, &head, &target, &framing, auth ? auth : &open, &limits, &ret);
    return ret;
}

static void every_route_is_found(void **state) {
    (void)state;
    const struct lagd_route *routes = lagd_routes.rows;
    size_t n = lagd_routes.n;
    for (size_t i = 0; i < n; i++) {
        char raw[256] = "";
        for (const char *p = routes[i].path; *p; p++) { /* {run} → xrun */
            size_t used = strlen(raw);
            if (*p != '{' && *p != '}') (void)snprintf(raw + used, sizeof(raw) - used, "%c", *p);
        }
        for (const struct lagd_parameter *p = routes[i].query; p && p->name; p++) {
            size_t used = strlen(raw);
            if (!p->required) continue;
            (void)snprintf(raw + used, sizeof(raw) - used, "%c%s=x", strchr(raw, '?') ? '&' : '?', p->name);
        }
        struct lagd_admitted got = admit(routes[i].method, raw, NULL, NULL);
        if (got.match.route != &routes[i])
            fail_msg("%s %s finds %s", routes[i].method, raw,
                     got.match.route ? got.match.route->path : got.verdict.slug);
        assert_true(!got.verdict.slug);
        assert_non_null(routes[i].summary);
        assert_true(routes[i].status >= 200 && routes[i].status < 300);
        assert_true((routes[i].body == LAGD_BODY_NONE) == (routes[i].request == NULL));
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(routes[i].operation, routes[j].operation);
            assert_false(strcmp(routes[i].path, routes[j].path) == 0 &&
                         strcmp(routes[i].method, routes[j].method) == 0);
        }
        if (strcmp(routes[i].method, "GET") == 0)
            assert_ptr_equal(admit("HEAD", raw, NULL, NULL).match.route, &routes[i]);
    }
}

static void what_is_not_there_is_said(void **state) {
    (void)state;
    static const struct {
        const char *method, *target, *slug, *allow;
    } list[] = {
        {"GET", "/", NULL, NULL},
        {"GET", "/ui", "not-found", ""},
        {"GET", "/ui/a/b/c", "not-found", ""},
        {"GET", "/nowhere", "not-found", ""},
        {"GET", "/api", "not-found", ""},
        {"GET", "/api/v2/runs", "not-found", ""},
        {"GET", "/api/v1/runs/a/b/c", "not-found", ""},
        {"GET", "/api/v1//runs", "not-found", ""},
        {"GET", "/api/v1/runs/..", "not-found", ""},
        {"GET", "/api/v1/runs/%2e%2e", "not-found", ""},
        {"GET", "/api/v1/runs/a%2fb", "not-found", ""},
        {"GET", "/API/v1/runs", "not-found", ""},
        {"GET", "/api/v1/runs/%0a", "not-found", ""},
        {"GET", "/api/v1/checkpoints/c/files/..%2f..%2fetc", "not-found", ""},
        {"GET", "/api/v1/checkpoints/c/files/.hidden", "not-found", ""},
        {"PUT", "/api/v1/runs", "method-not-allowed", "GET, HEAD, POST, OPTIONS"},
        {"BREW", "/healthz", "method-not-allowed", "GET, HEAD, OPTIONS"},
        {"get", "/healthz", "method-not-allowed", "GET, HEAD, OPTIONS"},
        {"DELETE", "/api/v1/runs", "method-not-allowed", "GET, HEAD, POST, OPTIONS"},
        {"GET", "/api/v1/runs/a/pause", "method-not-allowed", "POST, OPTIONS"},
        {"OPTIONS", "/nowhere", "not-found", ""},
        {"GET", "/api/v1/runs?limit=x", "invalid-parameter", NULL},
        {"GET", "/api/v1/runs?limit=0", "invalid-parameter", NULL},
        {"GET", "/api/v1/runs?limit=1&limit=2", "invalid-parameter", NULL},
        {"GET", "/api/v1/runs?limt=1", "unknown-parameter", NULL},
        {"GET", "/api/v1/runs?pretty=perhaps", "invalid-parameter", NULL},
        {"GET", "/api/v1/runs?dry_run", "unknown-parameter", NULL},
        {"GET", "/api/v1/runs/a/series", "invalid-parameter", NULL},
        {"GET", "/api/v1/runs/a/series?key=", "invalid-parameter", NULL},
        {"GET", "/api/v1/runs/a/export?format=xml", "invalid-parameter", NULL},
        {"GET", "/api/v1/runs?limit=99999&pretty", NULL, NULL},
        {"GET", "/api/v1/runs/", NULL, NULL},
        {"GET", "/api/v1/runs/a/series?key=a&key=b", NULL, NULL},
        {"POST", "/api/v1/runs?dry_run=true", NULL, NULL},
    };
    for (size_t i = 0; i < LAG_COUNT(list); i++) {
        struct lagd_admitted got = admit(list[i].method, list[i].target, NULL, NULL);
        const char *want = list[i].slug ? list[i].slug : "fine", *have = got.verdict.slug ? got.verdict.slug : "fine";
        if (strcmp(want, have) != 0)
            fail_msg("%s %s: wanted %s, got %s (%s)", list[i].method, list[i].target, want, have, got.verdict.detail);
        if (list[i].allow) assert_string_equal(got.match.allow, list[i].allow);
        if (list[i].slug) assert_string_equal(lagd_problem_find(have)->slug, have);
    }
    struct lagd_admitted options = admit("OPTIONS", "/api/v1/runs", NULL, NULL);
    assert_true(options.options && !options.verdict.slug);
    options = admit("OPTIONS", "*", NULL, NULL);
    assert_true(options.options && *options.match.allow);
}

static void wrong_parameters_are_told_with_what_is_right(void **state) {
    (void)state;
    static const struct {
        const char *target, *detail;
    } list[] = {
        {"/api/v1/runs?limt=1",
         "GET /api/v1/runs knows no query parameter limt; it knows q, tag, state, waiting_for, arch, sort, order, "
         "limit, cursor, pretty"},
        {"/api/v1/runs?limit=0",
         "query parameter limit must be a whole number of at least 1 (got '0')"},
        {"/api/v1/runs?limit=x",
         "query parameter limit must be a whole number of at least 1 (got 'x')"},
        {"/api/v1/runs?pretty=perhaps",
         "query parameter pretty must be true or false (got 'perhaps')"},
        {"/api/v1/runs/a/series",
         "query parameter key is required: Name of a series, such as val/loss; may be repeated."},
        {"/api/v1/runs/a/series?key=",
         "query parameter key must have between 1 and 71 bytes (got '')"},
        {"/api/v1/runs/a/export?format=xml",
         "query parameter format must be one of jsonl, csv (got 'xml')"},
        {"/api/v1/runs?limit=1&limit=2",
         "query parameter limit is given twice"},
    };
    for (size_t i = 0; i < LAG_COUNT(list); i++) {
        struct lagd_admitted got = admit("GET", list[i].target, NULL, NULL);
        assert_string_equal(got.verdict.detail, list[i].detail);
    }
    /* what is right is read, and a number that is too large is the largest */
    struct lagd_admitted got = admit("GET", "/api/v1/runs?limit=99999&pretty", NULL, NULL);
    assert_int_equal(lagd_query_int(&target, got.match.route, "limit"), 1000);
    assert_true(lagd_query_bool(&target, "pretty"));
    assert_null(lagd_query_text(&target, got.match.route, "cursor"));
    got = admit("GET", "/api/v1/runs?limit=7&pretty=no&state=paused", NULL, NULL);
    assert_int_equal(lagd_query_int(&target, got.match.route, "limit"), 7);
    assert_false(lagd_query_bool(&target, "pretty"));
    assert_string_equal(lagd_query_text(&target, got.match.route, "state"), "paused");
    got = admit("GET", "/api/v1/runs", NULL, NULL);
    assert_int_equal(lagd_query_int(&target, got.match.route, "limit"), 50);
    assert_false(lagd_query_bool(&target, "pretty"));
}

static void bodies_are_admitted_by_kind(void **state) {
    (void)state;
    static const struct {
        const char *method, *target, *type, *length, *slug;
        enum lagd_body_plan plan;
    } list[] = {
        {"POST", "/api/v1/runs", "application/json", "10", NULL, LAGD_PLAN_JSON},
        {"POST", "/api/v1/runs", "Application/JSON ; charset=utf-8", "10", NULL, LAGD_PLAN_JSON},
        {"POST", "/api/v1/runs", "text/plain", "10", "unsupported-media-type", LAGD_PLAN_NONE},
        {"POST", "/api/v1/runs", "application/jsonx", "10", "unsupported-media-type", LAGD_PLAN_NONE},
        {"POST", "/api/v1/runs", "application/x-www-form-urlencoded", "10", "unsupported-media-type", LAGD_PLAN_NONE},
        {"POST", "/api/v1/runs", NULL, "10", "unsupported-media-type", LAGD_PLAN_NONE},
        {"POST", "/api/v1/runs", "application/json", "65537", "too-large", LAGD_PLAN_NONE},
        {"POST", "/api/v1/runs", NULL, NULL, NULL, LAGD_PLAN_JSON}, /* told later that a body is needed */
        {"POST", "/api/v1/runs/a/pause", NULL, NULL, NULL, LAGD_PLAN_NONE},
        {"POST", "/api/v1/runs/a/pause", "application/json", "2", NULL, LAGD_PLAN_JSON},
        {"POST", "/api/v1/runs/a/pause", "text/plain", "2", "unsupported-media-type", LAGD_PLAN_NONE},
        {"GET", "/api/v1/runs", "application/json", "2", "malformed", LAGD_PLAN_NONE},
        {"DELETE", "/api/v1/runs/a", "application/json", "2", "malformed", LAGD_PLAN_NONE},
        {"POST", "/api/v1/datasets?name=a", "text/plain", "100000", NULL, LAGD_PLAN_UPLOAD},
        {"POST", "/api/v1/datasets?name=a", "application/octet-stream", "100000", NULL, LAGD_PLAN_UPLOAD},
        {"POST", "/api/v1/datasets", "text/plain", "10", "validation", LAGD_PLAN_NONE},
        {"POST", "/api/v1/datasets?name=.a", "text/plain", "10", "validation", LAGD_PLAN_NONE},
        {"POST", "/api/v1/datasets?name=a", "text/plain", "1048577", "too-large", LAGD_PLAN_NONE},
        {"POST", "/api/v1/datasets?name=a", "text/html", "10", "unsupported-media-type", LAGD_PLAN_NONE},
        {"POST", "/api/v1/datasets", "application/json", "10", NULL, LAGD_PLAN_JSON},
    };
    for (size_t i = 0; i < LAG_COUNT(list); i++) {
        struct lagd_header headers[3] = {{0}};
        int n = 0;
        if (list[i].type) headers[n++] = (struct lagd_header){"Content-Type", list[i].type};
        if (list[i].length) headers[n++] = (struct lagd_header){"Content-Length", list[i].length};
        struct lagd_admitted got = admit(list[i].method, list[i].target, headers, NULL);
        const char *want = list[i].slug ? list[i].slug : "fine", *have = got.verdict.slug ? got.verdict.slug : "fine";
        if (strcmp(want, have) != 0)
            fail_msg("%zu %s %s: wanted %s, got %s", i, list[i].method, list[i].target, want, have);
        if (!list[i].slug) assert_int_equal(got.plan, list[i].plan);
    }
}

static void tokens_open_what_is_not_open(void **state) {
    (void)state;
    char dir[] = "/tmp/lagd-auth-XXXXXX", path[64];
    struct lagd_auth auth = {0};
    struct lag_error err = {0};
    assert_non_null(mkdtemp(dir));
    assert_int_equal(lag_fs_write_file(dir, "token", "sesame open\n", 12, &err), 0);
    (void)snprintf(path, sizeof(path), "%s/token", dir);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(lagd_auth_load(path, &auth, &err), LAG_EDENIED);
    assert_non_null(strstr(err.text, "chmod"));
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(lagd_auth_load(path, &auth, &err), 0);
    assert_true(auth.configured);
    static const char *const wrong[] = {"",
                                        "Bearer",
                                        "Bearer ",
                                        "Bearer sesame",
                                        "Bearer sesame open ",
                                        "Bearer sesame open\n",
                                        "Basic sesame open",
                                        "sesame open",
                                        "Bearer sesame opeN"};
    assert_false(lagd_auth_check(&auth, NULL));
    for (size_t i = 0; i < LAG_COUNT(wrong); i++) assert_false(lagd_auth_check(&auth, wrong[i]));
    assert_true(lagd_auth_check(&auth, "Bearer sesame open"));
    assert_true(lagd_auth_check(&auth, "bearer   sesame open"));
    assert_string_equal(admit("GET", "/api/v1/runs", NULL, &auth).verdict.slug, "unauthenticated");
    assert_string_equal(admit("GET", "/nowhere", NULL, &auth).verdict.slug, "unauthenticated");
    assert_null(admit("GET", "/healthz", NULL, &auth).verdict.slug);
    assert_null(admit("GET", "/readyz", NULL, &auth).verdict.slug);
    assert_string_equal(admit("GET", "/metrics", NULL, &auth).verdict.slug, "unauthenticated");
    const struct lagd_header token[] = {{"Authorization", "Bearer sesame open"}, {0}};
    assert_null(admit("GET", "/api/v1/runs", token, &auth).verdict.slug);
    assert_int_equal(lag_fs_write_file(dir, "token", "\n", 1, &err), 0);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(lagd_auth_load(path, &auth, &err), LAG_EINVAL);
    assert_true(lagd_auth_check(&auth, "Bearer sesame open")); /* the old one stays */
    assert_int_equal(lagd_auth_load("", &auth, &err), 0);
    assert_true(lagd_auth_check(&auth, NULL));
    assert_int_equal(lag_fs_remove_tree(dir, &err), 0);
}

/* A command is posted before the daemon answers, so a row that changes anything has a function for afterwards. */
/* Reads that post a command: a file is hashed first, by a worker. */
static bool posts(const struct lagd_route *route) {
    static const char *const reads[] = {"checkpoint_file", "checkpoint_archive", "checkpoint_hf", "checkpoint_gguf"};
    for (size_t i = 0; i < LAG_COUNT(reads); i++)
        if (strcmp(route->operation, reads[i]) == 0) return true;
    /* It waits for a sink by itself. */
    return strcmp(route->method, "GET") != 0 && strcmp(route->operation, "notify_test") != 0;
}

static void rows_that_ask_the_daemon_have_both_functions(void **state) {
    (void)state;
    for (size_t i = 0; i < lagd_routes.n; i++) {
        const struct lagd_route *route = &lagd_routes.rows[i];
        assert_non_null(route->handle);
        if (posts(route) != (route->answered != NULL)) fail_msg("%s %s", route->method, route->path);
        if (strcmp(route->method, "GET") == 0) assert_false(route->flags & LAGD_KEYED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_found),        cmocka_unit_test(what_is_not_there_is_said),
        cmocka_unit_test(wrong_parameters_are_told_with_what_is_right),
        cmocka_unit_test(bodies_are_admitted_by_kind), cmocka_unit_test(tokens_open_what_is_not_open),
        cmocka_unit_test(rows_that_ask_the_daemon_have_both_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
