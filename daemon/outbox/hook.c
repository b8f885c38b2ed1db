/* The address of a webhook. It may be a secret, so no error holds it. */
#include <lagd/daemon/outbox.h>

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <stdio.h>
#include <string.h>

static int refuse(struct lag_error *err, const char *what) {
    return lag_error_set(err, LAG_EINVAL, "the webhook's address %s; it is https://HOST/PATH, "
                         "http://127.0.0.1:PORT/PATH on this machine, or unix:/SOCKET:/PATH", what);
}

/* Visible ASCII: nothing that could end a line of a request. */
static bool is_clean(const char *text) {
    for (; *text; text++)
        if (*text <= ' ' || *text >= 0x7f || *text == '"' || *text == '\\') return false;
    return true;
}

static int parse_unix(const char *rest, struct lagd_hook *ret, struct lag_error *err) {
    size_t n = strcspn(rest, ":");
    if (rest[0] != '/' || n >= sizeof(ret->socket)) return refuse(err, "names no unix socket by an absolute path");
    memcpy(ret->socket, rest, n);
    ret->socket[n] = '\0';
    const char *target = rest[n] == ':' ? rest + n + 1 : "/";
    if (*target != '/') return refuse(err, "has no path that begins with / behind its socket");
    (void)lag_copy(ret->target, sizeof(ret->target), target);
    return 0;
}

/* The loopback names; they are not looked up. */
static bool take_loopback(const char *host, char ret[64]) {
    int64_t part;
    if (strcmp(host, "localhost") == 0) return lag_copy(ret, 64, "127.0.0.1") == 0;
    if (strcmp(host, "[::1]") == 0) return lag_copy(ret, 64, "::1") == 0;
    if (strncmp(host, "127.", 4) != 0) return false;
    char copy[64], *rest = copy;
    int n_parts = 0;
    if (lag_copy(copy, sizeof(copy), host) != 0) return false;
    for (char *item; (item = strsep(&rest, ".")) != NULL; n_parts++)
        if (lag_parse_i64(item, &part) != 0 || part < 0 || part > 255) return false;
    return n_parts == 4 && lag_copy(ret, 64, host) == 0;
}

static int parse_http(const char *rest, struct lagd_hook *ret, struct lag_error *err) {
    char place[128];
    size_t n = strcspn(rest, "/?");
    int64_t port = 80;
    if (n == 0 || n >= sizeof(place)) return refuse(err, "has no host");
    memcpy(place, rest, n);
    place[n] = '\0';
    char *colon = strrchr(place, ':');
    if (colon && !strchr(colon, ']')) {
        if (lag_parse_i64(colon + 1, &port) != 0 || port < 1 || port > 65535) return refuse(err, "has a wrong port");
        *colon = '\0';
    }
    if (!take_loopback(place, ret->host))
        return refuse(err, "would send notifications unencrypted over the network");
    ret->port = (int)port;
    (void)snprintf(ret->target, sizeof(ret->target), "%s%.1000s", rest[n] == '/' ? "" : "/", rest + n);
    return 0;
}

int lagd_hook_parse(const char *url, struct lagd_hook *ret, struct lag_error *err) {
    struct lagd_hook hook = {0};
    int rc = 0;
    if (!is_clean(url)) return refuse(err, "holds blanks, quotes or characters that are no ASCII");
    if (lag_copy(hook.url, sizeof(hook.url), url) != 0) return refuse(err, "is longer than 1023 bytes");
    if (strchr(url, '#')) return refuse(err, "holds a #");
    const char *place = strstr(url, "://");
    if (place && memchr(place + 3, '@', strcspn(place + 3, "/?")))
        return refuse(err, "holds a user or password: sign by notify/webhook_secret_file, or put the whole address "
                           "into notify/webhook_url_file");
    if (strncmp(url, "https://", 8) == 0) {
        if (strcspn(url + 8, "/?:") == 0) return refuse(err, "has no host");
        hook.by_helper = true;
    } else if (strncmp(url, "http://", 7) == 0) {
        rc = parse_http(url + 7, &hook, err);
    } else if (strncmp(url, "unix:", 5) == 0) {
        rc = parse_unix(url + 5, &hook, err);
    } else {
        rc = refuse(err, "is none that lagd knows");
    }
    if (rc == 0) *ret = hook;
    return rc;
}
