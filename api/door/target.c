/* Splits and decodes a raw request target. */
#include "door/target_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/parse.h>
#include <string.h>

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* What no legal target contains, whatever it means. */
static const char *check_raw(const char *raw) {
    for (const char *p = raw; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c <= 0x20 || c == 0x7f) return "the request target contains blanks or control bytes";
        if (c > 0x7f) return "the request target contains bytes that must be percent-encoded";
        if (c == '\\') return "the request target contains a backslash";
        if (c == '#') return "the request target contains a fragment";
        if (c != '%') continue;
        int high = hex_digit(p[1]), low = high < 0 ? -1 : hex_digit(p[2]);
        if (low < 0) return "the request target contains a % that is not followed by two hexadecimal digits";
        if (high == 0 && low == 0) return "the request target contains an encoded NUL byte";
    }
    return NULL;
}

/* Decodes [from, from + n) to *out, terminates it, and moves *out behind. */
static const char *decode(const char *from, size_t n, bool plus_is_blank, char **out) {
    char *begin = *out, *to = begin;
    for (size_t i = 0; i < n; i++) {
        if (from[i] == '%') {
            *to++ = (char)(hex_digit(from[i + 1]) * 16 + hex_digit(from[i + 2]));
            i += 2;
        } else {
            *to++ = plus_is_blank && from[i] == '+' ? ' ' : from[i];
        }
    }
    *to = '\0';
    *out = to + 1;
    return begin;
}

static bool is_text(const char *text) {
    while (*text) {
        size_t n = lag_utf8_length(text);
        if (n == 0) return false;
        text += n;
    }
    return true;
}

static const char *parse_query(const char *query, struct lagd_target *ret, char **out) {
    for (const char *p = query; *p;) {
        size_t n = strcspn(p, "&");
        if (n > 0) {
            if (ret->n_query == LAGD_QUERY_MAX) return "the query has too many parameters";
            const char *equals = memchr(p, '=', n);
            size_t n_name = equals ? (size_t)(equals - p) : n;
            struct lagd_query_item *item = &ret->query[ret->n_query++];
            item->name = decode(p, n_name, true, out);
            item->value = equals ? decode(equals + 1, n - n_name - 1, true, out) : "";
            if (!is_text(item->name) || !is_text(item->value)) return "the query is not valid UTF-8";
        }
        p += n + (p[n] == '&');
    }
    return NULL;
}

const char *lagd_target_parse(const char *raw, struct lagd_target *ret, bool *ret_too_long) {
    memset(ret, 0, sizeof(*ret));
    *ret_too_long = false;
    size_t length = strnlen(raw, LAGD_TARGET_MAX + 1);
    if (length > LAGD_TARGET_MAX) {
        *ret_too_long = true;
        return "the request target is longer than 2048 bytes";
    }
    const char *wrong = check_raw(raw);
    if (wrong) return wrong;
    if (strcmp(raw, "*") == 0) return NULL;
    if (raw[0] != '/') return "the request target must begin with '/'";
    size_t n_path = strcspn(raw, "?");
    memcpy(ret->path, raw, n_path);
    /* text is large enough: decoding lengthens no piece, each piece's terminator takes the place of the separator
     * behind it, and the last one's takes the place of the first '/'. */
    char *out = ret->text;
    for (const char *p = raw; p < raw + n_path;) {
        size_t n = strcspn(p + 1, "/?");
        bool last = p + 1 + n >= raw + n_path;
        if (!(last && n == 0)) { /* a slash at the end names the same thing */
            if (ret->n_segments == LAGD_SEGMENTS_MAX) {
                ret->n_segments = -1;
                break;
            }
            ret->segments[ret->n_segments++] = decode(p + 1, n, false, &out);
        }
        p += 1 + n;
    }
    return raw[n_path] == '?' ? parse_query(raw + n_path + 1, ret, &out) : NULL;
}

const char *lagd_target_query(const struct lagd_target *target, const char *name) {
    for (int i = 0; i < target->n_query; i++) {
        if (strcmp(target->query[i].name, name) == 0) return target->query[i].value;
    }
    return NULL;
}
