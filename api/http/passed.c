/* Sockets that the service manager opened: descriptors from 3 on, as many as $LISTEN_FDS says to $LISTEN_PID. */
#include <lagd/api/server.h>

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_FD 3

static int check(int fd, const char *name, struct lag_error *err) {
    int type = 0, listens = 0, family = 0;
    socklen_t size = sizeof(int);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0) {
        return lag_error_set(err, LAG_EINVAL, "the passed descriptor %d (%s) is no socket: %s", fd, name,
                             strerror(errno));
    }
    if (type != SOCK_STREAM || !listens || (family != AF_UNIX && family != AF_INET && family != AF_INET6)) {
        return lag_error_set(err, LAG_EINVAL,
                             "the passed descriptor %d (%s) is no listening unix or internet stream socket: "
                             "lagd.socket may use ListenStream= only, with Accept=no",
                             fd, name);
    }
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return lag_error_errno(err, errno, "cannot set up the passed descriptor %d (%s)", fd, name);
    return 0;
}

static int take(struct lagd_passed *ret, struct lag_error *err) {
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
    int64_t owner, n;
    if (!pid || !count || lag_parse_i64(pid, &owner) < 0 || owner != (int64_t)getpid()) return 0;
    if (lag_parse_i64(count, &n) < 0 || n < 0 || n > LAGD_PASSED_MAX)
        return lag_error_set(err, LAG_EINVAL, "LISTEN_FDS=%.20s: at most %d sockets can be passed", count,
                             LAGD_PASSED_MAX);
    for (int i = 0; i < (int)n; i++) {
        char name[64];
        size_t length = names ? strcspn(names, ":") : 0;
        (void)lag_copy(name, sizeof(name), names && length > 0 ? names : "unnamed");
        name[length > 0 && length < sizeof(name) ? length : strlen(name)] = '\0';
        if (names) names += length + (names[length] == ':');
        int status = check(FIRST_FD + i, name, err);
        if (status < 0) return status;
        ret->fds[i] = FIRST_FD + i;
    }
    ret->n = (int)n;
    return 0;
}

int lagd_passed_take(struct lagd_passed *ret, struct lag_error *err) {
    ret->n = 0;
    int status = take(ret, err);
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    return status;
}
