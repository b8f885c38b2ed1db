/* The dashboard's files: read once at the start, found by exact match of the request path, never by building a path
 * from it. The names come from web/meson.build. Thread: loaded by one, then read-only for any. */
#pragma once
#include <stddef.h>

struct lagd_static;
struct lagd_static_file {
    const char *path, *type; /* below the folder, "views/run.js"; "text/javascript; charset=utf-8" */
    char etag[40], etag_gzip[40]; /* strong and quoted: the representations differ, so do their tags */
    char *data, *gzip;            /* NULL: not there; gzip too when there is no .gz beside the file */
    size_t n_data, n_gzip;
};

/* web_dir "": beside the program (build/lagd and build/web), else where it was installed. Files that are missing are
 * logged and answered as not found. */
int lagd_static_load(const char *web_dir, struct lagd_static **ret);
void lagd_static_destroy(struct lagd_static *files);
/* NULL: no such file, or it could not be read. */
const struct lagd_static_file *lagd_static_find(const struct lagd_static *files, const char *path);
