/* Talking to the daemon by HTTP, on its unix socket or by TCP. Thread: main. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <lagd/base/strbuf.h>
struct ctl;
struct ctl_client;
struct lag_error;

/* Where the daemon is: one of both. Filled from flags, then LAGD_SOCKET, then LAGD_HOST, then what is there. */
struct ctl_place {
    char socket[108];
    char url[256]; /* "http://127.0.0.1:7437", without '/' at its end */
};
int ctl_place_find(const char *socket, const char *host, struct ctl_place *ret, struct lag_error *err);
/* token_file may be NULL. */
int ctl_client_create(const struct ctl_place *place, const char *token_file, struct ctl_client **ret,
                      struct lag_error *err);
void ctl_client_destroy(struct ctl_client *client);
const struct ctl_place *ctl_client_place(const struct ctl_client *client);

#define CTL_UNKNOWN_BYTES (-1)
struct ctl_request {
    const char *method, *path; /* path with its query; "/api/v1" is put before it unless it begins with it or is_root */
    bool is_root;
    const char *accept, *content_type;
    const char *body; /* or NULL */
    size_t body_length;
    FILE *upload; /* instead of body */
    int64_t upload_bytes; /* CTL_UNKNOWN_BYTES: until the end comes */
    int64_t timeout_ms; /* 0: none */
    const char *key; /* Idempotency-Key, or NULL */
    /* Takes the body of a 2xx answer as it comes, instead of ctl_answer.body; not 0 ends the request quietly. */
    int (*take)(void *arg, const char *content_type, const char *data, size_t length);
    void *arg;
};
struct ctl_answer {
    long status; /* 0: none came */
    int failure; /* 0, CTL_UNREACHABLE, CTL_TIMEOUT or CTL_INTERRUPTED: what kept the answer from being whole */
    char reason[640]; /* of the failure */
    bool broke_off;   /* the daemon may have read the request */
    char content_type[64], date[64];
    struct lag_strbuf body;
};
void ctl_answer_deinit(struct ctl_answer *answer);
/* Fills *answer, which is to be ended by ctl_answer_deinit; tells nothing. */
void ctl_send(struct ctl_client *client, const struct ctl_request *request, struct ctl_answer *answer);
/* CTL_OK for a 2xx answer; otherwise tells the failure or the problem, and returns its exit status. */
int ctl_judge(struct ctl *ctl, const struct ctl_answer *answer);
int ctl_exit_of_status(long status);

/* ctl_send and ctl_judge and the JSON of the answer (NULL for an empty one); json_decref it. body may be NULL. */
int ctl_ask(struct ctl *ctl, const char *method, const char *path, json_t *body, json_t **ret);
int ctl_get(struct ctl *ctl, json_t **ret, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Appends text with everything but letters, digits and "-._~:" as %XX. */
void ctl_escape(struct lag_strbuf *out, const char *text);
