/* Layers of configuration: preset < credential < file < drop-ins < environment < flags. */
#include <lagd/daemon/config.h>

#include "config/config_file_internal.h"
#include "config/config_names_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_FILE "/etc/lagd/lagd.conf"

struct loading {
    struct lagd_config config;
    struct lagd_config_source sources[LAGD_CONFIG_KEYS_MAX];
};

static int set_key(struct loading *loading, const struct lag_field *field, const char *value, const char *source,
                   struct lag_error *err) {
    struct lag_error inner = {0};
    int rc = lag_field_set_text(field, &loading->config, value, &inner);
    if (rc < 0) return lag_error_at(err, rc, inner.pointer, "%s: %s", source, inner.text);
    size_t index = (size_t)(field - lagd_config_fields.rows);
    (void)lag_copy(loading->sources[index].text, sizeof(loading->sources[index].text), source);
    return 0;
}

/* --- files ------------------------------------------------------------------------------------------------------- */

struct file {
    struct loading *loading;
    const char *path;
    bool seen[LAGD_CONFIG_KEYS_MAX];
};

static int on_key(void *arg, const struct lagd_config_key *key, struct lag_error *err) {
    struct file *file = arg;
    char path[160], source[sizeof(file->loading->sources[0].text)];
    (void)snprintf(path, sizeof(path), "%.60s/%.60s", key->section, key->name);
    (void)snprintf(source, sizeof(source), "%.140s:%d", file->path, key->line);
    const struct lag_field *field = lag_fields_find(&lagd_config_fields, path);
    if (!field) {
        char meant[128];
        lagd_config_meant(path, meant, sizeof(meant));
        return lag_error_at(err, LAG_EINVAL, path, "%s: unknown key %.60s in section [%.60s]; %s", source, key->name,
                            key->section, meant);
    }
    size_t index = (size_t)(field - lagd_config_fields.rows);
    if (file->seen[index])
        return lag_error_at(err, LAG_EINVAL, path, "%s: %s is given twice in this file", source, path);
    file->seen[index] = true;
    return set_key(file->loading, field, key->value, source, err);
}

static int load_file(struct loading *loading, const char *path, struct lag_error *err) {
    struct file file = {.loading = loading, .path = path};
    return lagd_config_file_read(path, on_key, &file, err);
}

static int is_drop_in(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 5 && strcmp(entry->d_name + length - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static int load_drop_ins(struct loading *loading, const char *file, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *dir = lag_asprintf("%s.d", file);
    if (!dir) return lag_error_set(err, LAG_ENOMEM, "out of memory while reading the configuration");
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, is_drop_in, by_name);
    if (n < 0) return errno == ENOENT ? 0 : lag_error_errno(err, errno, "cannot list the drop-in folder %s", dir);
    int rc = 0;
    for (int i = 0; i < n; i++) {
        LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/%s", dir, entries[i]->d_name);
        if (rc == 0) {
            rc = path ? load_file(loading, path, err)
                      : lag_error_set(err, LAG_ENOMEM, "out of memory while reading the configuration");
        }
        free(entries[i]);
    }
    free(entries);
    return rc;
}

/* --- credentials -------------------------------------------------------------------------------------------------- */

/* What the service manager hands over (LoadCredential=lagd.api-token): any layer that names a file wins. */
static const struct {
    const char *name, *key;
} credentials[] = {
    {"lagd.api-token", "auth/token_file"},
    {"lagd.notify-secret", "notify/webhook_secret_file"},
    {"lagd.notify-url", "notify/webhook_url_file"},
};

static int load_credential(struct loading *loading, const char *dir, size_t i, struct lag_error *err) {
    char source[64];
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/%s", dir, credentials[i].name);
    if (!path) return lag_error_set(err, LAG_ENOMEM, "out of memory while reading the configuration");
    if (access(path, F_OK) < 0) return 0;
    (void)snprintf(source, sizeof(source), "credential %s", credentials[i].name);
    return set_key(loading, lag_fields_find(&lagd_config_fields, credentials[i].key), path, source, err);
}

static int load_credentials(struct loading *loading, struct lag_error *err) {
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    if (!dir || dir[0] != '/') return 0;
    int rc = 0;
    for (size_t i = 0; i < LAG_COUNT(credentials) && rc == 0; i++) rc = load_credential(loading, dir, i, err);
    return rc;
}

/* --- environment and flags --------------------------------------------------------------------------------------- */

static int load_environment(struct loading *loading, struct lag_error *err) {
    for (size_t i = 0; i < lagd_config_fields.n_rows; i++) {
        char name[96], source[128];
        lagd_config_variable(lagd_config_fields.rows[i].path, name, sizeof(name));
        const char *value = getenv(name);
        if (!value) continue;
        (void)snprintf(source, sizeof(source), "environment %s", name);
        int rc = set_key(loading, &lagd_config_fields.rows[i], value, source, err);
        if (rc < 0) return rc;
    }
    return 0;
}

static int load_flags(struct loading *loading, const struct lagd_config_flag *flags, int n_flags,
                      struct lag_error *err) {
    for (int i = 0; i < n_flags; i++) {
        const struct lag_field *field = lag_fields_find(&lagd_config_fields, flags[i].path);
        if (!field) return lag_error_at(err, LAG_EINVAL, flags[i].path, "unknown configuration key %s", flags[i].path);
        int rc = set_key(loading, field, flags[i].value, "flag", err);
        if (rc < 0) return rc;
    }
    return 0;
}

static int load_layers(struct loading *loading, const char *file, const struct lagd_config_flag *flags, int n_flags,
                       struct lag_error *err) {
    if (!file && access(DEFAULT_FILE, F_OK) == 0) file = DEFAULT_FILE;
    int rc = load_credentials(loading, err);
    if (rc == 0 && file) rc = load_file(loading, file, err);
    if (rc < 0) return rc;
    rc = load_drop_ins(loading, file ? file : DEFAULT_FILE, err);
    if (rc < 0) return rc;
    rc = load_environment(loading, err);
    if (rc < 0) return rc;
    return load_flags(loading, flags, n_flags, err);
}

int lagd_config_load(const char *file, const struct lagd_config_flag *flags, int n_flags, struct lagd_config *ret,
                     struct lagd_config_source *ret_sources, struct lag_error *err) {
    LAG_ASSERT(lagd_config_fields.n_rows <= LAGD_CONFIG_KEYS_MAX);
    struct loading *loading = lag_calloc(1, sizeof(*loading));
    if (!loading) return lag_error_set(err, LAG_ENOMEM, "out of memory while reading the configuration");
    lag_fields_defaults(&lagd_config_fields, &loading->config);
    for (size_t i = 0; i < lagd_config_fields.n_rows; i++) {
        (void)lag_copy(loading->sources[i].text, sizeof(loading->sources[i].text), "preset");
    }
    int rc = load_layers(loading, file, flags, n_flags, err);
    if (rc == 0) {
        *ret = loading->config;
        if (ret_sources) memcpy(ret_sources, loading->sources, lagd_config_fields.n_rows * sizeof(*ret_sources));
    }
    free(loading);
    return rc;
}
