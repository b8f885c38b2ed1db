/* Where people are told: what the configuration says of each sink, and whether that can be meant. */
#include <lagd/daemon/outbox.h>

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/token.h>
#include <lagd/daemon/config.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[LAGD_N_SINKS] = {
    [LAGD_SINK_WEBHOOK] = "webhook", [LAGD_SINK_COMMAND] = "command", [LAGD_SINK_JOURNAL] = "journal"};

const char *lagd_sink_name(enum lagd_sink sink) {
    LAG_ASSERT(sink < LAGD_N_SINKS);
    return names[sink];
}

int lagd_sink_find(const char *name) {
    for (int i = 0; i < LAGD_N_SINKS; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

bool lagd_sink_is_on(const struct lagd_config *config, enum lagd_sink sink) {
    switch (sink) {
    case LAGD_SINK_WEBHOOK: return config->webhook_url[0] || config->webhook_url_file[0];
    case LAGD_SINK_COMMAND: return config->notify_command[0];
    case LAGD_SINK_JOURNAL: return config->notify_journal;
    default: return false;
    }
}

const char *lagd_sink_rules(const struct lagd_config *config, enum lagd_sink sink) {
    switch (sink) {
    case LAGD_SINK_WEBHOOK: return config->webhook_on;
    case LAGD_SINK_COMMAND: return config->command_on;
    case LAGD_SINK_JOURNAL: return config->journal_on;
    default: return "";
    }
}

int lagd_hook_of(const struct lagd_config *config, struct lagd_hook *ret, struct lag_error *err) {
    if (config->webhook_url[0]) return lagd_hook_parse(config->webhook_url, ret, err);
    char url[LAG_TOKEN_MAX + 1];
    int rc = lag_token_read(config->webhook_url_file, url, err);
    if (rc == 0) rc = lagd_hook_parse(url, ret, err);
    explicit_bzero(url, sizeof(url));
    return rc;
}

/* --- checks ------------------------------------------------------------------------------------------------------ */

/* A file with one line that others must not read. */
static int check_secret(const char *key, const char *path, struct lag_error *err) {
    struct stat info;
    char secret[LAG_TOKEN_MAX + 1];
    struct lag_error inner = {0};
    if (path[0] != '/')
        return lag_error_at(err, LAG_EINVAL, key, "%s must be an absolute path (got %.200s)", key, path);
    if (stat(path, &info) < 0)
        return lag_error_at(err, LAG_EINVAL, key, "cannot read %s %s: %s", key, path, strerror(errno));
    if (!S_ISREG(info.st_mode) || (info.st_mode & (S_IRWXO | S_IWGRP)))
        return lag_error_at(err, LAG_EDENIED, key, "%s %s must be a plain file that others can neither read nor "
                            "change: chmod 600 it", key, path);
    int rc = lag_token_read(path, secret, &inner);
    explicit_bzero(secret, sizeof(secret));
    return rc == 0 ? 0 : lag_error_at(err, rc, key, "%s: %s", key, inner.text);
}

static int check_webhook(const struct lagd_config *config, struct lag_error *err) {
    struct lagd_hook hook;
    struct lag_error inner = {0};
    const bool by_file = config->webhook_url_file[0];
    const char *key = by_file ? "notify/webhook_url_file" : "notify/webhook_url";
    if (by_file && config->webhook_url[0])
        return lag_error_at(err, LAG_EINVAL, key, "notify/webhook_url and notify/webhook_url_file are both set: leave "
                            "one of them out");
    int rc = by_file ? check_secret(key, config->webhook_url_file, err) : 0;
    if (rc != 0) return rc;
    rc = lagd_hook_of(config, &hook, &inner);
    if (rc != 0) return lag_error_at(err, rc, key, "%s: %s", key, inner.text);
    if (hook.by_helper && !config->notify_helper[0])
        return lag_error_at(err, LAG_EINVAL, "notify/helper", "an https address is called by lagd-notify: set "
                            "notify/helper to its socket");
    if (!config->webhook_secret_file[0]) return 0;
    return check_secret("notify/webhook_secret_file", config->webhook_secret_file, err);
}

static int check_command(const struct lagd_config *config, struct lag_error *err) {
    char program[sizeof(config->notify_command)];
    (void)snprintf(program, sizeof(program), "%.*s", (int)strcspn(config->notify_command, ","),
                   config->notify_command);
    if (program[0] == '/' && access(program, X_OK) == 0) return 0;
    return lag_error_at(err, LAG_EINVAL, "notify/command", "notify/command must begin with the absolute path of a "
                        "program that lagd may run, ',' before each argument (got %.200s)", program);
}

int lagd_outbox_check(const struct lagd_config *config, struct lag_error *err) {
    static const char *const keys[LAGD_N_SINKS] = {"notify/webhook_on", "notify/command_on", "notify/journal_on"};
    for (int i = 0; i < LAGD_N_SINKS; i++) {
        unsigned rules;
        struct lag_error inner = {0};
        int rc = lagd_rules_parse(lagd_sink_rules(config, (enum lagd_sink)i), &rules, &inner);
        if (rc != 0) return lag_error_at(err, rc, keys[i], "%s: %s", keys[i], inner.text);
    }
    if (config->notify_helper[0] && config->notify_helper[0] != '/')
        return lag_error_at(err, LAG_EINVAL, "notify/helper", "notify/helper must be an absolute path (got %.200s)",
                            config->notify_helper);
    if (lagd_sink_is_on(config, LAGD_SINK_WEBHOOK)) {
        int rc = check_webhook(config, err);
        if (rc != 0) return rc;
    }
    return lagd_sink_is_on(config, LAGD_SINK_COMMAND) ? check_command(config, err) : 0;
}
