/* Standard output, standard error, and being interrupted. */
#include "ctl_internal.h"

#include <lagd/base/clock.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void tell(const char *format, va_list arguments) {
    struct lag_strbuf clean = LAG_STRBUF_INIT;
    char text[2048];
    (void)vsnprintf(text, sizeof(text), format, arguments);
    ctl_clean(&clean, text, true);
    (void)fflush(stdout);
    (void)fprintf(stderr, "lagctl: %s\n", clean.failed ? text : clean.data);
    lag_strbuf_deinit(&clean);
}

void ctl_tell(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    tell(format, arguments);
    va_end(arguments);
}

int ctl_fail(int exit_status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    tell(format, arguments);
    va_end(arguments);
    return exit_status;
}

int ctl_put(struct lag_strbuf *out) {
    int status = CTL_OK;
    if (out->failed)
        status = ctl_fail(CTL_FAILED, "out of memory");
    else if ((out->length && fwrite(out->data, 1, out->length, stdout) != out->length) || fflush(stdout) != 0)
        status = ctl_fail(CTL_FAILED, "cannot write the output: %s", strerror(errno));
    lag_strbuf_deinit(out);
    return status;
}

/* A signal handler can reach nothing but a global. */
static volatile sig_atomic_t interrupted;

static void on_signal(int number) { interrupted = 1; }

void ctl_interrupt_init(void) {
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: waits end */
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

bool ctl_interrupted(void) { return interrupted != 0; }

bool ctl_sleep_ms(int64_t ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    while (!interrupted && nanosleep(&time, &time) < 0 && errno == EINTR) continue;
    return !interrupted;
}
