/* The guard: what a request's head must be before anything else is read of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "door/guard_internal.h"
#include <lagd/base/check.h>

static const struct lagd_host_policy policy = {"train.example  , other.example", "192.0.2.7",
                                               "https://page.example,http://x:1"};

struct vector {
    const char *what, *method, *version, *target;
    const char *slug;              /* NULL: passes */
    struct lagd_header headers[4]; /* behind Host: localhost, unless the first one's name is "Host" or "-" */
};
#define GET "GET", "HTTP/1.1", "/api/v1"
#define POST "POST", "HTTP/1.1", "/api/v1/runs"

static const struct vector vectors[] = {
    {"plain", GET, NULL, {{0}}},
    {"http/1.0", "GET", "HTTP/1.0", "/", NULL, {{0}}},
    {"any token is a method", "BREW", "HTTP/1.1", "/", NULL, {{0}}},
    {"lower case is a token too", "get", "HTTP/1.1", "/", NULL, {{0}}},
    {"options star", "OPTIONS", "HTTP/1.1", "*", NULL, {{0}}},
    {"every byte that a token may have", "!#$%&'*+-.^_`|~0aZ", "HTTP/1.1", "/", NULL, {{0}}},
    {"a method of one letter", "B", "HTTP/1.1", "/", NULL, {{0}}},
    {"the longest method", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF", "HTTP/1.1", "/", NULL, {{0}}},
    {"query", "GET", "HTTP/1.1", "/a?b=c&d=%20+e", NULL, {{0}}},
    {"length 0", POST, NULL, {{"Content-Length", "0"}}},
    {"length", POST, NULL, {{"content-length", "12"}}},
    {"chunked", POST, NULL, {{"Transfer-Encoding", "Chunked"}}},
    {"continue", POST, NULL, {{"Content-Length", "12"}, {"Expect", "100-Continue"}}},
    /* the request line */
    {"empty method", "", "HTTP/1.1", "/", "malformed", {{0}}},
    {"method with a blank", "GE T", "HTTP/1.1", "/", "malformed", {{0}}},
    {"method with a control byte", "GET\x01", "HTTP/1.1", "/", "malformed", {{0}}},
    {"method with a colon", "GET:", "HTTP/1.1", "/", "malformed", {{0}}},
    {"method that is no end", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH", "HTTP/1.1", "/", "malformed", {{0}}},
    {"one letter too many", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", "HTTP/1.1", "/", "malformed", {{0}}},
    {"of two faults the first", "GE T", "HTTP/1.1", "/", "malformed", {{"Host", "evil.example"}}},
    {"http/0.9", "GET", "", "/", "malformed", {{0}}},
    {"http/2.0", "GET", "HTTP/2.0", "/", "malformed", {{0}}},
    {"http/1.10", "GET", "HTTP/1.10", "/", "malformed", {{0}}},
    {"empty target", "GET", "HTTP/1.1", "", "malformed", {{0}}},
    {"absolute target", "GET", "HTTP/1.1", "http://evil/", "malformed", {{0}}},
    {"authority target", "CONNECT", "HTTP/1.1", "evil:443", "malformed", {{0}}},
    {"star without options", "GET", "HTTP/1.1", "*", "malformed", {{0}}},
    {"no slash", "GET", "HTTP/1.1", "api/v1", "malformed", {{0}}},
    {"encoded nul", "GET", "HTTP/1.1", "/a%00b", "malformed", {{0}}},
    {"encoded nul in the query", "GET", "HTTP/1.1", "/a?b=%00", "malformed", {{0}}},
    {"backslash", "GET", "HTTP/1.1", "/a\\b", "malformed", {{0}}},
    {"tab", "GET", "HTTP/1.1", "/a\tb", "malformed", {{0}}},
    {"blank", "GET", "HTTP/1.1", "/a b", "malformed", {{0}}},
    {"delete byte", "GET", "HTTP/1.1", "/a\x7f", "malformed", {{0}}},
    {"high byte", "GET", "HTTP/1.1", "/\xc3\xa9", "malformed", {{0}}},
    {"fragment", "GET", "HTTP/1.1", "/a#b", "malformed", {{0}}},
    {"half an escape", "GET", "HTTP/1.1", "/a%4", "malformed", {{0}}},
    {"no escape", "GET", "HTTP/1.1", "/a%zz", "malformed", {{0}}},
    {"query that is no text", "GET", "HTTP/1.1", "/a?b=%ff", "malformed", {{0}}},
    {"overlong dot", "GET", "HTTP/1.1", "/a?b=%c0%ae", "malformed", {{0}}},
    /* framing */
    {"two lengths", POST, "malformed", {{"Content-Length", "2"}, {"Content-Length", "2"}}},
    {"length and coding", POST, "malformed", {{"Content-Length", "2"}, {"Transfer-Encoding", "chunked"}}},
    {"coding and length", POST, "malformed", {{"Transfer-Encoding", "chunked"}, {"Content-Length", "0"}}},
    {"signed length", POST, "malformed", {{"Content-Length", "+2"}}},
    {"negative length", POST, "malformed", {{"Content-Length", "-2"}}},
    {"hexadecimal length", POST, "malformed", {{"Content-Length", "0x2"}}},
    {"empty length", POST, "malformed", {{"Content-Length", ""}}},
    {"list of lengths", POST, "malformed", {{"Content-Length", "2, 2"}}},
    {"length with a blank", POST, "malformed", {{"Content-Length", "2 "}}},
    {"length of 2^64", POST, "malformed", {{"Content-Length", "18446744073709551616"}}},
    {"gzip", POST, "malformed", {{"Transfer-Encoding", "gzip"}}},
    {"gzip, chunked", POST, "malformed", {{"Transfer-Encoding", "gzip, chunked"}}},
    {"chunked twice", POST, "malformed", {{"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}},
    {"xchunked", POST, "malformed", {{"Transfer-Encoding", "xchunked"}}},
    {"vertical tab",
     POST,
     "malformed",
     {{"Transfer-Encoding", "\x0b"
                            "chunked"}}},
    {"coding in http/1.0", "POST", "HTTP/1.0", "/", "malformed", {{"Transfer-Encoding", "chunked"}}},
    {"expects the moon", POST, "malformed", {{"Expect", "200-ok"}}},
    /* names and values */
    {"name with a blank", POST, "malformed", {{"Content-Length ", "3"}}},
    {"name with a tab", POST, "malformed", {{"X\t", "3"}}},
    {"name that is folded", POST, "malformed", {{" X", "3"}}},
    {"empty name", POST, "malformed", {{"", "3"}}},
    {"name with a high byte", POST, "malformed", {{"X\xe4", "3"}}},
    {"value with a line feed", POST, "malformed", {{"X", "a\nY: b"}}},
    {"value with a carriage return", POST, "malformed", {{"X", "a\rb"}}},
    {"value with a blank and a tab", POST, NULL, {{"X", "a b\tc"}}},
    {"two sites", POST, "malformed", {{"Sec-Fetch-Site", "none"}, {"Sec-Fetch-Site", "none"}}},
    {"two expectations", POST, "malformed", {{"Expect", "100-continue"}, {"Expect", "100-continue"}}},
    {"two keys", POST, "malformed", {{"Idempotency-Key", "a"}, {"Idempotency-Key", "a"}}},
    {"two types", POST, "malformed", {{"Content-Type", "application/json"}, {"content-type", "text/plain"}}},
    {"two tokens", POST, "malformed", {{"Authorization", "Bearer a"}, {"Authorization", "Bearer b"}}},
    {"two origins", POST, "malformed", {{"Origin", "http://localhost"}, {"Origin", "http://evil"}}},
    /* hosts */
    {"no host", GET, "malformed", {{"-", ""}}},
    {"empty host", GET, "malformed", {{"Host", ""}}},
    {"two hosts", GET, "malformed", {{"Host", "localhost"}, {"Host", "localhost"}}},
    {"host with a path", GET, "malformed", {{"Host", "localhost/x"}}},
    {"host with a user", GET, "malformed", {{"Host", "a@localhost"}}},
    {"host with two ports", GET, "malformed", {{"Host", "localhost:1:2"}}},
    {"host with letters for a port", GET, "malformed", {{"Host", "localhost:http"}}},
    {"half an address", GET, "malformed", {{"Host", "[::1"}}},
    {"no address", GET, "malformed", {{"Host", "[:]"}}},
    {"the shortest address", GET, "host-not-allowed", {{"Host", "[::]"}}},
    {"a dot alone", GET, "host-not-allowed", {{"Host", "."}}},
    {"the last port", GET, NULL, {{"Host", "localhost:65535"}}},
    {"a port that is too long", GET, "malformed", {{"Host", "localhost:655350"}}},
    {"localhost and a port", GET, NULL, {{"Host", "LocalHost:7437"}}},
    {"dot at the end", GET, NULL, {{"Host", "localhost."}}},
    {"127.0.0.1", GET, NULL, {{"Host", "127.0.0.1:1"}}},
    {"::1", GET, NULL, {{"Host", "[::1]:80"}}},
    {"bound address", GET, NULL, {{"Host", "192.0.2.7:80"}}},
    {"configured", GET, NULL, {{"Host", "TRAIN.example"}}},
    {"second configured", GET, NULL, {{"Host", "other.example:443"}}},
    {"evil", GET, "host-not-allowed", {{"Host", "evil.example"}}},
    {"suffix", GET, "host-not-allowed", {{"Host", "localhost.evil.example"}}},
    {"prefix", GET, "host-not-allowed", {{"Host", "evil-train.example"}}},
    {"half a name", GET, "host-not-allowed", {{"Host", "train"}}},
    {"another name of that length", GET, "host-not-allowed", {{"Host", "drain.example"}}},
    {"rebound", GET, "host-not-allowed", {{"Host", "127.0.0.1.nip.io"}}},
    {"number of an address", GET, "host-not-allowed", {{"Host", "2130706433"}}},
    {"metadata service", GET, "host-not-allowed", {{"Host", "169.254.169.254"}}},
    {"other loopback", GET, "host-not-allowed", {{"Host", "[::ffff:127.0.0.1]"}}},
    /* origins */
    {"same origin", POST, NULL, {{"Origin", "http://localhost"}}},
    {"other port", POST, "cross-origin", {{"Origin", "http://localhost:8080"}}},
    {"foreign page", POST, "cross-origin", {{"Origin", "http://evil"}}},
    {"null origin", POST, "cross-origin", {{"Origin", "null"}}},
    {"configured page", POST, NULL, {{"Origin", "https://page.example"}, {"Sec-Fetch-Site", "cross-site"}}},
    {"configured page's cousin", POST, "cross-origin", {{"Origin", "http://page.example"}}},
    {"cross site", POST, "cross-origin", {{"Sec-Fetch-Site", "cross-site"}}},
    {"same site is another origin", POST, "cross-origin", {{"Sec-Fetch-Site", "same-site"}}},
    {"same origin by the browser", POST, NULL, {{"Sec-Fetch-Site", "same-origin"}, {"Origin", "http://evil"}}},
    {"typed by a person", POST, NULL, {{"Sec-Fetch-Site", "none"}}},
    {"unknown word", POST, "cross-origin", {{"Sec-Fetch-Site", "friendly"}}},
    {"looking is free", GET, NULL, {{"Sec-Fetch-Site", "cross-site"}, {"Origin", "http://evil"}}},
    {"looking at the head too", "HEAD", "HTTP/1.1", "/", NULL, {{"Sec-Fetch-Site", "cross-site"}}},
    {"asking what there is too", "OPTIONS", "HTTP/1.1", "/", NULL, {{"Sec-Fetch-Site", "cross-site"}}},
    {"deleting is not", "DELETE", "HTTP/1.1", "/api/v1/runs/x", "cross-origin", {{"Sec-Fetch-Site", "cross-site"}}},
    {"unknown methods are not", "BREW", "HTTP/1.1", "/", "cross-origin", {{"Origin", "http://evil"}}},
};

static void run(const struct vector *vector, struct lagd_framing *framing, struct lagd_refusal *verdict) {
    struct lagd_target target;
    struct lagd_head head = {.method = vector->method, .version = vector->version, .raw_target = vector->target};
    const char *first = vector->headers[0].name;
    if (!first || (strcmp(first, "Host") != 0 && strcmp(first, "-") != 0)) {
        head.headers[head.n_headers++] = (struct lagd_header){"Host", "localhost"};
    }
    for (size_t i = 0; i < LAG_COUNT(vector->headers) && vector->headers[i].name; i++) {
        if (strcmp(vector->headers[i].name, "-") != 0) head.headers[head.n_headers++] = vector->headers[i];
    }
    lagd_guard(&head, &policy, &target, framing, verdict);
}

static void vectors_get_their_verdicts(void **state) {
    (void)state;
    for (size_t i = 0; i < LAG_COUNT(vectors); i++) {
        struct lagd_framing framing;
        struct lagd_refusal verdict;
        run(&vectors[i], &framing, &verdict);
        const char *want = vectors[i].slug ? vectors[i].slug : "passes", *got = verdict.slug ? verdict.slug : "passes";
        if (strcmp(want, got) != 0) fail_msg("%s: wanted %s, got %s (%s)", vectors[i].what, want, got, verdict.detail);
        if (verdict.slug) assert_true(strlen(verdict.detail) > 10);
    }
    assert_true(LAG_COUNT(vectors) >= 60);
}

static void framing_is_told(void **state) {
    (void)state;
    struct lagd_framing framing;
    struct lagd_refusal verdict = {.detail = "of an earlier request"};
    memset(&framing, 0xff, sizeof(framing)); /* of an earlier request */
    run(&(struct vector){"", GET, NULL, {{0}}}, &framing, &verdict);
    assert_true(!framing.has_body && !framing.chunked && !framing.asks_first && framing.content_length == 0);
    assert_string_equal(verdict.detail, "");
    run(&(struct vector){"", POST, NULL, {{"Content-Length", "0"}}}, &framing, &verdict);
    assert_false(framing.has_body);
    run(&(struct vector){"", POST, NULL, {{"Content-Length", "1"}}}, &framing, &verdict);
    assert_true(framing.has_body && framing.content_length == 1);
    run(&(struct vector){"", POST, NULL, {{"Content-Length", "123456789012"}, {"Expect", "100-continue"}}}, &framing,
        &verdict);
    assert_true(framing.has_body && framing.asks_first && !framing.chunked);
    assert_int_equal(framing.content_length, 123456789012);
    run(&(struct vector){"", POST, NULL, {{"Transfer-Encoding", "chunked"}}}, &framing, &verdict);
    assert_true(framing.has_body && framing.chunked && !framing.asks_first);
}

static void limits_hold(void **state) {
    (void)state;
    static char target[LAGD_TARGET_MAX + 2];
    struct lagd_target parsed;
    struct lagd_framing framing;
    struct lagd_refusal verdict;
    struct lagd_head head = {.method = "GET",
                             .version = "HTTP/1.1",
                             .raw_target = target,
                             .n_headers = 1,
                             .headers = {{"Host", "localhost"}}};
    memset(target, 'a', LAGD_TARGET_MAX);
    target[0] = '/';
    lagd_guard(&head, &policy, &parsed, &framing, &verdict);
    assert_null(verdict.slug);
    target[LAGD_TARGET_MAX] = 'a';
    lagd_guard(&head, &policy, &parsed, &framing, &verdict);
    assert_string_equal(verdict.slug, "uri-too-long");
    head.raw_target = "/";
    head.too_many_headers = true;
    lagd_guard(&head, &policy, &parsed, &framing, &verdict);
    assert_string_equal(verdict.slug, "header-too-large");
    head.too_many_headers = false;
    head.has_nul = true;
    lagd_guard(&head, &policy, &parsed, &framing, &verdict);
    assert_string_equal(verdict.slug, "malformed");
    head.has_nul = false;
    /* names of 256 bytes, also of the first header; hosts of 255 */
    char name[258] = "";
    memset(name, 'n', 256);
    head.headers[0] = (struct lagd_header){name, "x"};
    head.headers[1] = (struct lagd_header){"Host", "localhost"};
    head.n_headers = 2;
    lagd_guard(&head, &policy, &parsed, &framing, &verdict);
    assert_null(verdict.slug);
    name[256] = 'n';
    lagd_guard(&head, &policy, &parsed, &framing, &verdict);
    assert_string_equal(verdict.slug, "malformed");
    memset(name, 'n', 255);
    name[255] = '\0';
    head.headers[0] = (struct lagd_header){"Host", name};
    head.n_headers = 1;
    lagd_guard(&head, &policy, &parsed, &framing, &verdict);
    assert_string_equal(verdict.slug, "host-not-allowed");
    name[255] = 'n';
    name[256] = '\0';
    lagd_guard(&head, &policy, &parsed, &framing, &verdict);
    assert_string_equal(verdict.slug, "malformed");
}

static void hosts_are_written_small_and_without_their_dot(void **state) {
    (void)state;
    static const struct {
        const char *text, *host;
    } list[] = {{"LocalHost:80", "localhost"}, {"a.", "a"}, {"b.c.:1", "b.c"}, {".", "."}, {"[::A]:1", "[::a]"}};
    for (size_t i = 0; i < LAG_COUNT(list); i++) {
        char host[256];
        memset(host, 'x', sizeof(host));
        assert_true(lagd_host_parse(list[i].text, host));
        assert_string_equal(host, list[i].host);
    }
    assert_false(lagd_host_allowed("local host", &policy));
}

static void targets_are_split_before_they_are_decoded(void **state) {
    (void)state;
    struct lagd_target target;
    bool too_long;
    assert_null(lagd_target_parse("/a%2Fb/c%20d/?x=1&y&x=2&z=a%26b%3Dc+d&&", &target, &too_long));
    assert_int_equal(target.n_segments, 2);
    assert_string_equal(target.segments[0], "a/b");
    assert_string_equal(target.segments[1], "c d");
    assert_string_equal(target.path, "/a%2Fb/c%20d/");
    assert_int_equal(target.n_query, 4);
    assert_string_equal(lagd_target_query(&target, "x"), "1");
    assert_string_equal(lagd_target_query(&target, "y"), "");
    assert_string_equal(lagd_target_query(&target, "z"), "a&b=c d");
    assert_null(lagd_target_query(&target, "w"));
    assert_null(lagd_target_parse("/", &target, &too_long));
    assert_int_equal(target.n_segments, 0);
    assert_null(lagd_target_parse("//", &target, &too_long));
    assert_int_equal(target.n_segments, 1);
    assert_null(lagd_target_parse("/1/2/3/4/5/6/7/8/9/10/11/12/13", &target, &too_long));
    assert_int_equal(target.n_segments, -1);
    /* the longest target fits whatever it is made of */
    static char raw[LAGD_TARGET_MAX + 1];
    for (size_t i = 0; i < LAGD_TARGET_MAX; i++) raw[i] = "/?"[i == 1];
    assert_null(lagd_target_parse(raw, &target, &too_long));
    memset(raw + 2, '&', LAGD_TARGET_MAX - 2);
    assert_null(lagd_target_parse(raw, &target, &too_long));
    for (size_t i = 2; i < LAGD_TARGET_MAX; i++) raw[i] = "a&"[i % 2];
    assert_non_null(lagd_target_parse(raw, &target, &too_long));
    assert_false(too_long);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_get_their_verdicts),
        cmocka_unit_test(framing_is_told),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(hosts_are_written_small_and_without_their_dot),
        cmocka_unit_test(targets_are_split_before_they_are_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
