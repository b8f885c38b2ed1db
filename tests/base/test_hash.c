/* SHA-256 against published digests. */
#include "check_base.h"

#include <lagd/base/fs.h>
#include <lagd/base/hash.h>
#include <lagd/base/mem.h>
#include <unistd.h>

/* FIPS 180-4 examples (NIST), and one million 'a'. */
static const char of_abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char of_nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const char of_million_a[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

static void test_known_digests(void **state) {
    char hex[LAG_SHA256_HEX];
    lag_sha256_bytes("abc", 3, hex);
    assert_string_equal(hex, of_abc);
    lag_sha256_bytes("", 0, hex);
    assert_string_equal(hex, of_nothing);
    struct lag_sha256 *hash = NULL;
    assert_int_equal(lag_sha256_create(&hash), 0);
    for (int i = 0; i < 100000; i++) lag_sha256_update(hash, "aaaaaaaaaa", 10);
    lag_sha256_finish(hash, hex);
    assert_string_equal(hex, of_million_a);
    assert_int_equal(lag_sha256_create(&hash), 0);
    lag_sha256_destroy(hash);
    lag_sha256_destroy(NULL);
}

static void test_files(void **state) {
    char *folder = make_temporary_folder(), hex[LAG_SHA256_HEX] = "untouched";
    struct lag_error err;
    char *path = lag_asprintf("%s/f", folder), *big = malloc(1000000);
    memset(big, 'a', 1000000);
    assert_int_equal(lag_sha256_file(path, hex, &err), LAG_ENOTFOUND);
    assert_int_equal(lag_sha256_file(folder, hex, &err), LAG_EINVAL);
    assert_string_equal(hex, "untouched");
    assert_int_equal(lag_fs_write_file(folder, "f", big, 1000000, &err), 0);
    assert_int_equal(lag_sha256_file(path, hex, &err), 0);
    assert_string_equal(hex, of_million_a);
    assert_int_equal(lag_fs_remove_tree(folder, NULL), 0);
    free(big);
    free(path);
    free(folder);
}

static void test_equal(void **state) {
    assert_true(lag_equal_constant_time("", ""));
    assert_true(lag_equal_constant_time("abc", "abc"));
    assert_false(lag_equal_constant_time("abc", "abd"));
    assert_false(lag_equal_constant_time("abc", "ab"));
    assert_false(lag_equal_constant_time("", "a"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_digests),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
