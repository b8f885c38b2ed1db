/* What this machine offers and what this process uses, from /proc and cgroups. */
#include <lagd/base/host.h>

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { PATH_SIZE = 512, TEXT_SIZE = 4096 };

/* The beginning of a small file of /proc or /sys; false when it cannot be read. */
static bool read_text(const char *path, char *text, size_t size) {
    LAG_CLEANUP(lag_fclose_p) FILE *file = fopen(path, "re");
    if (!file) return false;
    size_t length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    return length > 0;
}

/* "Key:   123 kB" in /proc/meminfo or /proc/self/status. */
static bool read_kib(const char *path, const char *key, uint64_t *ret_bytes) {
    char text[TEXT_SIZE];
    if (!read_text(path, text, sizeof(text))) return false;
    const char *line = strstr(text, key);
    unsigned long long kib;
    if (!line || sscanf(line + strlen(key), "%llu", &kib) != 1) return false;
    *ret_bytes = (uint64_t)kib * 1024;
    return true;
}

/* The path of this process in the hierarchy of a v1 controller, or in the unified one (controller ""). */
static bool cgroup_path(const char *controller, char *ret, size_t size) {
    LAG_CLEANUP(lag_fclose_p) FILE *file = fopen("/proc/self/cgroup", "re");
    char line[PATH_SIZE + 128];
    while (file && fgets(line, sizeof(line), file)) {
        char *names = strchr(line, ':');
        char *path = names ? strchr(names + 1, ':') : NULL;
        if (!path) continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        bool found = !*controller && names[1] == '\0';
        char *rest = names + 1;
        for (const char *name; *controller && (name = strsep(&rest, ",")) != NULL;) {
            if (strcmp(name, controller) == 0) found = true;
        }
        if (found) return lag_copy(ret, size, path) == 0;
    }
    return false;
}

/* Calls visit for the folder of this process's cgroup and for each one above it, as far as they are visible: in a
 * container the path may be one of the host, and only the mount's root is there. */
static void visit_cgroups(const char *mount, const char *controller, void (*visit)(const char *folder, void *arg),
                          void *arg) {
    char path[PATH_SIZE], folder[PATH_SIZE + 64];
    if (!cgroup_path(controller, path, sizeof(path))) return;
    for (;;) {
        (void)snprintf(folder, sizeof(folder), "%s%s", mount, strcmp(path, "/") == 0 ? "" : path);
        visit(folder, arg);
        char *slash = strrchr(path, '/');
        if (!slash || path[1] == '\0') return;
        slash[slash == path] = '\0';
    }
}

static bool read_number(const char *folder, const char *name, uint64_t *ret) {
    char path[PATH_SIZE + 128], text[64];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    unsigned long long value;
    if (!read_text(path, text, sizeof(text)) || text[0] == '-' || sscanf(text, "%llu", &value) != 1) return false;
    *ret = value;
    return true;
}

/* Page cache that the kernel would give back before it refuses: it counts as use, but not against us. */
static uint64_t reclaimable_bytes(const char *folder) {
    char path[PATH_SIZE + 128], text[TEXT_SIZE];
    (void)snprintf(path, sizeof(path), "%s/memory.stat", folder);
    if (!read_text(path, text, sizeof(text))) return 0;
    const char *line = strstr(text, "total_inactive_file ");
    if (!line) line = strstr(text, "inactive_file ");
    unsigned long long bytes = 0;
    if (!line || sscanf(strchr(line, ' '), "%llu", &bytes) != 1) return 0;
    return bytes;
}

struct memory {
    const char *limit_name, *usage_name;
    uint64_t limit_bytes, available_bytes; /* the smallest of those seen */
};

static void visit_memory(const char *folder, void *arg) {
    struct memory *memory = arg;
    uint64_t limit, usage;
    if (!read_number(folder, memory->limit_name, &limit)) return; /* "max", or not a limit here */
    memory->limit_bytes = LAG_MIN(memory->limit_bytes, limit);
    if (!read_number(folder, memory->usage_name, &usage)) return;
    uint64_t reclaimable = reclaimable_bytes(folder);
    usage -= LAG_MIN(usage, reclaimable);
    memory->available_bytes = LAG_MIN(memory->available_bytes, limit - LAG_MIN(limit, usage));
}

static struct memory cgroup_memory(void) {
    struct memory memory = {"memory.max", "memory.current", UINT64_MAX, UINT64_MAX};
    visit_cgroups("/sys/fs/cgroup", "", visit_memory, &memory);
    memory.limit_name = "memory.limit_in_bytes";
    memory.usage_name = "memory.usage_in_bytes";
    visit_cgroups("/sys/fs/cgroup/memory", "memory", visit_memory, &memory);
    return memory;
}

uint64_t lag_host_memory_total_bytes(void) {
    uint64_t total_bytes;
    if (!read_kib("/proc/meminfo", "MemTotal:", &total_bytes)) {
        struct sysinfo info;
        total_bytes = sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : 0;
    }
    return LAG_MIN(total_bytes, cgroup_memory().limit_bytes);
}

uint64_t lag_host_memory_available_bytes(void) {
    uint64_t available_bytes;
    if (!read_kib("/proc/meminfo", "MemAvailable:", &available_bytes)) {
        struct sysinfo info; /* does not count the page cache, so this is too small rather than too large */
        available_bytes = sysinfo(&info) == 0 ? ((uint64_t)info.freeram + info.bufferram) * info.mem_unit : 0;
    }
    return LAG_MIN(available_bytes, cgroup_memory().available_bytes);
}

/* v2: "cpu.max" holds "<quota> <period>" or "max <period>". */
static void visit_cpu_v2(const char *folder, void *arg) {
    double *cpus = arg, quota, period;
    char path[PATH_SIZE + 128], text[64];
    (void)snprintf(path, sizeof(path), "%s/cpu.max", folder);
    if (!read_text(path, text, sizeof(text)) || sscanf(text, "%lf %lf", &quota, &period) != 2 || period <= 0) return;
    *cpus = LAG_MIN(*cpus, quota / period);
}

static void visit_cpu_v1(const char *folder, void *arg) {
    double *cpus = arg;
    uint64_t quota, period;
    if (!read_number(folder, "cpu.cfs_quota_us", &quota) || !read_number(folder, "cpu.cfs_period_us", &period)) return;
    if (period > 0) *cpus = LAG_MIN(*cpus, (double)quota / (double)period);
}

/* Processors in the affinity mask; a machine with more than 1024 needs a larger one. */
static int affinity_cpus(void) {
    for (int n = 1024; n <= 1 << 18; n *= 4) {
        cpu_set_t *set = CPU_ALLOC((size_t)n);
        if (!set) break;
        size_t bytes = CPU_ALLOC_SIZE((size_t)n);
        int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (count > 0) return count;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

int lag_host_cpus(void) {
    double cpus = affinity_cpus();
    visit_cgroups("/sys/fs/cgroup", "", visit_cpu_v2, &cpus);
    visit_cgroups("/sys/fs/cgroup/cpu", "cpu", visit_cpu_v1, &cpus);
    int whole = (int)(cpus + 0.5);
    return LAG_MAX(whole, 1);
}

static uint64_t resident_bytes(void) {
    char text[128];
    unsigned long long pages, resident;
    if (!read_text("/proc/self/statm", text, sizeof(text)) || sscanf(text, "%llu %llu", &pages, &resident) != 2)
        return 0;
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t lag_host_peak_rss_bytes(void) {
    uint64_t bytes, now_bytes = resident_bytes(); /* the kernel notes the peak late: it may lie below the present */
    if (read_kib("/proc/self/status", "VmHWM:", &bytes)) return LAG_MAX(bytes, now_bytes);
    struct rusage usage; /* counts what the process was before exec too */
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : now_bytes;
}

uint64_t lag_host_rss_bytes(void) {
    uint64_t bytes = resident_bytes();
    return bytes ? bytes : lag_host_peak_rss_bytes();
}

static double seconds(struct timeval time) { return (double)time.tv_sec + 1e-6 * (double)time.tv_usec; }

double lag_host_cpu_seconds(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? seconds(usage.ru_utime) + seconds(usage.ru_stime) : 0;
}

/* Read once: the model of the processor does not change while we run. */
static pthread_once_t model_once = PTHREAD_ONCE_INIT;
static char model[128];

static void find_model(void) {
    char text[TEXT_SIZE];
    struct utsname names;
    const char *line = read_text("/proc/cpuinfo", text, sizeof(text)) ? strstr(text, "model name") : NULL;
    line = line ? strchr(line, ':') : NULL;
    if (line) {
        line += 1 + strspn(line + 1, " \t");
        (void)lag_copy(model, sizeof(model), line);
        model[strcspn(model, "\n")] = '\0';
    } else {
        (void)lag_copy(model, sizeof(model), uname(&names) == 0 ? names.machine : "unknown");
    }
}

const char *lag_host_cpu_model(void) {
    (void)pthread_once(&model_once, find_model);
    return model;
}
