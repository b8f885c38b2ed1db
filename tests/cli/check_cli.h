/* What the tests of lagctl's parts share. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lagd/base/strbuf.h>

/* Asserts that buffer holds text, and empties it. */
#define assert_holds(buffer, text)                       \
    do {                                                 \
        assert_false((buffer)->failed);                  \
        assert_string_equal((buffer)->data, text);       \
        lag_strbuf_deinit(buffer);                       \
    } while (0)
