/* The pull reader. */
#include "json_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/parse.h>
#include <lagd/base/strbuf.h>
#include <string.h>

int lag_json_fail(const struct lag_json *json, const char *rule) {
    return lag_error_set(json->err, LAG_ECORRUPT, "byte %zu: %s", (size_t)(json->at - json->begin), rule);
}

static void skip_blanks(struct lag_json *json) {
    while (json->at < json->end && (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r'))
        json->at++;
}

int lag_json_expect(struct lag_json *json, char c) {
    skip_blanks(json);
    if (json->at < json->end && *json->at == c) {
        json->at++;
        return 0;
    }
    const char rule[] = {'e', 'x', 'p', 'e', 'c', 't', 'e', 'd', ' ', '\'', c, '\'', '\0'};
    return lag_json_fail(json, rule);
}

int lag_json_end(struct lag_json *json) {
    skip_blanks(json);
    return json->at == json->end ? 0 : lag_json_fail(json, "text after the end");
}

int lag_json_next(struct lag_json *json, char close, bool first) {
    skip_blanks(json);
    if (json->at < json->end && *json->at == close) {
        json->at++;
        return 0;
    }
    if (first) return 1;
    const int rc = lag_json_expect(json, ',');
    return rc == 0 ? 1 : rc;
}

/* Four hexadecimal digits; -1 when they are not there. */
static int32_t hex4(struct lag_json *json) {
    if (json->end - json->at < 4) return -1;
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        const char c = *json->at++;
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* After "\u": one code point, from a pair of surrogates if need be. -1 when malformed, a lone surrogate, or NUL. */
static int32_t unicode_escape(struct lag_json *json) {
    const int32_t high = hex4(json);
    if (high <= 0 || (high >= 0xDC00 && high <= 0xDFFF)) return -1;
    if (high < 0xD800 || high > 0xDBFF) return high;
    if (json->end - json->at < 2 || json->at[0] != '\\' || json->at[1] != 'u') return -1;
    json->at += 2;
    const int32_t low = hex4(json);
    if (low < 0xDC00 || low > 0xDFFF) return -1;
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

static size_t utf8_encode(int32_t code, unsigned char ret[4]) {
    if (code < 0x80) {
        ret[0] = (unsigned char)code;
        return 1;
    }
    const size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {[2] = 0xC0, [3] = 0xE0, [4] = 0xF0};
    for (size_t i = length - 1; i > 0; i--) {
        ret[i] = (unsigned char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    ret[0] = (unsigned char)(leads[length] | code);
    return length;
}

/* After a backslash: the character it stands for; 0 when there is no such escape. */
static size_t escape(struct lag_json *json, unsigned char ret[4]) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (json->at == json->end) return 0;
    const char c = *json->at++;
    if (c == 'u') {
        const int32_t code = unicode_escape(json);
        return code < 0 ? 0 : utf8_encode(code, ret);
    }
    const char *found = c ? strchr(from, c) : NULL;
    if (!found) return 0;
    ret[0] = (unsigned char)to[found - from];
    return 1;
}

int lag_json_string(struct lag_json *json, char *ret, size_t size, size_t *ret_length) {
    int rc = lag_json_expect(json, '"');
    if (rc != 0) return rc;
    size_t length = 0;
    for (;;) {
        if (json->at == json->end) return lag_json_fail(json, "a string has no end");
        const unsigned char *p = (const unsigned char *)json->at;
        unsigned char escaped[4];
        size_t n;
        if (*p == '"') break;
        if (*p == '\\') {
            json->at++;
            n = escape(json, escaped);
            p = escaped;
            if (n == 0) return lag_json_fail(json, "a bad escape in a string");
        } else {
            n = *p < 0x20 ? 0 : lag_utf8_length(json->at);
            if (n == 0 || n > (size_t)(json->end - json->at))
                return lag_json_fail(json, "a string is not UTF-8 or holds a control character");
            json->at += n;
        }
        if (n >= size - length) return lag_json_fail(json, "a string is too long");
        memcpy(ret + length, p, n);
        length += n;
    }
    json->at++;
    ret[length] = '\0';
    if (ret_length) *ret_length = length;
    return 0;
}

int lag_json_key(struct lag_json *json, char *ret, size_t size, size_t *ret_length) {
    const int rc = lag_json_string(json, ret, size, ret_length);
    return rc == 0 ? lag_json_expect(json, ':') : rc;
}

static bool take_digits(struct lag_json *json) {
    const char *start = json->at;
    while (json->at < json->end && *json->at >= '0' && *json->at <= '9') json->at++;
    return json->at > start;
}

static bool take(struct lag_json *json, char a, char b) {
    if (json->at == json->end || (*json->at != a && *json->at != b)) return false;
    json->at++;
    return true;
}

/* The next number's text, of JSON's form, into ret[40]. */
static int number_text(struct lag_json *json, bool real, char ret[40]) {
    skip_blanks(json);
    const char *start = json->at;
    (void)take(json, '-', '-');
    const char *digits = json->at;
    bool good = take_digits(json) && (json->at - digits == 1 || *digits != '0');
    if (real && take(json, '.', '.')) good = take_digits(json) && good;
    if (real && take(json, 'e', 'E')) {
        (void)take(json, '+', '-');
        good = take_digits(json) && good;
    }
    const size_t length = (size_t)(json->at - start);
    if (!good || length >= 40) {
        json->at = start;
        return lag_json_fail(json, real ? "expected a number" : "expected an integer");
    }
    memcpy(ret, start, length);
    ret[length] = '\0';
    return 0;
}

int lag_json_u64(struct lag_json *json, uint64_t *ret) {
    char text[40];
    const int rc = number_text(json, false, text);
    if (rc != 0) return rc;
    return lag_parse_u64(text, ret) == 0 ? 0 : lag_json_fail(json, "an integer is negative or too large");
}

int lag_json_i64(struct lag_json *json, int64_t *ret) {
    char text[40];
    const int rc = number_text(json, false, text);
    if (rc != 0) return rc;
    return lag_parse_i64(text, ret) == 0 ? 0 : lag_json_fail(json, "an integer is too large");
}

int lag_json_real(struct lag_json *json, double *ret) {
    char text[40];
    const int rc = number_text(json, true, text);
    if (rc != 0) return rc;
    return lag_parse_double(text, ret) == 0 ? 0 : lag_json_fail(json, "a number is too large");
}

void lag_json_append_string(struct lag_strbuf *out, const char *text) {
    lag_strbuf_append(out, "\"");
    for (const char *p = text; *p;) {
        const size_t plain = strcspn(p, "\"\\\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12"
                                        "\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f");
        lag_strbuf_append_n(out, p, plain);
        p += plain;
        if (!*p) break;
        if (*p == '"' || *p == '\\') lag_strbuf_printf(out, "\\%c", *p);
        else lag_strbuf_printf(out, "\\u%04x", (unsigned char)*p);
        p++;
    }
    lag_strbuf_append(out, "\"");
}
