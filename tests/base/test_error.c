/* Codes and texts of errors: cut, wrapped, cleaned. */
#include "check_base.h"

#include <lagd/base/parse.h>
#include <errno.h>
#include <limits.h>

static void test_set_returns_the_code_and_allows_null(void **state) {
    struct lag_error err = {.pointer = "/old"};
    assert_int_equal(lag_error_set(NULL, LAG_EBUSY, "busy %d", 1), LAG_EBUSY);
    assert_int_equal(lag_error_set(&err, LAG_EBUSY, "busy %d", 1), LAG_EBUSY);
    assert_int_equal(err.code, LAG_EBUSY);
    assert_string_equal(err.text, "busy 1");
    assert_string_equal(err.pointer, "");
    assert_int_equal(lag_error_at(NULL, LAG_EINVAL, "/a", "x"), LAG_EINVAL);
    assert_int_equal(lag_error_at(&err, LAG_EINVAL, "/model/n_layer", "too small"), LAG_EINVAL);
    assert_string_equal(err.pointer, "/model/n_layer");
}

/* Each errno, what lagd calls it, and what it does about it. */
static void test_errno_table(void **state) {
    enum { WAIT = LAG_CAUSE_PASSES, PAUSE = LAG_CAUSE_OUTSIDE, BACK = LAG_CAUSE_DAMAGE };
    static const struct {
        int error_number, code, cause;
    } rows[] = {
        {ENOSPC, LAG_ENOSPC, WAIT},   {EDQUOT, LAG_ENOSPC, WAIT},  {EFBIG, LAG_ENOSPC, WAIT},
        {ENOMEM, LAG_ENOMEM, WAIT},   {EMFILE, LAG_ESHORT, WAIT},  {ENFILE, LAG_ESHORT, WAIT},
        {EAGAIN, LAG_ESHORT, WAIT},   {ENOBUFS, LAG_ESHORT, WAIT}, {ENOLCK, LAG_ESHORT, WAIT},
        {EBUSY, LAG_EBUSY, WAIT},     {ETXTBSY, LAG_EBUSY, WAIT},  {EINTR, LAG_EBUSY, WAIT},
        {ETIMEDOUT, LAG_EBUSY, WAIT}, {EACCES, LAG_EDENIED, PAUSE}, {EPERM, LAG_EDENIED, PAUSE},
        {EROFS, LAG_EDENIED, PAUSE},  {ELOOP, LAG_EDENIED, PAUSE}, {EXDEV, LAG_EDENIED, PAUSE},
        {ENOTDIR, LAG_EPATH, PAUSE},  {EISDIR, LAG_EPATH, PAUSE},  {ENAMETOOLONG, LAG_EPATH, PAUSE},
        {EEXIST, LAG_EPATH, PAUSE},   {ENOTEMPTY, LAG_EPATH, PAUSE}, {EIO, LAG_EIO, PAUSE},
        {ENXIO, LAG_EIO, PAUSE},      {ENODEV, LAG_EIO, PAUSE},    {ESTALE, LAG_EIO, PAUSE},
        {EBADF, LAG_EIO, PAUSE},      {ENOENT, LAG_ENOTFOUND, BACK},
    };
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        struct lag_error err = {.pointer = "/old"};
        assert_int_equal(lag_code_of_errno(rows[i].error_number), rows[i].code);
        assert_int_equal(lag_code_cause(rows[i].code), rows[i].cause);
        assert_int_equal(lag_error_errno(NULL, rows[i].error_number, "x"), rows[i].code);
        assert_int_equal(lag_error_errno(&err, rows[i].error_number, "open %s", "f"), rows[i].code);
        char expected[256];
        (void)snprintf(expected, sizeof(expected), "open f: %s", strerror(rows[i].error_number));
        assert_string_equal(err.text, expected);
        assert_string_equal(err.pointer, "");
    }
}

static void test_wrap_puts_text_before(void **state) {
    struct lag_error err;
    (void)lag_error_at(&err, LAG_EIO, "/p", "inner");
    assert_int_equal(lag_error_wrap(&err, "outer %d", 2), LAG_EIO);
    assert_string_equal(err.text, "outer 2: inner");
    assert_string_equal(err.pointer, "/p");
    assert_int_equal(lag_error_wrap(&err, "%s", err.text), LAG_EIO);
    assert_string_equal(err.text, "outer 2: inner: outer 2: inner");
    assert_int_equal(lag_error_wrap(NULL, "outer"), LAG_EINTERNAL);
}

static bool is_utf8(const char *text) {
    while (*text) {
        size_t length = lag_utf8_length(text);
        if (length == 0) return false;
        text += length;
    }
    return true;
}

static void test_long_and_dirty_texts_stay_valid(void **state) {
    struct lag_error err;
    (void)lag_error_set(&err, LAG_EINVAL, "a\nb\x01\xff%s", "\xc3\xa9");
    assert_string_equal(err.text, "a?b??\xc3\xa9");
    for (size_t pad = 0; pad < 4; pad++) { /* the cut falls on each byte of a 3-byte character */
        char text[2000] = "xxxx";
        for (size_t i = pad; i + 3 < sizeof(text); i += 3) memcpy(text + i, "\xe2\x82\xac", 3);
        (void)lag_error_set(&err, LAG_EINVAL, "%s", text);
        assert_true(is_utf8(err.text));
        assert_true(strlen(err.text) > sizeof(err.text) - 5);
        assert_null(strchr(err.text, '?'));
        (void)lag_error_wrap(&err, "wrapped%s", "!");
        assert_true(is_utf8(err.text));
        assert_null(strchr(err.text, '?'));
        assert_ptr_equal(strstr(err.text, "wrapped!: "), err.text);
    }
}

static void test_codes(void **state) {
    static const struct {
        int code;
        const char *name;
        enum lag_cause cause;
    } rows[] = {
        {LAG_OK, "ok", LAG_CAUSE_NONE},
        {LAG_EINVAL, "invalid", LAG_CAUSE_ASKED},
        {LAG_ENOTFOUND, "not_found", LAG_CAUSE_DAMAGE},
        {LAG_EEXIST, "exists", LAG_CAUSE_ASKED},
        {LAG_ESTATE, "wrong_state", LAG_CAUSE_ASKED},
        {LAG_ENOMEM, "no_memory", LAG_CAUSE_PASSES},
        {LAG_EIO, "io", LAG_CAUSE_OUTSIDE},
        {LAG_ENOSPC, "no_space", LAG_CAUSE_PASSES},
        {LAG_ECORRUPT, "corrupt", LAG_CAUSE_DAMAGE},
        {LAG_EBUSY, "busy", LAG_CAUSE_PASSES},
        {LAG_ECANCELED, "canceled", LAG_CAUSE_STOP},
        {LAG_ENONFINITE, "non_finite", LAG_CAUSE_OWN},
        {LAG_EUNSUPPORTED, "unsupported", LAG_CAUSE_ASKED},
        {LAG_EDENIED, "denied", LAG_CAUSE_OUTSIDE},
        {LAG_ETOOBIG, "too_big", LAG_CAUSE_ASKED},
        {LAG_EVERSION, "newer_version", LAG_CAUSE_OUTSIDE},
        {LAG_EINTERNAL, "internal", LAG_CAUSE_DEFECT},
        {LAG_EAWAY, "away", LAG_CAUSE_OUTSIDE},
        {LAG_ESHORT, "shortage", LAG_CAUSE_PASSES},
        {LAG_EPATH, "bad_path", LAG_CAUSE_OUTSIDE},
        {LAG_EFIT, "no_fit", LAG_CAUSE_PASSES},
        {1, "unknown", LAG_CAUSE_NONE},
        {LAG_EFIT - 1, "unknown", LAG_CAUSE_NONE},
        {INT_MIN, "unknown", LAG_CAUSE_NONE},
    };
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        assert_string_equal(lag_code_name(rows[i].code), rows[i].name);
        assert_int_equal(lag_code_cause(rows[i].code), rows[i].cause);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_returns_the_code_and_allows_null),
        cmocka_unit_test(test_errno_table),
        cmocka_unit_test(test_wrap_puts_text_before),
        cmocka_unit_test(test_long_and_dirty_texts_stay_valid),
        cmocka_unit_test(test_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
