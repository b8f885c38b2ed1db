/* The safetensors format: golden files, every rule broken once, conversions. */
#include "checkpoint/tensors_internal.h"
#include "checkpoint_fixture.h"
#include <lagd/base/check.h>
#include <lagd/base/hash.h>
#include <lagd/base/strbuf.h>
#include <math.h>

/* Vector B: the bytes that the reference writer makes of b = [0.5, -0.5], w = [[1, 2], [3, 4]], format = pt. */
static const unsigned char golden_b[] =
    "\x90\0\0\0\0\0\0\0{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"dtype\":\"F32\",\"shape\":[2],"
    "\"data_offsets\":[0,8]},\"w\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[8,24]}}   "
    "\0\0\0\x3f\0\0\0\xbf\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40";
static const char golden_b_sha256[] = "796f9f0e033761b57573d780d0cff3b7377af43ab056af04d8fad2e19d4df160";

static void golden_b_is_written(void **state) {
    static const lag_real b[] = {(lag_real)0.5, (lag_real)-0.5}, w[] = {1, 2, 3, 4};
    struct lag_st_source sources[] = {{"w", 2, {2, 2}, w}, {"b", 1, {2}, b}};
    const struct lag_st_pair metadata[] = {{"format", "pt"}};
    struct lag_sink sink;
    char sha256[LAG_SHA256_HEX];
    assert_int_equal(lag_sink_open(*state, "b.safetensors", 0, &sink, NULL), 0);
    assert_int_equal(lag_st_write(&sink, metadata, 1, sources, 2, NULL), 0);
    assert_int_equal(lag_sink_finish(&sink, sha256, NULL), 0);
    assert_int_equal(sizeof golden_b - 1, 176);
    assert_int_equal(sink.n_bytes, 176);
    assert_string_equal(sha256, golden_b_sha256);
    lag_sink_deinit(&sink);
    char *data;
    size_t length;
    assert_int_equal(lag_fs_read_file(fixture_path(state, "b.safetensors"), 1000, &data, &length, NULL), 0);
    assert_int_equal(length, 176);
    assert_memory_equal(data, golden_b, 176);
    free(data);
    assert_int_equal(lag_sink_open(*state, "b.safetensors", 0, &sink, NULL), LAG_EPATH); /* it exists */
}

static void golden_files_are_read(void **state) {
    struct lag_st_file file = {.fd = -1};
    const char *path = fixture_path(state, "x");
    fixture_put(path, golden_b, sizeof golden_b - 1);
    assert_int_equal(lag_st_open(path, 1000, &file, NULL), 0);
    assert_int_equal(file.header.n_entries, 2);
    assert_int_equal(file.header.n_metadata, 1);
    assert_string_equal(file.header.metadata[0].value, "pt");
    const struct lag_st_entry *w = lag_st_find(&file.header, "w");
    assert_non_null(w);
    assert_int_equal(w->n_dims, 2);
    lag_real values[4];
    assert_int_equal(lag_st_load(&file, w, values, NULL), 0);
    for (int i = 0; i < 4; i++) assert_true(values[i] == (lag_real)(i + 1));
    assert_null(lag_st_find(&file.header, "x"));
    lag_st_close(&file);

    static const unsigned char golden_a[84] =
        "\x3c\0\0\0\0\0\0\0{\"test\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}";
    fixture_put(path, golden_a, sizeof golden_a);
    assert_int_equal(lag_st_open(path, 1000, &file, NULL), 0);
    const struct lag_st_entry *test = lag_st_find(&file.header, "test");
    assert_non_null(test);
    assert_int_equal(test->dtype, LAG_ST_I32);
    assert_int_equal(test->end, 16);
    assert_int_equal(lag_st_load(&file, test, values, NULL), LAG_EUNSUPPORTED);
    lag_st_close(&file);
}

#define T(name, shape, from, to) \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"

struct header_case {
    const char *header;
    int n_data;
    const char *says; /* NULL: it is good */
};

static const struct header_case headers[] = {
    {"{}", 0, NULL},
    {"{}   ", 0, NULL},
    {"{" T("a", "[]", 0, 4) "}", 4, NULL},
    {"{" T("a", "[0]", 0, 0) "," T("b", "[1]", 0, 4) "," T("c", "[3,0,9]", 4, 4) "}", 4, NULL},
    {"{" T("b", "[1]", 4, 8) ", \n\t" T("a", "[1]", 0, 4) "}", 8, NULL},
    {"{\"__metadata__\":{}," T("\\u00e9\\ud83d\\ude00\\n", "[1]", 0, 4) "}", 4, NULL},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3,2],\"data_offsets\":[0,3]}}", 3, NULL},
    {"[]", 0, "does not begin with '{'"},
    {" {}", 0, "does not begin with '{'"},
    {"", 0, "does not begin with '{'"},
    {"{", 0, "byte 1: string or '}' expected"},
    {"{}{}", 0, "end of file expected"},
    {"{" T("a", "[1]", 0, 4) ",}", 4, "string or '}' expected"},
    {"{" T("a", "[1]", 0, 4) "," T("b", "[1]", 8, 12) "}", 12, "hole"},
    {"{" T("a", "[1]", 4, 8) "}", 8, "hole"},
    {"{" T("a", "[2]", 0, 8) "," T("b", "[1]", 4, 8) "}", 8, "overlap"},
    {"{" T("a", "[1]", 0, 4) "," T("b", "[1]", 0, 4) "}", 4, "overlap"},
    {"{" T("a", "[1]", 4, 0) "}", 4, "do not fit"},
    {"{" T("a", "[4294967296,4294967296,4]", 0, 4) "}", 4, "do not fit"},
    {"{" T("a", "[9223372036854775807,2]", 0, 4) "}", 4, "do not fit"},
    {"{" T("a", "[9223372036854775808]", 0, 4) "}", 4, "too big integer"},
    {"{" T("a", "[-9223372036854775809]", 0, 4) "}", 4, "too big negative integer"},
    {"{" T("a", "[18446744073709551616]", 0, 4) "}", 4, "too big integer"},
    {"{" T("a", "[4611686018427387905]", 0, 4) "}", 4, "do not fit"},
    {"{" T("a", "[2]", 0, 4) "}", 4, "do not fit"},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, "do not fit"},
    {"{" T("a", "[1]", 0, 4) "}", 5, "the tensors take 4 bytes, but the file holds 5"},
    {"{" T("a", "[1]", 0, 4) "}", 3, "the tensors take 4 bytes, but the file holds 3"},
    {"{}", 1, "the tensors take 0 bytes"},
    {"{" T("a", "[0]", 0, 0) "," T("a", "[0]", 0, 0) "}", 0, "duplicate object key near '\"a\"'"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "duplicate object key near '\"shape\"'"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "duplicate object key"},
    {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "duplicate object key near '\"k\"'"},
    {"{\"__metadata__\":{\"k\":1}}", 0, "__metadata__: k: expected a text"},
    {"{\"__metadata__\":null}", 0, "__metadata__: expected an object"},
    {"{\"a\":[]}", 0, "tensor a: expected an object"},
    {"{" T("a", "[-1]", 0, 4) "}", 4, "negative"},
    {"{" T("a", "[1.0]", 0, 4) "}", 4, "tensor a: shape: expected an integer"},
    {"{" T("a", "[1e0]", 0, 4) "}", 4, "tensor a: shape: expected an integer"},
    {"{" T("a", "[01]", 0, 4) "}", 4, "invalid token"},
    {"{" T("a", "[1]", 0, 4e0) "}", 4, "data_offsets: expected an integer"},
    {"{" T("a", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4, "too many items"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", 4, "too many items"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "two integers"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "is missing"},
    {"{\"a\":{}}", 0, "is missing"},
    {"{\"a\":{\"dtype\":\"F99\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "unknown dtype"},
    {"{\"a\":{\"dtype\":\"F32F32F32F32F32F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "too long"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4, "unknown key"},
    {"{" T("a\\u0000b", "[1]", 0, 4) "}", 4, "NUL"},
    {"{" T("\\ud800", "[1]", 0, 4) "}", 4, "invalid Unicode"},
    {"{" T("\\ud800\\u0041", "[1]", 0, 4) "}", 4, "invalid Unicode"},
    {"{" T("\\x41", "[1]", 0, 4) "}", 4, "invalid escape"},
    {"{" T("a\xff", "[1]", 0, 4) "}", 4, "unable to decode byte"},
    {"{" T("\xc0\x80", "[1]", 0, 4) "}", 4, "unable to decode byte"},
    {"{" T("\xed\xa0\x80", "[1]", 0, 4) "}", 4, "unable to decode byte"},
    {"{" T("a\nb", "[1]", 0, 4) "}", 4, "unexpected newline"},
    {"{" T("a\tb", "[1]", 0, 4) "}", 4, "control character"},
    {"{\"a", 0, "premature end of input"},
    {"{\"a\":[[[[[[[[", 0, "byte 8: nested deeper than 4"},
    {"{\"[[[[[\\\"[[\":[]}", 0, "tensor [[[[[\"[[: expected an object"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[[1]],\"data_offsets\":[0,4]}}", 4, "expected an integer"},
    {"{\"a\":{\"shape\":[[[[[[", 0, "nested deeper"},
    {"{'a':1}", 0, "string or '}' expected"},
};

static int open_bytes(void **state, uint64_t n, const char *header, size_t n_header, int n_data, uint64_t limit,
                      struct lag_error *err) {
    char *bytes = calloc(1, 8 + n_header + (size_t)n_data);
    assert_non_null(bytes);
    memcpy(bytes, &n, 8);
    memcpy(bytes + 8, header, n_header);
    const char *path = fixture_path(state, "case");
    fixture_put(path, bytes, 8 + n_header + (size_t)n_data);
    free(bytes);
    struct lag_st_file file = {.fd = -1};
    const int rc = lag_st_open(path, limit, &file, err);
    if (rc == 0) lag_st_close(&file);
    if (rc != 0) assert_non_null(strstr(err->text, path));
    assert_int_equal(file.fd, -1);
    return rc;
}

static void every_rule_is_enforced(void **state) {
    for (size_t i = 0; i < LAG_COUNT(headers); i++) {
        struct lag_error err = {0};
        const size_t n = strlen(headers[i].header);
        const int rc = open_bytes(state, n, headers[i].header, n, headers[i].n_data, 1 << 20, &err);
        const bool good = headers[i].says ? rc == LAG_ECORRUPT && strstr(err.text, headers[i].says) : rc == 0;
        if (!good) fail_msg("header %s: code %d, text '%s'", headers[i].header, rc, err.text);
    }
}

static void lengths_are_checked(void **state) {
    struct lag_error err = {0};
    assert_int_equal(open_bytes(state, UINT64_MAX, "{}", 2, 0, 100, &err), LAG_ECORRUPT);
    assert_non_null(strstr(err.text, "past the end"));
    assert_int_equal(open_bytes(state, 3, "{}", 2, 0, 100, &err), LAG_ECORRUPT);
    assert_int_equal(open_bytes(state, 100000001, "{}", 2, 0, UINT64_MAX, &err), LAG_ECORRUPT);
    assert_int_equal(open_bytes(state, 5, "{}   ", 5, 0, 4, &err), LAG_ECORRUPT);
    assert_non_null(strstr(err.text, "above the limit of 4"));
    struct lag_st_file file = {.fd = -1};
    const char *path = fixture_path(state, "case");
    fixture_put(path, "1234567", 7);
    assert_int_equal(lag_st_open(path, 100, &file, &err), LAG_ECORRUPT);
    assert_non_null(strstr(err.text, "too few"));
    /* A sparse file that claims a huge header: the limit answers, not the allocator. */
    const uint64_t claimed = 1ull << 34;
    fixture_put(path, &claimed, 8);
    assert_int_equal(truncate(path, (1ll << 34) + 8), 0);
    assert_int_equal(lag_st_open(path, UINT64_MAX, &file, &err), LAG_ECORRUPT);
    assert_non_null(strstr(err.text, "above the limit of 8388608"));
    /* Not files. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(lag_st_open(path, 100, &file, &err), LAG_ECORRUPT);
    assert_int_equal(lag_st_open(*state, 100, &file, &err), LAG_ECORRUPT);
    assert_int_equal(lag_st_open(fixture_path(state, "missing"), 100, &file, &err), LAG_ENOTFOUND);
    assert_int_equal(file.fd, -1);
}

/* Many tensors are read; what would cost more memory than any model's header is refused before it is parsed. */
static void large_headers(void **state) {
    enum { N = 29000 };
    static const char *const items[] = {"[", "{},", "0,"}, *const say[] = {"nested deeper", "too many", "too many"};
    struct lag_strbuf text = LAG_STRBUF_INIT;
    struct lag_error err = {0};
    for (int i = 0; i < N; i++)
        lag_strbuf_printf(&text, "%s\"%d\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[%d,%d]}", i ? "," : "{", i,
                          i, i + 1);
    lag_strbuf_append(&text, "}");
    assert_int_equal(open_bytes(state, text.length, text.data, text.length, N, 1 << 24, &err), 0);
    lag_strbuf_clear(&text);
    for (int i = 0; i < N; i++) /* the most commas that a good one can have */
        lag_strbuf_printf(&text, "%s\"%d\":{\"dtype\":\"U8\",\"shape\":[0,0,0,0,0,0,0,0],\"data_offsets\":[0,0]}",
                          i ? "," : "{", i);
    lag_strbuf_append(&text, "}");
    assert_int_equal(open_bytes(state, text.length, text.data, text.length, 0, 1 << 24, &err), 0);
    for (int i = 0; i < 3; i++) {
        lag_strbuf_clear(&text);
        lag_strbuf_append(&text, "{\"a\":[");
        for (int k = 0; k < 20 * N; k++) lag_strbuf_append(&text, items[i]);
        assert_int_equal(open_bytes(state, text.length, text.data, text.length, 0, 1 << 24, &err), LAG_ECORRUPT);
        assert_non_null(strstr(err.text, say[i]));
    }
    lag_strbuf_deinit(&text);
}

/* 512 layers, and room in the limits for the longest numbers. */
static void the_deepest_model_is_kept(void **state) {
    static const struct lag_spec spec = {LAG_ARCH_GPT2, 512, 1, 1, 1, 1, 1, 1e-5};
    const char *dir = fixture_path(state, "c");
    struct lag_state *s = NULL, *back = NULL;
    struct lag_checkpoint_files files;
    char path[600];
    char *data;
    size_t length;
    uint64_t n_header;
    assert_int_equal(lag_state_create(&spec, &s, NULL), 0);
    lag_state_init(s, 1);
    assert_int_equal(lag_checkpoint_write(dir, s, &fixture_meta, &files, NULL), 0);
    assert_int_equal(lag_checkpoint_read(dir, &back, NULL, NULL), 0);
    assert_true(lag_state_equal(s, back));
    snprintf(path, sizeof path, "%s/optimizer.safetensors", dir);
    assert_int_equal(lag_fs_read_file(path, 8 << 20, &data, &length, NULL), 0);
    memcpy(&n_header, data, sizeof n_header);
    const int n = 2 * s->layout.n_tensors;
    const uint64_t longest = n_header + (uint64_t)n * (2 * 18 + 2 * 6); /* offsets of 19 digits, dimensions of 7 */
    assert_in_range(longest, 1 << 20, lag_tensors_header_bytes(n));
    assert_in_range(lag_tensors_header_bytes(n), longest, LAG_ST_MAX_HEADER_BYTES);
    print_message("%d tensors, a header of %llu bytes, at most %llu\n", n, (unsigned long long)n_header,
                  (unsigned long long)longest);
    free(data);
    lag_state_destroy(s);
    lag_state_destroy(back);
}

static void half_precision_is_converted(void **state) {
    static const uint16_t f16[] = {0x0000, 0x8000, 0x3c00, 0xc000, 0x0001, 0x83ff, 0x0400, 0x7bff, 0x3555};
    static const double f16_values[] = {0, -0.0, 1, -2, 0x1p-24, -1023 * 0x1p-24, 0x1p-14, 65504, 0x1.554p-2};
    static const uint16_t bf16[] = {0x3f80, 0xc040, 0x0001, 0x7f7f, 0x0000, 0x8000, 0x4049, 0x3eab, 0x0080};
    static const double bf16_values[] = {1, -3, 0x1p-133, 0x1.fep127, 0, -0.0, 3.140625, 0x1.56p-2, 0x1p-126};
    char bytes[36];
    memcpy(bytes, f16, 18);
    memcpy(bytes + 18, bf16, 18);
    const char header[] = "{\"h\":{\"dtype\":\"F16\",\"shape\":[9],\"data_offsets\":[0,18]},"
                          "\"b\":{\"dtype\":\"BF16\",\"shape\":[9],\"data_offsets\":[18,36]}}";
    char file_bytes[8 + sizeof header - 1 + sizeof bytes];
    const uint64_t n = sizeof header - 1;
    memcpy(file_bytes, &n, 8);
    memcpy(file_bytes + 8, header, sizeof header - 1);
    memcpy(file_bytes + 8 + n, bytes, sizeof bytes);
    const char *path = fixture_path(state, "half");
    fixture_put(path, file_bytes, sizeof file_bytes);
    struct lag_st_file file = {.fd = -1};
    lag_real values[9];
    assert_int_equal(lag_st_open(path, 1000, &file, NULL), 0);
    assert_int_equal(lag_st_load(&file, lag_st_find(&file.header, "h"), values, NULL), 0);
    for (int i = 0; i < 9; i++)
        assert_true((double)values[i] == f16_values[i] && !signbit(values[i]) == !signbit(f16_values[i]));
    assert_int_equal(lag_st_load(&file, lag_st_find(&file.header, "b"), values, NULL), 0);
    for (int i = 0; i < 9; i++)
        assert_true((double)values[i] == bf16_values[i] && !signbit(values[i]) == !signbit(bf16_values[i]));
    lag_st_close(&file);
    file_bytes[8 + n + 1] = 0x7c; /* the first becomes infinity */
    fixture_put(path, file_bytes, sizeof file_bytes);
    struct lag_error err = {0};
    assert_int_equal(lag_st_open(path, 1000, &file, NULL), 0);
    assert_int_equal(lag_st_load(&file, lag_st_find(&file.header, "h"), values, &err), LAG_ENONFINITE);
    assert_non_null(strstr(err.text, "element 0"));
    lag_st_close(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(golden_b_is_written, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(golden_files_are_read, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(every_rule_is_enforced, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(lengths_are_checked, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(large_headers, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(the_deepest_model_is_kept, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(half_precision_is_converted, fixture_folder, fixture_remove),
    };
    return cmocka_run_group_tests_name("engine/safetensors", tests, NULL, NULL);
}
