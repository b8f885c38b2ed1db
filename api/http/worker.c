/* A socket pair that is added to a worker's connections. A connection from outside would not do: which worker takes it
 * is chance, and it waits in the listener's queue while all places are taken. */
#include "http/worker_internal.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The library hands an added connection to the worker (descriptor modulo number of workers), if that has room. So the
 * descriptor is duplicated until it has the remainder that is wanted. */
static int number_for(int fd, unsigned worker) {
    while (fd >= 0 && (unsigned)fd % LAGD_HTTP_WORKERS != worker) {
        int next = fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);
        (void)close(fd);
        fd = next;
    }
    return fd;
}

int lagd_worker_connect(struct MHD_Daemon *daemon, unsigned worker) {
    int ends[2];
    struct sockaddr_storage none = {.ss_family = AF_UNIX};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) return -1;
    int fd = number_for(ends[1], worker);
    if (fd < 0 || MHD_add_connection(daemon, fd, (const struct sockaddr *)&none, sizeof(sa_family_t)) != MHD_YES) {
        (void)close(ends[0]); /* the library has closed the other one */
        return -1;
    }
    return ends[0];
}
