/* What llama.cpp calls the way in which a byte-level tokenizer cuts a text. */
#include "exchange/gguf_vocab_internal.h"
#include "token/token_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <jansson.h>
#include <string.h>

/* llama.cpp binds to the name whether a piece that is a token is merged at all. */
static const struct {
    enum lag_pattern pattern;
    bool ignores_merges;
    const char *name;
} known[] = {
    {LAG_PATTERN_GPT2, false, "gpt-2"},
    {LAG_PATTERN_LLAMA3, true, "llama-bpe"},
    {LAG_PATTERN_LLAMA3, false, "dbrx"},
    {LAG_PATTERN_QWEN2, false, "qwen2"},
};

static bool is_of(const json_t *part, const char *type) {
    const char *text = json_string_value(json_object_get(part, "type"));
    return text && strcmp(text, type) == 0;
}

/* absent: what a key that is not there stands for. */
static bool is_set(const json_t *part, const char *key, bool absent) {
    const json_t *value = json_object_get(part, key);
    return value ? json_is_true(value) : absent;
}

static bool is_bytes(const json_t *part) { return is_of(part, "ByteLevel") && !is_set(part, "add_prefix_space", true); }

/* The pattern that pieces are cut by; NULL: it is none of one pattern and bytes. "": nothing is cut. */
static const char *pattern_of(const json_t *pre) {
    if (is_bytes(pre)) return is_set(pre, "use_regex", true) ? lag_patterns[LAG_PATTERN_GPT2].regex : "";
    const json_t *parts = json_object_get(pre, "pretokenizers");
    const json_t *split = json_array_get(parts, 0), *bytes = json_array_get(parts, 1);
    const char *behavior = json_string_value(json_object_get(split, "behavior"));
    if (!is_of(pre, "Sequence") || json_array_size(parts) != 2 || !is_of(split, "Split") || !behavior ||
        strcmp(behavior, "Isolated") != 0 || is_set(split, "invert", false) || !is_bytes(bytes) ||
        is_set(bytes, "use_regex", true))
        return NULL;
    return json_string_value(json_object_get(json_object_get(split, "pattern"), "Regex"));
}

int lag_gguf_find_pre(const json_t *root, const char **ret, struct lag_error *err) {
    const json_t *model = json_object_get(root, "model");
    const char *pattern = pattern_of(json_object_get(root, "pre_tokenizer"));
    const bool ignores = json_is_true(json_object_get(model, "ignore_merges"));
    if (pattern && json_array_size(json_object_get(model, "merges")) == 0) {
        *ret = "gpt-2"; /* where nothing is merged, any cut will do */
        return 0;
    }
    for (size_t i = 0; pattern && i < LAG_COUNT(known); i++)
        if (strcmp(lag_patterns[known[i].pattern].regex, pattern) == 0 && known[i].ignores_merges == ignores) {
            *ret = known[i].name;
            return 0;
        }
    return lag_error_set(err, LAG_EUNSUPPORTED, "tokenizer.json: pre_tokenizer: llama.cpp has no name for this one (it "
                         "has those of GPT-2, Llama 3 and Qwen 2): take hf.tar, which holds the tokenizer as it is");
}
