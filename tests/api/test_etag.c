/* Lists of entity tags in If-None-Match and If-Match, and what follows for the answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "request/etag_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>

static void tags_are_found_in_lists(void **state) {
    (void)state;
    static const struct {
        const char *header;
        bool listed;
    } list[] = {
        {NULL, false},
        {"", false},
        {"\"r7\"", true},
        {"W/\"r7\"", true}, /* weak comparison */
        {"\"r6\", \"r7\"", true},
        {"\"r6\",\"r7\"", true},
        {" \t,\"r6\" , W/\"r7\"", true},
        {"*", true},
        {" * ", true},
        {"\"*\"", false},
        {"*, \"r7\"", false}, /* '*' stands alone, and a list of tags does not begin with it */
        {"\"r7", false},
        {"r7", false},
        {"\"r6\" r7", false},
        {"\"r71\"", false},
        {"\"r\"", false},
        {"\"R7\"", false},
        {"w/\"r7\"", false},
        {"\"r6\"; \"r7\"", false},
        {"\"r6\", x, \"r7\"", false}, /* the list ends where it is none */
    };
    for (size_t i = 0; i < LAG_COUNT(list); i++) {
        if (lagd_etag_listed(list[i].header, "\"r7\"") != list[i].listed)
            fail_msg("%s", list[i].header ? list[i].header : "no header");
    }
}

static void preconditions_name_revisions(void **state) {
    (void)state;
    static const struct {
        const char *header;
        bool given;
        int n;
        int64_t revisions[4];
    } list[] = {
        {NULL, false, 0, {0}},
        {"*", false, 0, {0}}, /* any revision is right */
        {" * ", false, 0, {0}},
        {"", true, 0, {0}}, /* a value that was too long to be kept: none is right */
        {"\"r1\"", true, 1, {1}},
        {"\"r3\", \"r12\"", true, 2, {3, 12}},
        {"W/\"r3\", \"r12\"", true, 1, {12}}, /* weak tags never match */
        {"\"7\", \"x7\", \"r\", \"rx\", \"r7 \", \"r8\"", true, 1, {8}},
        {"\"r9223372036854775807\"", true, 1, {INT64_MAX}},
        {"\"r9223372036854775808\"", true, 0, {0}},
        {"\"r100000000000000000000000000001\"", true, 0, {0}}, /* not cut to a number that is one */
        {"\"r1\",\"r2\",\"r3\",\"r4\",\"r5\"", true, 4, {1, 2, 3, 4}},
        {"nonsense", true, 0, {0}},
        {"\"r1\" nonsense \"r2\"", true, 1, {1}},
    };
    for (size_t i = 0; i < LAG_COUNT(list); i++) {
        struct lagd_precondition got = {.given = !list[i].given, .n = 3, .revisions = {5, 5, 5, 5}};
        lagd_etag_precondition(list[i].header, &got);
        if (got.given != list[i].given || got.n != list[i].n) fail_msg("%s", list[i].header ? list[i].header : "none");
        for (int k = 0; k < got.n; k++) assert_int_equal(got.revisions[k], list[i].revisions[k]);
    }
}

static const char *header_of(const struct lagd_request *request, const char *name) {
    for (int i = 0; i < request->response.n_headers; i++) {
        if (strcmp(request->response.headers[i].name, name) == 0) return request->response.headers[i].value;
    }
    return NULL;
}

static void known_revisions_are_not_sent_again(void **state) {
    (void)state;
    static const struct {
        const char *method, *if_none_match;
        bool fresh;
    } list[] = {
        {"GET", NULL, false},        {"GET", "\"r42\"", true},   {"HEAD", "\"r42\"", true},
        {"GET", "*", true},          {"GET", "\"r41\"", false},  {"POST", "\"r42\"", false},
        {"PATCH", "*", false},       {"DELETE", "\"r42\"", false}, {"GET", "W/\"r42\"", true},
    };
    for (size_t i = 0; i < LAG_COUNT(list); i++) {
        struct lagd_request *request = lag_calloc(1, sizeof(*request));
        assert_non_null(request);
        (void)lag_copy(request->method, sizeof(request->method), list[i].method);
        request->if_none_match = list[i].if_none_match;
        assert_int_equal(lagd_etag_fresh(request, 42), list[i].fresh);
        assert_int_equal(request->response.status, list[i].fresh ? 304 : 0);
        assert_string_equal(header_of(request, "ETag"), "\"r42\"");
        free(request);
    }
}

static void failed_preconditions_tell_the_revision(void **state) {
    (void)state;
    struct lagd_request *request = lag_calloc(1, sizeof(*request));
    struct lagd_command command = {.revision = 9};
    assert_non_null(request);
    request->command = &command;
    (void)lag_error_set(&request->err, LAG_ESTATE, "the run has revision 9");
    assert_int_equal(lagd_fail_revision(request), LAG_EINVAL);
    assert_string_equal(request->slug, "revision-mismatch");
    assert_string_equal(request->err.text, "the run has revision 9");
    assert_int_equal(request->revision, 9);
    free(request);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_are_found_in_lists),
        cmocka_unit_test(preconditions_name_revisions),
        cmocka_unit_test(known_revisions_are_not_sent_again),
        cmocka_unit_test(failed_preconditions_tell_the_revision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
