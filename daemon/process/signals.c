/* Handlers and a pipe, not signalfd: OpenBLAS starts threads before main() runs, which block no signal, so a signal may
 * be delivered to one of them and would never reach a signalfd. */
#include "process/signals_internal.h"

#include <lagd/base/error.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* A handler has no argument to find its state by. */
static int pipe_fds[2] = {-1, -1};

static void set_action(int number, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
}

static void on_signal(int number) {
    int saved = errno;
    if (number != SIGHUP) { /* the next one ends the process */
        set_action(SIGTERM, SIG_DFL);
        set_action(SIGINT, SIG_DFL);
    }
    unsigned char byte = (unsigned char)number;
    ssize_t ignored = write(pipe_fds[1], &byte, 1); /* a full pipe holds signals enough */
    (void)ignored;
    errno = saved;
}

int lagd_signals_open(int *ret_fd, struct lag_error *err) {
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return lag_error_errno(err, errno, "cannot make a pipe for signals");
    set_action(SIGTERM, on_signal);
    set_action(SIGINT, on_signal);
    set_action(SIGHUP, on_signal);
    set_action(SIGPIPE, SIG_IGN);
    set_action(SIGXFSZ, SIG_IGN); /* a limit on the size of files is met as a full disk */
    set_action(SIGUSR1, SIG_IGN); /* a stray one must not end hours of training */
    set_action(SIGUSR2, SIG_IGN);
    *ret_fd = pipe_fds[0];
    return 0;
}

/* The handlers go first, so that none writes to a closed pipe. From then on SIGHUP is ignored, and a stop ends the
 * process. */
void lagd_signals_close(void) {
    if (pipe_fds[0] < 0) return;
    set_action(SIGTERM, SIG_DFL);
    set_action(SIGINT, SIG_DFL);
    set_action(SIGHUP, SIG_IGN);
    for (int i = 0; i < 2; i++) {
        (void)close(pipe_fds[i]);
        pipe_fds[i] = -1;
    }
}
