/* Files that a command names: regular ones, pipes, and standard input. */
#include "ctl_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

FILE *ctl_open(const char *path) {
    if (strcmp(path, "-") == 0) return stdin;
    FILE *file = fopen(path, "rb");
    struct stat info;
    if (file && fstat(fileno(file), &info) == 0 && S_ISDIR(info.st_mode)) {
        (void)fclose(file);
        (void)ctl_fail(CTL_FAILED, "%s is a folder: name a file, a pipe, or - for standard input", path);
        return NULL;
    }
    if (!file) (void)ctl_fail(CTL_FAILED, "cannot read %s: %s", path, strerror(errno));
    return file;
}

void ctl_close(FILE *file) {
    if (file && file != stdin) (void)fclose(file);
}

/* All of file, at most max bytes. */
static int take_all(FILE *file, const char *path, size_t max, struct lag_strbuf *ret) {
    char block[4096];
    size_t n;
    while ((n = fread(block, 1, sizeof(block), file)) > 0) {
        if (ret->length + n > max) return ctl_fail(CTL_FAILED, "%s is larger than %zu bytes", path, max);
        lag_strbuf_append_n(ret, block, n);
    }
    if (ferror(file)) return ctl_fail(CTL_FAILED, "cannot read %s: %s", path, strerror(errno));
    return ret->failed ? ctl_fail(CTL_FAILED, "out of memory") : CTL_OK;
}

int ctl_read(const char *path, size_t max, char **ret, size_t *ret_length) {
    struct lag_strbuf text = LAG_STRBUF_INIT;
    FILE *file = ctl_open(path);
    if (!file) return CTL_FAILED;
    lag_strbuf_append(&text, "");
    int status = take_all(file, path, max, &text);
    ctl_close(file);
    if (status == CTL_OK) {
        *ret_length = text.length;
        *ret = lag_strbuf_take(&text);
    }
    lag_strbuf_deinit(&text);
    return status;
}
