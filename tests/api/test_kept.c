/* Kept answers: told again for the same target and version only, never cut, never for long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request/kept_internal.h"
#include "request/response_internal.h"

#define SECOND_NS INT64_C(1000000000)

static struct lagd_kept_answers *kept;

static int set_up(void **state) { return lagd_kept_create(&kept); }

static int tear_down(void **state) {
    lagd_kept_destroy(kept);
    return 0;
}

static void put(const char *target, uint64_t version, int64_t now_ns, const char *text) {
    struct lagd_response response = {.status = 200, .fd = -1, .text = (char *)text, .n_text = strlen(text)};
    response.n_headers = 1;
    response.headers[0].name = "Link";
    (void)snprintf(response.headers[0].value, sizeof(response.headers[0].value), "<%s>", target);
    lagd_kept_put(kept, target, version, now_ns, &response);
}

static void expect(const char *target, uint64_t version, int64_t now_ns, const char *text) {
    struct lagd_response found = {.fd = -1};
    assert_int_equal(lagd_kept_find(kept, target, version, now_ns, &found), text != NULL);
    if (!text) return;
    assert_string_equal(found.text, text);
    assert_int_equal(found.n_text, strlen(text));
    assert_int_equal(found.status, 200);
    assert_int_equal(found.n_headers, 1);
    assert_memory_equal(found.headers[0].value + 1, target, strlen(target));
    free(found.text);
}

static void test_only_the_same(void **state) {
    expect("/a", 2, 0, NULL);
    put("/a", 2, 0, "one");
    expect("/a", 2, 0, "one");
    expect("/a", 2, 0, "one"); /* a copy each */
    expect("/b", 2, 0, NULL);
    expect("/a?limit=1", 2, 0, NULL);
    expect("/a", 4, 0, NULL);
    put("/a", 4, 0, "two");
    expect("/a", 4, 0, "two");
    expect("/a", 2, 0, NULL);
}

static void test_not_for_long(void **state) {
    put("/a", 2, 5, "one");
    expect("/a", 2, 5 + SECOND_NS, "one");
    expect("/a", 2, 6 + SECOND_NS, NULL);
}

static void test_oldest_goes(void **state) {
    char target[32];
    for (int i = 0; i < 9; i++) {
        (void)snprintf(target, sizeof(target), "/%d", i);
        put(target, 2, 10 + i, target);
    }
    expect("/0", 2, 20, NULL);
    expect("/1", 2, 20, "/1");
    expect("/8", 2, 20, "/8");
}

static void test_what_is_not_kept(void **state) {
    char *target = malloc(400), *large = malloc(300000);
    memset(target, 'x', 399);
    target[399] = '\0';
    put(target, 2, 0, "one");
    expect(target, 2, 0, NULL);
    memset(large, 'x', 299999);
    large[299999] = '\0';
    put("/large", 2, 0, large);
    expect("/large", 2, 0, NULL);
    struct lagd_response file = {.status = 200, .fd = 3};
    lagd_kept_put(kept, "/file", 2, 0, &file);
    expect("/file", 2, 0, NULL);
    free(target);
    free(large);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_only_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_for_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_oldest_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_kept, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
