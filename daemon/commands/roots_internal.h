/* Paths that people name below the folders of storage/dataset_roots. Thread: any (pure). */
#pragma once
#include <lagd/storage/rows.h>
struct lag_error;

/* path as one of the roots (of the setting's text, ',' between) and what lies below it; the roots are tried in their
 * order. what: "dataset". The root itself is allowed with an empty rest where may_be_root. Errors at "/path":
 * LAG_EDENIED: below none of them; LAG_EINVAL: relative, and there is not exactly one root; LAG_ETOOBIG. */
int lagd_roots_find(const char *roots, const char *path, const char *what, bool may_be_root,
                    char ret_root[LAG_ROW_PATH], char ret_rest[LAG_ROW_PATH], struct lag_error *err);
