/* One line with a token, however an editor or a shell wrote it. */
#include "check_base.h"

#include <lagd/base/fs.h>
#include <lagd/base/token.h>

static char *dir;

static int set_up(void **state) {
    dir = make_temporary_folder();
    return 0;
}
static int tear_down(void **state) {
    int rc = lag_fs_remove_tree(dir, NULL);
    free(dir);
    return rc;
}

static int read_back(const char *text, size_t length, char ret[LAG_TOKEN_MAX + 1], struct lag_error *err) {
    char path[256];
    assert_int_equal(lag_fs_write_file(dir, "token", text, length, err), 0);
    (void)snprintf(path, sizeof(path), "%s/token", dir);
    return lag_token_read(path, ret, err);
}

static void test_white_space_at_the_ends_is_no_part_of_it(void **state) {
    static const char *const same[] = {
        "correct horse", "correct horse\n", "correct horse\r\n", "  correct horse", "correct horse  \n",
        "\tcorrect horse\t", "\n\ncorrect horse\n\n", "\xef\xbb\xbf" "correct horse\r\n", "\xef\xbb\xbf correct horse ",
    };
    for (size_t i = 0; i < LAG_COUNT(same); i++) {
        char token[LAG_TOKEN_MAX + 1];
        struct lag_error err = {0};
        if (read_back(same[i], strlen(same[i]), token, &err) != 0) fail_msg("%zu: %s", i, err.text);
        assert_string_equal(token, "correct horse");
    }
}

static void test_what_cannot_be_sent_is_refused(void **state) {
    static const struct {
        const char *text;
        size_t length;
    } wrong[] = {{"", 0}, {" \n", 2}, {"one\ntwo\n", 8}, {"one\rtwo", 7}, {"a\0b", 3}, {"\0", 1}, {"ab\0", 3},
                 {"a\tb", 3}, {"\x1b[A", 3}, {"\xef\xbb\xbf\n", 4}};
    char token[LAG_TOKEN_MAX + 1] = "as before";
    struct lag_error err = {0};
    for (size_t i = 0; i < LAG_COUNT(wrong); i++) {
        assert_int_equal(read_back(wrong[i].text, wrong[i].length, token, &err), LAG_EINVAL);
        assert_non_null(strstr(err.text, "one line"));
    }
    assert_string_equal(token, "as before");
}

static void test_the_longest(void **state) {
    char text[LAG_TOKEN_MAX + 1], token[LAG_TOKEN_MAX + 1];
    struct lag_error err = {0};
    memset(text, 'a', sizeof(text));
    assert_int_equal(read_back(text, LAG_TOKEN_MAX, token, &err), 0);
    assert_int_equal(strlen(token), LAG_TOKEN_MAX);
    assert_int_equal(read_back(text, LAG_TOKEN_MAX + 1, token, &err), LAG_EINVAL);
    assert_true(lag_token_read("/nowhere/at/all", token, &err) < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_white_space_at_the_ends_is_no_part_of_it),
        cmocka_unit_test(test_what_cannot_be_sent_is_refused),
        cmocka_unit_test(test_the_longest),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
