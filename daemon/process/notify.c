/* Datagrams to the service manager. */
#include <lagd/daemon/notify.h>

#include <lagd/base/clock.h>
#include <lagd/base/parse.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void send_text(const char *text, size_t length) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    if (n < 2 || n >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@')) return;
    memcpy(address.sun_path, path, n);
    if (path[0] == '@') address.sun_path[0] = '\0'; /* abstract name space */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    (void)sendto(fd, text, length, MSG_NOSIGNAL, (const struct sockaddr *)&address, size);
    (void)close(fd);
}

void lagd_notify(const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n <= 0) return;
    send_text(text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

void lagd_notify_reloading(void) {
    lagd_notify("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(lag_clock_mono_ns() / 1000));
}

int64_t lagd_notify_watchdog_ns(void) {
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    int64_t interval, owner;
    if (!usec || lag_parse_i64(usec, &interval) < 0 || interval <= 0 || interval > INT64_MAX / 1000) return 0;
    if (pid && (lag_parse_i64(pid, &owner) < 0 || owner != (int64_t)getpid())) return 0;
    return interval * 1000;
}
