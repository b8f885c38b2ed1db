/* GGUF: the head byte for byte, every tensor at its place and transposed where it should be, in pieces of any size and
 * where a tensor goes out in several bands; tokenizers that llama.cpp can say, and those that it cannot. */
#include "checkpoint_fixture.h"
#include "exchange/gguf_vocab_internal.h"
#include "format/recode_internal.h"
#include <lagd/base/check.h>
#include <lagd/engine/gguf.h>
#include <lagd/engine/params.h>
#include <fcntl.h>

/* --- the head ---------------------------------------------------------------------------------------------------- */

/* Written by hand after docs/gguf.md. */
static void the_head_is_as_the_format_says(void **state) {
    static const unsigned char wanted[] =
        "GGUF\3\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0"
        "\1\0\0\0\0\0\0\0a\10\0\0\0\2\0\0\0\0\0\0\0hi"              /* a: text "hi" */
        "\1\0\0\0\0\0\0\0b\6\0\0\0\0\0\200?"                           /* b: f32 1 */
        "\1\0\0\0\0\0\0\0c\11\0\0\0\5\0\0\0\2\0\0\0\0\0\0\0\7\0\0\0\377\377\377\377" /* c: i32 [7, -1] */
        "\1\0\0\0\0\0\0\0v\1\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"      /* v: [3], F32, at 0 */
        "\1\0\0\0\0\0\0\0m\2\0\0\0\4\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\1\0\0\0 \0\0\0\0\0\0\0"; /* m: F16, at 32 */
    struct lag_gguf_head head = LAG_GGUF_HEAD_INIT;
    struct lag_strbuf out = LAG_STRBUF_INIT;
    const uint64_t three = 3, dims[] = {4, 5};
    lag_gguf_text(&head, "a", "hi");
    lag_gguf_f32(&head, "b", 1);
    lag_gguf_array(&head, "c", LAG_GGUF_I32, 2);
    lag_gguf_add_i32(&head, 7);
    lag_gguf_add_i32(&head, -1);
    lag_gguf_tensor(&head, "v", 1, &three, LAG_GGUF_F32, 12);
    lag_gguf_tensor(&head, "m", 2, dims, LAG_GGUF_F16, 40);
    assert_int_equal(head.n_data, 32 + 64);
    assert_int_equal(lag_gguf_finish(&head, &out, NULL), 0);
    assert_int_equal(out.length % LAG_GGUF_ALIGNMENT, 0);
    assert_memory_equal(out.data, wanted, sizeof wanted - 1);
    for (size_t i = sizeof wanted - 1; i < out.length; i++) assert_int_equal(out.data[i], 0);
    lag_gguf_head_deinit(&head);
    lag_strbuf_deinit(&out);
}

/* --- the tensors ------------------------------------------------------------------------------------------------- */

static float number(size_t i) { return (float)(i % 1013) / 8 - 60; } /* exact in F16, too */

/* A model's file whose tensors hold counted numbers, the first of each another one. */
static int put_model(void **state, const struct lag_spec *spec) {
    struct lag_layout layout;
    struct lag_sink sink;
    char sha256[LAG_SHA256_HEX];
    assert_int_equal(lag_layout_create(spec, &layout, NULL), 0);
    float *data = lag_calloc(layout.n_elements, sizeof *data);
    struct lag_st_source *sources = lag_calloc((size_t)layout.n_tensors, sizeof *sources);
    assert_true(data && sources);
    for (int i = 0; i < layout.n_tensors; i++) {
        const struct lag_tensor *t = &layout.tensors[i];
        char name[96];
        lag_tensor_name(t, name);
        (void)lag_copy(sources[i].name, sizeof sources[i].name, name);
        const bool is_vector = lag_param_is_vector(t->row);
        sources[i].n_dims = is_vector ? 1 : 2;
        sources[i].dims[0] = (uint64_t)(is_vector ? t->n_cols : t->n_rows);
        sources[i].dims[1] = is_vector ? 0 : (uint64_t)t->n_cols;
        sources[i].data = data + t->offset;
        for (size_t k = 0; k < (size_t)t->n_rows * (size_t)t->n_cols; k++) data[t->offset + k] = number((size_t)i + k);
    }
    const char *path = fixture_path(state, "model.safetensors");
    (void)unlink(path);
    assert_int_equal(lag_sink_open(*state, "model.safetensors", 0, &sink, NULL), 0);
    assert_int_equal(lag_st_write(&sink, NULL, 0, sources, (size_t)layout.n_tensors, NULL), 0);
    assert_int_equal(lag_sink_finish(&sink, sha256, NULL), 0);
    lag_sink_deinit(&sink);
    free(data);
    free(sources);
    lag_layout_deinit(&layout);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static char *read_all(struct lag_gguf *gguf, size_t piece) {
    const size_t size = (size_t)lag_gguf_bytes(gguf);
    char *all = malloc(size + 1);
    size_t n_all = 0;
    assert_non_null(all);
    for (;;) {
        const ssize_t n = lag_gguf_read(gguf, all + n_all, LAG_MIN(piece, size + 1 - n_all), NULL);
        assert_true(n >= 0);
        if (n == 0) break;
        n_all += (size_t)n;
    }
    assert_int_equal(n_all, size);
    return all;
}

/* Which element of the stored tensor the i-th of the written one is. */
static size_t source_of(const struct lag_tensor *t, size_t i) {
    const enum lag_role role = t->row->role;
    const bool turned = role == LAG_ROLE_QKV_W || role == LAG_ROLE_PROJ_W || role == LAG_ROLE_FC_W ||
                        role == LAG_ROLE_FCPROJ_W;
    const size_t n_rows = (size_t)t->n_rows, n_cols = (size_t)t->n_cols;
    return turned ? i % n_rows * n_cols + i / n_rows : i;
}

static size_t check_tensor(const struct lag_layout *layout, int index, bool half, const char *data) {
    const struct lag_tensor *t = &layout->tensors[index];
    const size_t n = (size_t)t->n_rows * (size_t)t->n_cols;
    for (size_t i = 0; i < n; i++) {
        const float wanted = number((size_t)index + source_of(t, i));
        float found = 0;
        uint16_t bits = 0;
        if (half) memcpy(&bits, data + i * sizeof bits, sizeof bits);
        else memcpy(&found, data + i * sizeof found, sizeof found);
        if (half ? bits != lag_f16_of(wanted) : found != wanted)
            fail_msg("tensor %d, element %zu: not %g", index, i, (double)wanted);
    }
    return (size_t)lag_gguf_filled(n * (half ? sizeof(uint16_t) : sizeof(float)));
}

static void tensors_are_right(void **state, const struct lag_spec *spec, enum lag_gguf_dtype dtype, size_t piece) {
    static const struct lag_gguf_tokenizer none;
    struct lag_layout layout;
    struct lag_gguf *gguf = NULL;
    assert_int_equal(lag_gguf_open(put_model(state, spec), spec, dtype, NULL, "name", &none, &gguf, NULL), 0);
    assert_int_equal(lag_layout_create(spec, &layout, NULL), 0);
    char *all = read_all(gguf, piece);
    size_t n_data = 0;
    for (int turn = 0; turn < 2; turn++) { /* the first one counts: the data end the file */
        size_t at = turn ? (size_t)lag_gguf_bytes(gguf) - n_data : 0;
        for (int i = 0; i < layout.n_tensors; i++) {
            const struct lag_tensor *t = &layout.tensors[i];
            const bool half = dtype == LAG_GGUF_AS_F16 && !lag_param_is_vector(t->row) && t->row->role != LAG_ROLE_WPE;
            const size_t n = (size_t)t->n_rows * (size_t)t->n_cols * (half ? sizeof(uint16_t) : sizeof(float));
            if (turn) at += check_tensor(&layout, i, half, all + at);
            else n_data += (size_t)lag_gguf_filled(n);
        }
    }
    free(all);
    lag_layout_deinit(&layout);
    lag_gguf_close(gguf);
}

static const struct lag_spec small = {LAG_ARCH_GPT2, 2, 3, 15, 10, 7, 11, 1e-5, 0};
static const struct lag_spec long_one = {LAG_ARCH_GPT2, 1, 2, 16, 70001, 7, 300, 1e-5, 0};

static void tensors_are_where_they_should_be(void **state) {
    tensors_are_right(state, &small, LAG_GGUF_AS_F32, 1);
    tensors_are_right(state, &small, LAG_GGUF_AS_F16, 7);
    tensors_are_right(state, &small, LAG_GGUF_AS_F32, 1 << 20);
}

static void large_tensors_go_out_in_bands(void **state) {
    tensors_are_right(state, &long_one, LAG_GGUF_AS_F32, 100003);
    tensors_are_right(state, &long_one, LAG_GGUF_AS_F16, 1 << 22);
}

static void a_file_of_another_shape_is_refused(void **state) {
    static const struct lag_gguf_tokenizer none;
    struct lag_spec other = small;
    struct lag_gguf *gguf = NULL;
    struct lag_error err = {0};
    other.n_inner = 11;
    const int fd = put_model(state, &small);
    assert_int_equal(lag_gguf_open(fd, &other, LAG_GGUF_AS_F32, NULL, "name", &none, &gguf, &err), LAG_ECORRUPT);
    assert_non_null(strstr(err.text, "tensor transformer.h.0.mlp.c_fc.weight"));
    assert_int_equal(close(fd), 0); /* it stayed the caller's */
}

/* --- tokenizers -------------------------------------------------------------------------------------------------- */

#define LATER(numbers) \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|" numbers \
    "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define LLAMA3 LATER("\\\\p{N}{1,3}")
#define QWEN2 LATER("\\\\p{N}")
#define BYTES "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"
#define SPLIT(pattern) \
    "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern "\"}," \
    "\"behavior\":\"Isolated\",\"invert\":false}," \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}"
#define MODEL "{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}"
#define WHOLE(pre, model) "{\"pre_tokenizer\":" pre ",\"model\":" model "}"

/* The text of the file's head that tokenizer.json becomes, or the refusal's. */
static int write_vocab(const char *tokenizer, int n_tokens, struct lag_strbuf *out, struct lag_error *err) {
    const struct lag_gguf_tokenizer files = {.tokenizer = {tokenizer, strlen(tokenizer)}};
    struct lag_gguf_head head = LAG_GGUF_HEAD_INIT;
    int rc = lag_gguf_write_vocab(&head, &files, n_tokens, err);
    if (rc == 0) rc = lag_gguf_finish(&head, out, err);
    lag_gguf_head_deinit(&head);
    return rc;
}

static bool holds(const struct lag_strbuf *text, const char *wanted) {
    return memmem(text->data, text->length, wanted, strlen(wanted)) != NULL;
}

static void a_way_of_cutting_has_a_name(void **state) {
    static const struct {
        const char *tokenizer, *name;
    } known[] = {
        {WHOLE(BYTES, MODEL), "gpt-2"},
        {WHOLE(SPLIT(QWEN2), MODEL), "qwen2"},
        {WHOLE(SPLIT(LLAMA3), MODEL), "dbrx"},
        {WHOLE(SPLIT(LLAMA3), "{\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],"
         "\"ignore_merges\":true}"),
         "llama-bpe"},
        {WHOLE(SPLIT("anything"), "{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}"), "gpt-2"},
    };
    for (size_t i = 0; i < LAG_COUNT(known); i++) {
        struct lag_strbuf text = LAG_STRBUF_INIT;
        struct lag_error err = {0};
        if (write_vocab(known[i].tokenizer, 3, &text, &err) != 0) fail_msg("%zu: %s", i, err.text);
        const char *at = memmem(text.data, text.length, "tokenizer.ggml.pre", 18);
        assert_non_null(at);
        assert_int_equal(at[18 + 4], strlen(known[i].name));
        assert_memory_equal(at + 18 + 12, known[i].name, strlen(known[i].name));
        if (i < 4) assert_true(holds(&text, "a b"));
        lag_strbuf_deinit(&text);
    }
}

static void what_the_format_cannot_say_is_refused(void **state) {
    static const struct {
        const char *tokenizer, *says;
        int rc;
    } refused[] = {
        {WHOLE("null", MODEL), "pre_tokenizer: llama.cpp has no name", LAG_EUNSUPPORTED},
        {WHOLE(SPLIT("x+"), MODEL), "pre_tokenizer: llama.cpp has no name", LAG_EUNSUPPORTED},
        {WHOLE("{\"type\":\"Whitespace\"}", MODEL), "pre_tokenizer: llama.cpp has no name", LAG_EUNSUPPORTED},
        {WHOLE("{\"type\":\"ByteLevel\"}", MODEL), "pre_tokenizer: llama.cpp has no name", LAG_EUNSUPPORTED},
        {WHOLE(SPLIT(QWEN2), "{\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"],\"ignore_merges\":true}"),
         "pre_tokenizer", LAG_EUNSUPPORTED},
        {WHOLE(BYTES, "{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}}"), "a WordPiece is not written", LAG_EUNSUPPORTED},
        {WHOLE(BYTES, "{\"vocab\":{\"a\":0},\"byte_fallback\":true}"), "model.byte_fallback", LAG_EUNSUPPORTED},
        {WHOLE(BYTES, "{\"vocab\":{\"a\":0},\"end_of_word_suffix\":\"</w>\"}"), "end_of_word_suffix", LAG_EUNSUPPORTED},
        {"{\"normalizer\":{\"type\":\"Lowercase\"},\"pre_tokenizer\":" BYTES ",\"model\":" MODEL "}", "normalizer",
         LAG_EUNSUPPORTED},
        {WHOLE(BYTES, "{\"vocab\":{\"a\":3}}"), "\"a\" has the id 3, and the model has 3 tokens", LAG_EINVAL},
        {WHOLE(BYTES, "{\"vocab\":{\"a\":-1}}"), "\"a\" has no id", LAG_EINVAL},
        {WHOLE(BYTES, "{\"vocab\":{\"a\":1,\"b\":1}}"), "have both the id 1", LAG_EINVAL},
        {WHOLE(BYTES, "{\"vocab\":{\"a\":0},\"merges\":[\"a\"]}"), "not two tokens", LAG_EINVAL},
        {WHOLE(BYTES, "{\"vocab\":{\"a\":0},\"merges\":[[\"a\",\"b c\"]]}"), "not two tokens", LAG_EINVAL},
        {WHOLE(BYTES, "{\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]}"), "not two tokens", LAG_EINVAL},
        {"{\"added_tokens\":[{\"id\":1}],\"pre_tokenizer\":" BYTES ",\"model\":" MODEL "}", "has no content",
         LAG_EINVAL},
        {"{", "tokenizer.json", LAG_ECORRUPT},
    };
    for (size_t i = 0; i < LAG_COUNT(refused); i++) {
        struct lag_strbuf text = LAG_STRBUF_INIT;
        struct lag_error err = {0};
        const int rc = write_vocab(refused[i].tokenizer, 3, &text, &err);
        if (rc != refused[i].rc || !strstr(err.text, refused[i].says)) fail_msg("%zu: %d, %s", i, rc, err.text);
        lag_strbuf_deinit(&text);
    }
}

static void the_ends_of_a_text_are_named(void **state) {
    static const char nfc[] = "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"}]},"
                              "\"pre_tokenizer\":" BYTES ",\"model\":{\"vocab\":{\"\\u0100\":2,\"b\":1}}}";
    static const char config[] = "{\"bos_token_id\":null,\"eos_token_id\":[1,0]}";
    const struct lag_gguf_tokenizer files = {.tokenizer = {nfc, strlen(nfc)}, .config = {config, strlen(config)}};
    struct lag_gguf_head head = LAG_GGUF_HEAD_INIT;
    assert_int_equal(lag_gguf_write_vocab(&head, &files, 3, NULL), 0);
    static const char bos[] = "tokenizer.ggml.bos_token_id\4\0\0\0\2", eos[] = "tokenizer.ggml.eos_token_id\4\0\0\0\1";
    assert_non_null(memmem(head.pairs.data, head.pairs.length, bos, sizeof bos - 1)); /* NUL's, as none is named */
    assert_non_null(memmem(head.pairs.data, head.pairs.length, eos, sizeof eos - 1));
    assert_non_null(memmem(head.pairs.data, head.pairs.length, "[PAD0]", 6));
    lag_gguf_head_deinit(&head);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_head_is_as_the_format_says),
        cmocka_unit_test_setup_teardown(tensors_are_where_they_should_be, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(large_tensors_go_out_in_bands, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(a_file_of_another_shape_is_refused, fixture_folder, fixture_remove),
        cmocka_unit_test(a_way_of_cutting_has_a_name),
        cmocka_unit_test(what_the_format_cannot_say_is_refused),
        cmocka_unit_test(the_ends_of_a_text_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
