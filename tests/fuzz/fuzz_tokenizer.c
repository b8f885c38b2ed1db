/* tokenizer.json: what is accepted codes and decodes any bytes without harm, and its ids are its own. A text that is
 * one word has the ids of the plain algorithm, which divides nothing and remembers nothing. */
#include "fuzz.h"
#include "token/token_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/strbuf.h>
#include <lagd/engine/token.h>
#include <lagd/engine/token_train.h>
#include <string.h>

static const char text[] = "a b ab  abc\n<s>1234 caf\xc3\xa9 \xe6\x97\xa5\xff\xfe don't";

static void compare(const struct lag_tokenizer *tokenizer, const struct lag_ids *ids) {
    struct lag_symbols *symbols = lag_symbols_create();
    struct lag_ids plain = {0};
    struct lag_error err = {0};
    if (tokenizer->n_normals + tokenizer->n_splits + tokenizer->n_added > 0 || tokenizer->words) goto out;
    FUZZ_CHECK(symbols && lag_bpe_word(tokenizer, symbols, text, sizeof text - 1, &plain, &err) == 0);
    FUZZ_CHECK(plain.n == ids->n && memcmp(plain.at, ids->at, plain.n * sizeof *plain.at) == 0);
out:
    lag_ids_deinit(&plain);
    lag_symbols_destroy(symbols);
}

static void use(const struct lag_tokenizer *tokenizer) {
    struct lag_coder *coder = NULL;
    struct lag_ids ids = {0};
    struct lag_strbuf back = LAG_STRBUF_INIT;
    struct lag_error err = {0};
    struct lag_tokenizer_look look;
    lag_tokenizer_look(tokenizer, &look);
    FUZZ_CHECK(look.size > 0 && look.eos < look.size && look.bos < look.size);
    FUZZ_CHECK(lag_coder_create(tokenizer, &coder, &err) == 0);
    const int rc = lag_encode(coder, text, sizeof text - 1, false, &ids, &err);
    FUZZ_CHECK(rc == 0 || err.text[0]);
    for (size_t i = 0; rc == 0 && i < ids.n; i++) FUZZ_CHECK(ids.at[i] >= 0 && ids.at[i] < look.size);
    if (rc == 0) compare(tokenizer, &ids);
    if (rc == 0) (void)lag_decode(tokenizer, ids.at, ids.n, false, &back, &err);
    lag_strbuf_deinit(&back);
    lag_ids_deinit(&ids);
    lag_coder_destroy(coder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct lag_tokenizer *tokenizer = NULL;
    struct lag_error err = {0};
    const int rc = lag_tokenizer_read((const char *)data, size, &tokenizer, &err);
    FUZZ_CHECK(rc == 0 || (err.text[0] && !tokenizer));
    if (rc == 0) use(tokenizer);
    lag_tokenizer_destroy(tokenizer);
    return 0;
}

#define PARTS(normalizer, splitter, decoder, post) \
    "{\"normalizer\":" normalizer ",\"pre_tokenizer\":" splitter ",\"decoder\":" decoder \
    ",\"post_processor\":" post ","                                                                                   \
    "\"added_tokens\":[{\"id\":1,\"content\":\"<s>\",\"special\":true,\"lstrip\":true,\"single_word\":true}],"
#define BPE                                                                                                           \
    "\"model\":{\"type\":\"BPE\",\"unk_token\":\"?\",\"byte_fallback\":true,\"fuse_unk\":true,\"vocab\":{\"?\":0,"    \
    "\"<s>\":1,\"a\":2,\"b\":3,\"ab\":4,\"c\":5,\"abc\":6,\"<0xC3>\":7,\"\\u0120\":8,\"\\u0120a\":9},"                \
    "\"merges\":[\"a b\",[\"ab\",\"c\"],\"\\u0120 a\"]}}"
static const char *const seeds[] = {
    PARTS("{\"type\":\"NFC\"}", "{\"type\":\"ByteLevel\"}", "{\"type\":\"ByteLevel\"}", "null") BPE,
    PARTS("{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"_\"},{\"type\":\"Replace\","
          "\"pattern\":{\"Regex\":\" +\"},\"content\":\"_\"}]}",
          "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":false},{\"type\":"
          "\"Split\",\"pattern\":{\"Regex\":\"[a-z]+|\\\\s\"},\"behavior\":\"MergedWithNext\",\"invert\":true}]}",
          "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type\":\"Strip\","
          "\"content\":\" \",\"start\":1,\"stop\":1},{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":"
          "\"b\"}]}",
          "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}},{\"Sequence\":{\"id\":"
          "\"A\"}}],\"special_tokens\":{\"<s>\":{\"ids\":[1]}}}") BPE,
    PARTS("{\"type\":\"BertNormalizer\"}", "{\"type\":\"BertPreTokenizer\"}",
          "{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}",
          "{\"type\":\"BertProcessing\",\"sep\":[\"b\",3],\"cls\":[\"a\",2]}")
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"?\",\"continuing_subword_prefix\":\"##\","
    "\"max_input_chars_per_word\":20,\"vocab\":{\"?\":0,\"<s>\":1,\"a\":2,\"b\":3,\"##b\":4}}}",
};

/* One word, in which each byte has a token. */
static size_t unsplit(uint8_t **ret) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    lag_strbuf_append(&out, "{\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"vocab\":{\"a\":256,\"b\":257,"
                            "\" \":258,\"ab\":259,\"c\":260,\"abc\":261,\" a\":262,\"bc\":263,\"日\":264,\"日 \":265");
    for (unsigned b = 0; b < LAG_N_BYTES; b++) lag_strbuf_printf(&out, ",\"<0x%02X>\":%u", b, b);
    lag_strbuf_append(&out, "},\"merges\":[[\"a\",\"b\"],[\"b\",\"c\"],[\"ab\",\"c\"],[\" \",\"a\"],[\"日\",\" \"]]}}");
    const size_t n = out.failed ? 0 : lag_fuzz_copy(out.data, out.length, ret);
    lag_strbuf_deinit(&out);
    return n;
}

size_t lag_fuzz_seed(size_t index, uint8_t **ret) {
    if (index == LAG_COUNT(seeds)) return unsplit(ret);
    return index < LAG_COUNT(seeds) ? lag_fuzz_copy(seeds[index], strlen(seeds[index]), ret) : 0;
}
