/* HTTP by libcurl. One easy handle, used by one request after another, so that the connection stays open between them.
 */
#include "client_internal.h"

#include "ctl_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/token.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/lagd.sock"
#define DEFAULT_URL "http://127.0.0.1:7437"
#define CONNECT_TIMEOUT_MS 5000L
#define ANSWER_MAX ((size_t)256 << 20) /* of what is kept in memory */

struct ctl_client {
    CURL *curl;
    struct ctl_place place;
    char authorization[LAG_TOKEN_MAX + 32]; /* header line, or "" */
};

static int place_socket(const char *path, struct ctl_place *ret, struct lag_error *err) {
    memset(ret, 0, sizeof(*ret));
    if (lag_copy(ret->socket, sizeof(ret->socket), path) < 0 || !*path)
        return lag_error_set(err, LAG_EINVAL, "'%s' is no path of a unix socket (at most 107 bytes)", path);
    (void)lag_copy(ret->url, sizeof(ret->url), "http://localhost");
    return 0;
}

static int place_host(const char *host, struct ctl_place *ret, struct lag_error *err) {
    bool has_scheme = strncmp(host, "http://", 7) == 0 || strncmp(host, "https://", 8) == 0;
    memset(ret, 0, sizeof(*ret));
    if (strncmp(host, "unix:", 5) == 0) return place_socket(host + 5, ret, err);
    if (!*host || (strstr(host, "://") && !has_scheme))
        return lag_error_set(err, LAG_EINVAL, "'%s' is no address such as 127.0.0.1:7437 or http://host:7437", host);
    int n = snprintf(ret->url, sizeof(ret->url), "%s%s", has_scheme ? "" : "http://", host);
    if (n >= (int)sizeof(ret->url)) return lag_error_set(err, LAG_EINVAL, "the address is too long");
    while (n > 0 && ret->url[n - 1] == '/') ret->url[--n] = '\0';
    return 0;
}

int ctl_place_find(const char *socket, const char *host, struct ctl_place *ret, struct lag_error *err) {
    const char *socket_env = getenv("LAGD_SOCKET"), *host_env = getenv("LAGD_HOST");
    if (socket && host) return lag_error_set(err, LAG_EINVAL, "give --socket or --host, not both");
    if (socket) return place_socket(socket, ret, err);
    if (host) return place_host(host, ret, err);
    if (socket_env && *socket_env) return place_socket(socket_env, ret, err);
    if (host_env && *host_env) return place_host(host_env, ret, err);
    return access(DEFAULT_SOCKET, F_OK) == 0 ? place_socket(DEFAULT_SOCKET, ret, err)
                                             : place_host(DEFAULT_URL, ret, err);
}

static int load_token(struct ctl_client *client, const char *path, struct lag_error *err) {
    char token[LAG_TOKEN_MAX + 1];
    int status = lag_token_read(path, token, err);
    if (status < 0) return lag_error_wrap(err, "token file");
    (void)snprintf(client->authorization, sizeof(client->authorization), "Authorization: Bearer %s", token);
    explicit_bzero(token, sizeof(token));
    return 0;
}

int ctl_client_create(const struct ctl_place *place, const char *token_file, struct ctl_client **ret,
                      struct lag_error *err) {
    struct ctl_client *client = lag_calloc(1, sizeof(*client));
    if (!client) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    client->place = *place;
    int status = token_file && *token_file ? load_token(client, token_file, err) : 0;
    client->curl = status == 0 ? curl_easy_init() : NULL;
    if (status == 0 && !client->curl) status = lag_error_set(err, LAG_ENOMEM, "libcurl cannot begin");
    if (status < 0) {
        ctl_client_destroy(client);
        return status;
    }
    *ret = client;
    return 0;
}

void ctl_client_destroy(struct ctl_client *client) {
    if (!client) return;
    curl_easy_cleanup(client->curl);
    explicit_bzero(client->authorization, sizeof(client->authorization));
    free(client);
}

const struct ctl_place *ctl_client_place(const struct ctl_client *client) { return &client->place; }

/* --- one request ------------------------------------------------------------------------------------------------- */

struct transfer {
    const struct ctl_request *request;
    struct ctl_answer *answer;
    CURL *curl;
    bool taken; /* the taker has had enough */
};

static size_t on_body(char *data, size_t size, size_t n, void *arg) {
    struct transfer *transfer = arg;
    struct ctl_answer *answer = transfer->answer;
    long status = 0;
    (void)curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->request->take && status >= 200 && status < 300) {
        transfer->taken = transfer->request->take(transfer->request->arg, answer->content_type, data, size * n) != 0;
        return transfer->taken ? 0 : size * n;
    }
    if (answer->body.length + size * n > ANSWER_MAX) return 0;
    lag_strbuf_append_n(&answer->body, data, size * n);
    return answer->body.failed ? 0 : size * n;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg) {
    struct transfer *transfer = arg;
    const struct {
        const char *name;
        char *value;
    } headers[] = {{"content-type:", transfer->answer->content_type}, {"date:", transfer->answer->date}};
    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(headers[i].name), end = size * n;
        if (end <= length || strncasecmp(data, headers[i].name, length) != 0) continue;
        while (length < end && data[length] == ' ') length++;
        while (end > length && (data[end - 1] == '\r' || data[end - 1] == '\n')) end--;
        (void)snprintf(headers[i].value, 64, "%.*s", (int)(end - length), data + length);
    }
    return size * n;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) { return ctl_interrupted(); }

static struct curl_slist *headers_of(const struct ctl_client *client, const struct ctl_request *request) {
    char line[320];
    const char *accept = request->accept ? request->accept : "application/json";
    bool has_body = request->body || request->upload;
    struct curl_slist *list = NULL;
    (void)snprintf(line, sizeof(line), "Accept: %s", accept);
    list = curl_slist_append(list, line);
    if (*client->authorization) list = curl_slist_append(list, client->authorization);
    if (request->key) {
        (void)snprintf(line, sizeof(line), "Idempotency-Key: %s", request->key);
        list = curl_slist_append(list, line);
    }
    if (has_body) {
        (void)snprintf(line, sizeof(line), "Content-Type: %s",
                       request->content_type ? request->content_type : "application/json");
        list = curl_slist_append(list, line);
    }
    return list;
}

static void set_body(CURL *curl, const struct ctl_request *request) {
    bool post = strcmp(request->method, "POST") == 0;
    if (request->upload) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_READDATA, request->upload);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->upload_bytes);
    } else if (request->body || post) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body ? request->body : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(request->body ? request->body_length : 0));
    } else if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_options(struct ctl_client *client, struct transfer *transfer, const char *url,
                        struct curl_slist *headers) {
    CURL *curl = client->curl;
    curl_easy_reset(curl); /* connections stay */
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "lagctl/" LAGD_VERSION);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)transfer->request->timeout_ms);
    if (*client->place.socket) curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->place.socket);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    set_body(curl, transfer->request);
}

static void note_failure(const struct ctl_client *client, CURLcode code, const char *text, struct transfer *transfer) {
    struct ctl_answer *answer = transfer->answer;
    const char *where = *client->place.socket ? client->place.socket : client->place.url;
    if (code == CURLE_OK || transfer->taken) return;
    answer->broke_off = code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
                        code == CURLE_PARTIAL_FILE;
    answer->failure = code == CURLE_ABORTED_BY_CALLBACK  ? CTL_INTERRUPTED
                      : code == CURLE_OPERATION_TIMEDOUT ? CTL_TIMEOUT
                      : code == CURLE_OUT_OF_MEMORY || code == CURLE_WRITE_ERROR || code == CURLE_URL_MALFORMAT ||
                              code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_READ_ERROR
                          ? CTL_FAILED
                          : CTL_UNREACHABLE;
    (void)snprintf(answer->reason, sizeof(answer->reason), "%s: %s", where, *text ? text : curl_easy_strerror(code));
}

void ctl_send(struct ctl_client *client, const struct ctl_request *request, struct ctl_answer *answer) {
    char text[CURL_ERROR_SIZE] = "";
    struct lag_strbuf url = LAG_STRBUF_INIT;
    struct transfer transfer = {request, answer, client->curl, false};
    memset(answer, 0, sizeof(*answer));
    lag_strbuf_append(&answer->body, "");
    bool whole = request->is_root || strncmp(request->path, "/api/", 5) == 0;
    lag_strbuf_printf(&url, "%s%s%s", client->place.url, whole ? "" : "/api/v1", request->path);
    struct curl_slist *headers = headers_of(client, request);
    if (url.failed || !headers) {
        answer->failure = CTL_FAILED;
        (void)lag_copy(answer->reason, sizeof(answer->reason), "out of memory");
    } else {
        set_options(client, &transfer, url.data, headers);
        curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, text);
        CURLcode code = curl_easy_perform(client->curl);
        (void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &answer->status);
        note_failure(client, code, text, &transfer);
        curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, NULL);
        curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, NULL);
    }
    curl_slist_free_all(headers);
    lag_strbuf_deinit(&url);
}

void ctl_answer_deinit(struct ctl_answer *answer) { lag_strbuf_deinit(&answer->body); }

void ctl_escape(struct lag_strbuf *out, const char *text) {
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~:", c);
        lag_strbuf_printf(out, plain ? "%c" : "%%%02X", c);
    }
}
