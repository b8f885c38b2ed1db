/* What only shows when all keys of the configuration are there. */
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <lagd/base/token.h>
#include <lagd/daemon/config.h>
#include <lagd/daemon/outbox.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TOKEN_MIN 16 /* characters */

static int check_absolute(const char *key, const char *path, struct lag_error *err) {
    if (path[0] == '/') return 0;
    return lag_error_at(err, LAG_EINVAL, key, "%s must be an absolute path (got %.200s)", key, path);
}

static bool is_loopback(const char *host) {
    struct in_addr v4;
    struct in6_addr v6;
    if (strcmp(host, "localhost") == 0) return true;
    if (inet_pton(AF_INET, host, &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* host:port or [host]:port */
static int check_listen(const struct lagd_config *config, struct lag_error *err) {
    char host[256];
    int64_t port;
    (void)lag_copy(host, sizeof(host), config->listen);
    char *colon = strrchr(host, ':');
    bool good = colon != NULL && colon != host && lag_parse_i64(colon + 1, &port) == 0 && port >= 0 && port <= 65535;
    char *name = host;
    if (good) {
        *colon = '\0';
        size_t length = strlen(host);
        if (host[0] == '[' && host[length - 1] == ']') {
            host[length - 1] = '\0';
            name++;
        } else if (strchr(host, ':')) {
            good = false;
        }
    }
    if (!good) {
        return lag_error_at(err, LAG_EINVAL, "server/listen", "server/listen must be ADDRESS:PORT, such as "
                            "127.0.0.1:7437 or [::1]:7437 (got %.200s)", config->listen);
    }
    if (!config->token_file[0] && !is_loopback(name)) {
        return lag_error_at(err, LAG_EDENIED, "auth/token_file",
                            "server/listen = %.200s can be reached from outside this "
                            "machine: set auth/token_file to a file with a token, or listen on 127.0.0.1",
                            config->listen);
    }
    return 0;
}

static int check_token(const char *path, struct lag_error *err) {
    int rc = check_absolute("auth/token_file", path, err);
    if (rc < 0) return rc;
    struct stat info;
    if (stat(path, &info) < 0) {
        int error_number = errno;
        return lag_error_at(err, LAG_EINVAL, "auth/token_file", "cannot read auth/token_file %s: %s", path,
                            strerror(error_number));
    }
    if (!S_ISREG(info.st_mode) || (info.st_mode & (S_IRWXO | S_IWGRP))) {
        return lag_error_at(err, LAG_EDENIED, "auth/token_file",
                            "auth/token_file %s must be a plain file that others can "
                            "neither read nor change: chmod 600 it",
                            path);
    }
    char token[LAG_TOKEN_MAX + 1];
    struct lag_error inner = {0};
    if ((rc = lag_token_read(path, token, &inner)) < 0)
        return lag_error_at(err, rc, "auth/token_file", "auth/token_file: %s", inner.text);
    bool is_short = strlen(token) < TOKEN_MIN;
    explicit_bzero(token, sizeof(token));
    if (!is_short) return 0;
    return lag_error_at(err, LAG_EINVAL, "auth/token_file", "auth/token_file %s must hold one line with a token of at "
                        "least %d characters (white space at its ends does not count)", path, TOKEN_MIN);
}

static int check_roots(const char *roots, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *copy = lag_strdup(roots);
    if (!copy) return lag_error_set(err, LAG_ENOMEM, "out of memory while checking the configuration");
    char *rest = *copy ? copy : NULL;
    for (char *root; (root = strsep(&rest, ",")) != NULL;) {
        int rc = check_absolute("storage/dataset_roots", root, err);
        if (rc < 0) return rc;
        struct stat info;
        if (stat(root, &info) < 0 || !S_ISDIR(info.st_mode) || access(root, R_OK | X_OK) < 0) {
            return lag_error_at(err, LAG_EINVAL, "storage/dataset_roots",
                                "storage/dataset_roots: %.300s is no folder that "
                                "lagd can read",
                                root);
        }
    }
    return 0;
}

int lagd_config_check(const struct lagd_config *config, struct lag_error *err) {
    if (!config->listen[0] && !config->socket[0]) {
        return lag_error_at(err, LAG_EINVAL, "server/listen",
                            "nothing to listen at: set server/listen or server/socket");
    }
    int rc = check_absolute("storage/state_dir", config->state_dir, err);
    if (rc == 0 && config->socket[0]) rc = check_absolute("server/socket", config->socket, err);
    if (rc == 0 && config->token_file[0]) rc = check_token(config->token_file, err);
    if (rc == 0 && config->listen[0]) rc = check_listen(config, err);
    if (rc == 0) rc = check_roots(config->dataset_roots, err);
    if (rc == 0) rc = lagd_outbox_check(config, err);
    return rc;
}
