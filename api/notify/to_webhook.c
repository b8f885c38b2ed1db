/* A notification as a signed POST. */
#include "notify/deliver_internal.h"
#include "notify/http_post_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/hmac.h>
#include <lagd/base/token.h>
#include <lagd/daemon/config.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TIME_NS (15 * INT64_C(1000000000)) /* of the whole exchange; lagd-notify gives its own less */
#define PREFIX "whsec_"

int lagd_sign(const char *secret, const char *id, int64_t seconds, const char *body, size_t n_body,
              char ret[LAGD_SIGNATURE_SIZE], struct lag_error *err) {
    unsigned char key[LAG_TOKEN_MAX], digest[LAG_HMAC_BYTES];
    char head[LAGD_NOTICE_ID + 32], text[LAG_BASE64_SIZE(LAG_HMAC_BYTES)];
    size_t n_key = strlen(secret);
    int n = snprintf(ret, LAGD_SIGNATURE_SIZE, "webhook-id: %s\r\nwebhook-timestamp: %" PRId64 "\r\n", id, seconds);
    if (n_key == 0) return 0;
    if (strncmp(secret, PREFIX, strlen(PREFIX)) != 0) {
        n_key = LAG_MIN(n_key, sizeof(key));
        memcpy(key, secret, n_key);
    } else if (lag_base64_decode(secret + strlen(PREFIX), key, sizeof(key), &n_key) != 0) {
        return lag_error_set(err, LAG_EINVAL, "what is behind " PREFIX " in notify/webhook_secret_file is not Base64");
    }
    int n_head = snprintf(head, sizeof(head), "%s.%" PRId64 ".", id, seconds);
    const struct lag_part parts[] = {{head, (size_t)n_head}, {body, n_body}};
    lag_hmac_sha256(key, n_key, parts, LAG_COUNT(parts), digest);
    explicit_bzero(key, sizeof(key));
    lag_base64_encode(digest, sizeof(digest), text);
    (void)snprintf(ret + n, (size_t)(LAGD_SIGNATURE_SIZE - n), "webhook-signature: v1,%s\r\n", text);
    return 0;
}

static int read_secret(const char *path, char ret[LAG_TOKEN_MAX + 1], struct lag_error *err) {
    struct lag_error inner = {0};
    ret[0] = '\0';
    int rc = path[0] ? lag_token_read(path, ret, &inner) : 0;
    return rc == 0 ? 0 : lag_error_set(err, rc, "notify/webhook_secret_file: %s", inner.text);
}

int lagd_deliver_to_webhook(const struct lagd_delivery *delivery, struct lag_error *err) {
    struct lagd_hook hook;
    char secret[LAG_TOKEN_MAX + 1], headers[LAGD_SIGNATURE_SIZE];
    int rc = lagd_hook_of(delivery->config, &hook, err);
    if (rc == 0) rc = read_secret(delivery->config->webhook_secret_file, secret, err);
    if (rc != 0) return rc;
    rc = lagd_sign(secret, delivery->notice->id, lag_clock_wall_ms() / 1000, delivery->body, delivery->n_body, headers,
                   err);
    explicit_bzero(secret, sizeof(secret));
    const struct lagd_post_request request = {
        .hook = &hook, .helper = delivery->config->notify_helper, .headers = headers, .body = delivery->body,
        .n_body = delivery->n_body, .deadline_ns = lag_clock_mono_ns() + TIME_NS, .stop_fd = delivery->stop_fd};
    return rc == 0 ? lagd_http_post(&request, err) : rc;
}
