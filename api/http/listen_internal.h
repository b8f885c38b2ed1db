/* Listening sockets: descriptors that are non-blocking and close-on-exec. Thread: any. */
#pragma once
#include <stdbool.h>
struct lag_error;

/* What a listening socket is bound to. */
struct lagd_address {
    char text[320];       /* "http://127.0.0.1:40123", "unix socket /run/lagd.sock" */
    char host[256];       /* as in a Host header; "" of a unix socket */
    bool beyond_loopback; /* can be reached from another machine */
};
/* address: "127.0.0.1:7437" or "[::1]:7437". LAG_EBUSY: another program has it. */
int lagd_listen_tcp(const char *address, int *ret_fd, struct lagd_address *ret, struct lag_error *err);
/* Replaces a socket file that nobody answers on. LAG_EBUSY: somebody does; LAG_EEXIST: the file is no socket. */
int lagd_listen_unix(const char *path, int *ret_fd, struct lag_error *err);
int lagd_address_of(int fd, struct lagd_address *ret, struct lag_error *err);
