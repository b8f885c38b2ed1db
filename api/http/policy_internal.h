/* The configuration and the token in force: read by every request, replaced by a reload. Thread: any. */
#pragma once
#include "door/auth_internal.h"

#include <lagd/daemon/config.h>
#include <stdbool.h>
struct lag_error;
struct lagd_policy;
struct lagd_supervisor;

/* Takes the supervisor's configuration and reads the token's file. */
int lagd_policy_create(struct lagd_supervisor *supervisor, struct lagd_policy **ret, struct lag_error *err);
void lagd_policy_destroy(struct lagd_policy *policy);
/* Both stay as they are until lagd_policy_release. */
const struct lagd_config *lagd_policy_acquire(struct lagd_policy *policy, const struct lagd_auth **ret_auth);
void lagd_policy_release(struct lagd_policy *policy);
/* Does both anew. When the token cannot be read, or none is given where one is needed, the old one stays and err tells
 * why. *ret_rotated: another token is asked for from now on. */
int lagd_policy_reload(struct lagd_policy *policy, struct lagd_supervisor *supervisor, bool needs_token,
                         bool *ret_rotated, struct lag_error *err);
