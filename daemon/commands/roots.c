/* Paths below the configured roots. */
#include "commands/roots_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdlib.h>
#include <string.h>

/* path below root (which has no '/' at its end, but for "/" itself): the part after it, "" for root itself, else
 * NULL. */
static const char *part_below(const char *path, const char *root) {
    size_t length = strlen(root);
    while (length > 1 && root[length - 1] == '/') length--;
    if (length == 1 && root[0] == '/') return path[0] == '/' ? path + strspn(path, "/") : NULL;
    if (strncmp(path, root, length) != 0 || (path[length] != '/' && path[length])) return NULL;
    return path + length + strspn(path + length, "/");
}

static int take(const char *root, const char *rest, const char *what, char ret_root[LAG_ROW_PATH],
                char ret_rest[LAG_ROW_PATH], struct lag_error *err) {
    if (strlen(root) + 1 + strlen(rest) >= LAG_ROW_PATH)
        return lag_error_at(err, LAG_ETOOBIG, "/path", "the path of the %s is longer than %d bytes", what,
                            LAG_ROW_PATH - 1);
    (void)lag_copy(ret_root, LAG_ROW_PATH, root);
    (void)lag_copy(ret_rest, LAG_ROW_PATH, rest);
    return 0;
}

int lagd_roots_find(const char *roots, const char *path, const char *what, bool may_be_root,
                    char ret_root[LAG_ROW_PATH], char ret_rest[LAG_ROW_PATH], struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *copy = lag_strdup(roots);
    if (!copy) return lag_error_set(err, LAG_ENOMEM, "out of memory while adding a %s", what);
    if (path[0] != '/') {
        if (copy[0] && !strchr(copy, ',')) return take(copy, path, what, ret_root, ret_rest, err);
        return lag_error_at(err, LAG_EINVAL, "/path",
                            "a relative path needs exactly one folder in storage/dataset_roots of "
                            "lagd.conf; give an absolute path below one of: %.300s",
                            roots[0] ? roots : "(none is set)");
    }
    char *rest = *copy ? copy : NULL;
    for (char *root; (root = strsep(&rest, ",")) != NULL;) {
        const char *relative = part_below(path, root);
        if (relative && (*relative || may_be_root)) return take(root, relative, what, ret_root, ret_rest, err);
    }
    return lag_error_at(err, LAG_EDENIED, "/path",
                        "%.300s is not below a folder of storage/dataset_roots in lagd.conf (%.200s); "
                        "add its folder there%s",
                        path, roots[0] ? roots : "none is set", strcmp(what, "dataset") == 0 ? ", or upload the file"
                                                                                             : "");
}
