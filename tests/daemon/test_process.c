/* What ties the daemon to its process: the lock on the state directory, notification, signals. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "process/lock_internal.h"
#include <lagd/daemon/notify.h>
#include "process/signals_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/fs.h>

static char dir[128];

static int set_up(void **state) {
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/lagd-process-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}
static int tear_down(void **state) {
    (void)state;
    return lag_fs_remove_tree(dir, NULL);
}

/* In a child: 0 when it got the lock, else the code; the text must name the parent. */
static int try_in_child(void) {
    pid_t pid = fork();
    if (pid == 0) {
        struct lag_error err = {0};
        struct lagd_lock lock = LAGD_LOCK_INIT;
        int status = lagd_lock_take(dir, &lock, &err);
        char expected[64];
        snprintf(expected, sizeof(expected), "with PID %ld", (long)getppid());
        if (status == LAG_EBUSY && !strstr(err.text, expected)) _exit(99);
        _exit(-status);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

static void one_daemon_a_directory(void **state) {
    (void)state;
    struct lag_error err = {0};
    struct lagd_lock lock = LAGD_LOCK_INIT, second = LAGD_LOCK_INIT;
    assert_int_equal(lagd_lock_take(dir, &lock, &err), 0);
    assert_int_equal(try_in_child(), LAG_EBUSY);
    assert_int_equal(lagd_lock_take(dir, &second, &err), LAG_EBUSY); /* in the same process too */
    assert_true(second.fd == -1 && second.dir_fd == -1);
    lagd_lock_give(&lock);
    assert_int_equal(try_in_child(), 0); /* which died with it */
    assert_int_equal(lagd_lock_take(dir, &lock, &err), 0);
    lagd_lock_give(&lock);
    lagd_lock_give(&lock);
}

static void write_lock(const char *text) {
    char path[200];
    snprintf(path, sizeof(path), "%s/lagd.lock", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Only the first bytes of the PID find room. */
static void a_short_write_is_told(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct lag_error err = {0};
        struct lagd_lock lock = LAGD_LOCK_INIT;
        const struct rlimit limit = {.rlim_cur = 1, .rlim_max = RLIM_INFINITY};
        (void)signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit) || lagd_lock_take(dir, &lock, &err) == 0) _exit(1);
        _exit(write(ends[1], err.text, sizeof(err.text)) == sizeof(err.text) ? 0 : 2);
    }
    char told[sizeof(((struct lag_error *)NULL)->text)];
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(read(ends[0], told, sizeof(told)), sizeof(told));
    assert_non_null(strstr(told, "/lagd.lock: cannot write"));
    assert_non_null(strstr(told, strerror(EFBIG)));
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* Removing the file gives the lock to nobody, and the holder hears of it. */
static void a_removed_lock_admits_nobody(void **state) {
    (void)state;
    struct lag_error err = {0};
    struct lagd_lock lock = LAGD_LOCK_INIT, second = LAGD_LOCK_INIT;
    char path[200], text[32];
    snprintf(path, sizeof(path), "%s/lagd.lock", dir);
    assert_int_equal(lagd_lock_take(dir, &lock, &err), 0);
    assert_int_equal(lagd_lock_look(dir, &lock, &err), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(lagd_lock_take(dir, &second, &err), LAG_EBUSY);
    assert_non_null(strstr(err.text, "with PID unknown"));
    assert_int_equal(access(path, F_OK), -1); /* the refused one left no file of its own */
    assert_int_equal(lagd_lock_look(dir, &lock, &err), LAG_EIO);
    assert_non_null(strstr(err.text, "lagd.lock was removed while"));
    snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    write_lock(text);
    assert_int_equal(try_in_child(), LAG_EBUSY);
    assert_int_equal(lagd_lock_look(dir, &lock, &err), LAG_EIO);
    assert_non_null(strstr(err.text, "was replaced by another file"));
    lagd_lock_give(&lock);
    assert_int_equal(lagd_lock_take(dir, &lock, &err), 0);
    lagd_lock_give(&lock);
}

/* Root can make such a folder; others know one: /tmp, which is root's. */
static void an_open_folder_of_another_user_is_refused(void **state) {
    (void)state;
    struct lag_error err = {0};
    struct lagd_lock lock = LAGD_LOCK_INIT;
    const char *open_dir = geteuid() == 0 ? dir : "/tmp";
    if (geteuid() == 0) assert_int_equal(chown(dir, 12345, 12345), 0);
    if (geteuid() == 0) assert_int_equal(chmod(dir, 0750), 0);
    if (geteuid() == 0) assert_int_equal(lagd_lock_take(dir, &lock, &err), 0); /* nobody else can write there */
    lagd_lock_give(&lock);
    if (geteuid() == 0) assert_int_equal(chmod(dir, 0777), 0);
    assert_int_equal(lagd_lock_take(open_dir, &lock, &err), LAG_EDENIED);
    assert_non_null(strstr(err.text, "belongs to another user, and everybody may write there"));
    assert_true(lock.fd == -1 && lock.dir_fd == -1);
    if (geteuid() == 0) assert_int_equal(chown(dir, 0, 0), 0);
    if (geteuid() == 0) assert_int_equal(lagd_lock_take(dir, &lock, &err), 0); /* one's own is warned of */
    lagd_lock_give(&lock);
}

static void a_killed_holder_leaves_no_lock(void **state) {
    (void)state;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct lagd_lock lock;
        if (lagd_lock_take(dir, &lock, NULL) == 0 && write(ready[1], "x", 1) == 1) pause();
        _exit(1);
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct lag_error err = {0};
    struct lagd_lock lock = LAGD_LOCK_INIT;
    assert_int_equal(lagd_lock_take(dir, &lock, &err), LAG_EBUSY);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(lagd_lock_take(dir, &lock, &err), 0);
    lagd_lock_give(&lock);
    close(ready[0]);
    close(ready[1]);
}

static int listen_at(const char *name, bool abstract) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
    size_t length = strlen(name);
    if (abstract) address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(
        bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)), 0);
    return fd;
}

static void expect(int fd, const char *text) {
    char got[600];
    ssize_t n = recv(fd, got, sizeof(got) - 1, 0);
    assert_true(n > 0);
    got[n] = '\0';
    assert_string_equal(got, text);
}

static void notifies(void **state) {
    (void)state;
    char path[256], name[128];
    unsetenv("NOTIFY_SOCKET");
    lagd_notify("READY=1"); /* nobody listens: nothing happens */
    snprintf(path, sizeof(path), "%s/notify", dir);
    int fd = listen_at(path, false);
    setenv("NOTIFY_SOCKET", path, 1);
    lagd_notify("READY=1\nSTATUS=%d runs", 3);
    expect(fd, "READY=1\nSTATUS=3 runs");
    lagd_notify_reloading();
    char got[256] = "";
    assert_true(recv(fd, got, sizeof(got) - 1, 0) > 0);
    assert_int_equal(strncmp(got, "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
    close(fd);
    snprintf(name, sizeof(name), "@lagd-test-%ld", (long)getpid());
    fd = listen_at(name, true);
    setenv("NOTIFY_SOCKET", name, 1);
    lagd_notify("STOPPING=1");
    expect(fd, "STOPPING=1");
    close(fd);
    lagd_notify("STOPPING=1"); /* the listener is gone: no signal, no error */
    setenv("NOTIFY_SOCKET", "relative", 1);
    lagd_notify("READY=1");
    unsetenv("NOTIFY_SOCKET");
}

static void watchdog_interval(void **state) {
    (void)state;
    char pid[32];
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    assert_int_equal(lagd_notify_watchdog_ns(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(lagd_notify_watchdog_ns(), INT64_C(30000000000));
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(lagd_notify_watchdog_ns(), 0);
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(lagd_notify_watchdog_ns(), INT64_C(30000000000));
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(lagd_notify_watchdog_ns(), 0);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static void signals_arrive_as_bytes(void **state) {
    (void)state;
    struct lag_error err = {0};
    int fd = -1;
    unsigned char byte;
    assert_int_equal(lagd_signals_open(&fd, &err), 0);
    assert_int_equal(raise(SIGHUP), 0);
    assert_int_equal(raise(SIGHUP), 0);
    assert_int_equal(raise(SIGTERM), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read(fd, &byte, 1), 1);
        assert_int_equal(byte, i < 2 ? SIGHUP : SIGTERM);
    }
    assert_int_equal(raise(SIGPIPE) | raise(SIGUSR1) | raise(SIGUSR2), 0);
    lagd_signals_close();
}

static void the_second_stop_is_at_once(void **state) {
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        int fd;
        if (lagd_signals_open(&fd, NULL) < 0) _exit(3);
        raise(SIGINT);
        raise(SIGTERM);
        _exit(4);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_daemon_a_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_short_write_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_removed_lock_admits_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_open_folder_of_another_user_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_killed_holder_leaves_no_lock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(notifies, set_up, tear_down), cmocka_unit_test(watchdog_interval),
        cmocka_unit_test(signals_arrive_as_bytes), cmocka_unit_test(the_second_stop_is_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
