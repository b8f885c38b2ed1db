/* The inside of the settings, for settings.c and reload.c. */
#pragma once
#include "config/settings_internal.h"

#include <pthread.h>

struct lagd_settings {
    pthread_mutex_t lock; /* config and origins */
    struct lagd_config config;
    struct lagd_config_origins origins;
    lagd_reload_fn *reload_fn;
    void *reload_arg;
};
