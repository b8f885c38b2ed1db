/* Safetensors in another dtype: rounding at every boundary, streams in pieces of any size, what cannot be held. */
#include "checkpoint_fixture.h"
#include "format/recode_internal.h"
#include <lagd/base/check.h>
#include <lagd/engine/hf.h>
#include <fcntl.h>
#include <math.h>

/* A type of 16 bits, of so many exponent and fraction bits: what its bits mean, independently of the converters. */
static double value_of(unsigned bits, int n_exponent, int n_fraction) {
    const int bias = (1 << (n_exponent - 1)) - 1, exponent = (int)(bits >> n_fraction) & ((1 << n_exponent) - 1);
    const int fraction = (int)bits & ((1 << n_fraction) - 1);
    if (exponent == 0) return ldexp(fraction, 1 - bias - n_fraction);
    return ldexp((1 << n_fraction) + fraction, exponent - bias - n_fraction);
}

static void expect(uint16_t (*convert)(float), float value, unsigned wanted) {
    if (convert(value) != wanted) fail_msg("%.9g: 0x%04x instead of 0x%04x", (double)value, convert(value), wanted);
    if (convert(-value) != (wanted | 0x8000u)) fail_msg("%.9g: its sign", (double)-value);
}

/* Every number of the type, every middle between two of them, and the float on either side of the middle. */
static void rounds_to_even(uint16_t (*convert)(float), int n_exponent, int n_fraction) {
    const unsigned infinity = ((1u << n_exponent) - 1) << n_fraction;
    for (unsigned bits = 0; bits < infinity; bits++) {
        const double low = value_of(bits, n_exponent, n_fraction), high = value_of(bits + 1, n_exponent, n_fraction);
        const float middle = (float)((low + high) / 2);
        expect(convert, (float)low, bits);
        if ((double)middle != (low + high) / 2) continue; /* below the least float */
        expect(convert, middle, bits + (bits & 1));
        expect(convert, nextafterf(middle, 0), bits);
        expect(convert, nextafterf(middle, INFINITY), bits + 1);
    }
    expect(convert, INFINITY, infinity);
    assert_true((convert(NAN) & 0x7fffu) > infinity);
}

static void f16_is_the_nearest(void **state) { rounds_to_even(lag_f16_of, 5, 10); }
static void bf16_is_the_nearest(void **state) { rounds_to_even(lag_bf16_of, 8, 7); }

enum { LONG = 40000 }; /* elements: more than two chunks */

static float number(int i) { return (float)(i % 7 - 3) / 3 + (float)i / 1000; }

/* a: a vector of three, b: [LONG / 4][4]. */
static const char *put_file(void **state, float odd_one) {
    static float a[3], b[LONG];
    static const struct lag_st_pair metadata[] = {{"format", "pt"}, {"lagd.step", "7"}};
    for (int i = 0; i < 3; i++) a[i] = number(i);
    for (int i = 0; i < LONG; i++) b[i] = number(i);
    b[LONG - 1] = odd_one;
    struct lag_st_source sources[] = {{"b", 2, {LONG / 4, 4}, b}, {"a", 1, {3}, a}};
    struct lag_sink sink;
    char sha256[LAG_SHA256_HEX];
    const char *path = fixture_path(state, "model.safetensors");
    (void)unlink(path);
    assert_int_equal(lag_sink_open(*state, "model.safetensors", 0, &sink, NULL), 0);
    assert_int_equal(lag_st_write(&sink, metadata, 2, sources, 2, NULL), 0);
    assert_int_equal(lag_sink_finish(&sink, sha256, NULL), 0);
    lag_sink_deinit(&sink);
    return path;
}

static void begin(const char *path, enum lag_st_dtype dtype, struct lag_recode *ret) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(lag_recode_open(fd, dtype, NULL, ret, NULL), 0);
}

/* The whole stream, in pieces of piece bytes. */
static char *read_all(struct lag_recode *recode, size_t piece) {
    char *all = malloc(recode->n_bytes + 1);
    size_t n_all = 0;
    assert_non_null(all);
    for (;;) {
        const ssize_t n = lag_recode_read(recode, all + n_all, LAG_MIN(piece, recode->n_bytes + 1 - n_all), NULL);
        assert_true(n >= 0);
        if (n == 0) break;
        n_all += (size_t)n;
    }
    assert_int_equal(n_all, recode->n_bytes);
    return all;
}

static void f32_is_the_file_itself(void **state) {
    const char *path = put_file(state, 0);
    struct lag_recode recode;
    char *file;
    size_t length;
    assert_int_equal(lag_fs_read_file(path, 1 << 20, &file, &length, NULL), 0);
    begin(path, LAG_ST_F32, &recode);
    assert_int_equal(lag_recode_check(&recode, NULL), 0);
    char *all = read_all(&recode, 1 << 20);
    assert_int_equal(recode.n_bytes, length);
    assert_memory_equal(all, file, length);
    lag_recode_close(&recode);
    free(all);
    free(file);
}

static void halves_come_in_pieces_of_any_size(void **state) {
    static const enum lag_st_dtype dtypes[] = {LAG_ST_F16, LAG_ST_BF16};
    static const size_t pieces[] = {1, 3, 4096, 1 << 20};
    const char *path = put_file(state, 0), *out = fixture_path(state, "halves");
    for (size_t i = 0; i < LAG_COUNT(dtypes) * LAG_COUNT(pieces); i++) {
        const enum lag_st_dtype dtype = dtypes[i % 2];
        struct lag_recode recode;
        struct lag_st_file file = {.fd = -1};
        begin(path, dtype, &recode);
        assert_int_equal(lag_recode_check(&recode, NULL), 0);
        char *all = read_all(&recode, pieces[i / 2]);
        fixture_put(out, all, recode.n_bytes);
        assert_int_equal(lag_st_open(out, 1 << 16, &file, NULL), 0);
        assert_int_equal(file.header.n_entries, 2);
        assert_string_equal(file.header.metadata[0].value, "pt");
        assert_string_equal(file.header.metadata[1].value, "7");
        assert_int_equal(file.header.data_offset % 8, 0);
        const struct lag_st_entry *b = lag_st_find(&file.header, "b");
        assert_int_equal(b->dtype, dtype);
        assert_int_equal(b->n_dims, 2);
        assert_int_equal(b->dims[0], LONG / 4);
        const char *data = all + file.header.data_offset + b->begin;
        for (int k = 0; k < LONG - 1; k++) {
            uint16_t half;
            memcpy(&half, data + 2 * k, sizeof half);
            assert_int_equal(half, dtype == LAG_ST_F16 ? lag_f16_of(number(k)) : lag_bf16_of(number(k)));
        }
        lag_st_close(&file);
        lag_recode_close(&recode);
        free(all);
    }
}

static void what_a_dtype_cannot_hold_is_named(void **state) {
    static const struct {
        enum lag_st_dtype dtype;
        float value;
        int rc;
    } rows[] = {
        {LAG_ST_F16, -65519, 0}, {LAG_ST_F16, 65520, LAG_ENONFINITE}, {LAG_ST_F16, -1e9f, LAG_ENONFINITE},
        {LAG_ST_BF16, 0x1.fefffep127f, 0}, {LAG_ST_BF16, -0x1.ffp127f, LAG_ENONFINITE}, {LAG_ST_F32, 3.4e38f, 0},
    };
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        struct lag_recode recode;
        struct lag_error err = {0};
        begin(put_file(state, rows[i].value), rows[i].dtype, &recode);
        assert_int_equal(lag_recode_check(&recode, &err), rows[i].rc);
        if (rows[i].rc != 0) assert_non_null(strstr(err.text, "tensor b: element 39999 is "));
        lag_recode_close(&recode);
    }
}

static void other_sources_are_refused(void **state) {
    static const char head[] = "{\"x\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    char bytes[8 + sizeof head - 1 + 4] = {(char)(sizeof head - 1)};
    struct lag_recode recode;
    struct lag_error err = {0};
    memcpy(bytes + 8, head, sizeof head - 1);
    fixture_put(fixture_path(state, "x"), bytes, sizeof bytes);
    const int fd = open(fixture_path(state, "x"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(lag_recode_open(fd, LAG_ST_F16, NULL, &recode, &err), LAG_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "tensor x: I32"));
    assert_int_equal(close(fd), 0); /* it stayed the caller's */
}

/* Heads of a size of their own: Hugging Face's GPT-2 has no word for them. */
static void a_shape_that_no_config_can_say_is_refused(void **state) {
    for (int head_dim = 3; head_dim <= 4; head_dim++) { /* 3 is n_embd / n_head */
        struct lag_spec spec = fixture_spec;
        struct lag_state *model = NULL;
        struct lag_hf_model *hf = NULL;
        struct lag_checkpoint_files files;
        struct lag_error err = {0};
        spec.head_dim = head_dim;
        assert_int_equal(lag_state_create(&spec, &model, NULL), 0);
        assert_int_equal(lag_checkpoint_write(fixture_path(state, "ckpt"), model, &fixture_meta, &files, NULL), 0);
        lag_state_destroy(model);
        const int weights = open(fixture_path(state, "ckpt/model.safetensors"), O_RDONLY | O_CLOEXEC);
        const int manifest = open(fixture_path(state, "ckpt/manifest.json"), O_RDONLY | O_CLOEXEC);
        const int rc = lag_hf_open(weights, manifest, LAG_HF_BF16, &hf, &err);
        assert_int_equal(rc, head_dim == 3 ? 0 : LAG_EUNSUPPORTED);
        if (rc == 0) assert_non_null(strstr(lag_hf_config_text(hf), "\"torch_dtype\": \"bfloat16\""));
        else assert_non_null(strstr(err.text, "take archive.tar instead"));
        if (rc != 0) assert_int_equal(close(weights), 0);
        lag_hf_close(hf);
        assert_int_equal(close(manifest), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f16_is_the_nearest),
        cmocka_unit_test(bf16_is_the_nearest),
        cmocka_unit_test_setup_teardown(f32_is_the_file_itself, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(halves_come_in_pieces_of_any_size, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(what_a_dtype_cannot_hold_is_named, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(other_sources_are_refused, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(a_shape_that_no_config_can_say_is_refused, fixture_folder, fixture_remove),
    };
    return cmocka_run_group_tests_name("engine/recode", tests, NULL, NULL);
}
