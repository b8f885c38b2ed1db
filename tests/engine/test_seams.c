/* engine/token: long words that are coded in parts give the ids of the plain algorithm. Tokenizers and words are drawn;
 * the reference looks through all pairs of the whole word for each merge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "token/token_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <stdio.h>
#include <stdlib.h>

static struct lag_error err;
static uint64_t random_state = 11;

static unsigned draw(unsigned n) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % n;
}

/* Letters of vocabularies, then what is in none. */
static const char *const letters[] = {"a", "b", "c", "▁", "é", "日", "x", "0", "<", ">", "😀", "ö", "\n", "\xff",
                                      "\xe2\x96", "\xc3"};
enum { N_LETTERS = 10, N_ALL = LAG_COUNT(letters) };
static const char *const byte_letters[] = {"a", "b", "\xc3", "\xa9", "\xe2", " "};

enum kind { BYTE_LEVEL, FALLBACK, BYTES_MERGE, SOME_BYTES, UNKNOWN, WHOLE_WORDS, N_KINDS };

static void add(struct lag_tokenizer *tokenizer, const char *text, size_t n) {
    const int64_t id = (int64_t)tokenizer->vocab.n_ids;
    if (lag_vocab_add(&tokenizer->vocab, text, n, id, true, &err) != 0) fail_msg("%s", err.text);
}

static void add_bytes(struct lag_tokenizer *tokenizer, unsigned n) {
    for (unsigned b = 0; b < n; b++) {
        char text[16] = {(char)b};
        if (!tokenizer->byte_level) (void)snprintf(text, sizeof text, "<0x%02X>", b);
        add(tokenizer, text, tokenizer->byte_level ? 1 : 6);
    }
}

/* A token that merges begin with: of the letters, or one that was merged. */
static struct lag_span draw_token(const struct lag_tokenizer *tokenizer, enum kind kind, int64_t first_merged) {
    const int64_t n_merged = (int64_t)tokenizer->vocab.n_ids - first_merged;
    if (kind == BYTES_MERGE && draw(8) == 0) return (struct lag_span){"<0xFF>", 6};
    if (n_merged > 0 && draw(2) == 0)
        return lag_vocab_at(&tokenizer->vocab, first_merged + draw((unsigned)n_merged));
    const char *letter = kind == BYTE_LEVEL ? byte_letters[draw(LAG_COUNT(byte_letters))] : letters[draw(N_LETTERS)];
    return (struct lag_span){letter, strlen(letter)};
}

/* Ranks follow no order, so that a merge may come before those that make its sides. */
static struct lag_tokenizer *draw_tokenizer(enum kind kind) {
    struct lag_tokenizer *tokenizer = lag_tokenizer_create();
    assert_non_null(tokenizer);
    tokenizer->byte_level = kind == BYTE_LEVEL;
    tokenizer->byte_fallback = kind != BYTE_LEVEL && kind != UNKNOWN;
    tokenizer->ignore_merges = kind == WHOLE_WORDS;
    tokenizer->fuse_unknown = draw(2) == 0;
    add(tokenizer, "<unk>", 5);
    tokenizer->unknown = 0;
    add_bytes(tokenizer, kind == UNKNOWN ? 0 : kind == SOME_BYTES ? 200 : LAG_N_BYTES);
    for (size_t i = 0; kind != BYTE_LEVEL && i < N_LETTERS; i++) add(tokenizer, letters[i], strlen(letters[i]));
    const int64_t first_merged = (int64_t)tokenizer->vocab.n_ids;
    const unsigned n_merges = 4 + draw(20);
    for (unsigned i = 0; i < n_merges; i++) {
        const struct lag_span left = draw_token(tokenizer, kind, first_merged);
        const struct lag_span right = draw_token(tokenizer, kind, first_merged);
        char both[64];
        const size_t n = left.n + right.n;
        if (n > 16) continue;
        memcpy(both, left.at, left.n);
        memcpy(both + left.n, right.at, right.n);
        const int32_t a = lag_vocab_find(&tokenizer->vocab, both, left.n);
        const int32_t b = lag_vocab_find(&tokenizer->vocab, both + left.n, right.n);
        if (lag_vocab_find(&tokenizer->vocab, both, n) == LAG_TOKEN_NONE) add(tokenizer, both, n);
        assert_int_equal(lag_merges_add(&tokenizer->merges, a, b, draw(1000),
                                        lag_vocab_find(&tokenizer->vocab, both, n), &err), 0);
    }
    assert_int_equal(lag_tokenizer_finish(tokenizer, &err), 0);
    return tokenizer;
}

/* --- the reference ------------------------------------------------------------------------------------------------ */

static size_t merge_all(const struct lag_merges *merges, int32_t *ids, size_t n) {
    for (;;) {
        const struct lag_merge *best = NULL;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            const struct lag_merge *merge = lag_merges_find(merges, ids[i], ids[i + 1]);
            if (merge && (!best || merge->rank < best->rank)) best = merge, at = i;
        }
        if (!best) return n;
        ids[at] = best->id;
        memmove(ids + at + 1, ids + at + 2, (n - at - 2) * sizeof *ids);
        n--;
    }
}

/* Of a tokenizer in which each byte has a token. */
static size_t plain(const struct lag_tokenizer *tokenizer, const char *word, size_t n, int32_t *ids) {
    size_t n_ids = 0, length;
    for (size_t i = 0; i < n; i += length) {
        int32_t c;
        length = tokenizer->byte_level ? 1 : lag_utf8_next(word + i, n - i, &c);
        const int32_t id = lag_vocab_find(&tokenizer->vocab, word + i, length);
        for (size_t k = 0; id == LAG_TOKEN_NONE && k < length; k++)
            ids[n_ids++] = tokenizer->of_byte[(unsigned char)word[i + k]];
        if (id != LAG_TOKEN_NONE) ids[n_ids++] = id;
    }
    return merge_all(&tokenizer->merges, ids, n_ids);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static size_t draw_word(enum kind kind, char word[1024]) {
    const unsigned n_letters = 1 + draw(120), rare = draw(2) ? 20 : 3;
    size_t n = 0;
    for (unsigned i = 0; i < n_letters; i++) {
        const char *letter = letters[draw(rare) == 0 ? draw(N_ALL) : draw(N_LETTERS)];
        if (kind == BYTE_LEVEL && draw(rare) != 0) letter = byte_letters[draw(LAG_COUNT(byte_letters))];
        memcpy(word + n, letter, strlen(letter));
        n += strlen(letter);
    }
    return n;
}

static void compare(const struct lag_tokenizer *tokenizer, enum kind kind, struct lag_coder *coder,
                    struct lag_symbols *symbols) {
    char word[1024];
    int32_t expected[1024];
    const size_t n = draw_word(kind, word);
    struct lag_ids ids = {0}, whole = {0};
    if (lag_bpe_word(tokenizer, symbols, word, n, &whole, &err) != 0) fail_msg("%s", err.text);
    if (kind <= BYTES_MERGE) {
        assert_int_equal(plain(tokenizer, word, n, expected), whole.n);
        assert_memory_equal(expected, whole.at, whole.n * sizeof *expected);
    }
    for (int round = 0; round < 2; round++) { /* again, from what is remembered */
        ids.n = 0;
        assert_int_equal(lag_encode(coder, word, n, false, &ids, &err), 0);
        if (ids.n != whole.n || memcmp(ids.at, whole.at, ids.n * sizeof *ids.at) != 0)
            fail_msg("kind %d: a part of '%.*s' has other ids than the whole", (int)kind, (int)n, word);
    }
    lag_ids_deinit(&ids);
    lag_ids_deinit(&whole);
}

static void test_parts(void **state) {
    struct lag_symbols *symbols = lag_symbols_create();
    assert_non_null(symbols);
    for (int round = 0; round < 40 * N_KINDS; round++) {
        const enum kind kind = (enum kind)(round % N_KINDS);
        struct lag_tokenizer *tokenizer = draw_tokenizer(kind);
        struct lag_coder *coder = NULL;
        assert_int_equal(lag_coder_create(tokenizer, &coder, &err), 0);
        if (kind != BYTES_MERGE) assert_int_equal(tokenizer->seams.known, kind <= FALLBACK);
        for (int i = 0; i < 60; i++) compare(tokenizer, kind, coder, symbols);
        lag_coder_destroy(coder);
        lag_tokenizer_destroy(tokenizer);
    }
    lag_symbols_destroy(symbols);
}

/* As in Llama 2: ▁ stands before words alone, and bytes of other letters stand by themselves. */
static void test_where(void **state) {
    static const struct {
        const char *word;
        size_t n;
    } rows[] = {{"▁the▁cat", 6}, {"▁▁the", 9}, {"the▁cat", 3}, {"théo", 2}, {"t\nthe", 1}, {"\xff\xffthe", 1},
                {"é", 2}, {"日本", 6}, {"日本日", 6}, {"本日", 3}, {"a", 1}, {"日a", 3}};
    static const char *const merges[][2] = {{"t", "h"}, {"th", "e"}, {"▁", "the"}, {"▁", "▁"}, {"日", "本"}};
    struct lag_tokenizer *tokenizer = lag_tokenizer_create();
    assert_non_null(tokenizer);
    tokenizer->byte_fallback = true;
    add_bytes(tokenizer, LAG_N_BYTES);
    static const char *const tokens[] = {"t", "h", "e", "▁", "日", "本", "th", "the", "▁the", "▁▁", "日本"};
    for (size_t i = 0; i < LAG_COUNT(tokens); i++) add(tokenizer, tokens[i], strlen(tokens[i]));
    for (size_t i = 0; i < LAG_COUNT(merges); i++)
        assert_int_equal(lag_merges_add(&tokenizer->merges, lag_tokenizer_find(tokenizer, merges[i][0]),
                                        lag_tokenizer_find(tokenizer, merges[i][1]), (uint32_t)i, (int32_t)(262 + i),
                                        &err), 0);
    assert_int_equal(lag_tokenizer_finish(tokenizer, &err), 0);
    assert_true(tokenizer->seams.known);
    for (size_t i = 0; i < LAG_COUNT(rows); i++)
        assert_int_equal(lag_seams_next(tokenizer, rows[i].word, strlen(rows[i].word)), rows[i].n);
    lag_tokenizer_destroy(tokenizer);
}

/* Each letter of a long row merges with the next one, none with another: more pairs than the first table holds. */
static void test_many_pairs(void **state) {
    enum { N = 1000, FIRST = 0x4e00, BYTES = 3 };
    char row[N * BYTES], apart[2 * BYTES];
    struct lag_tokenizer *tokenizer = lag_tokenizer_create();
    assert_non_null(tokenizer);
    tokenizer->byte_fallback = true;
    add_bytes(tokenizer, LAG_N_BYTES);
    for (int32_t i = 0; i < N; i++) {
        assert_int_equal(lag_utf8_put(FIRST + i, row + i * BYTES), BYTES);
        add(tokenizer, row + i * BYTES, BYTES);
    }
    for (int32_t i = 0; i + 1 < N; i++) {
        add(tokenizer, row + i * BYTES, 2 * BYTES);
        assert_int_equal(lag_merges_add(&tokenizer->merges, LAG_N_BYTES + i, LAG_N_BYTES + i + 1, (uint32_t)i,
                                        LAG_N_BYTES + N + i, &err), 0);
    }
    assert_int_equal(lag_tokenizer_finish(tokenizer, &err), 0);
    assert_int_equal(lag_seams_next(tokenizer, row, sizeof row), sizeof row);
    for (int i = 0; i < N; i++) {
        memcpy(apart, row + i * BYTES, BYTES);
        memcpy(apart + BYTES, row + (i + 2) % N * BYTES, BYTES);
        assert_int_equal(lag_seams_next(tokenizer, apart, sizeof apart), BYTES);
    }
    lag_tokenizer_destroy(tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts), cmocka_unit_test(test_where),
                                       cmocka_unit_test(test_many_pairs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
