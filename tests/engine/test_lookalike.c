/* engine/data/lookalike.c: what is no training data is refused by name, and tokens of another width with the likely
 * one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/data_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>

enum { N = 6000 };
static uint8_t bytes[8 * N];
static struct lag_error err;

static int inspect(const void *data, size_t length, const char *name, const char *format,
                   struct lag_dataset_info *ret) {
    const int fd = memfd_create(name, 0);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, length), (ssize_t)length);
    memset(&err, 0, sizeof(err));
    const int rc = lag_dataset_inspect(fd, name, format, 0, NULL, ret, &err);
    (void)close(fd);
    return rc;
}

static void refuses(const void *data, size_t length, const char *name, const char *format, const char *says) {
    struct lag_dataset_info info;
    const int rc = inspect(data, length, name, format, &info);
    if (rc != LAG_EINVAL || !strstr(err.text, says) || !strstr(err.text, name))
        fail_msg("%s as %s: %d '%s', expected '%s'", name, format ? format : "auto", rc, err.text, says);
}

static void takes(const void *data, size_t length, const char *name, const char *format, enum lag_token_format found) {
    struct lag_dataset_info info;
    const int rc = inspect(data, length, name, format, &info);
    if (rc != 0) fail_msg("%s as %s: %s", name, format ? format : "auto", err.text);
    assert_int_equal(info.format, found);
}

#define HEAD(text) text, sizeof(text) - 1
static const struct {
    const char *bytes;
    size_t n;
    size_t offset;
    const char *says;
} heads[] = {
    {HEAD("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n"), 0, "git lfs pull"},
    {HEAD("\x93NUMPY\x01\0"), 0, "NumPy"},
    {HEAD("PK\x03\x04\x14"), 0, "zip archive"},
    {HEAD("\x1f\x8b\x08\x08\x01\x02\x03\x04\0\x03name"), 0, "gzip"},
    {HEAD("\x28\xb5\x2f\xfd"), 0, "zstd"},
    {HEAD("BZh91AY&SY"), 0, "bzip2"},
    {HEAD("\xfd" "7zXZ\0"), 0, "xz"},
    {HEAD("ustar"), 257, "tar archive"},
    {HEAD("PAR1"), 0, "Parquet"},
    {HEAD("ARROW1"), 0, "Arrow"},
    {HEAD("\x40\0\0\0\0\0\0\0{\"a\":"), 0, "safetensors"},
    {HEAD("GGUF\x03"), 0, "GGUF"},
    {HEAD("%PDF-1.7"), 0, "PDF"},
    {HEAD("\x7f" "ELF\x02"), 0, "ELF"},
    {HEAD("\xff\xfeT\0h\0"), 0, "UTF-16"},
    {HEAD("\xfe\xff\0T\0h"), 0, "UTF-16"},
    {HEAD("\xff\xfe\0\0T\0\0\0"), 0, "UTF-32"},
    {HEAD("\0\0\xfe\xff\0\0\0T"), 0, "UTF-32"},
};

/* Whatever the file is called, and whatever tokens it is said to hold: only text takes any bytes. */
static void other_files_are_refused_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < LAG_COUNT(heads); i++) {
        memset(bytes, 'x', 1200);
        memcpy(bytes + heads[i].offset, heads[i].bytes, heads[i].n);
        refuses(bytes, 1200, "train.bin", NULL, heads[i].says);
        refuses(bytes, 1200, "book.txt", "auto", heads[i].says);
        refuses(bytes, 1200, "train.bin", "nanogpt", heads[i].says);
        refuses(bytes, 1200, "train.bin", "u32", heads[i].says);
        takes(bytes, 1200, "book.txt", "text", LAG_TOKENS_TEXT);
    }
}

/* Two bytes of gzip, or a length that is none, are tokens like others. */
static void tokens_that_begin_alike_are_taken(void **state) {
    static const char *const alike[] = {"\x1f\x8b\x09\x08", "BZhx", "PAR2", "\x40\0\0\0\0\0\0\x7f{\""};
    (void)state;
    for (size_t i = 0; i < LAG_COUNT(alike); i++) {
        for (size_t k = 0; k < 1200; k++) bytes[k] = (uint8_t)(k * 37 % 251);
        memcpy(bytes, alike[i], i == 3 ? 10 : 4);
        takes(bytes, 1200, "train.bin", NULL, LAG_TOKENS_NANOGPT);
    }
}

/* Ids of a text: small ones are frequent, as in every vocabulary. below > 0. */
static uint32_t id_of(size_t i, uint32_t below) {
    uint32_t x = (uint32_t)(i + 1) * 2654435761u;
    x ^= x >> 15;
    const uint32_t bound = x & 1 ? below : below < 1000 ? below : 1000;
    return x / 2 % bound;
}

static size_t fill(uint32_t below, size_t width, bool swapped) {
    for (size_t i = 0; i < N; i++) {
        const uint64_t id = id_of(i, below);
        for (size_t b = 0; b < width; b++)
            bytes[i * width + (swapped ? width - 1 - b : b)] = (uint8_t)(id >> (8 * b));
    }
    return N * width;
}

static void other_widths_are_refused_with_the_likely_one(void **state) {
    static const uint32_t vocabularies[] = {65, 256, 500, 32000, 50257};
    (void)state;
    for (size_t i = 0; i < LAG_COUNT(vocabularies); i++) {
        const uint32_t below = vocabularies[i];
        takes(bytes, fill(below, 2, false), "train.bin", NULL, LAG_TOKENS_NANOGPT);
        takes(bytes, fill(below, 2, false), "TRAIN.BIN", NULL, LAG_TOKENS_NANOGPT);
        refuses(bytes, fill(below, 4, false), "train.bin", NULL, "looks like uint32");
        refuses(bytes, fill(below, 4, false), "Train.Bin", "auto", "format u32");
        takes(bytes, fill(below, 4, false), "train.bin", "u32", LAG_TOKENS_U32);
        takes(bytes, fill(below, 4, false), "train.bin", "nanogpt", LAG_TOKENS_NANOGPT); /* who names it is believed */
        refuses(bytes, fill(below, 4, true), "train.bin", NULL, "uint32 in the other byte order");
        refuses(bytes, fill(below, 8, false), "train.bin", NULL, "looks like uint64");
        if (below != 65) refuses(bytes, fill(below, 2, true), "train.bin", NULL, "uint16 in the other byte order");
    }
    refuses(bytes, fill(128256, 4, false), "train.bin", NULL, "looks like uint32");
    refuses(bytes, fill(65, 2, true), "train.bin", NULL, "uint16 in the other byte order");
}

static void text_that_is_called_bin_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < 4000; i++) bytes[i] = (uint8_t)"And God said, Let there be light.\n"[i % 34];
    refuses(bytes, 4000, "train.bin", NULL, "looks like text");
    takes(bytes, 4000, "train.txt", NULL, LAG_TOKENS_TEXT);
}

/* Few different tokens are no other width. */
static void dull_tokens_are_taken(void **state) {
    (void)state;
    for (unsigned id = 0; id < 20; id++) {
        memset(bytes, 0, 2 * N);
        for (size_t i = 0; i < N; i++) bytes[2 * i] = (uint8_t)id;
        takes(bytes, 2 * N, "train.bin", NULL, LAG_TOKENS_NANOGPT);
    }
    for (size_t i = 0; i < N; i++) bytes[2 * i] = (uint8_t)(id_of(i, 4)); /* bases of DNA */
    takes(bytes, 2 * N, "train.bin", NULL, LAG_TOKENS_NANOGPT);
}

static void a_swapped_header_is_told(void **state) {
    (void)state;
    memset(bytes, 0, 1424);
    bytes[0] = 0x01, bytes[1] = 0x34, bytes[2] = 0xd8, bytes[3] = 0x88; /* 20240520, big end first */
    refuses(bytes, 1424, "shard.bin", NULL, "llmc_u16 file in the other byte order");
}

static void u32_counts_whole_tokens(void **state) {
    struct lag_dataset_info info;
    (void)state;
    refuses(bytes, fill(50257, 4, false) - 2, "train.bin", "u32", "whole number of uint32");
    assert_int_equal(inspect(bytes, fill(100000, 4, false), "train", "u32", &info), 0);
    assert_int_equal(info.n_tokens, N);
    assert_true(info.max_id > 65535 && info.max_id < 100000);
    assert_int_equal(info.vocab_size, info.max_id + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_files_are_refused_by_name),
        cmocka_unit_test(tokens_that_begin_alike_are_taken),
        cmocka_unit_test(other_widths_are_refused_with_the_likely_one),
        cmocka_unit_test(text_that_is_called_bin_is_refused),
        cmocka_unit_test(dull_tokens_are_taken),
        cmocka_unit_test(a_swapped_header_is_told),
        cmocka_unit_test(u32_counts_whole_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
