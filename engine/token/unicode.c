/* Code points: their classes, by the tables of utf8proc, and UTF-8. */
#include "token/token_internal.h"
#include <pthread.h>
#include <utf8proc.h>

/* One byte a code point. Global since it is the same for all tokenizers and large; written once, by make_classes. */
static uint8_t classes[0x110000];
static pthread_once_t classes_made = PTHREAD_ONCE_INIT;

static const uint8_t of_category[32] = {
    [UTF8PROC_CATEGORY_LU] = LAG_LETTER,      [UTF8PROC_CATEGORY_LL] = LAG_LETTER,
    [UTF8PROC_CATEGORY_LT] = LAG_LETTER,      [UTF8PROC_CATEGORY_LM] = LAG_LETTER,
    [UTF8PROC_CATEGORY_LO] = LAG_LETTER,      [UTF8PROC_CATEGORY_MN] = LAG_MARK | LAG_NONSPACING,
    [UTF8PROC_CATEGORY_MC] = LAG_MARK,        [UTF8PROC_CATEGORY_ME] = LAG_MARK,
    [UTF8PROC_CATEGORY_ND] = LAG_NUMBER,      [UTF8PROC_CATEGORY_NL] = LAG_NUMBER,
    [UTF8PROC_CATEGORY_NO] = LAG_NUMBER,      [UTF8PROC_CATEGORY_PC] = LAG_PUNCTUATION | LAG_CONNECTOR,
    [UTF8PROC_CATEGORY_PD] = LAG_PUNCTUATION, [UTF8PROC_CATEGORY_PS] = LAG_PUNCTUATION,
    [UTF8PROC_CATEGORY_PE] = LAG_PUNCTUATION, [UTF8PROC_CATEGORY_PI] = LAG_PUNCTUATION,
    [UTF8PROC_CATEGORY_PF] = LAG_PUNCTUATION, [UTF8PROC_CATEGORY_PO] = LAG_PUNCTUATION,
    [UTF8PROC_CATEGORY_CC] = LAG_CONTROL,     [UTF8PROC_CATEGORY_CF] = LAG_CONTROL,
    [UTF8PROC_CATEGORY_CO] = LAG_CONTROL,     [UTF8PROC_CATEGORY_CS] = LAG_CONTROL,
    [UTF8PROC_CATEGORY_ZS] = LAG_SPACE,       [UTF8PROC_CATEGORY_ZL] = LAG_SPACE,
    [UTF8PROC_CATEGORY_ZP] = LAG_SPACE,
};

static void make_classes(void) {
    for (int32_t c = 0; c < 0x110000; c++) classes[c] = of_category[utf8proc_category(c)];
    for (int32_t c = '\t'; c <= '\r'; c++) classes[c] |= LAG_SPACE;
    classes[0x85] |= LAG_SPACE; /* NEL */
}

const uint8_t *lag_classes(void) {
    (void)pthread_once(&classes_made, make_classes);
    return classes;
}

size_t lag_utf8_put(int32_t c, char ret[4]) {
    if (c < 0x80) {
        ret[0] = (char)c;
        return 1;
    }
    const size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6) ret[i] = (char)(0x80 | (c & 0x3f));
    ret[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
    return n;
}

size_t lag_utf8_valid(const char *text, size_t n) {
    size_t i = 0;
    int32_t c;
    while (i < n) {
        const size_t length = lag_utf8_next(text + i, n - i, &c);
        if (c < 0) break;
        i += length;
    }
    return i;
}

size_t lag_utf8_invalid(const char *text, size_t n) {
    size_t i = 0;
    int32_t c = -1;
    while (i < n) {
        (void)lag_utf8_next(text + i, n - i, &c);
        if (c >= 0) break;
        i++;
    }
    return i;
}
