/* vocab.json and merges.txt, or vocab.txt: the input is both files, with a zero between them. */
#include "fuzz.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/strbuf.h>
#include <lagd/engine/token.h>
#include <string.h>

static void use(struct lag_tokenizer *tokenizer) {
    struct lag_strbuf file = LAG_STRBUF_INIT;
    struct lag_tokenizer *again = NULL;
    struct lag_error err = {0};
    struct lag_tokenizer_look look, second;
    lag_tokenizer_look(tokenizer, &look);
    const int rc = lag_tokenizer_write(tokenizer, &file, &err); /* fails where a token is no UTF-8 */
    if (rc == 0 && lag_tokenizer_read(file.data, file.length, &again, &err) == 0) {
        lag_tokenizer_look(again, &second);
        FUZZ_CHECK(look.size == second.size && look.n_merges == second.n_merges && look.eos == second.eos);
    }
    lag_tokenizer_destroy(again);
    lag_strbuf_deinit(&file);
    lag_tokenizer_destroy(tokenizer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct lag_tokenizer *tokenizer = NULL;
    struct lag_error err = {0};
    const char *text = (const char *)data, *zero = size > 0 ? memchr(data, 0, size) : NULL;
    const size_t n = zero ? (size_t)(zero - text) : size;
    const char *rest = zero ? zero + 1 : text + size;
    if (lag_tokenizer_read_pair(text, n, rest, size - (size_t)(rest - text), &tokenizer, &err) == 0) use(tokenizer);
    else FUZZ_CHECK(err.text[0]);
    tokenizer = NULL;
    if (lag_tokenizer_read_words(text, n, true, &tokenizer, &err) == 0) use(tokenizer);
    return 0;
}

size_t lag_fuzz_seed(size_t index, uint8_t **ret) {
    static const char pair[] = "{\"a\":0,\"b\":1,\"ab\":2,\"<|endoftext|>\":3}\0#version: 0.2\na b\n\nab ab\r\n";
    static const char words[] = "[UNK]\n[CLS]\n[SEP]\n[PAD]\na\n##b\r\nab\n";
    if (index == 0) return lag_fuzz_copy(pair, sizeof pair - 1, ret);
    return index == 1 ? lag_fuzz_copy(words, sizeof words - 1, ret) : 0;
}
