/* Patterns of regular expressions by PCRE2, without its compiler to machine code: a service that may not make memory
 * executable must give the same ids. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "token/token_internal.h"
#include <lagd/base/error.h>
#include <pcre2.h>
#include <stdlib.h>

/* Steps at one place of a text: a pattern that needs more is hostile, or of no use. */
enum { MAX_STEPS = 10 * 1000 * 1000 };

static pcre2_code *code_of(const struct lag_regex *regex) { return (pcre2_code *)regex; }

int lag_regex_create(const char *pattern, size_t n, struct lag_regex **ret, struct lag_error *err) {
    int number = 0;
    PCRE2_SIZE at = 0;
    PCRE2_UCHAR text[160] = "";
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, n, PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &number,
                                     &at, NULL);
    if (code) {
        *ret = (struct lag_regex *)code;
        return 0;
    }
    (void)pcre2_get_error_message(number, text, sizeof text);
    return lag_error_set(err, LAG_EUNSUPPORTED, "the pattern %.*s cannot be read: %s at its byte %zu",
                         (int)(n < 200 ? n : 200), pattern, (const char *)text, (size_t)at);
}

void lag_regex_destroy(struct lag_regex *regex) { pcre2_code_free(code_of(regex)); }

struct lag_regex_match {
    pcre2_match_data *data;
    pcre2_match_context *context;
};

struct lag_regex_match *lag_regex_match_create(const struct lag_regex *regex) {
    struct lag_regex_match *match = calloc(1, sizeof *match);
    if (!match) return NULL;
    match->data = pcre2_match_data_create_from_pattern(code_of(regex), NULL);
    match->context = pcre2_match_context_create(NULL);
    if (match->data && match->context) {
        (void)pcre2_set_match_limit(match->context, MAX_STEPS);
        return match;
    }
    lag_regex_match_destroy(match);
    return NULL;
}

void lag_regex_match_destroy(struct lag_regex_match *match) {
    if (!match) return;
    pcre2_match_data_free(match->data);
    pcre2_match_context_free(match->context);
    free(match);
}

/* The text was found to be UTF-8 once: to check it at each match would take quadratic time. */
int lag_regex_find(const struct lag_regex *regex, struct lag_regex_match *match, const char *text, size_t n,
                   size_t start, size_t *ret_from, size_t *ret_to, struct lag_error *err) {
    const int rc = pcre2_match(code_of(regex), (PCRE2_SPTR)text, n, start, PCRE2_NO_UTF_CHECK, match->data,
                               match->context);
    if (rc == PCRE2_ERROR_NOMATCH) return 0;
    if (rc == PCRE2_ERROR_NOMEMORY) return lag_error_set(err, LAG_ENOMEM, "out of memory for a pattern");
    if (rc < 0)
        return lag_error_set(err, LAG_EUNSUPPORTED, "the tokenizer's pattern gives up at byte %zu of the text (%d)",
                             start, rc);
    const PCRE2_SIZE *found = pcre2_get_ovector_pointer(match->data);
    *ret_from = found[0];
    *ret_to = found[1] < found[0] ? found[0] : found[1]; /* \K in a look-ahead */
    return 1;
}
