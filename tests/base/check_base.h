/* What every test program of this folder includes: cmocka with what it needs, and temporary folders. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lagd/base/check.h>
#include <lagd/base/error.h>

/* A new folder below $TMPDIR; free with free() after removing it. */
static inline char *make_temporary_folder(void) {
    const char *parent = getenv("TMPDIR");
    char *path = NULL;
    assert_true(asprintf(&path, "%s/lagd-test-XXXXXX", parent ? parent : "/tmp") > 0);
    assert_non_null(mkdtemp(path));
    return path;
}
