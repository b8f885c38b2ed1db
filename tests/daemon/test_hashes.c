/* Hashes of files: computed once since a file was written to, and not taken for another file's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "checkpoint/hashes_internal.h"

#include <fcntl.h>
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <sys/stat.h>

#define OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" /* FIPS 180-4's example */

static struct lagd_hashes *hashes;

static int set_up(void **state) {
    char *folder = lag_strdup("/tmp/lagd-test-XXXXXX");
    *state = folder;
    return folder && mkdtemp(folder) && chdir(folder) == 0 && lagd_hashes_create(&hashes, NULL) == 0 ? 0 : -1;
}
static int tear_down(void **state) {
    lagd_hashes_destroy(hashes);
    int rc = chdir("/") == 0 ? lag_fs_remove_tree(*state, NULL) : -1;
    free(*state);
    return rc;
}

static int open_new(const char *name, const char *text) {
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

static void a_file_is_read_once(void **state) {
    (void)state;
    char hex[LAG_SHA256_HEX];
    int64_t n_bytes = 0;
    int fd = open_new("f", "abc"), again = open("f", O_RDONLY);
    assert_false(lagd_hashes_find(hashes, fd, hex, &n_bytes));
    assert_int_equal(n_bytes, 3);
    assert_int_equal(lagd_hashes_compute(hashes, fd, NULL, hex, NULL), 0);
    assert_string_equal(hex, OF_ABC);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 3); /* its position stays */
    memset(hex, 0, sizeof(hex));
    assert_true(lagd_hashes_find(hashes, again, hex, &n_bytes)); /* the file, not the descriptor */
    assert_string_equal(hex, OF_ABC);
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000}};
    assert_int_equal(futimens(fd, times), 0);
    assert_false(lagd_hashes_find(hashes, again, hex, &n_bytes));
    assert_int_equal(lagd_hashes_compute(hashes, again, NULL, hex, NULL), 0);
    assert_int_equal(pwrite(fd, "x", 1, 3), 1);
    assert_false(lagd_hashes_find(hashes, again, hex, &n_bytes));
    assert_int_equal(n_bytes, 4);
    (void)close(again);
    (void)close(fd);
}

static void what_is_no_file_has_none(void **state) {
    (void)state;
    char hex[LAG_SHA256_HEX];
    int64_t n_bytes = 0;
    struct lag_error err = {0};
    int fd = open("/dev/null", O_RDONLY);
    assert_false(lagd_hashes_find(hashes, fd, hex, &n_bytes));
    assert_int_equal(n_bytes, -1);
    assert_int_equal(lagd_hashes_compute(hashes, fd, NULL, hex, &err), LAG_EINVAL);
    (void)close(fd);
    _Atomic bool cancelled = true;
    fd = open_new("f", "abc");
    assert_int_equal(lagd_hashes_compute(hashes, fd, &cancelled, hex, &err), LAG_ECANCELED);
    assert_false(lagd_hashes_find(hashes, fd, hex, &n_bytes));
    cancelled = false;
    assert_int_equal(lagd_hashes_compute(hashes, fd, &cancelled, hex, &err), 0);
    (void)close(fd);
}

/* Far more files than there are places: the last four stay in any case, and none is taken for another. */
static void old_ones_are_forgotten(void **state) {
    (void)state;
    enum { N = 3000 };
    char name[32], hex[LAG_SHA256_HEX], expected[N][LAG_SHA256_HEX];
    int64_t n_bytes;
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "%d", i);
        int fd = open_new(name, name);
        assert_int_equal(lagd_hashes_compute(hashes, fd, NULL, expected[i], NULL), 0);
        (void)close(fd);
    }
    int known = 0;
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "%d", i);
        int fd = open(name, O_RDONLY);
        bool found = lagd_hashes_find(hashes, fd, hex, &n_bytes);
        (void)close(fd);
        if (found) assert_string_equal(hex, expected[i]);
        assert_true(found || i < N - 4);
        known += found;
    }
    assert_true(known < N);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_read_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_file_has_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_ones_are_forgotten, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
