/* The texts of a folder that is imported: config.json, the index of shards, tokenizer.json. The first byte says which.
 * Headers of its weights are fuzz_safetensors' part. */
#include "exchange/import_internal.h"
#include "fuzz.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/strbuf.h>
#include <jansson.h>
#include <string.h>

static void check_code(int rc, const struct lag_error *err) {
    FUZZ_CHECK(rc == 0 || rc == LAG_ECORRUPT || rc == LAG_EINVAL || rc == LAG_EUNSUPPORTED);
    if (rc != 0) FUZZ_CHECK(err->code == rc && err->text[0]);
}

/* What is accepted is a shape, and comes back: as it was for itself, and changed for another. */
static void try_config(const char *text, size_t size) {
    struct lag_error err = {0};
    struct lag_spec spec, again;
    const int rc = lag_import_config(text, size, &spec, &err);
    check_code(rc, &err);
    if (rc != 0 || strlen(text) != size) return;
    FUZZ_CHECK(lag_spec_check(&spec, NULL) == 0 && lag_spec_is_gpt2(&spec));
    struct lag_strbuf out = LAG_STRBUF_INIT;
    struct lag_spec deeper = spec;
    deeper.n_layer = spec.n_layer == 7 ? 8 : 7;
    deeper.n_embd = deeper.n_head = 3;
    deeper.norm_eps = 0.5;
    FUZZ_CHECK(lag_import_reconfigure(text, &deeper, "float16", &out, &err) == 0);
    FUZZ_CHECK(lag_import_config(out.data, out.length, &again, &err) == 0 && lag_spec_equal(&again, &deeper));
    lag_strbuf_deinit(&out);
}

static void try_index(const char *text, size_t size) {
    struct lag_error err = {0};
    struct lag_import_names names = {0};
    json_t *map = NULL;
    const int rc = lag_import_index(text, size, &map, &names, &err);
    check_code(rc, &err);
    if (rc != 0) return;
    FUZZ_CHECK(json_is_object(map) && names.n > 0 && names.n <= LAG_IMPORT_MAX_SHARDS);
    for (size_t i = 0; i < names.n; i++) FUZZ_CHECK(!strchr(names.names[i], '/') && names.names[i][0] != '.');
    json_decref(map);
    free(names.names);
}

static void try_tokenizer(const char *text, size_t size) {
    struct lag_error err = {0};
    char kind[24];
    int64_t n = 0;
    const int rc = lag_import_tokenizer_text(text, size, kind, &n, &err);
    check_code(rc, &err);
    if (rc == 0) FUZZ_CHECK(n > 0 && strlen(kind) < sizeof kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const tries[])(const char *text, size_t size) = {try_config, try_index, try_tokenizer};
    if (size == 0) return 0;
    char *text = malloc(size);
    FUZZ_CHECK(text);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    tries[data[0] % LAG_COUNT(tries)](text, size - 1);
    free(text);
    return 0;
}

size_t lag_fuzz_seed(size_t index, uint8_t **ret) {
    static const char *const seeds[] = {
        "0{\"model_type\":\"gpt2\",\"n_layer\":2,\"n_head\":3,\"n_embd\":12,\"n_inner\":null,\"n_positions\":8,"
        "\"n_ctx\":8,\"vocab_size\":20,\"layer_norm_epsilon\":1e-05,\"torch_dtype\":\"float32\",\"x\":{\"y\":[1,2.5]}}",
        "0{\"model_type\":\"gpt2\",\"num_hidden_layers\":2,\"num_attention_heads\":3,\"hidden_size\":12,"
        "\"activation_function\":\"gelu_fast\",\"scale_attn_weights\":true,\"tie_word_embeddings\":true,"
        "\"pruned_heads\":{},\"max_position_embeddings\":8,\"dtype\":\"float16\"}",
        "1{\"metadata\":{\"total_size\":8},\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\",\"b\":"
        "\"model-00002-of-00002.safetensors\"}}",
        "2{\"version\":\"1.0\",\"added_tokens\":[{\"id\":2,\"content\":\"<e>\"}],\"model\":{\"type\":\"BPE\",\"vocab\":"
        "{\"a\":0,\"b\":1},\"merges\":[\"a b\",[\"a\",\"b\"]]}}",
    };
    return index < LAG_COUNT(seeds) ? lag_fuzz_copy(seeds[index], strlen(seeds[index]), ret) : 0;
}
