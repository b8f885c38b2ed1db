/* Pre-tokenizers: a text to words. Each part divides what the part before it gave, in one pass and without lists, so
 * that a text of any length takes no memory. */
#include "token/token_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdlib.h>
#include <string.h>

struct lag_splitter {
    const struct lag_tokenizer *tokenizer;
    const uint8_t *classes;
    struct lag_regex_match *matches[LAG_PARTS_MAX];
    struct lag_strbuf prefixed[LAG_PARTS_MAX];
    lag_word_fn each;
    void *arg;
};

struct lag_splitter *lag_splitter_create(const struct lag_tokenizer *tokenizer) {
    struct lag_splitter *splitter = lag_calloc(1, sizeof *splitter);
    if (!splitter) return NULL;
    splitter->tokenizer = tokenizer;
    splitter->classes = lag_classes();
    for (size_t i = 0; i < tokenizer->n_splits; i++) {
        if (tokenizer->splits[i].kind != LAG_SPLIT_REGEX) continue;
        splitter->matches[i] = lag_regex_match_create(tokenizer->splits[i].regex);
        if (!splitter->matches[i]) {
            lag_splitter_destroy(splitter);
            return NULL;
        }
    }
    return splitter;
}

void lag_splitter_destroy(struct lag_splitter *splitter) {
    if (!splitter) return;
    for (size_t i = 0; i < LAG_PARTS_MAX; i++) {
        lag_regex_match_destroy(splitter->matches[i]);
        lag_strbuf_deinit(&splitter->prefixed[i]);
    }
    free(splitter);
}

static int run_part(struct lag_splitter *splitter, size_t part, const char *text, size_t n, struct lag_error *err);

/* --- what becomes of the places that a pattern was found at ----------------------------------------------------- */

struct places {
    struct lag_splitter *splitter;
    const struct lag_split *split;
    size_t part;
    const char *text;
    size_t from, to; /* of a piece that may still grow; from == to: none */
    bool match;      /* the last place was one */
    struct lag_error *err;
};

static int flush(struct places *places) {
    const size_t from = places->from, to = places->to;
    places->from = places->to = to;
    return from < to ? run_part(places->splitter, places->part + 1, places->text + from, to - from, places->err) : 0;
}

/* The next place: a match, or what stands between two. */
static int add_place(struct places *places, size_t from, size_t to, bool is_match) {
    if (from == to) return 0;
    const bool match = is_match != places->split->invert, before = places->match;
    bool grows = false;
    places->match = match;
    switch (places->split->behaviour) {
    case LAG_REMOVED:
        if (match) return 0;
        break;
    case LAG_ISOLATED: break;
    case LAG_WITH_PREVIOUS: grows = match && !before; break;
    case LAG_WITH_NEXT: grows = !match && before; break;
    case LAG_CONTIGUOUS: grows = match == before; break;
    }
    if (grows && places->to == from && places->from < places->to) {
        places->to = to;
        return 0;
    }
    const int rc = flush(places);
    places->from = from;
    places->to = to;
    return rc;
}

/* --- the parts -------------------------------------------------------------------------------------------------- */

static int by_regex(struct places *places, size_t begin, size_t end) {
    const struct lag_splitter *splitter = places->splitter;
    const char *text = places->text + begin;
    const size_t n = end - begin;
    size_t done = 0, start = 0, from, to;
    int rc = 0;
    while (start < n) {
        rc = lag_regex_find(places->split->regex, splitter->matches[places->part], text, n, start, &from, &to,
                            places->err);
        if (rc <= 0) break;
        if (to == from) { /* nothing was found there: on behind the next letter */
            int32_t c;
            start = to < n ? to + lag_utf8_next(text + to, n - to, &c) : n;
            continue;
        }
        rc = add_place(places, begin + done, begin + from, false);
        if (rc == 0) rc = add_place(places, begin + from, begin + to, true);
        if (rc != 0) return rc;
        done = start = to;
    }
    return rc < 0 ? rc : add_place(places, begin + done, end, false);
}

/* Bytes that are no UTF-8 stand between matches. */
static int find_regex(struct places *places, size_t n) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n;) {
        const size_t valid = lag_utf8_valid(places->text + i, n - i);
        const size_t invalid = lag_utf8_invalid(places->text + i + valid, n - i - valid);
        if (valid > 0) rc = by_regex(places, i, i + valid);
        if (rc == 0) rc = add_place(places, i + valid, i + valid + invalid, false);
        i += valid + invalid;
    }
    return rc;
}

static int find_text(struct places *places, size_t n) {
    const char *what = places->split->text, *found;
    const size_t length = strlen(what);
    size_t i = 0;
    int rc = 0;
    while (rc == 0 && length > 0 && (found = memmem(places->text + i, n - i, what, length))) {
        const size_t from = (size_t)(found - places->text);
        rc = add_place(places, i, from, false);
        if (rc == 0) rc = add_place(places, from, from + length, true);
        i = from + length;
    }
    return rc != 0 ? rc : add_place(places, i, n, false);
}

static bool is_ascii_punctuation(int32_t c) {
    return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
}

/* Digits; or, BERT's way, single signs of punctuation, and white space, which goes. */
static int find_classes(struct places *places, size_t n) {
    const bool digits = places->split->kind == LAG_SPLIT_DIGITS;
    const uint8_t *classes = places->splitter->classes;
    int rc = 0;
    size_t done = 0;
    for (size_t i = 0; rc == 0 && i < n;) {
        int32_t c;
        const size_t length = lag_utf8_next(places->text + i, n - i, &c);
        const unsigned class = lag_class_of(classes, c);
        const bool sign = is_ascii_punctuation(c) || (class & LAG_PUNCTUATION) != 0;
        const bool gone = !digits && (class & LAG_SPACE) != 0;
        if (gone || (digits ? (class & LAG_NUMBER) != 0 : sign)) {
            rc = add_place(places, done, i, false);
            if (rc == 0 && !gone) rc = add_place(places, i, i + length, true);
            done = i + length;
        }
        i += length;
    }
    return rc != 0 ? rc : add_place(places, done, n, false);
}

static int run_places(struct lag_splitter *splitter, size_t part, const char *text, size_t n, struct lag_error *err) {
    const struct lag_split *split = &splitter->tokenizer->splits[part];
    struct places places = {.splitter = splitter, .split = split, .part = part, .text = text, .err = err};
    const int rc = split->kind == LAG_SPLIT_REGEX  ? find_regex(&places, n)
                   : split->kind == LAG_SPLIT_TEXT ? find_text(&places, n)
                                                   : find_classes(&places, n);
    return rc != 0 ? rc : flush(&places);
}

static int run_known(struct lag_splitter *splitter, size_t part, const char *text, size_t n, struct lag_error *err) {
    const enum lag_pattern pattern = splitter->tokenizer->splits[part].pattern;
    const bool last = part + 1 == splitter->tokenizer->n_splits;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n;) {
        const size_t length = lag_scan_word(pattern, splitter->classes, text + i, n - i);
        rc = last ? splitter->each(splitter->arg, text + i, length, err)
                  : run_part(splitter, part + 1, text + i, length, err);
        i += length;
    }
    return rc;
}

static int run_prefix(struct lag_splitter *splitter, size_t part, const char *text, size_t n, struct lag_error *err) {
    if (text[0] == ' ') return run_part(splitter, part + 1, text, n, err);
    struct lag_strbuf *prefixed = &splitter->prefixed[part];
    lag_strbuf_clear(prefixed);
    lag_strbuf_append(prefixed, " ");
    lag_strbuf_append_n(prefixed, text, n);
    if (prefixed->failed) return lag_error_set(err, LAG_ENOMEM, "out of memory for a text");
    return run_part(splitter, part + 1, prefixed->data, prefixed->length, err);
}

static int run_part(struct lag_splitter *splitter, size_t part, const char *text, size_t n, struct lag_error *err) {
    if (part == splitter->tokenizer->n_splits) return splitter->each(splitter->arg, text, n, err);
    switch (splitter->tokenizer->splits[part].kind) {
    case LAG_SPLIT_KNOWN: return run_known(splitter, part, text, n, err);
    case LAG_SPLIT_PREFIX: return run_prefix(splitter, part, text, n, err);
    default: return run_places(splitter, part, text, n, err);
    }
}

int lag_split_words(struct lag_splitter *splitter, const char *text, size_t n, lag_word_fn each, void *arg,
                    struct lag_error *err) {
    splitter->each = each;
    splitter->arg = arg;
    return n > 0 ? run_part(splitter, 0, text, n, err) : 0;
}
