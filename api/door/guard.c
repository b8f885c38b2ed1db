/* The guard at the door: pure checks of a request's head (RFC 9110, RFC 9112). */
#include "door/guard_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/parse.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool __attribute__((format(printf, 3, 4)))
refuse(struct lagd_refusal *verdict, const char *slug, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    verdict->slug = slug;
    (void)vsnprintf(verdict->detail, sizeof(verdict->detail), format, arguments);
    va_end(arguments);
    return false;
}

static bool is_token_byte(unsigned char c) { return isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c)); }

static bool is_token(const char *text, size_t max) {
    size_t n = 0;
    for (; text[n]; n++) {
        if (n >= max || !is_token_byte((unsigned char)text[n])) return false;
    }
    return n > 0;
}

const char *lagd_head_find(const struct lagd_head *head, const char *name) {
    for (int i = 0; i < head->n_headers; i++) {
        if (strcasecmp(head->headers[i].name, name) == 0) return head->headers[i].value;
    }
    return NULL;
}

int lagd_head_count(const struct lagd_head *head, const char *name) {
    int n = 0;
    for (int i = 0; i < head->n_headers; i++) n += strcasecmp(head->headers[i].name, name) == 0;
    return n;
}

bool lagd_method_is_safe(const char *method) {
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "OPTIONS") == 0;
}

static bool check_headers(const struct lagd_head *head, struct lagd_refusal *verdict) {
    if (head->too_many_headers) {
        return refuse(verdict, "header-too-large", "the request has more than %d header fields", LAGD_HEADERS_MAX);
    }
    if (head->has_nul)
        return refuse(verdict, "malformed", "the request's head contains a NUL byte, a folded line or needless blanks");
    for (int i = 0; i < head->n_headers; i++) {
        if (!is_token(head->headers[i].name, 256)) {
            return refuse(verdict, "malformed", "a header name contains bytes that are not allowed");
        }
        for (const unsigned char *p = (const unsigned char *)head->headers[i].value; *p; p++) {
            if ((*p < 0x20 && *p != '\t') || *p == 0x7f) {
                return refuse(verdict, "malformed", "the value of header %.60s contains control bytes",
                              head->headers[i].name);
            }
        }
    }
    /* When one of these came twice, a proxy in front of us might act on the first, and we on the second. */
    static const char *const single[] = {"Content-Length", "Transfer-Encoding", "Host",          "Content-Type",
                                         "Origin",         "Sec-Fetch-Site",    "Authorization", "Expect",
                                         "Idempotency-Key"};
    for (size_t i = 0; i < LAG_COUNT(single); i++) {
        if (lagd_head_count(head, single[i]) > 1) {
            return refuse(verdict, "malformed", "header %s is given more than once", single[i]);
        }
    }
    return true;
}

static bool check_framing(const struct lagd_head *head, struct lagd_framing *ret, struct lagd_refusal *verdict) {
    const char *length = lagd_head_find(head, "Content-Length"), *coding = lagd_head_find(head, "Transfer-Encoding");
    const char *expect = lagd_head_find(head, "Expect");
    bool old = strcmp(head->version, "HTTP/1.0") == 0;
    memset(ret, 0, sizeof(*ret));
    if (length && coding) {
        return refuse(verdict, "malformed", "Content-Length and Transfer-Encoding must not be given together");
    }
    if (coding && old) return refuse(verdict, "malformed", "HTTP/1.0 has no Transfer-Encoding");
    if (coding && strcasecmp(coding, "chunked") != 0) {
        return refuse(verdict, "malformed", "Transfer-Encoding must be chunked; other codings are not supported");
    }
    if (length) {
        size_t n = strspn(length, "0123456789");
        int64_t value = 0;
        if (n == 0 || length[n] || lag_parse_i64(length, &value) < 0) {
            return refuse(verdict, "malformed", "Content-Length must be a decimal number");
        }
        ret->content_length = value;
    }
    if (expect && strcasecmp(expect, "100-continue") != 0) {
        return refuse(verdict, "malformed", "Expect knows 100-continue only");
    }
    ret->asks_first = expect != NULL;
    ret->chunked = coding != NULL;
    ret->has_body = coding || ret->content_length > 0;
    return true;
}

static bool check_line(const struct lagd_head *head, struct lagd_target *target, struct lagd_refusal *verdict) {
    if (!is_token(head->method, 32)) return refuse(verdict, "malformed", "the method is not a well-formed token");
    if (strcmp(head->version, "HTTP/1.1") != 0 && strcmp(head->version, "HTTP/1.0") != 0) {
        return refuse(verdict, "malformed", "the request must speak HTTP/1.1");
    }
    bool too_long;
    const char *wrong = lagd_target_parse(head->raw_target, target, &too_long);
    if (wrong) return refuse(verdict, too_long ? "uri-too-long" : "malformed", "%s", wrong);
    if (strcmp(head->raw_target, "*") == 0 && strcmp(head->method, "OPTIONS") != 0) {
        return refuse(verdict, "malformed", "the request target * is for OPTIONS only");
    }
    return true;
}

bool lagd_host_parse(const char *text, char ret[256]) {
    size_t n_host;
    const char *port;
    if (text[0] == '[') {
        n_host = strspn(text + 1, "0123456789abcdefABCDEF:.") + 2;
        if (n_host < 4 || text[n_host - 1] != ']') return false;
        port = text + n_host;
    } else {
        n_host = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._");
        port = text + n_host;
        if (n_host > 1 && text[n_host - 1] == '.') n_host--;
    }
    if (n_host == 0 || n_host > 255) return false;
    if (*port == ':') {
        size_t n = strspn(port + 1, "0123456789");
        if (n > 5 || port[1 + n]) return false;
    } else if (*port) {
        return false;
    }
    for (size_t i = 0; i < n_host; i++) ret[i] = (char)tolower((unsigned char)text[i]);
    ret[n_host] = '\0';
    return true;
}

static bool list_has(const char *list, const char *item) {
    size_t length = strlen(item);
    for (const char *p = list; p && *p;) {
        p += strspn(p, " ");
        size_t n = strcspn(p, ",");
        size_t end = n;
        while (end > 0 && p[end - 1] == ' ') end--;
        if (end == length && strncasecmp(p, item, length) == 0) return true;
        p += n + (p[n] == ',');
    }
    return false;
}

bool lagd_host_allowed(const char *host_header, const struct lagd_host_policy *policy) {
    char host[256];
    if (!lagd_host_parse(host_header, host)) return false;
    return list_has("localhost,127.0.0.1,[::1]", host) || list_has(policy->hosts, host) ||
           list_has(policy->bound, host);
}

static bool check_host(const struct lagd_head *head, const struct lagd_host_policy *policy,
                       struct lagd_refusal *verdict) {
    char parsed[256];
    const char *host = lagd_head_find(head, "Host");
    if (!host) return refuse(verdict, "malformed", "the request has no Host header");
    if (!lagd_host_parse(host, parsed)) return refuse(verdict, "malformed", "the Host header is not a host and port");
    if (lagd_host_allowed(host, policy)) return true;
    return refuse(
        verdict, "host-not-allowed",
        "this server does not answer for host %.100s; add it to allowed_hosts in section [server] of the configuration",
        parsed);
}

/* The rule of Go's http.CrossOriginProtection: a page of another origin cannot change anything. */
static bool check_origin(const struct lagd_head *head, const struct lagd_host_policy *policy,
                         struct lagd_refusal *verdict) {
    if (lagd_method_is_safe(head->method)) return true;
    const char *site = lagd_head_find(head, "Sec-Fetch-Site"), *origin = lagd_head_find(head, "Origin");
    if (origin && list_has(policy->origins, origin)) return true;
    if (site && *site) {
        if (strcasecmp(site, "same-origin") == 0 || strcasecmp(site, "none") == 0) return true;
    } else {
        if (!origin) return true;
        const char *authority = strstr(origin, "://"), *host = lagd_head_find(head, "Host");
        if (authority && host && strcasecmp(authority + 3, host) == 0) return true;
    }
    return refuse(
        verdict, "cross-origin",
        "the request comes from a page of another origin (%.100s); allowed_origins in section [server] of the "
        "configuration would permit it",
        origin ? origin : "Sec-Fetch-Site says so");
}

void lagd_guard(const struct lagd_head *head, const struct lagd_host_policy *policy, struct lagd_target *ret_target,
                struct lagd_framing *ret_framing, struct lagd_refusal *ret) {
    ret->slug = NULL;
    ret->detail[0] = '\0';
    (void)(check_line(head, ret_target, ret) && check_headers(head, ret) && check_framing(head, ret_framing, ret) &&
           check_host(head, policy, ret) && check_origin(head, policy, ret));
}
