/* The configuration in force, and its reload. */
#pragma once
#include <lagd/daemon/config.h>
#include <lagd/daemon/supervisor.h>
struct lagd_settings;

int lagd_settings_create(const struct lagd_config *config, struct lagd_settings **ret, struct lag_error *err);
void lagd_settings_destroy(struct lagd_settings *settings);
/* A copy, since a reload may change it. Thread: any. */
void lagd_settings_get(struct lagd_settings *settings, struct lagd_config *ret);
/* Where its values come from. Thread: any. */
void lagd_settings_origins(struct lagd_settings *settings, struct lagd_config_origins *ret);
/* Before anything else asks. */
void lagd_settings_set_sources(struct lagd_settings *settings, const struct lagd_config_source *sources);
void lagd_settings_on_reload(struct lagd_settings *settings, lagd_reload_fn *load, void *arg);
/* reload.c: reads and checks the configuration as a whole; then the keys that may change take effect. On an error that
 * in force is kept. The service manager and the log are told. err may be NULL. Thread: main. */
int lagd_settings_reload(struct lagd_settings *settings, struct lag_error *err);
