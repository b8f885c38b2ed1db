/* Reads the dashboard's files into memory. */
#include "site/static_internal.h"

#include "web_files.h" /* made by web/meson.build: LAGD_WEB_FILES, LAGD_WEB_DIR */

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/hash.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES (1 << 20)
#define PATH_MAX_BYTES 1200

static const char *const names[] = {LAGD_WEB_FILES NULL};
#define N_FILES (LAG_COUNT(names) - 1)
static const size_t n_files = N_FILES; /* may be none: compared as a variable, a constant would be warned of */

struct lagd_static {
    struct lagd_static_file files[N_FILES + 1];
};

static const struct {
    const char *suffix, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".txt", "text/plain; charset=utf-8"},
};

static const char *type_of(const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i < LAG_COUNT(types); i++) {
        size_t n_suffix = strlen(types[i].suffix);
        if (n > n_suffix && strcmp(name + n - n_suffix, types[i].suffix) == 0) return types[i].type;
    }
    return "application/octet-stream";
}

static bool has_index(const char *dir) {
    char path[PATH_MAX_BYTES];
    return snprintf(path, sizeof(path), "%s/index.html", dir) < (int)sizeof(path) && lag_fs_exists(path);
}

/* build/lagd has its files in build/web. */
static bool beside_program(char dir[1024]) {
    ssize_t n = readlink("/proc/self/exe", dir, 1000);
    if (n <= 0 || n >= 1000) return false;
    dir[n] = '\0';
    char *slash = strrchr(dir, '/');
    if (!slash) return false;
    memcpy(slash, "/web", sizeof("/web"));
    return has_index(dir);
}

static bool read_file(struct lagd_static_file *file, const char *dir, const char *name, struct lag_error *err) {
    char path[PATH_MAX_BYTES], hex[LAG_SHA256_HEX];
    file->type = type_of(name);
    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path) - 4) return false;
    if (lag_fs_read_file(path, FILE_MAX_BYTES, &file->data, &file->n_data, err) < 0) return false;
    lag_sha256_bytes(file->data, file->n_data, hex);
    (void)snprintf(file->etag, sizeof(file->etag), "\"%.24s\"", hex);
    (void)snprintf(file->etag_gzip, sizeof(file->etag_gzip), "\"%.24s-gzip\"", hex);
    memcpy(path + strlen(path), ".gz", sizeof(".gz"));
    if (lag_fs_exists(path)) (void)lag_fs_read_file(path, FILE_MAX_BYTES, &file->gzip, &file->n_gzip, NULL);
    return true;
}

int lagd_static_load(const char *web_dir, struct lagd_static **ret) {
    char beside[1024];
    size_t n_missing = 0;
    struct lag_error err = {0};
    struct lagd_static *made = lag_calloc(1, sizeof(*made));
    if (!made) return LAG_ENOMEM;
    const char *dir = *web_dir ? web_dir : beside_program(beside) ? beside : LAGD_WEB_DIR;
    for (size_t i = 0; i < n_files; i++) {
        made->files[i].path = names[i];
        if (!read_file(&made->files[i], dir, names[i], &err)) n_missing++;
    }
    if (n_files == 0)
        lag_log(LAG_LOG_INFO, "http: this lagd was built without the dashboard");
    else if (n_missing > 0)
        lag_log(LAG_LOG_WARNING, "http: %zu of %zu files of the dashboard are missing in %s (server/web_dir): %s",
                n_missing, n_files, dir, err.text);
    *ret = made;
    return 0;
}

void lagd_static_destroy(struct lagd_static *files) {
    if (!files) return;
    for (size_t i = 0; i < n_files; i++) {
        free(files->files[i].data);
        free(files->files[i].gzip);
    }
    free(files);
}

const struct lagd_static_file *lagd_static_find(const struct lagd_static *files, const char *path) {
    for (size_t i = 0; files && i < n_files; i++) {
        const struct lagd_static_file *file = &files->files[i];
        if (strcmp(file->path, path) == 0) return file->data ? file : NULL;
    }
    return NULL;
}
