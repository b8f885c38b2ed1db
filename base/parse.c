/* Numbers, sizes and names from text, the whole text or nothing. */
#include <lagd/base/parse.h>

#include <lagd/base/check.h>
#include <locale.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

int lag_parse_u64(const char *text, uint64_t *ret) {
    uint64_t value = 0;
    if (!*text) return -1;
    for (; *text; text++) {
        if (!is_digit(*text)) return -1;
        if (!lag_mul_u64(value, 10, &value) || !lag_add_u64(value, (uint64_t)(*text - '0'), &value)) return -1;
    }
    *ret = value;
    return 0;
}

int lag_parse_i64(const char *text, int64_t *ret) {
    bool negative = *text == '-';
    uint64_t magnitude;
    if (lag_parse_u64(text + negative, &magnitude) != 0) return -1;
    if (magnitude > (uint64_t)INT64_MAX + negative) return -1;
    if (!negative) {
        *ret = (int64_t)magnitude;
    } else {
        *ret = magnitude == 0 ? 0 : -(int64_t)(magnitude - 1) - 1; /* INT64_MIN has no positive twin */
    }
    return 0;
}

int lag_parse_double(const char *text, double *ret) {
    const char *digits = text + (*text == '-');
    if (!is_digit(*digits) && *digits != '.') return -1;
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c_locale) return -1;
    char *end = NULL;
    double value = strtod_l(text, &end, c_locale);
    freelocale(c_locale);
    if (end == text || *end || !isfinite(value)) return -1;
    *ret = value;
    return 0;
}

static const struct {
    const char *word;
    bool value;
} bool_words[] = {
    {"true", true}, {"yes", true}, {"on", true},   {"1", true},
    {"false", false}, {"no", false}, {"off", false}, {"0", false},
};

int lag_parse_bool(const char *text, bool *ret) {
    for (size_t i = 0; i < LAG_COUNT(bool_words); i++) {
        if (strcmp(text, bool_words[i].word) == 0) {
            *ret = bool_words[i].value;
            return 0;
        }
    }
    return -1;
}

int lag_parse_bytes(const char *text, uint64_t *ret) {
    static const char suffixes[] = "KMGT";
    char digits[24];
    size_t length = strlen(text);
    if (length == 0 || length >= sizeof(digits)) return -1;
    const char *suffix = strchr(suffixes, text[length - 1]);
    memcpy(digits, text, length + 1);
    uint64_t value, factor = 1;
    if (suffix) {
        digits[length - 1] = '\0';
        factor = (uint64_t)1 << (10 * (suffix - suffixes + 1));
    }
    if (lag_parse_u64(digits, &value) != 0 || !lag_mul_u64(value, factor, &value)) return -1;
    *ret = value;
    return 0;
}

void lag_bytes_text(uint64_t bytes, char ret[16]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1023.5 && unit + 1 < LAG_COUNT(units); unit++) value /= 1024;
    bool whole = unit == 0 || value >= 99.95;
    (void)snprintf(ret, 16, "%.*f %s", whole ? 0 : 1, value, units[unit]);
}

bool lag_name_valid(const char *text) {
    size_t length = strnlen(text, LAG_NAME_MAX + 1);
    if (length < 1 || length > LAG_NAME_MAX || text[0] == '.' || text[0] == '-') return false;
    for (const char *p = text; *p; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
        if (!letter && !is_digit(*p) && *p != '.' && *p != '_' && *p != '-') return false;
    }
    return true;
}

/* RFC 3629, table 3-7 of Unicode: shortest forms only, no surrogates, nothing above U+10FFFF. */
size_t lag_utf8_length(const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] == 0) return 0;
    if (s[0] < 0x80) return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
    unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high) return 0;
    size_t length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    for (size_t i = 2; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
    }
    return length;
}

size_t lag_utf8_mark(const char *text, size_t length) {
    return length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}
