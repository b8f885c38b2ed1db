/* The dashboard: its page at /, its files below /ui. */
#include "resources/handlers_internal.h"
#include "site/static_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_POLICY                                                                                        \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " \
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

/* Whether one of the comma-separated codings is gzip and not refused by ;q=0. */
static bool accepts_gzip(const char *codings) {
    for (const char *p = codings; p && *p;) {
        p += strspn(p, " \t,");
        size_t n = strcspn(p, ",");
        if (strncmp(p, "gzip", 4) == 0 && strchr(" \t,;", p[4])) {
            char rest[32];
            (void)snprintf(rest, sizeof(rest), "%.*s", (int)(n - 4), p + 4);
            const char *quality = strstr(rest, "q=0");
            return !quality || strpbrk(quality + 3, "123456789");
        }
        p += n;
    }
    return false;
}

static int answer_file(struct lagd_request *request, const char *path) {
    const struct lagd_static_file *file = lagd_static_find(lagd_request_static(request), path);
    if (!file) {
        return lag_error_set(&request->err, LAG_ENOTFOUND,
                             "the dashboard has no such file; it begins at /, and the API at /api/v1");
    }
    bool gzip = file->gzip && accepts_gzip(request->accept_encoding);
    const char *etag = gzip ? file->etag_gzip : file->etag;
    size_t n = gzip ? file->n_gzip : file->n_data;
    lagd_header_set(request, "ETag", "%s", etag);
    lagd_header_set(request, "Cache-Control", "no-cache");
    lagd_header_set(request, "Vary", "Accept, Accept-Encoding");
    if (strncmp(file->type, "text/html", 9) == 0) lagd_header_set(request, "Content-Security-Policy", PAGE_POLICY);
    if (request->if_none_match && (strcmp(request->if_none_match, "*") == 0 || strstr(request->if_none_match, etag))) {
        request->response.status = 304;
        return 0;
    }
    char *copy = lag_calloc(1, n + 1);
    if (!copy) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    memcpy(copy, gzip ? file->gzip : file->data, n);
    if (gzip) lagd_header_set(request, "Content-Encoding", "gzip");
    return lagd_answer_text(request, file->type, copy, n);
}

/* A browser gets the page, anything else the index of the API. */
int lagd_h_front(struct lagd_request *request) {
    bool page = request->accept && strstr(request->accept, "text/html");
    if (page && lagd_static_find(lagd_request_static(request), "index.html")) return answer_file(request, "index.html");
    lagd_header_set(request, "Vary", "Accept, Accept-Encoding");
    return lagd_h_index(request);
}

int lagd_h_static(struct lagd_request *request) {
    char path[200];
    if (request->target.n_segments == 3)
        (void)snprintf(path, sizeof(path), "%s/%s", request->params[0], request->params[1]);
    else
        (void)snprintf(path, sizeof(path), "%s", request->params[0]);
    return answer_file(request, strcmp(path, "index.html") == 0 ? "" : path); /* the page has one address: / */
}
