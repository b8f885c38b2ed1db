/* A notification on the standard input of a program. */
#include "notify/deliver_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/config.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64
#define ERROR_MAX 200 /* bytes of what it says on standard error that are told */

struct child {
    pid_t pid;
    int in, err;     /* our ends of its standard input and standard error; -1: closed */
    int process;     /* readable when it has ended */
    int64_t deadline_ns;
    int stop_fd;
    char said[ERROR_MAX];
    size_t n_said;
};

/* --- beginning it ------------------------------------------------------------------------------------------------ */

/* Signals as in any process, standard streams, and a group of its own, so that all of it can be ended. */
static int prepare(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int in, int err_fd) {
    sigset_t none, defaults;
    (void)sigemptyset(&none);
    (void)sigfillset(&defaults);
    int rc = posix_spawn_file_actions_adddup2(actions, in, STDIN_FILENO);
    if (rc == 0) rc = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (rc == 0) rc = posix_spawn_file_actions_adddup2(actions, err_fd, STDERR_FILENO);
    if (rc == 0) rc = posix_spawn_file_actions_addchdir_np(actions, "/");
    if (rc == 0) rc = posix_spawnattr_setsigmask(attributes, &none);
    if (rc == 0) rc = posix_spawnattr_setsigdefault(attributes, &defaults);
    if (rc == 0) rc = posix_spawnattr_setpgroup(attributes, 0);
    if (rc == 0)
        rc = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                      POSIX_SPAWN_SETPGROUP);
    return rc;
}

static int spawn(char *const argv[], char *const envp[], int in, int err_fd, pid_t *ret_pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0) return rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        rc = prepare(&actions, &attributes, in, err_fd);
        if (rc == 0) rc = posix_spawn(ret_pid, argv[0], &actions, &attributes, argv, envp);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static int begin(const struct lagd_delivery *delivery, struct child *child, struct lag_error *err) {
    char text[sizeof(delivery->config->notify_command)], id[96], rule[64];
    char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", locale[] = "LC_ALL=C.UTF-8";
    char *argv[ARGUMENTS_MAX + 1] = {NULL}, *rest = text;
    char *const envp[] = {path, locale, id, rule, NULL};
    int in[2] = {-1, -1}, error_pipe[2] = {-1, -1};
    size_t n = 0;
    (void)lag_copy(text, sizeof(text), delivery->config->notify_command);
    (void)snprintf(id, sizeof(id), "LAGD_NOTIFICATION=%s", delivery->notice->id);
    (void)snprintf(rule, sizeof(rule), "LAGD_RULE=%s", delivery->notice->rule);
    for (char *item; n < ARGUMENTS_MAX && (item = strsep(&rest, ",")) != NULL;) argv[n++] = item;
    if (rest) return lag_error_set(err, LAG_EINVAL, "notify/command has more than %d words", ARGUMENTS_MAX);
    if (pipe2(in, O_CLOEXEC) < 0) return lag_error_errno(err, errno, "cannot make a pipe");
    int rc = pipe2(error_pipe, O_CLOEXEC) < 0 ? errno : spawn(argv, envp, in[0], error_pipe[1], &child->pid);
    child->in = in[1];
    child->err = error_pipe[0];
    (void)close(in[0]);
    if (error_pipe[1] >= 0) (void)close(error_pipe[1]);
    if (rc != 0) return lag_error_errno(err, rc, "cannot run %s", argv[0]);
    (void)fcntl(child->in, F_SETFL, O_NONBLOCK);
    (void)fcntl(child->err, F_SETFL, O_NONBLOCK);
    child->process = pidfd_open(child->pid, 0);
    return child->process < 0 ? lag_error_errno(err, errno, "cannot watch %s", argv[0]) : 0;
}

/* --- watching it ------------------------------------------------------------------------------------------------- */

static void shut(int *fd) {
    if (*fd >= 0) (void)close(*fd);
    *fd = -1;
}

/* A program that does not read all of it may end well all the same. The thread has SIGPIPE blocked, and the process
 * ignores it. */
static void feed(struct child *child, const char **body, size_t *n_left) {
    ssize_t written = write(child->in, *body, *n_left);
    if (written < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (written > 0) {
        *body += written;
        *n_left -= (size_t)written;
    }
    if (written <= 0 || *n_left == 0) shut(&child->in);
}

static void hear(struct child *child) {
    char more[512];
    ssize_t n = read(child->err, more, sizeof(more));
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        shut(&child->err);
        return;
    }
    size_t room = sizeof(child->said) - 1 - child->n_said, take = LAG_MIN((size_t)n, room);
    memcpy(child->said + child->n_said, more, take);
    child->n_said += take;
}

static int watch(struct child *child, const char *body, size_t n_left, struct lag_error *err) {
    for (;;) {
        struct pollfd fds[] = {{.fd = child->process, .events = POLLIN}, {.fd = child->stop_fd, .events = POLLIN},
                               {.fd = child->in, .events = POLLOUT}, {.fd = child->err, .events = POLLIN}};
        int64_t left_ms = (child->deadline_ns - lag_clock_mono_ns()) / 1000000;
        if (left_ms <= 0) return lag_error_set(err, LAG_EBUSY, "it did not end in time (notify/command_timeout_s)");
        int n = poll(fds, LAG_COUNT(fds), (int)LAG_MIN(left_ms, 60000));
        if (n < 0 && errno != EINTR) return lag_error_errno(err, errno, "cannot wait for it");
        if (n <= 0) continue;
        if (fds[1].revents) return lag_error_set(err, LAG_ECANCELED, "lagd is stopping");
        if (fds[2].revents) feed(child, &body, &n_left);
        if (fds[3].revents) hear(child);
        if (fds[0].revents) return 0;
    }
}

static int end(struct child *child, int rc, struct lag_error *err) {
    siginfo_t info = {0};
    shut(&child->in);
    if (rc != 0 && child->pid > 0) (void)kill(-child->pid, SIGKILL);
    while (child->pid > 0 && waitid(P_PID, (id_t)child->pid, &info, WEXITED) < 0 && errno == EINTR) info.si_code = 0;
    while (child->err >= 0 && rc == 0) {
        size_t before = child->n_said;
        hear(child);
        if (child->n_said == before) break;
    }
    shut(&child->err);
    shut(&child->process);
    if (rc != 0 || (info.si_code == CLD_EXITED && info.si_status == 0)) return rc;
    child->said[strcspn(child->said, "\r\n")] = '\0';
    const char *colon = child->said[0] ? ": " : "";
    if (info.si_code == CLD_EXITED)
        return lag_error_set(err, LAG_EIO, "it ended with status %d%s%s", info.si_status, colon, child->said);
    return lag_error_set(err, LAG_EIO, "signal %d ended it%s%s", info.si_status, colon, child->said);
}

int lagd_deliver_to_command(const struct lagd_delivery *delivery, struct lag_error *err) {
    struct child child = {.in = -1, .err = -1, .process = -1, .stop_fd = delivery->stop_fd,
                          .deadline_ns = lag_clock_mono_ns() +
                                         delivery->config->command_timeout_s * INT64_C(1000000000)};
    int rc = begin(delivery, &child, err);
    if (rc == 0) rc = watch(&child, delivery->body, delivery->n_body, err);
    return end(&child, rc, err);
}
