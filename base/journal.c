/* Log messages with fields, sent to the journal by journald's native protocol. */
#include "journal_internal.h"

#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Global, as the log is. The address is filled before the descriptor is published and not changed afterwards. */
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static atomic_int journal_fd = -1;

static const char *socket_path(void) {
#ifdef LAG_FAILPOINTS
    const char *path = getenv("LAGD_JOURNAL_SOCKET");
    if (path) return path;
#endif
    return "/run/systemd/journal/socket";
}

/* "8:1234": a process that was given the variable but has redirected its errors must not write to the journal. */
static int is_stream(const char *text) {
    char device[24];
    uint64_t dev, ino;
    struct stat info;
    const char *colon = text ? strchr(text, ':') : NULL;
    if (!colon || (size_t)(colon - text) >= sizeof(device)) return 0;
    memcpy(device, text, (size_t)(colon - text));
    device[colon - text] = '\0';
    if (lag_parse_u64(device, &dev) < 0 || lag_parse_u64(colon + 1, &ino) < 0) return 0;
    return fstat(STDERR_FILENO, &info) == 0 && (uint64_t)info.st_dev == dev && (uint64_t)info.st_ino == ino;
}

int lag_journal_open(void) {
    if (atomic_load(&journal_fd) >= 0) return 1;
    if (!is_stream(getenv("JOURNAL_STREAM"))) return 0;
    if (lag_copy(address.sun_path, sizeof(address.sun_path), socket_path()) < 0) return 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return 0;
    atomic_store(&journal_fd, fd);
    return 1;
}

int lag_journal_send(const char *lines, size_t length) {
    int fd = atomic_load(&journal_fd);
    if (fd < 0) return -1;
    ssize_t sent;
    do {
        sent = sendto(fd, lines, length, MSG_NOSIGNAL, (const struct sockaddr *)&address, sizeof(address));
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}
