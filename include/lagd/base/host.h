/* What this machine offers and what this process uses. Reads /proc where it is there, else sysinfo(2). Thread: any. */
#pragma once
#include <stdint.h>

int lag_host_cpus(void); /* processors this process may use (affinity and cgroup quota, at least 1) */
uint64_t lag_host_memory_total_bytes(void);     /* the smaller of the machine and the cgroup limit */
uint64_t lag_host_memory_available_bytes(void); /* what can be taken now without swapping */
uint64_t lag_host_rss_bytes(void);
uint64_t lag_host_peak_rss_bytes(void);
double lag_host_cpu_seconds(void); /* user + system time of this process */
const char *lag_host_cpu_model(void);
