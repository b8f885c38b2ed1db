/* lagd-notify: a proxy for one thing. It takes POST requests with a whole address from a unix socket, one after the
 * other, sends each on, and answers with the status that came back; 502 and a line of text where none did. It holds no
 * secret, keeps nothing, and follows no redirection. Thread: main. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
struct lag_error;

#define COURIER_BODY_MAX 65536
#define COURIER_HEADERS 16

/* request.c: texts point into the buffer that was parsed. */
struct courier_request {
    char *url;
    char *headers[COURIER_HEADERS]; /* "name: value", those that go on */
    int n_headers;
    const char *body;
    size_t n_body;
};
/* 0: whole; 1: more has to come; LAG_EINVAL: it is none that is taken here, and why. text: length bytes and a NUL; they
 * are written to. Pure. */
int courier_parse(char *text, size_t length, struct courier_request *ret, struct lag_error *err);
/* https anywhere, http to this machine only; allowed: NULL, or the hosts that may be called, NULL at the end. Pure. */
int courier_check(const char *url, const char *const *allowed, struct lag_error *err);

/* post.c: 0 and the status of the answer, or LAG_EIO and why there is none. ca_file: NULL: those of the system. */
int courier_post(const struct courier_request *request, const char *ca_file, long *ret_status, struct lag_error *err);

/* sockets.c: the listening socket that the service manager passed, or a new one at path. */
int courier_listen(const char *path, int *ret_fd, struct lag_error *err);
/* Until a client is there: 0; 1: none came for so long. */
int courier_accept(int listener, int idle_ms, int *ret_fd, struct lag_error *err);
/* 0 with a request, which points into text; LAG_EIO: the client went or was too slow. */
int courier_receive(int fd, char *text, size_t size, struct courier_request *ret, struct lag_error *err);
void courier_answer(int fd, long status, const char *text);
