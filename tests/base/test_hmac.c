/* HMAC-SHA256 and Base64 against the values of RFC 4231 and RFC 4648. */
#include "check_base.h"

#include <lagd/base/hmac.h>

static void hex_of(const unsigned char *bytes, size_t n, char *ret) {
    for (size_t i = 0; i < n; i++) (void)snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

static void expect(const void *key, size_t n_key, const struct lag_part *parts, size_t n_parts, const char *expected) {
    unsigned char digest[LAG_HMAC_BYTES];
    char hex[2 * LAG_HMAC_BYTES + 1];
    lag_hmac_sha256(key, n_key, parts, n_parts, digest);
    hex_of(digest, sizeof(digest), hex);
    assert_string_equal(hex, expected);
}

/* RFC 4231, cases 1, 2 and 6. */
static void test_known_digests(void **state) {
    unsigned char key[131];
    memset(key, 0x0b, 20);
    const struct lag_part hi = {"Hi There", 8};
    expect(key, 20, &hi, 1, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    const struct lag_part what[] = {{"what do ya ", 11}, {"", 0}, {"want for nothing?", 17}};
    expect("Jefe", 4, what, LAG_COUNT(what), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    const char *text = "Test Using Larger Than Block-Size Key - Hash Key First";
    const struct lag_part larger = {text, strlen(text)};
    expect(key, sizeof(key), &larger, 1, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* RFC 4648, section 10. */
static void test_base64(void **state) {
    static const char *const pairs[][2] = {{"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},
                                           {"foo", "Zm9v"},  {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < LAG_COUNT(pairs); i++) {
        char text[16], bytes[16] = "";
        size_t n = 99;
        lag_base64_encode(pairs[i][0], strlen(pairs[i][0]), text);
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(lag_base64_decode(text, bytes, sizeof(bytes), &n), 0);
        assert_int_equal(n, strlen(pairs[i][0]));
        assert_memory_equal(bytes, pairs[i][0], n);
    }
}

static void test_what_is_no_base64(void **state) {
    static const char *const wrong[] = {"Z", "Zm9vY", "Zm 9", "Zm9v\n", "Zm9-", "=Zm9", "Z=g="};
    unsigned char bytes[8];
    size_t n = 99;
    for (size_t i = 0; i < LAG_COUNT(wrong); i++)
        if (lag_base64_decode(wrong[i], bytes, sizeof(bytes), &n) == 0) fail_msg("%s was taken", wrong[i]);
    assert_int_equal(lag_base64_decode("Zm9vYmFy", bytes, 5, &n), -1); /* six bytes */
    assert_int_equal(n, 99);
    assert_int_equal(lag_base64_decode("Zg", bytes, sizeof(bytes), &n), 0);
    assert_int_equal(n, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_digests),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_what_is_no_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
