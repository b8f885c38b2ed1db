/* A growing text, and a failure that stays. */
#include "check_base.h"

#include <lagd/base/strbuf.h>

static void test_append_print_take(void **state) {
    struct lag_strbuf buffer = LAG_STRBUF_INIT;
    lag_strbuf_append(&buffer, "");
    assert_non_null(buffer.data);
    for (int i = 0; i < 1000; i++) lag_strbuf_printf(&buffer, "%d,", i % 10);
    assert_int_equal(buffer.length, 2000);
    lag_strbuf_append_n(&buffer, "a\0b", 3);
    assert_int_equal(buffer.length, 2003);
    assert_int_equal(buffer.data[2003], 0);
    char *text = lag_strbuf_take(&buffer);
    assert_memory_equal(text, "0,1,2,3,", 8);
    assert_memory_equal(text + 2000, "a\0b", 4);
    free(text);
    assert_null(buffer.data);
    text = lag_strbuf_take(&buffer);
    assert_string_equal(text, "");
    free(text);
}

static void test_failure_sticks(void **state) {
    struct lag_strbuf buffer = LAG_STRBUF_INIT;
    lag_strbuf_append(&buffer, "kept");
    lag_strbuf_append_n(&buffer, "x", SIZE_MAX - 8); /* cannot fit: fails before it reads */
    assert_true(buffer.failed);
    lag_strbuf_append(&buffer, "more");
    assert_string_equal(buffer.data, "kept");
    lag_strbuf_clear(&buffer);
    assert_true(buffer.failed);
    assert_null(lag_strbuf_take(&buffer));
    assert_false(buffer.failed);
    lag_strbuf_append(&buffer, "new");
    assert_string_equal(buffer.data, "new");
    lag_strbuf_clear(&buffer);
    assert_string_equal(buffer.data, "");
    lag_strbuf_deinit(&buffer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_print_take),
        cmocka_unit_test(test_failure_sticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
