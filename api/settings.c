/* The server's own copy of the configuration, and the token that goes with it. */
#include "settings_internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lagd/base/cleanup.h"
#include "lagd/base/error.h"
#include "lagd/base/mem.h"
#include "lagd/daemon/supervisor.h"

struct lagd_settings {
    pthread_rwlock_t lock;
    struct lagd_config config;
    struct lagd_auth auth;
};

int lagd_settings_create(struct lagd_supervisor *supervisor, struct lagd_settings **ret, struct lag_error *err) {
    struct lagd_settings *settings = lag_calloc(1, sizeof(*settings));
    if (!settings) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    (void)pthread_rwlock_init(&settings->lock, NULL);
    lagd_supervisor_config(supervisor, &settings->config);
    int status = lagd_auth_load(settings->config.token_file, &settings->auth, err);
    if (status < 0) {
        lagd_settings_destroy(settings);
        return status;
    }
    *ret = settings;
    return 0;
}

void lagd_settings_destroy(struct lagd_settings *settings) {
    if (!settings) return;
    (void)pthread_rwlock_destroy(&settings->lock);
    free(settings);
}

const struct lagd_config *lagd_settings_acquire(struct lagd_settings *settings, const struct lagd_auth **ret_auth) {
    (void)pthread_rwlock_rdlock(&settings->lock);
    *ret_auth = &settings->auth;
    return &settings->config;
}

void lagd_settings_release(struct lagd_settings *settings) { (void)pthread_rwlock_unlock(&settings->lock); }

int lagd_settings_reload(struct lagd_settings *settings, struct lagd_supervisor *supervisor, bool needs_token,
                         bool *ret_rotated, struct lag_error *err) {
    struct lagd_auth auth;
    LAG_CLEANUP(lag_free_p) struct lagd_config *config = lag_calloc(1, sizeof(*config));
    if (!config) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    lagd_supervisor_config(supervisor, config);
    int status = lagd_auth_load(config->token_file, &auth, err);
    if (status == 0 && !auth.configured && needs_token) {
        status = lag_error_set(err, LAG_EDENIED,
                               "the API can be reached from outside this machine: set auth/token_file");
    }
    (void)pthread_rwlock_wrlock(&settings->lock);
    settings->config = *config;
    *ret_rotated = status == 0 && auth.configured &&
                   (!settings->auth.configured || strcmp(auth.digest, settings->auth.digest) != 0);
    if (status == 0) settings->auth = auth;
    (void)pthread_rwlock_unlock(&settings->lock);
    return status;
}
