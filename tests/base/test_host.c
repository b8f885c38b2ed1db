/* What the machine says of itself is plausible, memory in use is seen, and the limits of control groups are kept. */
#include "check_base.h"

#include <lagd/base/host.h>
#include <lagd/base/mem.h>
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)

static int affinity(void) {
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    return CPU_COUNT(&set);
}

static void test_numbers_are_plausible(void **state) {
    assert_true(lag_host_cpus() >= 1 && lag_host_cpus() <= affinity());
    uint64_t total_bytes = lag_host_memory_total_bytes();
    assert_true(total_bytes > 64 * MIB && total_bytes < (uint64_t)1 << 50);
    uint64_t available_bytes = lag_host_memory_available_bytes();
    assert_true(available_bytes > 0 && available_bytes <= total_bytes);
    assert_true(strlen(lag_host_cpu_model()) > 0);
    assert_null(strchr(lag_host_cpu_model(), '\n'));
}

static void test_memory_in_use_is_seen(void **state) {
    const size_t bytes = 64 * MIB;
    uint64_t before = lag_host_rss_bytes();
    char *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(block, MAP_FAILED);
    for (size_t i = 0; i < bytes; i += 512) block[i] = (char)i;
    uint64_t during = lag_host_rss_bytes();
    assert_int_equal(munmap(block, bytes), 0);
    assert_true(during >= before + bytes / 2);
    assert_true(lag_host_peak_rss_bytes() + MIB >= during);
    assert_true(lag_host_rss_bytes() + bytes / 2 <= during); /* the present, not the peak */
}

static void test_cpu_time_grows(void **state) {
    double before = lag_host_cpu_seconds();
    volatile double sum = 0;
    while (lag_host_cpu_seconds() < before + 0.01) {
        for (int i = 0; i < 100000; i++) sum = sum + i;
    }
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    double own = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                 1e-6 * ((double)usage.ru_utime.tv_usec + (double)usage.ru_stime.tv_usec);
    assert_true(fabs(lag_host_cpu_seconds() - own) < 0.05);
}

/* --- control groups, in a mount namespace of this test's own ----------------------------------------------------- */

struct file {
    const char *path, *text; /* below /sys/fs/cgroup */
};
struct world {
    const char *cgroup; /* what /proc/self/cgroup says */
    uint64_t total_bytes, available_bytes;
    double cpus; /* 0: no limit */
    struct file files[12];
};
static const struct world worlds[] = {
    /* the limit may be of a folder above; "max" is none; page cache that can be given back is available */
    {"0::/a/b\n",
     24 * MIB,
     19 * MIB,
     1.4,
     {{"a/b/memory.max", "max\n"},
      {"a/b/cpu.max", "max 100000\n"},
      {"a/memory.max", "25165824\n"},
      {"a/memory.current", "8388608\n"},
      {"a/memory.stat", "anon 1\ninactive_file 3145728\nactive_file 7\n"},
      {"a/cpu.max", "140000 100000\n"},
      {"memory.max", "33554432\n"},
      {"memory.current", "1048576\n"}}},
    {"0::/\n", 32 * MIB, 31 * MIB, 0.2, {{"memory.max", "33554432\n"}, {"memory.current", "1048576\n"},
                                         {"cpu.max", "20000 100000\n"}}},
    /* more in use than allowed: nothing is available */
    {"0::/a\n", 8 * MIB, 0, 0, {{"a/memory.max", "8388608\n"}, {"a/memory.current", "9388608\n"}}},
    /* version 1: controllers apart, the whole tree's cache counts */
    {"9:name=systemd:/z\n5:cpuacct,cpu:/x\n4:memory:/x/y\n",
     16 * MIB,
     14 * MIB,
     0.6,
     {{"memory/x/y/memory.limit_in_bytes", "16777216\n"},
      {"memory/x/y/memory.usage_in_bytes", "4194304\n"},
      {"memory/x/y/memory.stat", "inactive_file 1\ntotal_inactive_file 2097152\n"},
      {"cpu/x/cpu.cfs_quota_us", "-1\n"},
      {"cpu/x/cpu.cfs_period_us", "100000\n"},
      {"cpu/cpu.cfs_quota_us", "60000\n"},
      {"cpu/cpu.cfs_period_us", "100000\n"}}},
};

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void put(const struct file *file) {
    char path[256];
    (void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", file->path);
    for (char *slash = path + strlen("/sys/fs/cgroup/"); (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
        *slash = '\0';
        assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
    }
    write_text(path, file->text);
}

/* 0: the limits are those of the world; 1: they are not; 2: this system does not permit such a world. */
static int look(const struct world *world, const char *cgroup_file) {
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return 2;
    if (mount("tmpfs", "/sys/fs/cgroup", "tmpfs", 0, NULL) != 0) return 2;
    write_text(cgroup_file, world->cgroup);
    if (mount(cgroup_file, "/proc/self/cgroup", NULL, MS_BIND, NULL) != 0) return 2;
    for (size_t i = 0; i < LAG_COUNT(world->files) && world->files[i].path; i++) put(&world->files[i]);
    int cpus = affinity(), wanted = (int)(world->cpus + 0.5);
    if (world->cpus > 0 && wanted < cpus) cpus = wanted > 1 ? wanted : 1;
    uint64_t total = lag_host_memory_total_bytes(), available = lag_host_memory_available_bytes();
    if (total == world->total_bytes && available == world->available_bytes && lag_host_cpus() == cpus) return 0;
    print_message("%s: %llu and %llu bytes, %d processors\n", world->cgroup, (unsigned long long)total,
                  (unsigned long long)available, lag_host_cpus());
    return 1;
}

static void test_limits_of_control_groups(void **state) {
    char *folder = make_temporary_folder(), *cgroup_file = lag_asprintf("%s/cgroup", folder);
    for (size_t i = 0; i < LAG_COUNT(worlds); i++) {
        int status;
        pid_t child = fork();
        if (child == 0) _exit(look(&worlds[i], cgroup_file));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 2) {
            print_message("no mount namespaces here: limits of control groups are not tested\n");
            break;
        }
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    (void)unlink(cgroup_file);
    assert_int_equal(rmdir(folder), 0);
    free(cgroup_file);
    free(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_plausible),
        cmocka_unit_test(test_memory_in_use_is_seen),
        cmocka_unit_test(test_cpu_time_grows),
        cmocka_unit_test(test_limits_of_control_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
