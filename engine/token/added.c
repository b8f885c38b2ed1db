/* Added tokens: texts that are found before anything else is done, the longest at the first place. */
#include "token/token_internal.h"
#include <string.h>

static bool is_word_at(const char *text, size_t n) {
    int32_t c;
    if (n == 0) return false;
    (void)lag_utf8_next(text, n, &c);
    return (lag_class_of(lag_classes(), c) & LAG_WORD) != 0;
}

/* Where the last code point of the text begins. n ≥ 1. */
static size_t last_begin(const char *text, size_t n) {
    size_t i = n - 1;
    while (i > 0 && n - i < 4 && ((unsigned char)text[i] & 0xc0) == 0x80) i--;
    return i;
}

static size_t space_before(const char *text, size_t n) {
    while (n > 0) {
        const size_t i = last_begin(text, n);
        int32_t c;
        if (lag_utf8_next(text + i, n - i, &c) != n - i || !(lag_class_of(lag_classes(), c) & LAG_SPACE)) break;
        n = i;
    }
    return n;
}

static size_t space_behind(const char *text, size_t n) {
    size_t i = 0;
    while (i < n) {
        int32_t c;
        const size_t length = lag_utf8_next(text + i, n - i, &c);
        if (!(lag_class_of(lag_classes(), c) & LAG_SPACE)) break;
        i += length;
    }
    return i;
}

static const struct lag_added *longest_at(const struct lag_tokenizer *tokenizer, bool normalized, const char *text,
                                          size_t n) {
    const unsigned char first = (unsigned char)text[0];
    for (uint32_t i = tokenizer->added_from[first]; i < tokenizer->added_from[first + 1]; i++) {
        const struct lag_added *added = &tokenizer->added[i];
        if (added->normalized == normalized && added->n_search <= n && memcmp(added->search, text,
                                                                              added->n_search) == 0)
            return added;
    }
    return NULL;
}

/* It stands alone, where it has to. */
static bool fits(const struct lag_added *added, const char *text, size_t n, size_t at) {
    if (!added->single_word) return true;
    const size_t end = at + added->n_search;
    if (is_word_at(text + end, n - end)) return false;
    if (at == 0) return true;
    const size_t previous = last_begin(text, at);
    return !is_word_at(text + previous, at - previous);
}

bool lag_added_next(const struct lag_tokenizer *tokenizer, bool normalized, const char *text, size_t n, size_t start,
                    size_t last, struct lag_found *ret) {
    const size_t n_searched = normalized ? tokenizer->n_normalized : tokenizer->n_added - tokenizer->n_normalized;
    if (n_searched == 0) return false;
    for (size_t i = start; i < n; i++) {
        const unsigned char byte = (unsigned char)text[i];
        if (tokenizer->added_from[byte] == tokenizer->added_from[byte + 1]) continue;
        const struct lag_added *added = longest_at(tokenizer, normalized, text + i, n - i);
        if (!added) continue;
        const size_t end = i + added->n_search;
        if (!fits(added, text, n, i)) {
            i = end - 1; /* what was found is not searched again */
            continue;
        }
        const size_t from = added->lstrip ? space_before(text, i) : i;
        *ret = (struct lag_found){.from = from < last ? last : from, .to = end, .resume = end, .id = added->id};
        if (added->rstrip) ret->to += space_behind(text + end, n - end);
        return true;
    }
    return false;
}
