/* The server's own copy of the configuration, and the token that goes with it. */
#include "http/policy_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/supervisor.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct lagd_policy {
    pthread_rwlock_t lock;
    struct lagd_config config;
    struct lagd_auth auth;
};

int lagd_policy_create(struct lagd_supervisor *supervisor, struct lagd_policy **ret, struct lag_error *err) {
    struct lagd_policy *policy = lag_calloc(1, sizeof(*policy));
    if (!policy) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    (void)pthread_rwlock_init(&policy->lock, NULL);
    lagd_supervisor_config(supervisor, &policy->config);
    int status = lagd_auth_load(policy->config.token_file, &policy->auth, err);
    if (status < 0) {
        lagd_policy_destroy(policy);
        return status;
    }
    *ret = policy;
    return 0;
}

void lagd_policy_destroy(struct lagd_policy *policy) {
    if (!policy) return;
    (void)pthread_rwlock_destroy(&policy->lock);
    free(policy);
}

const struct lagd_config *lagd_policy_acquire(struct lagd_policy *policy, const struct lagd_auth **ret_auth) {
    (void)pthread_rwlock_rdlock(&policy->lock);
    *ret_auth = &policy->auth;
    return &policy->config;
}

void lagd_policy_release(struct lagd_policy *policy) { (void)pthread_rwlock_unlock(&policy->lock); }

int lagd_policy_reload(struct lagd_policy *policy, struct lagd_supervisor *supervisor, bool needs_token,
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
    (void)pthread_rwlock_wrlock(&policy->lock);
    policy->config = *config;
    *ret_rotated = status == 0 && auth.configured &&
                   (!policy->auth.configured || strcmp(auth.digest, policy->auth.digest) != 0);
    if (status == 0) policy->auth = auth;
    (void)pthread_rwlock_unlock(&policy->lock);
    return status;
}
