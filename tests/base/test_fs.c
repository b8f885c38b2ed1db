/* Files and folders in a folder of their own: durable writes, links, hostile paths, removal. */
#include "check_base.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/fs.h>
#include <lagd/base/hash.h>
#include <lagd/base/mem.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each test has its own folder, which is the working folder while it runs. */
static int enter(void **state) {
    *state = make_temporary_folder();
    return chdir(*state);
}

static int leave(void **state) {
    int status = chdir("/");
    if (status == 0) status = lag_fs_remove_tree(*state, NULL);
    if (status == 0) status = lag_fs_exists(*state);
    free(*state);
    return status;
}

static int n_entries(const char *path) {
    DIR *dir = opendir(path);
    assert_non_null(dir);
    int n = 0;
    while (readdir(dir)) n++;
    (void)closedir(dir);
    return n - 2;
}

static void check_content(const char *path, const char *expected) {
    char *data = NULL;
    size_t length = 0;
    assert_int_equal(lag_fs_read_file(path, 1000, &data, &length, NULL), 0);
    assert_int_equal(length, strlen(expected));
    assert_string_equal(data, expected);
    free(data);
}

static void test_write_replaces_atomically(void **state) {
    struct lag_error err;
    assert_int_equal(lag_fs_write_file(".", "f", "one", 3, &err), 0);
    check_content("f", "one");
    assert_int_equal(lag_fs_write_file(".", "f", "", 0, &err), 0);
    check_content("f", "");
    struct stat info;
    assert_int_equal(stat("f", &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_int_equal(n_entries("."), 1); /* no temporary file stays */
}

static void test_failed_write_keeps_the_old_file(void **state) {
    struct lag_error err;
    assert_int_equal(lag_fs_write_file(".", "f", "old", 3, &err), 0);
    assert_int_equal(mkdir("folder", 0750), 0);
    assert_int_equal(lag_fs_write_file("folder", "x", "old", 3, &err), 0);
    assert_true(lag_fs_write_file("missing", "f", "new", 3, &err) == LAG_ENOTFOUND);
    assert_true(lag_fs_write_file(".", "folder", "new", 3, &err) < 0); /* a file cannot replace a folder */
    assert_non_null(strstr(err.text, "folder"));
    check_content("f", "old");
    check_content("folder/x", "old");
    assert_int_equal(n_entries("."), 2);
    assert_int_equal(n_entries("folder"), 1);
}

static void test_a_full_disk_is_told_apart(void **state) {
    int full = open("/dev/full", O_WRONLY);
    if (full < 0) skip();
    struct lag_error err;
    assert_int_equal(lag_fs_write_all(full, "x", 1, &err), LAG_ENOSPC);
    (void)close(full);
}

static void test_read_limits_and_kinds(void **state) {
    struct lag_error err;
    char *data = NULL;
    size_t length = 0;
    assert_int_equal(lag_fs_write_file(".", "f", "0123456789", 10, NULL), 0);
    assert_int_equal(lag_fs_read_file("f", 10, &data, &length, &err), 0);
    free(data);
    data = NULL;
    assert_int_equal(lag_fs_read_file("f", 9, &data, &length, &err), LAG_ETOOBIG);
    assert_int_equal(lag_fs_read_file("none", 9, &data, &length, &err), LAG_ENOTFOUND);
    assert_int_equal(lag_fs_read_file(".", 9, &data, &length, &err), LAG_EINVAL);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(lag_fs_read_file("fifo", 9, &data, &length, &err), LAG_EINVAL);
    assert_int_equal(lag_fs_read_file("/dev/null", 9, &data, &length, &err), LAG_EINVAL);
    assert_null(data);
    /* A file of /proc says that it is empty. */
    assert_int_equal(lag_fs_read_file("/proc/self/cmdline", 100000, &data, &length, &err), 0);
    assert_true(length > 0);
    free(data);
    data = NULL;
    assert_int_equal(lag_fs_read_file("/proc/self/maps", 100, &data, &length, &err), LAG_ETOOBIG);
    assert_null(data);
}

static void test_mkdirs(void **state) {
    struct lag_error err;
    assert_int_equal(lag_fs_mkdirs("a/b//c/", &err), 0);
    assert_int_equal(lag_fs_mkdirs("a/b/c", &err), 0);
    char *absolute = lag_asprintf("%s/x/y", (const char *)*state);
    assert_int_equal(lag_fs_mkdirs(absolute, &err), 0);
    free(absolute);
    assert_int_equal(lag_fs_write_file(".", "f", "", 0, NULL), 0);
    assert_int_equal(lag_fs_mkdirs("f", &err), LAG_EPATH);
    assert_true(lag_fs_mkdirs("f/g", &err) < 0);
    struct stat info;
    assert_int_equal(stat("a/b/c", &info), 0);
    assert_int_equal(info.st_mode & 0777 & ~0750u, 0);
}

/* In a child with failpoints, which are read once a process: the two tests that call this come first, and pass none
 * themselves. 0, 1 = died there, else the code negated. */
static int in_child(const char *failpoints, int (*fn)(void)) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        (void)setenv("LAGD_FAILPOINTS", failpoints, 1);
        _exit(-fn());
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int make_folders(void) { return lag_fs_mkdirs("new/below", NULL); }
static int remove_marked(void) { return lag_fs_remove_marked("tree", ".mark", NULL); }
static int make_marked(void) {
    int status = lag_fs_mkdirs("tree/a/b", NULL);
    if (status == 0) status = lag_fs_write_file("tree", ".mark", "", 0, NULL);
    if (status == 0) status = lag_fs_write_file("tree", "zzz", "", 0, NULL);
    return status == 0 ? lag_fs_write_file("tree/a", ".mark", "", 0, NULL) : status; /* of no meaning there */
}

/* A name that could not be made durable is given up, so that the next try makes it so. */
static void test_new_folders_are_durable(void **state) {
#ifdef LAG_FAILPOINTS
    assert_int_equal(in_child("fs.new_folder=fail", make_folders), -LAG_EIO);
    assert_false(lag_fs_exists("new"));
    assert_int_equal(in_child("fs.new_folder=fail@2", make_folders), -LAG_EIO);
    assert_true(lag_fs_exists("new") && !lag_fs_exists("new/below"));
    assert_int_equal(in_child("fs.new_folder=fail@2", make_folders), 0); /* one folder only is new */
#else
    assert_int_equal(in_child("", make_folders), 0);
#endif
    assert_true(lag_fs_exists("new/below"));
}

/* The file that says that a folder is to go is there until all else has gone. */
static void test_a_mark_goes_last(void **state) {
    assert_int_equal(in_child("", make_marked), 0);
#ifdef LAG_FAILPOINTS
    assert_int_equal(in_child("fs.before_last=kill", remove_marked), 1);
    assert_int_equal(n_entries("tree"), 1);
    assert_true(lag_fs_exists("tree/.mark"));
#endif
    assert_int_equal(in_child("", remove_marked), 0);
    assert_false(lag_fs_exists("tree"));
    assert_int_equal(in_child("", remove_marked), 0);
    assert_int_equal(mkdir("tree", 0700), 0); /* without a mark, and as a link */
    assert_int_equal(in_child("", remove_marked), 0);
    assert_false(lag_fs_exists("tree"));
    assert_int_equal(in_child("", make_marked), 0);
    assert_int_equal(rename("tree", "kept"), 0);
    assert_int_equal(symlink("kept", "tree"), 0);
    assert_int_equal(in_child("", remove_marked), 0);
    assert_false(lag_fs_exists("tree"));
    assert_true(lag_fs_exists("kept/.mark"));
}

static void test_remove_tree_never_follows(void **state) {
    struct lag_error err;
    assert_int_equal(lag_fs_mkdirs("keep", NULL), 0);
    assert_int_equal(lag_fs_write_file("keep", "f", "kept", 4, NULL), 0);
    assert_int_equal(lag_fs_mkdirs("tree/a/b/c", NULL), 0);
    for (int i = 0; i < 300; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "f%d", i);
        int fd = openat(AT_FDCWD, "tree", O_RDONLY | O_DIRECTORY);
        (void)close(openat(fd, name, O_CREAT | O_WRONLY, 0600));
        (void)close(fd);
    }
    assert_int_equal(symlink("../keep", "tree/link"), 0);
    assert_int_equal(symlink("nowhere", "tree/a/dangling"), 0);
    assert_int_equal(symlink("../../../keep/f", "tree/a/b/file-link"), 0);
    assert_int_equal(mkfifo("tree/a/fifo", 0600), 0);
    assert_int_equal(lag_fs_remove_tree("tree", &err), 0);
    assert_false(lag_fs_exists("tree"));
    assert_int_equal(lag_fs_remove_tree("tree", &err), 0);
    assert_int_equal(symlink("keep", "top-link"), 0);
    assert_int_equal(lag_fs_remove_tree("top-link", &err), 0);
    assert_false(lag_fs_exists("top-link"));
    check_content("keep/f", "kept");
    assert_int_equal(lag_fs_remove_tree("keep/f", &err), 0); /* a file counts as a tree of its own */
    assert_int_equal(n_entries("keep"), 0);
}

static void test_rename_durable(void **state) {
    struct lag_error err;
    assert_int_equal(lag_fs_mkdirs("a/.tmp", NULL), 0);
    assert_int_equal(lag_fs_rename_durable("a/.tmp", "a/final", &err), 0);
    assert_int_equal(lag_fs_rename_durable("a", "b", &err), 0);
    assert_true(lag_fs_exists("b/final"));
    assert_int_equal(lag_fs_rename_durable("none", "c", &err), LAG_ENOTFOUND);
}

static void refuse(const char *relative, int code) {
    struct lag_error err = {0};
    int fd = -7;
    int status = lag_fs_open_beneath("root", relative, &fd, &err);
    if (status != code) fail_msg("%s gave %s (%s)", relative, lag_code_name(status), err.text);
    assert_int_equal(fd, -7);
    assert_true(strlen(err.text) > 0);
}

static void test_open_beneath(void **state) {
    struct lag_error err;
    assert_int_equal(lag_fs_mkdirs("root/sub/deeper", NULL), 0);
    assert_int_equal(lag_fs_write_file("root/sub", "f", "inside", 6, NULL), 0);
    assert_int_equal(lag_fs_write_file(".", "outside", "secret", 6, NULL), 0);
    assert_int_equal(symlink("sub/f", "root/link"), 0);
    assert_int_equal(symlink("sub", "root/sub-link"), 0);
    assert_int_equal(symlink("../outside", "root/out-link"), 0);
    assert_int_equal(symlink("/etc/passwd", "root/abs-link"), 0);
    assert_int_equal(mkfifo("root/fifo", 0600), 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "root/socket"};
    int unix_socket = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(unix_socket, (struct sockaddr *)&address, sizeof(address)), 0);

    static const char *const allowed[] = {"sub/f", "./sub//f", "sub/deeper/../f"};
    for (size_t i = 0; i < LAG_COUNT(allowed); i++) {
        LAG_CLEANUP(lag_close_p) int fd = -1;
        char text[7] = "";
        int status = lag_fs_open_beneath("root", allowed[i], &fd, &err);
        if (status == LAG_EUNSUPPORTED) skip(); /* a kernel before 5.6 */
        assert_int_equal(status, 0);
        assert_int_equal(read(fd, text, 6), 6);
        assert_string_equal(text, "inside");
        assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
    static const char *const denied[] = {
        "", "/", "/etc/passwd", "..", "../outside", "sub/../../outside", "link", "sub-link/f", "out-link", "abs-link",
        "fifo", "socket", "sub", ".", "sub/deeper/",
    };
    for (size_t i = 0; i < LAG_COUNT(denied); i++) refuse(denied[i], LAG_EDENIED);
    refuse("none", LAG_ENOTFOUND);
    refuse("sub/f/x", LAG_EPATH);
    (void)close(unix_socket);

    int fd = -7; /* a device, without making one */
    assert_int_equal(lag_fs_open_beneath("/dev", "null", &fd, &err), LAG_EDENIED);
    assert_int_equal(lag_fs_open_beneath("no-root", "f", &fd, &err), LAG_ENOTFOUND);
    assert_int_equal(fd, -7);
}

static void test_free_bytes(void **state) {
    uint64_t bytes = 0;
    assert_int_equal(lag_fs_free_bytes(".", &bytes, NULL), 0);
    assert_true(bytes > 0);
    assert_int_equal(lag_fs_free_bytes("none", &bytes, NULL), LAG_ENOTFOUND);
}

/* In a child: which of the three are closed, and where a file then comes to lie. */
static int opened_at(unsigned closed) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        for (int fd = 0; fd < 3; fd++)
            if (closed >> fd & 1) (void)close(fd);
        int rc = lag_fs_open_standard(NULL);
        int file = open("/dev/zero", O_RDONLY);
        bool all = true;
        for (int fd = 0; fd < 3; fd++) all = all && fcntl(fd, F_GETFD) >= 0;
        _exit(rc == 0 && all ? file : 255);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_standard_descriptors_are_filled(void **state) {
    const int as_ever = opened_at(0);
    assert_true(as_ever >= 3 && as_ever < 255);
    for (unsigned closed = 1; closed < 8; closed++) assert_int_equal(opened_at(closed), as_ever);
}

static int count_pieces(void *arg, size_t n_bytes) {
    int64_t *counted = arg;
    *counted += (int64_t)n_bytes;
    return *counted > 3000000;
}

static void test_copy(void **state) {
    struct lag_error err;
    char sha[LAG_SHA256_HEX], expected[LAG_SHA256_HEX];
    size_t n_bytes = 2500000;
    char *data = malloc(n_bytes);
    assert_non_null(data);
    for (size_t i = 0; i < n_bytes; i++) data[i] = (char)(i * 7 + i / 1000);
    assert_int_equal(lag_fs_write_file(".", "from", data, n_bytes, &err), 0);
    lag_sha256_bytes(data, n_bytes, expected);
    free(data);
    int fd = open("from", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    int64_t counted = 0;
    const struct lag_fs_watch watch = {count_pieces, &counted};
    assert_int_equal(lag_fs_copy(fd, "to", sha, &watch, &err), 0);
    assert_string_equal(sha, expected);
    assert_int_equal(counted, n_bytes);
    assert_int_equal(lag_sha256_file("to", sha, &err), 0);
    assert_string_equal(sha, expected);
    assert_int_equal(lag_fs_copy(fd, "to", sha, NULL, &err), LAG_EPATH); /* never over another file */
    assert_int_equal(lag_fs_copy(fd, "other", sha, &watch, &err), LAG_ECANCELED);
    assert_false(lag_fs_exists("other"));
    assert_int_equal(lag_fs_copy(fd, "nowhere/to", NULL, NULL, &err), LAG_ENOTFOUND);
    assert_int_equal(lag_fs_copy(fd, "plain", NULL, NULL, &err), 0);
    (void)close(fd);
    assert_int_equal(n_entries("."), 3);
}

#define FS_TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int main(void) {
    const struct CMUnitTest tests[] = {
        FS_TEST(test_new_folders_are_durable),   FS_TEST(test_a_mark_goes_last),
        FS_TEST(test_write_replaces_atomically), FS_TEST(test_failed_write_keeps_the_old_file),
        FS_TEST(test_a_full_disk_is_told_apart), FS_TEST(test_read_limits_and_kinds),
        FS_TEST(test_mkdirs),                    FS_TEST(test_remove_tree_never_follows),
        FS_TEST(test_rename_durable),            FS_TEST(test_open_beneath),
        FS_TEST(test_free_bytes),                FS_TEST(test_standard_descriptors_are_filled),
        FS_TEST(test_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
