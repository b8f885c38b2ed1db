/* WordPiece: a word is divided into the longest pieces that the vocabulary has, from its beginning on; those that are
 * not its first carry a prefix. A word that cannot be divided is unknown as a whole. */
#include "token/token_internal.h"
#include <lagd/base/error.h>
#include <string.h>

static size_t count_letters(const char *word, size_t n) {
    size_t count = 0;
    int32_t c;
    for (size_t i = 0; i < n; count++) i += lag_utf8_next(word + i, n - i, &c);
    return count;
}

static int find_piece(const struct lag_tokenizer *tokenizer, const char *piece, size_t n, bool first,
                      struct lag_strbuf *text, int32_t *ret, struct lag_error *err) {
    lag_strbuf_clear(text);
    if (!first) lag_strbuf_append(text, tokenizer->prefix);
    lag_strbuf_append_n(text, piece, n);
    if (text->failed) return lag_error_set(err, LAG_ENOMEM, "out of memory for a word");
    *ret = lag_vocab_find(&tokenizer->vocab, text->data, text->length);
    return 0;
}

/* The longest piece from i on; LAG_TOKEN_NONE in *ret: there is none. */
static int longest(const struct lag_tokenizer *tokenizer, const char *word, size_t n, size_t i,
                   struct lag_strbuf *text, size_t *ret_end, int32_t *ret, struct lag_error *err) {
    *ret = LAG_TOKEN_NONE;
    for (size_t end = n; end > i;) {
        const int rc = find_piece(tokenizer, word + i, end - i, i == 0, text, ret, err);
        *ret_end = end;
        if (rc != 0 || *ret != LAG_TOKEN_NONE) return rc;
        do end--;
        while (end > i && ((unsigned char)word[end] & 0xc0) == 0x80);
    }
    return 0;
}

int lag_wordpiece_word(const struct lag_tokenizer *tokenizer, const char *word, size_t n, struct lag_ids *ret,
                       struct lag_error *err) {
    const size_t before = ret->n;
    int rc = lag_ids_reserve(ret, n + 1, err);
    if (rc != 0) return rc;
    struct lag_strbuf text = LAG_STRBUF_INIT;
    bool known = count_letters(word, n) <= tokenizer->max_word;
    for (size_t i = 0, end = 0; rc == 0 && known && i < n; i = end) {
        int32_t id;
        rc = longest(tokenizer, word, n, i, &text, &end, &id, err);
        known = id != LAG_TOKEN_NONE;
        if (rc == 0 && known) ret->at[ret->n++] = id;
    }
    lag_strbuf_deinit(&text);
    if (rc != 0 || known) return rc;
    ret->n = before;
    ret->at[ret->n++] = tokenizer->unknown;
    return 0;
}
