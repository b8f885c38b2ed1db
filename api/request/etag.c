/* Lists of entity tags, and answers that depend on them. */
#include "request/etag_internal.h"

#include "request/answer_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The next tag of a list, without its quotes: false at the end, or where it is no list of tags. */
static bool next_tag(const char **p, bool *ret_weak, const char **ret_tag, size_t *ret_n) {
    *p += strspn(*p, " \t,");
    *ret_weak = strncmp(*p, "W/", 2) == 0;
    if (*ret_weak) *p += 2;
    if (**p != '"') return false;
    *ret_tag = *p + 1;
    *ret_n = strcspn(*ret_tag, "\"");
    if ((*ret_tag)[*ret_n] != '"') return false;
    *p = *ret_tag + *ret_n + 1;
    return true;
}

static bool is_any(const char *header) {
    header += strspn(header, " \t");
    return header[0] == '*' && header[1 + strspn(header + 1, " \t")] == '\0';
}

bool lagd_etag_listed(const char *header, const char *tag) {
    const char *at;
    size_t n, n_tag = strlen(tag);
    bool weak;
    if (!header) return false;
    if (is_any(header)) return true;
    while (next_tag(&header, &weak, &at, &n)) {
        if (n + 2 == n_tag && strncmp(at, tag + 1, n) == 0) return true;
    }
    return false;
}

void lagd_etag_precondition(const char *header, struct lagd_precondition *ret) {
    const char *at;
    size_t n;
    bool weak;
    *ret = (struct lagd_precondition){0};
    if (!header || is_any(header)) return;
    ret->given = true;
    while (ret->n < (int)LAG_COUNT(ret->revisions) && next_tag(&header, &weak, &at, &n)) {
        char digits[24];
        (void)snprintf(digits, sizeof(digits), "%.*s", (int)LAG_MIN(n, sizeof(digits) - 1), at);
        if (!weak && digits[0] == 'r' && lag_parse_i64(digits + 1, &ret->revisions[ret->n]) == 0) ret->n++;
    }
}

void lagd_etag_tell(struct lagd_request *request, int64_t revision) {
    lagd_header_set(request, "ETag", "\"r%" PRId64 "\"", revision);
}

bool lagd_etag_fresh(struct lagd_request *request, int64_t revision) {
    char tag[32];
    (void)snprintf(tag, sizeof(tag), "\"r%" PRId64 "\"", revision);
    lagd_header_set(request, "ETag", "%s", tag);
    bool reads = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    if (!reads || !lagd_etag_listed(request->if_none_match, tag)) return false;
    request->response.status = 304;
    return true;
}

int lagd_fail_revision(struct lagd_request *request) {
    char text[sizeof(request->err.text)];
    (void)lag_copy(text, sizeof(text), request->err.text);
    request->revision = request->command->revision;
    return lagd_fail(request, "revision-mismatch", "%s", text);
}
