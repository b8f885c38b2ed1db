/* Bytes as a byte-level BPE. */
#include "encode/tokenizer_internal.h"

#include "json/json_out_internal.h"

#include <stdio.h>

/* Bytes that stand for themselves; the others are counted up from U+0100. */
static bool is_plain(unsigned byte) {
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
}

void lagd_byte_character(unsigned byte, char ret[4]) {
    unsigned character = byte;
    if (!is_plain(byte)) {
        character = 0x100;
        for (unsigned before = 0; before < byte; before++) character += !is_plain(before);
    }
    if (character < 0x80)
        (void)snprintf(ret, 4, "%c", (int)character);
    else
        (void)snprintf(ret, 4, "%c%c", (int)(0xc0 | character >> 6), (int)(0x80 | (character & 0x3f)));
}

static void end(struct lagd_json *json, struct lag_strbuf *out) {
    lagd_json_close_object(json);
    lagd_json_take_into(json, out);
}

/* No text is cut before it is encoded (use_regex false): without merges that would change nothing. */
static void write_byte_level(struct lagd_json *json, const char *key) {
    lagd_json_open_object(json, key);
    lagd_json_text(json, "type", "ByteLevel");
    lagd_json_bool(json, "add_prefix_space", false);
    lagd_json_bool(json, "trim_offsets", true);
    lagd_json_bool(json, "use_regex", false);
    lagd_json_close_object(json);
}

static void write_model(struct lagd_json *json) {
    char character[4];
    lagd_json_open_object(json, "model");
    lagd_json_text(json, "type", "BPE");
    lagd_json_null(json, "dropout");
    lagd_json_null(json, "unk_token");
    lagd_json_null(json, "continuing_subword_prefix");
    lagd_json_null(json, "end_of_word_suffix");
    lagd_json_bool(json, "fuse_unk", false);
    lagd_json_bool(json, "byte_fallback", false);
    lagd_json_bool(json, "ignore_merges", false);
    lagd_json_open_object(json, "vocab");
    for (unsigned byte = 0; byte < LAGD_TOKENIZER_BYTES; byte++) {
        lagd_byte_character(byte, character);
        lagd_json_int(json, character, byte);
    }
    lagd_json_close_object(json);
    lagd_json_open_array(json, "merges");
    lagd_json_close_array(json);
    lagd_json_close_object(json);
}

void lagd_write_tokenizer(struct lag_strbuf *out) {
    struct lagd_json json;
    lagd_json_init(&json, true);
    lagd_json_open_object(&json, NULL);
    lagd_json_text(&json, "version", "1.0");
    lagd_json_null(&json, "truncation");
    lagd_json_null(&json, "padding");
    lagd_json_open_array(&json, "added_tokens");
    lagd_json_close_array(&json);
    lagd_json_null(&json, "normalizer");
    write_byte_level(&json, "pre_tokenizer");
    lagd_json_null(&json, "post_processor");
    write_byte_level(&json, "decoder");
    write_model(&json);
    end(&json, out);
}

/* A class of its own (GPT2Tokenizer) would add a token of GPT-2's beyond the 256, and with token_type_ids among the
 * inputs transformers would add the embedding of token 0 to every place. */
void lagd_write_tokenizer_config(struct lag_strbuf *out, int64_t n_positions, const char *bos, const char *eos) {
    struct lagd_json json;
    lagd_json_init(&json, true);
    lagd_json_open_object(&json, NULL);
    lagd_json_text(&json, "tokenizer_class", "PreTrainedTokenizerFast");
    lagd_json_int(&json, "model_max_length", n_positions);
    lagd_json_bool(&json, "clean_up_tokenization_spaces", false);
    lagd_json_list(&json, "model_input_names", "input_ids,attention_mask");
    lagd_json_text_or_null(&json, "bos_token", bos);
    lagd_json_text_or_null(&json, "eos_token", eos);
    lagd_json_null(&json, "unk_token");
    lagd_json_null(&json, "pad_token");
    end(&json, out);
}

static void write_id(struct lagd_json *json, const char *key, int64_t id) {
    if (id >= 0) lagd_json_int(json, key, id);
    else lagd_json_null(json, key);
}

void lagd_write_generation_config(struct lag_strbuf *out, int64_t bos, int64_t eos) {
    struct lagd_json json;
    lagd_json_init(&json, true);
    lagd_json_open_object(&json, NULL);
    lagd_json_bool(&json, "_from_model_config", true);
    write_id(&json, "bos_token_id", bos);
    write_id(&json, "eos_token_id", eos);
    lagd_json_null(&json, "pad_token_id");
    end(&json, out);
}
