/* Reads the token's file and compares digests. */
#include "door/auth_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define TOKEN_MAX 1024

int lagd_auth_load(const char *token_file, struct lagd_auth *ret, struct lag_error *err) {
    struct stat info;
    struct lagd_auth made = {true, ""};
    char *text;
    size_t length;
    if (!*token_file) {
        ret->configured = false;
        return 0;
    }
    if (stat(token_file, &info) < 0) return lag_error_errno(err, errno, "cannot read auth/token_file %s", token_file);
    if (info.st_mode & (S_IRWXO | S_IWGRP)) { /* a group that reads may be the ACL of a credential */
        return lag_error_set(err, LAG_EDENIED, "others may read or change auth/token_file %s; run: chmod 600 %s",
                             token_file, token_file);
    }
    int status = lag_fs_read_file(token_file, TOKEN_MAX, &text, &length, err);
    if (status < 0) return lag_error_wrap(err, "auth/token_file");
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r')) text[--length] = '\0';
    if (length == 0 || strpbrk(text, "\r\n") || strlen(text) != length) {
        status = lag_error_set(err, LAG_EINVAL, "auth/token_file %s must hold one line with the token", token_file);
    } else {
        lag_sha256_bytes(text, length, made.digest);
        *ret = made;
    }
    explicit_bzero(text, length);
    free(text);
    return status;
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
