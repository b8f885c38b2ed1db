/* The configuration in force: set once, changed by a reload, asked for by everyone. */
#include "config/settings_parts_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdlib.h>
#include <string.h>

int lagd_settings_create(const struct lagd_config *config, struct lagd_settings **ret, struct lag_error *err) {
    struct lagd_settings *settings = lag_calloc(1, sizeof(*settings));
    if (!settings) return lag_error_set(err, LAG_ENOMEM, "out of memory while starting");
    settings->config = *config;
    (void)pthread_mutex_init(&settings->lock, NULL);
    *ret = settings;
    return 0;
}

void lagd_settings_destroy(struct lagd_settings *settings) {
    if (!settings) return;
    (void)pthread_mutex_destroy(&settings->lock);
    free(settings);
}

void lagd_settings_get(struct lagd_settings *settings, struct lagd_config *ret) {
    (void)pthread_mutex_lock(&settings->lock);
    *ret = settings->config;
    (void)pthread_mutex_unlock(&settings->lock);
}

void lagd_settings_origins(struct lagd_settings *settings, struct lagd_config_origins *ret) {
    (void)pthread_mutex_lock(&settings->lock);
    *ret = settings->origins;
    (void)pthread_mutex_unlock(&settings->lock);
}

void lagd_settings_set_sources(struct lagd_settings *settings, const struct lagd_config_source *sources) {
    memcpy(settings->origins.sources, sources, lagd_config_fields.n_rows * sizeof(*sources));
}

void lagd_settings_on_reload(struct lagd_settings *settings, lagd_reload_fn *load, void *arg) {
    settings->reload_fn = load;
    settings->reload_arg = arg;
}
