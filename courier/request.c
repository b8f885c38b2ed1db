/* Requests as they come in, and which addresses are called. */
#include "courier_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/parse.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What is about the way to here, and not about the message. */
static bool goes_on(const char *header) {
    static const char *const here[] = {"host:", "connection:", "content-length:", "transfer-encoding:", "expect:",
                                       "proxy-", "keep-alive:", "te:", "trailer:", "upgrade:", NULL};
    for (int i = 0; here[i]; i++)
        if (strncasecmp(header, here[i], strlen(here[i])) == 0) return false;
    return true;
}

static int read_header(char *line, struct courier_request *ret, int64_t *ret_length, struct lag_error *err) {
    if (!strchr(line, ':')) return lag_error_set(err, LAG_EINVAL, "a header has no colon");
    if (strncasecmp(line, "transfer-encoding:", 18) == 0)
        return lag_error_set(err, LAG_EINVAL, "the length of the body has to be told by Content-Length");
    if (strncasecmp(line, "content-length:", 15) == 0) {
        const char *value = line + 15 + strspn(line + 15, " ");
        if (*ret_length >= 0 || lag_parse_i64(value, ret_length) != 0 || *ret_length < 0)
            return lag_error_set(err, LAG_EINVAL, "the Content-Length is wrong");
        if (*ret_length > COURIER_BODY_MAX) return lag_error_set(err, LAG_EINVAL, "the body is larger than 64 KiB");
    }
    if (!goes_on(line)) return 0;
    if (ret->n_headers == COURIER_HEADERS) return lag_error_set(err, LAG_EINVAL, "there are too many headers");
    ret->headers[ret->n_headers++] = line;
    return 0;
}

static int read_first(char *line, struct courier_request *ret, struct lag_error *err) {
    char *url = line + 5, *version = NULL;
    if (strncmp(line, "POST ", 5) == 0) version = strchr(url, ' ');
    if (!version || strncmp(version + 1, "HTTP/1.", 7) != 0)
        return lag_error_set(err, LAG_EINVAL, "only POST ADDRESS HTTP/1.1 is taken here");
    *version = '\0';
    ret->url = url;
    return 0;
}

int courier_parse(char *text, size_t length, struct courier_request *ret, struct lag_error *err) {
    char *end = strstr(text, "\r\n\r\n");
    int64_t n_body = -1;
    if (!end) return strlen(text) == length ? 1 : lag_error_set(err, LAG_EINVAL, "there is a NUL in the headers");
    size_t n_head = (size_t)(end - text) + 4;
    char copy[8192]; /* the text stays as it is until all is there */
    if (n_head > sizeof(copy)) return lag_error_set(err, LAG_EINVAL, "the headers are larger than 8 KiB");
    struct courier_request request = {0};
    memcpy(copy, text, n_head);
    copy[n_head - 4] = '\0';
    int rc = 0;
    char *rest = copy, *line = strsep(&rest, "\r");
    rc = read_first(line, &request, err);
    while (rc == 0 && rest) {
        rest++; /* the \n */
        line = strsep(&rest, "\r");
        rc = read_header(line, &request, &n_body, err);
    }
    if (rc != 0) return rc;
    if (n_body < 0) return lag_error_set(err, LAG_EINVAL, "a Content-Length is needed");
    if (length - n_head < (size_t)n_body) return 1;
    memcpy(text, copy, n_head - 3);
    request.url = text + (request.url - copy);
    for (int i = 0; i < request.n_headers; i++) request.headers[i] = text + (request.headers[i] - copy);
    request.body = text + n_head;
    request.n_body = (size_t)n_body;
    *ret = request;
    return 0;
}

/* --- addresses --------------------------------------------------------------------------------------------------- */

static bool is_this_machine(const char *host) {
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

static bool is_clean(const char *text) {
    for (; *text; text++)
        if (*text <= ' ' || *text >= 0x7f) return false;
    return true;
}

int courier_check(const char *url, const char *const *allowed, struct lag_error *err) {
    char host[256];
    bool secure = strncmp(url, "https://", 8) == 0, plain = strncmp(url, "http://", 7) == 0;
    if (!is_clean(url) || (!secure && !plain)) return lag_error_set(err, LAG_EINVAL, "only https addresses are called");
    const char *place = url + (secure ? 8 : 7);
    size_t n = strcspn(place, "/?#"), n_host = place[0] == '[' ? strcspn(place, "]") + 1 : strcspn(place, ":/?#");
    if (n_host == 0 || n_host > n || n_host >= sizeof(host) || memchr(place, '@', n))
        return lag_error_set(err, LAG_EINVAL, "the address has no plain host");
    memcpy(host, place, n_host);
    host[n_host] = '\0';
    if (plain && !is_this_machine(host))
        return lag_error_set(err, LAG_EINVAL, "http would send it unencrypted over the network: use https");
    if (!allowed) return 0;
    for (; *allowed; allowed++)
        if (strcasecmp(*allowed, host) == 0) return 0;
    return lag_error_set(err, LAG_EDENIED, "the host is none of those that lagd-notify may call (--allow)");
}
