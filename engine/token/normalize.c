/* Normalizers: what happens to a text before it is divided into words. */
#include "token/token_internal.h"
#include <lagd/base/error.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* --- NFC -------------------------------------------------------------------------------------------------------- */

/* Blocks in which composing changes nothing, and in which nothing stands that composes with what is before it. */
static bool is_composed(int32_t c) {
    return (c >= 0 && c < 0x300) || (c >= 0x400 && c < 0x483) || (c >= 0x2010 && c < 0x2027) ||
           (c >= 0x3001 && c < 0x3099) || (c >= 0x30a0 && c < 0x3100) || (c >= 0x4e00 && c < 0xa000) ||
           (c >= 0xac00 && c < 0xd7a4) || (c >= 0xff01 && c < 0xff5f);
}

static int compose(const char *text, size_t n, struct lag_strbuf *out, struct lag_error *err) {
    utf8proc_uint8_t *composed = NULL;
    const utf8proc_ssize_t length = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, &composed,
                                                 UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (length < 0) return lag_error_set(err, LAG_ENOMEM, "%zu bytes cannot be composed: %s", n,
                                         utf8proc_errmsg(length));
    lag_strbuf_append_n(out, composed, (size_t)length);
    free(composed);
    return 0;
}

/* Where the letter before end begins, to which what follows may belong; not before begin. */
static size_t letter_before(const char *text, size_t begin, size_t end) {
    size_t at = end;
    while (at > begin && end - at < 3 && ((unsigned char)text[at - 1] & 0xc0) == 0x80) at--;
    return at > begin ? at - 1 : at;
}

/* A text is divided before ASCII, which composes with nothing before it. What is composed already goes as it is, up to
 * the letter before the first that is not. */
static int compose_all(const char *text, size_t n, struct lag_strbuf *out, struct lag_error *err) {
    size_t begin = 0, end = 0; /* of what has not gone */
    bool composed = true;
    int rc = 0;
    while (rc == 0 && end < n) {
        int32_t c;
        const size_t length = lag_utf8_next(text + end, n - end, &c);
        if (c < 0 || (!composed && c < 0x80)) {
            const size_t wrong = c < 0 ? length : 0; /* bytes that are no UTF-8 go as they are */
            if (!composed) rc = compose(text + begin, end - begin, out, err);
            else lag_strbuf_append_n(out, text + begin, end - begin);
            lag_strbuf_append_n(out, text + end, wrong);
            begin = end + wrong;
            composed = true;
        } else if (composed && !is_composed(c)) {
            const size_t until = letter_before(text, begin, end);
            lag_strbuf_append_n(out, text + begin, until - begin);
            begin = until;
            composed = false;
        }
        end += length;
    }
    if (rc == 0 && composed) lag_strbuf_append_n(out, text + begin, n - begin);
    else if (rc == 0) rc = compose(text + begin, n - begin, out, err);
    return rc;
}

/* --- replacing -------------------------------------------------------------------------------------------------- */

static void replace_text(const char *what, const char *content, const char *text, size_t n, struct lag_strbuf *out) {
    const size_t length = strlen(what);
    size_t begin = 0;
    const char *found;
    while (length > 0 && (found = memmem(text + begin, n - begin, what, length))) {
        lag_strbuf_append_n(out, text + begin, (size_t)(found - text) - begin);
        lag_strbuf_append(out, content);
        begin = (size_t)(found - text) + length;
    }
    lag_strbuf_append_n(out, text + begin, n - begin);
}

static int replace_pattern(const struct lag_regex *regex, struct lag_regex_match *match, const char *content,
                           const char *text, size_t n, struct lag_strbuf *out, struct lag_error *err) {
    size_t begin = 0, from, to, start = 0;
    int rc;
    while (start <= n && (rc = lag_regex_find(regex, match, text, n, start, &from, &to, err)) != 0) {
        if (rc < 0) return rc;
        lag_strbuf_append_n(out, text + begin, from - begin);
        lag_strbuf_append(out, content);
        begin = to;
        int32_t c;
        start = to > from ? to : to < n ? to + lag_utf8_next(text + to, n - to, &c) : n + 1;
    }
    lag_strbuf_append_n(out, text + begin, n - begin);
    return 0;
}

int lag_replace(const struct lag_regex *regex, const char *what, const char *content, const char *text, size_t n,
                struct lag_strbuf *out, struct lag_error *err) {
    if (!regex) {
        replace_text(what, content, text, n, out);
        return 0;
    }
    struct lag_regex_match *match = lag_regex_match_create(regex);
    if (!match) return lag_error_set(err, LAG_ENOMEM, "out of memory for a pattern");
    int rc = 0;
    while (rc == 0 && n > 0) {
        const size_t valid = lag_utf8_valid(text, n), invalid = lag_utf8_invalid(text + valid, n - valid);
        rc = replace_pattern(regex, match, content, text, valid, out, err);
        lag_strbuf_append_n(out, text + valid, invalid);
        text += valid + invalid;
        n -= valid + invalid;
    }
    lag_regex_match_destroy(match);
    return rc;
}

/* --- BERT ------------------------------------------------------------------------------------------------------- */

static bool is_chinese(int32_t c) {
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
           (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

static void put(struct lag_strbuf *out, int32_t c) {
    char bytes[4];
    lag_strbuf_append_n(out, bytes, lag_utf8_put(c, bytes));
}

/* U+0130 is the one letter whose small form is two code points. */
static void put_small(const struct lag_normal *normal, struct lag_strbuf *out, int32_t c) {
    if (!normal->lower) put(out, c);
    else if (c == 0x130) lag_strbuf_append(out, "i\xcc\x87");
    else put(out, utf8proc_tolower(c));
}

static void put_stripped(const struct lag_normal *normal, struct lag_strbuf *out, int32_t c) {
    utf8proc_int32_t parts[32];
    int last = 0;
    const utf8proc_ssize_t n = normal->strip ? utf8proc_decompose_char(c, parts, 32, UTF8PROC_DECOMPOSE, &last) : 0;
    if (n <= 0) {
        put_small(normal, out, c);
        return;
    }
    for (utf8proc_ssize_t i = 0; i < n && i < 32; i++)
        if (!(lag_class_of(lag_classes(), parts[i]) & LAG_NONSPACING)) put_small(normal, out, parts[i]);
}

static void bert(const struct lag_normal *normal, const char *text, size_t n, struct lag_strbuf *out) {
    const uint8_t *classes = lag_classes();
    for (size_t i = 0; i < n;) {
        int32_t c;
        i += lag_utf8_next(text + i, n - i, &c);
        if (c < 0) c = 0xfffd;
        const unsigned class = classes[c];
        const bool space = (class & LAG_SPACE) != 0;
        const bool control = (class & LAG_CONTROL) != 0 && c != '\t' && c != '\n' && c != '\r';
        if (normal->clean && (c == 0 || c == 0xfffd || control)) continue;
        if (normal->clean && space) c = ' ';
        const bool apart = normal->chinese && is_chinese(c);
        if (apart) put(out, ' ');
        put_stripped(normal, out, c);
        if (apart) put(out, ' ');
    }
}

/* --- all of them ------------------------------------------------------------------------------------------------ */

static int normalize_by(const struct lag_normal *normal, const char *text, size_t n, struct lag_strbuf *out,
                        struct lag_error *err) {
    switch (normal->kind) {
    case LAG_NORMAL_NFC: return compose_all(text, n, out, err);
    case LAG_NORMAL_REPLACE: return lag_replace(normal->regex, normal->text, normal->content, text, n, out, err);
    case LAG_NORMAL_BERT: bert(normal, text, n, out); return 0;
    case LAG_NORMAL_PREPEND: break;
    }
    if (n > 0) lag_strbuf_append(out, normal->text);
    lag_strbuf_append_n(out, text, n);
    return 0;
}

int lag_normalize(const struct lag_tokenizer *tokenizer, const char *text, size_t n, struct lag_strbuf *out,
                  struct lag_error *err) {
    struct lag_strbuf other = LAG_STRBUF_INIT;
    int rc = 0;
    lag_strbuf_clear(out);
    for (size_t i = 0; rc == 0 && i < tokenizer->n_normals; i++) {
        rc = i == 0 ? normalize_by(&tokenizer->normals[i], text, n, out, err)
                    : normalize_by(&tokenizer->normals[i], other.data ? other.data : "", other.length, out, err);
        if (i + 1 == tokenizer->n_normals) break;
        const struct lag_strbuf swap = other;
        other = *out;
        *out = swap;
        lag_strbuf_clear(out);
    }
    if (rc == 0 && (out->failed || other.failed)) rc = lag_error_set(err, LAG_ENOMEM, "out of memory for a text");
    lag_strbuf_deinit(&other);
    return rc;
}
