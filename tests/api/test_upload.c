/* Uploads are admitted against the free space as they flow, also where nobody said how large they would be. */
#include "request/upload_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <fcntl.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MIB (INT64_C(1) << 20)

/* Others take what was free when it began; another half MiB is all that still comes in. */
static void test_space_goes_meanwhile(void **state) {
    static char piece[32768];
    char dir[] = "/tmp/lagd-upload-XXXXXX", path[64];
    struct lagd_upload *upload = NULL;
    struct lag_error err = {0};
    uint64_t free_bytes = 0;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/others", dir);
    assert_int_equal(lag_fs_free_bytes(dir, &free_bytes, &err), 0);
    if (free_bytes < (uint64_t)(768 * MIB)) skip();
    assert_int_equal(
        lagd_upload_create(dir, "req_1", 1000 * MIB, (int64_t)free_bytes - 256 * MIB, 0, &upload, &err), 0);
    assert_int_equal(lagd_upload_write(upload, piece, sizeof(piece), &err), 0);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(posix_fallocate(fd, 0, 512 * MIB), 0);
    int rc = 0;
    int64_t n = 0;
    for (; rc == 0 && n < 8 * MIB; n += (int64_t)sizeof(piece))
        rc = lagd_upload_write(upload, piece, sizeof(piece), &err);
    (void)close(fd);
    lagd_upload_destroy(upload);
    assert_int_equal(lag_fs_remove_tree(dir, NULL), 0);
    assert_int_equal(rc, LAG_ENOSPC);
    assert_true(n <= 2 * MIB);
}

static void test_limit(void **state) {
    static char piece[1000];
    char dir[] = "/tmp/lagd-upload-XXXXXX";
    struct lagd_upload *upload = NULL;
    struct lag_error err = {0};
    assert_non_null(mkdtemp(dir));
    assert_int_equal(lagd_upload_create(dir, "req_1", 1500, 0, 2000, &upload, &err), LAG_ETOOBIG);
    assert_int_equal(lagd_upload_create(dir, "req_1", 1500, 0, 0, &upload, &err), 0);
    assert_int_equal(lagd_upload_write(upload, piece, 1000, &err), 0);
    assert_int_equal(lagd_upload_write(upload, piece, 501, &err), LAG_ETOOBIG);
    assert_int_equal(lagd_upload_write(upload, piece, 500, &err), 0);
    assert_int_equal(lagd_upload_finish(upload, &err), 0);
    lagd_upload_destroy(upload);
    assert_int_equal(lag_fs_remove_tree(dir, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_space_goes_meanwhile), cmocka_unit_test(test_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
