/* What config.json, an index and tokenizer.json of a folder may say; what the first becomes once a model changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "exchange/import_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/strbuf.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHAPE                                                                                          \
    "\"model_type\": \"gpt2\", \"n_layer\": 2, \"n_head\": 3, \"n_embd\": 12, \"n_positions\": 8, \"vocab_size\": 20"

static void a_config_is_a_shape(void **state) {
    static const struct {
        const char *text;
        struct lag_spec spec;
    } cases[] = {
        {"{" SHAPE "}", {LAG_ARCH_GPT2, 2, 3, 12, 48, 8, 20, 1e-5, 0}},
        {"{" SHAPE ", \"n_inner\": null, \"layer_norm_epsilon\": 1}", {LAG_ARCH_GPT2, 2, 3, 12, 48, 8, 20, 1, 0}},
        {"{" SHAPE ", \"n_inner\": 7, \"n_ctx\": 8, \"n_embd2\": 1}", {LAG_ARCH_GPT2, 2, 3, 12, 7, 8, 20, 1e-5, 0}},
        {"{\"model_type\": \"gpt2\"}", {LAG_ARCH_GPT2, 12, 12, 768, 3072, 1024, 50257, 1e-5, 0}},
        {"{\"model_type\": \"gpt2\", \"hidden_size\": 24, \"n_head\": 2, \"num_hidden_layers\": 1, "
         "\"max_position_embeddings\": 9, \"activation_function\": \"gelu_pytorch_tanh\"}",
         {LAG_ARCH_GPT2, 1, 2, 24, 96, 9, 50257, 1e-5, 0}},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lag_error err = {0};
        struct lag_spec spec;
        if (lag_import_config(cases[i].text, strlen(cases[i].text), &spec, &err) != 0) fail_msg("%zu: %s", i, err.text);
        assert_true(lag_spec_equal(&spec, &cases[i].spec));
    }
}

static void a_config_is_refused(void **state) {
    static const struct {
        const char *text, *words;
        int code;
    } cases[] = {
        {"{" SHAPE, "byte ", LAG_ECORRUPT},
        {"[1]", "it must be a JSON object", LAG_EINVAL},
        {"{}", "model_type is missing", LAG_EINVAL},
        {"{" SHAPE ", \"n_inner\": 0}", "n_inner must be a whole number from 1 to 262144", LAG_EINVAL},
        {"{" SHAPE ", \"n_inner\": 2.5}", "n_inner must be a whole number", LAG_EINVAL},
        {"{" SHAPE ", \"num_hidden_layers\": 3}", "n_layer and num_hidden_layers mean the same", LAG_EINVAL},
        {"{\"model_type\": \"gpt2\", \"n_embd\": null}", "n_embd must be a whole number", LAG_EINVAL},
        {"{" SHAPE ", \"layer_norm_epsilon\": \"1\"}", "layer_norm_epsilon must be a number", LAG_EINVAL},
        {"{" SHAPE ", \"scale_attn_weights\": 1}", "scale_attn_weights must be true or false", LAG_EINVAL},
        {"{" SHAPE ", \"is_encoder_decoder\": true}", "is_encoder_decoder true is not supported", LAG_EUNSUPPORTED},
        {"{" SHAPE ", \"pruned_heads\": {\"0\":[1]}}", "pruned_heads {\"0\":[1]} is not supported", LAG_EUNSUPPORTED},
        {"{" SHAPE ", \"activation_function\": \"gelu\"}", "activation_function \"gelu\" is not supported",
         LAG_EUNSUPPORTED},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lag_error err = {0};
        struct lag_spec spec;
        assert_int_equal(lag_import_config(cases[i].text, strlen(cases[i].text), &spec, &err), cases[i].code);
        if (!strstr(err.text, cases[i].words)) fail_msg("%zu: %s", i, err.text);
    }
}

static json_t *reconfigured(const char *text, const struct lag_spec *spec, const char *dtype, bool *ret_verbatim) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    struct lag_error err = {0};
    if (lag_import_reconfigure(text, spec, dtype, &out, &err) != 0) fail_msg("%s", err.text);
    json_t *tree = json_loads(out.data, 0, NULL);
    assert_non_null(tree);
    *ret_verbatim = strcmp(out.data, text) == 0;
    lag_strbuf_deinit(&out);
    return tree;
}

static void a_config_keeps_what_has_not_changed(void **state) {
    static const char text[] = "{" SHAPE ", \"n_ctx\": 8, \"resid_pdrop\": 0.1, \"torch_dtype\": \"float32\",\n"
                               " \"x\": [1e-3]}";
    static const char aliased[] = "{\"model_type\": \"gpt2\", \"hidden_size\": 12, \"n_head\": 3, \"n_layer\": 2, "
                                  "\"max_position_embeddings\": 8, \"vocab_size\": 20}";
    const struct lag_spec same = {LAG_ARCH_GPT2, 2, 3, 12, 48, 8, 20, 1e-5, 0};
    struct lag_spec grown = same;
    bool verbatim;
    json_decref(reconfigured(text, &same, "float32", &verbatim));
    assert_true(verbatim);
    json_decref(reconfigured(aliased, &same, "float32", &verbatim));
    assert_true(verbatim);
    json_t *tree = reconfigured(text, &same, "bfloat16", &verbatim);
    assert_false(verbatim);
    assert_string_equal(json_string_value(json_object_get(tree, "torch_dtype")), "bfloat16");
    assert_true(json_real_value(json_object_get(tree, "resid_pdrop")) == 0.1 && json_object_size(tree) == 10);
    json_decref(tree);
    grown.n_layer = 5;
    grown.n_embd = 24;
    grown.norm_eps = 2e-5; /* the FFN has not grown with the width: it is told */
    tree = reconfigured(aliased, &grown, "float32", &verbatim);
    assert_int_equal(json_integer_value(json_object_get(tree, "hidden_size")), 24);
    assert_null(json_object_get(tree, "n_embd"));
    assert_int_equal(json_integer_value(json_object_get(tree, "n_inner")), 48);
    assert_int_equal(json_integer_value(json_object_get(tree, "n_layer")), 5);
    assert_true(json_real_value(json_object_get(tree, "layer_norm_epsilon")) == 2e-5);
    assert_null(json_object_get(tree, "torch_dtype"));
    json_decref(tree);
    grown = same;
    grown.n_embd = 24;
    grown.n_inner = 96; /* as before: four times the width */
    tree = reconfigured(aliased, &grown, "float16", &verbatim);
    assert_null(json_object_get(tree, "n_inner"));
    assert_string_equal(json_string_value(json_object_get(tree, "torch_dtype")), "float16");
    json_decref(tree);
}

static void an_index_names_files_beside_it(void **state) {
    static const char good[] = "{\"weight_map\": {\"a\": \"x.safetensors\", \"b\": \"y.safetensors\", "
                               "\"c\": \"x.safetensors\"}}";
    static const char *const bad[] = {
        "{}", "{\"weight_map\": {}}", "{\"weight_map\": {\"a\": 1}}", "{\"weight_map\": {\"a\": \"x.bin\"}}",
        "{\"weight_map\": {\"a\": \"../x.safetensors\"}}", "{\"weight_map\": {\"a\": \".safetensors\"}}",
        "{\"weight_map\": {\"a\": \".x.safetensors\"}}", "{\"weight_map\": [\"x.safetensors\"]}"};
    struct lag_import_names names = {0};
    struct lag_error err = {0};
    json_t *map = NULL;
    assert_int_equal(lag_import_index(good, sizeof good - 1, &map, &names, &err), 0);
    assert_true(names.n == 2 && json_object_size(map) == 3);
    assert_string_equal(names.names[1], "y.safetensors");
    json_decref(map);
    free(names.names);
    for (size_t i = 0; i < LAG_COUNT(bad); i++)
        assert_int_equal(lag_import_index(bad[i], strlen(bad[i]), &map, &names, &err), LAG_EINVAL);
}

static void the_kind_of_a_tokenizer_is_found(void **state) {
    char bytes[8192], kind[24];
    size_t n = (size_t)snprintf(bytes, sizeof bytes, "{\"model\": {\"type\": \"BPE\", \"merges\": [], \"vocab\": {");
    for (int i = 0; i < 256; i++)
        n += (size_t)snprintf(bytes + n, sizeof bytes - n, "%s\"t%d\": %d", i ? ", " : "", i, i);
    n += (size_t)snprintf(bytes + n, sizeof bytes - n, "}}}");
    static const char bpe[] = "{\"added_tokens\": [{\"id\": 1, \"content\": \"b\"}, {\"id\": 2, \"content\": "
                              "\"<e>\"}], \"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0, \"b\": 1}}}";
    struct lag_error err = {0};
    int64_t size = 0;
    assert_int_equal(lag_import_tokenizer_text(bytes, n, kind, &size, &err), 0);
    assert_string_equal(kind, "bytes");
    assert_int_equal(size, 256);
    assert_int_equal(lag_import_tokenizer_text(bpe, sizeof bpe - 1, kind, &size, &err), 0);
    assert_string_equal(kind, "WordPiece");
    assert_int_equal(size, 3); /* one of the added ones is in the vocabulary */
    assert_int_equal(lag_import_tokenizer_text("{}", 2, kind, &size, &err), LAG_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_config_is_a_shape),
        cmocka_unit_test(a_config_is_refused),
        cmocka_unit_test(a_config_keeps_what_has_not_changed),
        cmocka_unit_test(an_index_names_files_beside_it),
        cmocka_unit_test(the_kind_of_a_tokenizer_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
