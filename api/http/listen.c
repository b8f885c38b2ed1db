/* Makes the listening sockets, and tells what a socket is bound to. */
#include "http/listen_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128
#define SOCKET_FLAGS (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

/* "[::1]:7437" → host "::1", port "7437". */
static int split_address(const char *address, char host[256], char port[16], struct lag_error *err) {
    const char *colon = strrchr(address, ':');
    const char *begin = address, *end = colon;
    int64_t number;
    if (colon && address[0] == '[') {
        begin = address + 1;
        end = colon - 1;
        if (end < begin || *end != ']') colon = NULL;
    }
    if (!colon || end - begin < 1 || end - begin > 255 || lag_copy(port, 16, colon + 1) < 0 || !*port ||
        port[strspn(port, "0123456789")] || lag_parse_i64(port, &number) < 0 || number > 65535) {
        return lag_error_at(err, LAG_EINVAL, "server/listen",
                            "server/listen must be ADDRESS:PORT, such as 127.0.0.1:7437 or [::1]:7437 (got %.100s)",
                            address);
    }
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    return 0;
}

static int bind_one(const struct addrinfo *info, const char *address, int *ret_fd, struct lag_error *err) {
    const int on = 1;
    LAG_CLEANUP(lag_close_p) int fd = socket(info->ai_family, SOCKET_FLAGS, 0);
    if (fd < 0) return lag_error_errno(err, errno, "cannot make a socket for %s", address);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6) (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        if (errno == EADDRINUSE) {
            return lag_error_at(err, LAG_EBUSY, "server/listen",
                                "%s is in use by another program; choose another port with --listen", address);
        }
        return lag_error_errno(err, errno, "cannot listen on %s", address);
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}

static bool is_loopback(const struct sockaddr_storage *bound) {
    if (bound->ss_family == AF_INET) return ntohl(((const struct sockaddr_in *)bound)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)bound)->sin6_addr);
}

int lagd_address_of(int fd, struct lagd_address *ret, struct lag_error *err) {
    struct sockaddr_storage bound = {0};
    socklen_t length = sizeof(bound);
    char host[200], port[16];
    if (getsockname(fd, (struct sockaddr *)&bound, &length) < 0)
        return lag_error_errno(err, errno, "cannot tell the address of a listening socket");
    memset(ret, 0, sizeof(*ret));
    if (bound.ss_family == AF_UNIX) {
        const struct sockaddr_un *local = (const struct sockaddr_un *)&bound;
        bool abstract = local->sun_path[0] == '\0';
        (void)snprintf(ret->text, sizeof(ret->text), "unix socket %s%.107s", abstract ? "@" : "",
                       local->sun_path + abstract);
        return 0;
    }
    int failed = getnameinfo((struct sockaddr *)&bound, length, host, sizeof(host), port, sizeof(port),
                             NI_NUMERICHOST | NI_NUMERICSERV);
    if (failed)
        return lag_error_set(err, LAG_EIO, "cannot tell the address of a listening socket: %s", gai_strerror(failed));
    bool v6 = bound.ss_family == AF_INET6;
    (void)snprintf(ret->host, sizeof(ret->host), "%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "");
    (void)snprintf(ret->text, sizeof(ret->text), "http://%s:%s", ret->host, port);
    ret->beyond_loopback = !is_loopback(&bound);
    return 0;
}

int lagd_listen_tcp(const char *address, int *ret_fd, struct lagd_address *ret, struct lag_error *err) {
    char host[256], port[16];
    int status = split_address(address, host, port, err);
    if (status < 0) return status;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *list = NULL;
    int failed = getaddrinfo(host, port, &hints, &list);
    if (failed)
        return lag_error_at(err, LAG_EINVAL, "server/listen", "cannot find address %.100s: %s", address,
                            gai_strerror(failed));
    int fd = -1;
    status = bind_one(list, address, &fd, err);
    freeaddrinfo(list);
    if (status == 0) status = lagd_address_of(fd, ret, err);
    if (status < 0) {
        if (fd >= 0) (void)close(fd);
        return status;
    }
    *ret_fd = fd;
    return 0;
}

/* A socket file that nobody answers on is a leftover: it is removed. Anything else is left alone. */
static int remove_stale(const char *path, const struct sockaddr_un *address, struct lag_error *err) {
    struct stat info;
    if (lstat(path, &info) < 0) return errno == ENOENT ? 0 : lag_error_errno(err, errno, "cannot look at %s", path);
    if (!S_ISSOCK(info.st_mode)) {
        return lag_error_at(err, LAG_EEXIST, "server/socket",
                            "%s exists and is no socket; remove it or choose another path with --socket", path);
    }
    LAG_CLEANUP(lag_close_p) int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) return lag_error_errno(err, errno, "cannot make a socket");
    if (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN) {
        return lag_error_at(err, LAG_EBUSY, "server/socket",
                            "another lagd answers on %s; choose another path with --socket", path);
    }
    if (errno != ECONNREFUSED) return lag_error_errno(err, errno, "cannot tell whether %s is in use", path);
    if (unlink(path) < 0) return lag_error_errno(err, errno, "cannot remove the stale socket %s", path);
    return 0;
}

int lagd_listen_unix(const char *path, int *ret_fd, struct lag_error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (lag_copy(address.sun_path, sizeof(address.sun_path), path) < 0) {
        return lag_error_at(err, LAG_EINVAL, "server/socket", "the path of the socket is longer than %zu bytes",
                            sizeof(address.sun_path) - 1);
    }
    int status = remove_stale(path, &address, err);
    if (status < 0) return status;
    LAG_CLEANUP(lag_close_p) int fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
    if (fd < 0) return lag_error_errno(err, errno, "cannot make a socket");
    /* The mode holds from the first moment: nobody can connect before listen. */
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        return lag_error_errno(err, errno, "cannot make socket %s", path);
    }
    if (chmod(path, 0660) < 0 || listen(fd, BACKLOG) < 0) {
        status = lag_error_errno(err, errno, "cannot listen on socket %s", address.sun_path);
        (void)unlink(path);
        return status;
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}
