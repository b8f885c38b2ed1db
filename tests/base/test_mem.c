/* Memory: overflow, growth, alignment, texts. */
#include "check_base.h"

#include <lagd/base/mem.h>

static void test_calloc_zeroes_and_refuses_overflow(void **state) {
    unsigned char *bytes = lag_calloc(10, 7);
    assert_non_null(bytes);
    for (int i = 0; i < 70; i++) assert_int_equal(bytes[i], 0);
    free(bytes);
    assert_null(lag_calloc(SIZE_MAX / 2, 4));
    void *nothing = lag_calloc(0, 8);
    assert_non_null(nothing);
    free(nothing);
}

static void test_grow_array_doubles_and_keeps(void **state) {
    int *array = NULL;
    size_t capacity = 0, n_grown = 0, before = 0;
    for (int i = 0; i < 10000; i++) {
        void *generic = array;
        assert_int_equal(lag_grow_array(&generic, &capacity, (size_t)i + 1, sizeof(int)), 0);
        array = generic;
        array[i] = i;
        n_grown += capacity != before;
        before = capacity;
    }
    assert_true(n_grown < 16);
    for (int i = 0; i < 10000; i++) assert_int_equal(array[i], i);
    void *generic = array;
    assert_int_equal(lag_grow_array(&generic, &capacity, capacity, sizeof(int)), 0);
    assert_ptr_equal(generic, array); /* as many as there is room for: nothing to do */
    assert_int_equal(capacity, before);
    assert_int_equal(lag_grow_array(&generic, &capacity, SIZE_MAX - 1, sizeof(int)), -1);
    assert_ptr_equal(generic, array);
    assert_int_equal(capacity, before);
    free(array);
}

static void test_blocks_are_aligned_and_zero(void **state) {
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4096, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, 9 << 20};
    for (size_t i = 0; i < LAG_COUNT(sizes); i++) {
        for (int again = 0; again < 2; again++) {
            unsigned char *block = lag_block_alloc(sizes[i]);
            assert_non_null(block);
            assert_int_equal((uintptr_t)block % 64, 0);
            for (size_t at = 0; at < sizes[i]; at++) {
                if (block[at]) fail_msg("byte %zu of %zu is not zero", at, sizes[i]);
            }
            memset(block, 0xa5, sizes[i]);
            lag_block_free(block, sizes[i]);
        }
    }
    assert_null(lag_block_alloc(SIZE_MAX));
    assert_null(lag_block_alloc(SIZE_MAX / 2));
    lag_block_free(NULL, 100);
}

static void test_texts(void **state) {
    char small[4];
    assert_int_equal(lag_copy(small, sizeof(small), "abc"), 0);
    assert_string_equal(small, "abc");
    assert_int_equal(lag_copy(small, sizeof(small), "abcd"), -1);
    assert_string_equal(small, "abc");
    assert_int_equal(lag_copy(small, 1, ""), 0);
    assert_string_equal(small, "");
    char *copy = lag_strdup("x=1"), *made = lag_asprintf("%s-%d", "y", 2);
    assert_string_equal(copy, "x=1");
    assert_string_equal(made, "y-2");
    free(copy);
    free(made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calloc_zeroes_and_refuses_overflow),
        cmocka_unit_test(test_grow_array_doubles_and_keeps),
        cmocka_unit_test(test_blocks_are_aligned_and_zero),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
