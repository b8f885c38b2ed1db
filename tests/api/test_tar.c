/* Headers of tar archives, byte by byte: where each field lies, sizes on both sides of 8 GiB, names that just fit. The
 * sums were taken from headers made by another program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "encode/tar_internal.h"

#include <lagd/base/check.h>

static void fields_lie_where_the_format_says(void **state) {
    (void)state;
    static const struct {
        size_t at;
        const char *bytes;
        size_t n;
    } fields[] = {
        {0, "model.safetensors\0", 18},       {100, "0000644\0", 8}, {108, "0000000\0", 8}, {116, "0000000\0", 8},
        {124, "00000000005\0", 12},           {136, "14524770400\0", 12}, {148, "012462\0 ", 8}, {156, "0", 1},
        {157, "\0", 1},                       {257, "ustar\0" "00", 8},   {345, "ckpt_1\0", 7},
    };
    char block[LAGD_TAR_BLOCK];
    memset(block, 'x', sizeof(block));
    assert_int_equal(lagd_tar_header("ckpt_1", "model.safetensors", 5, 1700000000, block), 0);
    for (size_t i = 0; i < LAG_COUNT(fields); i++)
        assert_memory_equal(block + fields[i].at, fields[i].bytes, fields[i].n);
    assert_null(memchr(block, 'x', sizeof(block)));
}

/* Eleven octal digits end at 8 GiB; beyond that the first bit is set and the number follows in bytes. */
static void sizes_grow_beyond_octal(void **state) {
    (void)state;
    static const struct {
        uint64_t n_bytes;
        const char *field, *sum;
    } list[] = {
        {UINT64_C(8589934591), "77777777777\0", "007636"},
        {UINT64_C(8589934592), "\x80\0\0\0\0\0\0\x02\0\0\0\0", "006703"},
        {UINT64_C(0x0123456789abcdef), "\x80\0\0\0\x01\x23\x45\x67\x89\xab\xcd\xef", "010601"},
    };
    for (size_t i = 0; i < LAG_COUNT(list); i++) {
        char block[LAGD_TAR_BLOCK];
        assert_int_equal(lagd_tar_header("ckpt_1", "big", list[i].n_bytes, 0, block), 0);
        assert_memory_equal(block + 124, list[i].field, 12);
        assert_memory_equal(block + 148, list[i].sum, 6);
    }
}

static void names_fit_or_are_refused(void **state) {
    (void)state;
    char name[102], folder[157], block[LAGD_TAR_BLOCK];
    memset(name, 'n', sizeof(name));
    memset(folder, 'f', sizeof(folder));
    name[100] = folder[155] = '\0';
    assert_int_equal(lagd_tar_header(folder, name, 0, 0, block), 0);
    assert_memory_equal(block, name, 100);
    assert_memory_equal(block + 345, folder, 155);
    assert_memory_equal(block + 148, "072227", 6);
    name[100] = 'n';
    name[101] = '\0';
    assert_int_equal(lagd_tar_header("f", name, 0, 0, block), -1);
    folder[155] = 'f';
    folder[156] = '\0';
    assert_int_equal(lagd_tar_header(folder, "n", 0, 0, block), -1);
}

static void files_are_padded_to_whole_blocks(void **state) {
    (void)state;
    static const struct {
        uint64_t n_bytes;
        size_t padding;
    } list[] = {{0, 0}, {1, 511}, {511, 1}, {512, 0}, {513, 511}, {1024, 0}, {(UINT64_C(1) << 40) + 500, 12}};
    for (size_t i = 0; i < LAG_COUNT(list); i++)
        assert_int_equal(lagd_tar_padding(list[i].n_bytes), list[i].padding);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_lie_where_the_format_says),
        cmocka_unit_test(sizes_grow_beyond_octal),
        cmocka_unit_test(names_fit_or_are_refused),
        cmocka_unit_test(files_are_padded_to_whole_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
