/* Stamps: every change of a file that the kernel tells of makes another one. */
#include "check_base.h"

#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <lagd/base/stamp.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)

static void test_what_changes_it(void **state) {
    char *folder = make_temporary_folder();
    char *path = lag_asprintf("%s/f", folder), *link_path = lag_asprintf("%s/l", folder);
    struct lag_error err;
    struct lag_stamp first, second;
    assert_int_equal(lag_fs_write_file(folder, "f", "abcd", 4, &err), 0);
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 2000, .tv_nsec = 5}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(lag_stamp_of_fd(fd, &first, &err), 0);
    assert_int_equal(lag_stamp_of_path(path, &second, &err), 0);
    assert_true(lag_stamp_equal(&first, &second));
    assert_true(first.n_bytes == 4 && first.mtime_ns == 2000 * SECOND_NS + 5 && first.inode > 0);

    struct lag_stamp other = first;
    int64_t *const members[] = {&other.device, &other.inode, &other.n_bytes, &other.mtime_ns, &other.ctime_ns};
    for (size_t i = 0; i < LAG_COUNT(members); i++) {
        ++*members[i];
        assert_false(lag_stamp_equal(&first, &other));
        assert_int_equal(lag_stamp_same_file(&first, &other), i > 1);
        --*members[i];
    }
    /* Written in place, with the time put back: the kernel's own time tells. */
    assert_int_equal(pwrite(fd, "x", 1, 0), 1);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    assert_int_equal(lag_stamp_of_fd(fd, &second, &err), 0);
    assert_true(second.mtime_ns == first.mtime_ns && !lag_stamp_equal(&first, &second));

    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(lag_stamp_of_path(link_path, &second, &err), LAG_EINVAL); /* not followed */
    assert_int_equal(lag_stamp_of_path(folder, &second, &err), LAG_EINVAL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(lag_stamp_of_path(path, &second, &err), LAG_ENOTFOUND);
    assert_int_equal(lag_stamp_of_fd(-1, &second, &err), LAG_EIO);
    (void)close(fd);
    assert_int_equal(lag_fs_remove_tree(folder, &err), 0);
    free(path);
    free(link_path);
    free(folder);
}

static void test_fresh(void **state) {
    const int64_t now_ms = INT64_C(1700000000000);
    const struct {
        int64_t mtime_ms, ctime_ms;
        bool fresh;
    } rows[] = {
        {-1999, -5000, true},
        {-5000, -1999, true},
        {-2000, -2000, false},
        {-5000, 1999, true}, /* the file server's clock is ahead */
        {3600000, -5000, false}, /* set by hand, an hour ahead */
    };
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        const struct lag_stamp stamp = {.mtime_ns = (now_ms + rows[i].mtime_ms) * 1000000,
                                        .ctime_ns = (now_ms + rows[i].ctime_ms) * 1000000};
        assert_int_equal(lag_stamp_is_fresh(&stamp, now_ms), rows[i].fresh);
    }
    const struct lag_stamp without = {0};
    assert_false(lag_stamp_is_fresh(&without, now_ms));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_changes_it), cmocka_unit_test(test_fresh)};
    return cmocka_run_group_tests_name("base/stamp", tests, NULL, NULL);
}
