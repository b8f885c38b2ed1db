/* Words by the patterns that are known, without an engine for regular expressions: one pass, no going back but for the
 * last white space before a word. Each alternative of a pattern is a branch here, in its order. */
#include "token/token_internal.h"

#define CONTRACTIONS "'s|'t|'re|'ve|'m|'ll|'d"
#define TAIL "|\\s+(?!\\S)|\\s+"
#define MODERN(numbers)                                                                                              \
    "(?i:" CONTRACTIONS ")|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" numbers "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+" TAIL
const struct lag_pattern_row lag_patterns[LAG_N_PATTERNS] = {
    [LAG_PATTERN_GPT2] = {"gpt2", CONTRACTIONS "| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+" TAIL},
    [LAG_PATTERN_LLAMA3] = {"llama3", MODERN("\\p{N}{1,3}")},
    [LAG_PATTERN_QWEN2] = {"qwen2", MODERN("\\p{N}")},
};

enum { SOME = LAG_LETTER | LAG_NUMBER | LAG_SPACE };

struct text {
    const uint8_t *classes;
    const char *at;
    size_t n;
};

static inline size_t next(const struct text *text, size_t i, int32_t *ret_c, unsigned *ret_class) {
    const unsigned char first = (unsigned char)text->at[i];
    if (first < 0x80) {
        *ret_c = first;
        *ret_class = text->classes[first] & SOME;
        return 1;
    }
    const size_t length = lag_utf8_next(text->at + i, text->n - i, ret_c);
    *ret_class = lag_class_of(text->classes, *ret_c) & SOME;
    return length;
}

/* Behind the code points from i on that are of exactly this class. */
static inline size_t run(const struct text *text, size_t i, unsigned class) {
    while (i < text->n) {
        int32_t c;
        unsigned found;
        const size_t length = next(text, i, &c, &found);
        if (found != class) break;
        i += length;
    }
    return i;
}

/* 's and its like; 0: none. any_case: also in capitals, to which the long s belongs. */
static size_t contraction(const struct text *text, bool any_case) {
    if (text->n < 2) return 0;
    const unsigned char bit = any_case ? 0x20 : 0;
    const unsigned char a = (unsigned char)text->at[1] | bit;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if (text->n < 3) return 0;
    if (any_case && (unsigned char)text->at[1] == 0xc5 && (unsigned char)text->at[2] == 0xbf) return 3;
    const unsigned char b = (unsigned char)text->at[2] | bit;
    return ((a == 'r' || a == 'v') && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

/* White space: all but its last code point where a word follows. lines: up to its last end of a line, if there is
 * one. */
static size_t space(const struct text *text, bool lines) {
    size_t i = 0, last = 0, line = 0;
    while (i < text->n) {
        int32_t c;
        unsigned class;
        const size_t length = next(text, i, &c, &class);
        if (class != LAG_SPACE) break;
        last = i;
        i += length;
        if (c == '\n' || c == '\r') line = i;
    }
    if (lines && line > 0) return line;
    return i < text->n && last > 0 ? last : i;
}

static size_t scan_gpt2(const struct text *text) {
    int32_t c;
    unsigned class;
    size_t i = next(text, 0, &c, &class);
    if (c == '\'') {
        const size_t length = contraction(text, false);
        if (length > 0) return length;
    }
    if (c == ' ' && i < text->n) {
        const size_t length = next(text, i, &c, &class);
        if (class == LAG_SPACE) return space(text, false);
        i += length;
    }
    return class == LAG_SPACE ? space(text, false) : run(text, i, class);
}

static size_t scan_modern(const struct text *text, size_t max_digits) {
    int32_t c, d = -1;
    unsigned class, then = LAG_SPACE;
    size_t i = next(text, 0, &c, &class);
    if (c == '\'') {
        const size_t length = contraction(text, true);
        if (length > 0) return length;
    }
    if (class == LAG_LETTER) return run(text, i, LAG_LETTER);
    if (class == LAG_NUMBER) {
        for (size_t n_digits = 1; n_digits < max_digits && i < text->n; n_digits++) {
            const size_t length = next(text, i, &d, &then);
            if (then != LAG_NUMBER) break;
            i += length;
        }
        return i;
    }
    const size_t length = i < text->n ? next(text, i, &d, &then) : 0;
    if (length > 0 && then == LAG_LETTER && c != '\r' && c != '\n') return run(text, i + length, LAG_LETTER);
    if (class != 0 && (c != ' ' || length == 0 || then != 0)) return space(text, true);
    i = run(text, i, 0);
    while (i < text->n && (text->at[i] == '\r' || text->at[i] == '\n')) i++;
    return i;
}

size_t lag_scan_word(enum lag_pattern pattern, const uint8_t *classes, const char *at, size_t n) {
    const struct text text = {classes, at, n};
    if (pattern == LAG_PATTERN_GPT2) return scan_gpt2(&text);
    return scan_modern(&text, pattern == LAG_PATTERN_LLAMA3 ? 3 : 1);
}
