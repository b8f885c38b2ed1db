/* Names of configuration keys, as people may have meant them. Thread: any. */
#pragma once
#include <stddef.h>

/* server/listen -> LAGD_SERVER_LISTEN */
void lagd_config_variable(const char *path, char *ret, size_t size);
/* For a path that is no key: "did you mean train/max_runs?", or where the keys are listed. */
void lagd_config_meant(const char *path, char *ret, size_t size);
