/* What lagd-notify takes, in one piece and byte by byte, and which addresses it calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "courier_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>

static const char good[] = "POST https://hooks.example.org/x HTTP/1.1\r\nHost: lagd-notify\r\nwebhook-id: ntf_1_2\r\n"
                           "Connection: close\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n{}\r\n";

static void test_a_request_comes_in_pieces(void **state) {
    char text[1024];
    const size_t n = strlen(good);
    for (size_t length = 0; length <= n; length++) {
        struct courier_request request = {0};
        struct lag_error err = {0};
        memcpy(text, good, length);
        text[length] = '\0';
        int rc = courier_parse(text, length, &request, &err);
        if (rc != (length < n ? 1 : 0)) fail_msg("%zu bytes: %d %s", length, rc, err.text);
        if (rc == 1) {
            assert_memory_equal(text, good, length); /* the rest may follow */
            continue;
        }
        assert_string_equal(request.url, "https://hooks.example.org/x");
        assert_int_equal(request.n_headers, 2);
        assert_string_equal(request.headers[0], "webhook-id: ntf_1_2");
        assert_string_equal(request.headers[1], "Content-Type: application/json");
        assert_int_equal(request.n_body, 4);
        assert_memory_equal(request.body, "{}\r\n", 4);
    }
}

static void test_what_is_refused(void **state) {
    static const char *const wrong[] = {
        "GET https://x/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "POST https://x/\r\nContent-Length: 0\r\n\r\n",
        "POST https://x/ HTTP/1.1\r\n\r\n",
        "POST https://x/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST https://x/ HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "POST https://x/ HTTP/1.1\r\nContent-Length: 65537\r\n\r\n",
        "POST https://x/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
        "POST https://x/ HTTP/1.1\r\nno colon\r\nContent-Length: 0\r\n\r\n",
        "POST https://x/ HTTP/1.1\r\na:1\r\na:2\r\na:3\r\na:4\r\na:5\r\na:6\r\na:7\r\na:8\r\na:9\r\na:10\r\na:11\r\n"
        "a:12\r\na:13\r\na:14\r\na:15\r\na:16\r\na:17\r\nContent-Length: 0\r\n\r\n",
        "\r\n\r\n",
    };
    for (size_t i = 0; i < LAG_COUNT(wrong); i++) {
        struct courier_request request;
        struct lag_error err = {0};
        char *text = strdup(wrong[i]);
        if (courier_parse(text, strlen(text), &request, &err) != LAG_EINVAL) fail_msg("%zu was taken", i);
        free(text);
    }
    char with_nul[] = "POST https://x/ HTTP/1.1\r\na: \0b\r\n";
    struct courier_request request;
    assert_int_equal(courier_parse(with_nul, sizeof(with_nul) - 1, &request, NULL), LAG_EINVAL);
}

static void test_addresses(void **state) {
    static const char *const allowed[] = {"hooks.example.org", "localhost", NULL};
    static const struct {
        const char *url;
        int anywhere, limited;
    } cases[] = {
        {"https://hooks.example.org/x", 0, 0},        {"https://HOOKS.example.org:444?x", 0, 0},
        {"https://other.example.org/", 0, LAG_EDENIED}, {"http://localhost:99/", 0, 0},
        {"http://127.0.0.1:99/", 0, LAG_EDENIED},     {"http://[::1]:99/", 0, LAG_EDENIED},
        {"http://hooks.example.org/", LAG_EINVAL, LAG_EINVAL},
        {"http://127.0.0.1.example.org/", LAG_EINVAL, LAG_EINVAL},
        {"https://localhost@evil.example.org/", LAG_EINVAL, LAG_EINVAL}, {"https://", LAG_EINVAL, LAG_EINVAL},
        {"https://[::1", LAG_EINVAL, LAG_EINVAL},     {"https:///x", LAG_EINVAL, LAG_EINVAL},
        {"ftp://localhost/", LAG_EINVAL, LAG_EINVAL}, {"https://x\t/", LAG_EINVAL, LAG_EINVAL},
        {"/etc/passwd", LAG_EINVAL, LAG_EINVAL},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        int anywhere = courier_check(cases[i].url, NULL, NULL), limited = courier_check(cases[i].url, allowed, NULL);
        if (anywhere != cases[i].anywhere || limited != cases[i].limited)
            fail_msg("%s: %d, %d", cases[i].url, anywhere, limited);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_comes_in_pieces),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
