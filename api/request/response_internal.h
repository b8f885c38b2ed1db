/* What a request is answered with. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lagd_response {
    int status;               /* 0: the route's */
    const char *content_type; /* NULL: the route's */
    char *text;               /* owned */
    size_t n_text;
    int fd; /* ≥ 0: bytes of a file, owned */
    uint64_t fd_offset, fd_length;
    /* or bytes as they come: > 0 bytes, 0 end, LAGD_STREAM_WAIT suspended, else < 0 failed. Called by the worker. */
    ssize_t (*stream)(void *arg, char *buffer, size_t size);
    void (*stream_free)(void *arg);
    void *stream_arg;
    uint64_t stream_bytes; /* all that will come, when that is known before; else 0 */
    bool follows;          /* has no end of its own */
    int n_headers;
    struct {
        const char *name;
        char value[256];
    } headers[8];
};
