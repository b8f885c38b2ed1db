/* What the machine does now, from /proc and /sys. */
#include <lagd/base/readings.h>

#include <lagd/base/cleanup.h>
#include <lagd/base/host.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NS 1e-9
#define SENSORS_MAX 64
#define HOTTEST_CELSIUS 150 /* more is not a temperature */

/* The numbers behind a word at the beginning of a line; how many there were. */
static int read_numbers(const char *path, const char *word, double *ret, int n_max) {
    char line[512];
    LAG_CLEANUP(lag_fclose_p) FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        size_t length = strlen(word);
        int n = 0, used = 0;
        if (strncmp(line, word, length) != 0) continue;
        for (const char *at = line + length; n < n_max && sscanf(at, "%lf%n", &ret[n], &used) == 1; at += used) n++;
        return n;
    }
    return 0;
}

/* Of all processors, in ticks since the machine began. user nice system idle iowait irq softirq steal: guests are
 * counted by user already. */
static void read_cpu(double *ret_busy, double *ret_all) {
    double times[8] = {0};
    *ret_busy = *ret_all = NAN;
    int n = read_numbers("/proc/stat", "cpu ", times, 8);
    if (n < 4) return;
    *ret_all = 0;
    for (int i = 0; i < n; i++) *ret_all += times[i];
    *ret_busy = *ret_all - times[3] - times[4];
}

static double one_number(const char *path, const char *word) {
    double value;
    return read_numbers(path, word, &value, 1) == 1 ? value : NAN;
}

static double temperature(void) {
    double hottest = NAN;
    for (int i = 0; i < SENSORS_MAX; i++) {
        char path[96];
        (void)snprintf(path, sizeof(path), "/sys/class/thermal/thermal_zone%d/temp", i);
        double celsius = one_number(path, "") / 1000;
        if (isnan(celsius)) (void)snprintf(path, sizeof(path), "/sys/class/hwmon/hwmon%d/temp1_input", i);
        if (isnan(celsius)) celsius = one_number(path, "") / 1000;
        if (celsius > 0 && celsius < HOTTEST_CELSIUS) hottest = fmax(hottest, celsius);
    }
    return hottest;
}

/* From one look to the next; a counter that began anew tells nothing. */
static double rate(double before, double now, double per) {
    return per > 0 && now >= before ? (now - before) / per : NAN;
}

void lag_readings_take(struct lag_readings_before *before, int64_t now_ns, struct lag_readings *ret) {
    struct lag_readings_before now = {.at_ns = now_ns, .own_s = lag_host_cpu_seconds()};
    const uint64_t total = lag_host_memory_total_bytes(), available = lag_host_memory_available_bytes();
    const double seconds = before->at_ns ? NS * (double)(now_ns - before->at_ns) : 0;
    read_cpu(&now.busy, &now.all);
    now.read_bytes = one_number("/proc/self/io", "read_bytes:");
    now.written_bytes = one_number("/proc/self/io", "write_bytes:");
    *ret = (struct lag_readings){
        .cpu_share = seconds > 0 ? rate(before->busy, now.busy, now.all - before->all) : NAN,
        .cpu_own = rate(before->own_s, now.own_s, seconds),
        .memory_used_bytes = total >= available ? (double)(total - available) : NAN,
        .memory_own_bytes = (double)lag_host_rss_bytes(),
        .read_bytes_per_s = rate(before->read_bytes, now.read_bytes, seconds),
        .written_bytes_per_s = rate(before->written_bytes, now.written_bytes, seconds),
        .temperature_celsius = temperature(),
    };
    *before = now;
}
