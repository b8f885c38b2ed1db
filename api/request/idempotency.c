/* The keys of requests under way, and the answers that were stored for keys. */
#include "request/idempotency_internal.h"

#include "request/answer_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/hash.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/storage/keys.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool lagd_idem_key_valid(const char *key) {
    size_t n = 0;
    for (; key[n]; n++) {
        if (n == LAG_KEY_SIZE - 1 || key[n] <= 0x20 || key[n] >= 0x7f) return false;
    }
    return n > 0;
}

void lagd_idem_fingerprint(const char *method, const char *raw_target, const void *body, size_t n,
                           const char *body_sha256, char ret[65]) {
    char inner[LAG_SHA256_HEX], text[LAGD_TARGET_MAX + 160];
    if (body_sha256) (void)lag_copy(inner, sizeof(inner), body_sha256);
    else lag_sha256_bytes(body ? body : "", n, inner);
    int length = snprintf(text, sizeof(text), "%s\n%s\n%s", method, raw_target, inner);
    lag_sha256_bytes(text, (size_t)LAG_MIN(length, (int)sizeof(text) - 1), ret);
}

/* --- keys under way ---------------------------------------------------------------------------------------------- */

struct lagd_keys {
    pthread_mutex_t lock;
    struct lagd_request *first;
};

int lagd_keys_create(struct lagd_keys **ret) {
    struct lagd_keys *keys = lag_calloc(1, sizeof(*keys));
    if (!keys) return LAG_ENOMEM;
    (void)pthread_mutex_init(&keys->lock, NULL);
    *ret = keys;
    return 0;
}

void lagd_keys_destroy(struct lagd_keys *keys) {
    if (!keys) return;
    (void)pthread_mutex_destroy(&keys->lock);
    free(keys);
}

/* false: another request has it; *ret_same tells whether that one asks for the same. */
static bool take_key(struct lagd_request *request, bool *ret_same) {
    struct lagd_keys *keys = request->services->keys;
    (void)pthread_mutex_lock(&keys->lock);
    struct lagd_request *other = keys->first;
    while (other && strcmp(other->idempotency_key, request->idempotency_key) != 0) other = other->idem.next;
    if (other) {
        *ret_same = strcmp(other->idem.fingerprint, request->idem.fingerprint) == 0;
    } else {
        request->idem.next = keys->first;
        keys->first = request;
        request->idem.step = LAGD_IDEM_HELD;
    }
    (void)pthread_mutex_unlock(&keys->lock);
    return !other;
}

void lagd_idem_end(struct lagd_request *request) {
    struct lagd_keys *keys = request->services->keys;
    if (request->idem.step == LAGD_IDEM_NONE) return;
    (void)pthread_mutex_lock(&keys->lock);
    struct lagd_request **link = &keys->first;
    while (*link && *link != request) link = &(*link)->idem.next;
    if (*link) *link = request->idem.next;
    (void)pthread_mutex_unlock(&keys->lock);
    request->idem.step = LAGD_IDEM_NONE;
}

/* --- stored answers ---------------------------------------------------------------------------------------------- */

static const char *const kept_headers[] = {"Location", "ETag", "Retry-After"};

static void note_headers(const struct lagd_response *response, char *ret, size_t size) {
    size_t n = 0;
    ret[0] = '\0';
    for (int i = 0; i < response->n_headers; i++) {
        for (size_t k = 0; k < LAG_COUNT(kept_headers); k++) {
            if (strcmp(response->headers[i].name, kept_headers[k]) != 0) continue;
            int more = snprintf(ret + n, size - n, "%s: %s\n", kept_headers[k], response->headers[i].value);
            n = more < 0 || (size_t)more >= size - n ? n : n + (size_t)more;
            ret[n] = '\0';
        }
    }
}

static void set_headers(struct lagd_request *request, const char *lines) {
    for (const char *p = lines; *p;) {
        size_t n = strcspn(p, "\n");
        for (size_t k = 0; k < LAG_COUNT(kept_headers); k++) {
            size_t n_name = strlen(kept_headers[k]);
            if (strncmp(p, kept_headers[k], n_name) != 0 || p[n_name] != ':') continue;
            lagd_header_set(request, kept_headers[k], "%.*s", (int)(n - n_name - 2), p + n_name + 2);
        }
        p += n + (p[n] == '\n');
    }
}

/* The command was carried out, but its answer was not stored. The route's function for answered commands makes the
 * answer again. */
static int resume_answer(struct lagd_request *request, const struct lag_key_row *row) {
    request->command = lagd_command_create(LAGD_PING);
    if (!request->command) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    (void)lag_copy(request->command->id, sizeof(request->command->id), row->resource);
    request->answered = true;
    return 0;
}

static int mismatch(struct lagd_request *request) {
    return lagd_fail(request, "idempotency-mismatch",
                     "the Idempotency-Key %.80s was used for another request within the last 24 hours: address or body "
                     "differ; a new request needs a key of its own",
                     request->idempotency_key);
}

static int use_stored(struct lagd_request *request, const struct lag_key_row *row, char *body) {
    if (strcmp(row->fingerprint, request->idem.fingerprint) != 0) {
        free(body);
        return mismatch(request);
    }
    lagd_header_set(request, "Idempotency-Replayed", "true");
    if (row->status == 0) {
        free(body);
        return resume_answer(request, row);
    }
    request->response.status = (int)row->status;
    set_headers(request, row->headers);
    int status = body ? lagd_answer_text(request, "application/json", body, strlen(body)) : 0;
    return status < 0 ? status : LAGD_IDEM_REPLAYED;
}

int lagd_idem_begin(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_key_row row;
    char *body = NULL;
    bool same = false;
    if (!take_key(request, &same)) {
        request->idem.step = LAGD_IDEM_NONE;
        if (!same) return mismatch(request);
        return lagd_fail(request, "idempotency-in-flight",
                         "the first request with the Idempotency-Key %.80s is still being worked on; ask again in a "
                         "moment",
                         request->idempotency_key);
    }
    int status = lagd_request_db(request, &db);
    if (status == 0)
        status = lag_key_find(db, request->idempotency_key, lagd_supervisor_now_ms(request->supervisor), &row, &body,
                              &request->err);
    if (status == 1) status = use_stored(request, &row, body);
    return status;
}

bool lagd_idem_keep(struct lagd_request *request) {
    struct lagd_response *response = &request->response;
    if (request->idem.step != LAGD_IDEM_HELD || !request->command) return false;
    if (response->stream || response->fd >= 0) return false;
    struct lagd_command *command = lagd_command_create(LAGD_KEY_ANSWER);
    if (command) command->u.answer = lag_calloc(1, sizeof(*command->u.answer));
    if (command && command->u.answer) command->u.answer->body = lag_strdup(response->text ? response->text : "");
    if (!command || !command->u.answer || !command->u.answer->body) {
        lagd_command_destroy(command);
        return false; /* the command is stored with its key: a second request has the answer made again */
    }
    struct lag_key_row *row = &command->u.answer->row;
    (void)lag_copy(row->key, sizeof(row->key), request->idempotency_key);
    (void)lag_copy(row->fingerprint, sizeof(row->fingerprint), request->idem.fingerprint);
    (void)lag_copy(row->resource, sizeof(row->resource), request->command->id);
    row->created_ms = lagd_supervisor_now_ms(request->supervisor);
    row->status = response->status ? response->status : request->route->status;
    note_headers(response, row->headers, sizeof(row->headers));
    lagd_command_destroy(request->command);
    request->command = command;
    request->idem.step = LAGD_IDEM_KEEPING;
    return true;
}
