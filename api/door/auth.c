/* Reads the token's file and compares digests. */
#include "door/auth_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/token.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

int lagd_auth_load(const char *token_file, struct lagd_auth *ret, struct lag_error *err) {
    struct stat info;
    struct lagd_auth made = {true, ""};
    char token[LAG_TOKEN_MAX + 1];
    if (!*token_file) {
        ret->configured = false;
        return 0;
    }
    if (stat(token_file, &info) < 0) return lag_error_errno(err, errno, "cannot read auth/token_file %s", token_file);
    if (info.st_mode & (S_IRWXO | S_IWGRP)) { /* a group that reads may be the ACL of a credential */
        return lag_error_set(err, LAG_EDENIED, "others may read or change auth/token_file %s; run: chmod 600 %s",
                             token_file, token_file);
    }
    int status = lag_token_read(token_file, token, err);
    if (status < 0) return lag_error_wrap(err, "auth/token_file");
    lag_sha256_bytes(token, strlen(token), made.digest);
    explicit_bzero(token, sizeof(token));
    *ret = made;
    return 0;
}

bool lagd_auth_check(const struct lagd_auth *auth, const char *authorization) {
    char digest[LAG_SHA256_HEX];
    if (!auth->configured) return true;
    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0) return false;
    authorization += 7;
    while (*authorization == ' ') authorization++;
    lag_sha256_bytes(authorization, strlen(authorization), digest);
    return lag_equal_constant_time(digest, auth->digest);
}
