/* TensorBoard's event files: known checks, and a record byte for byte. */
#include "encode/tfevents_internal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* RFC 3720, B.4, and the usual check value. */
static void checks_are_the_known_ones(void **state) {
    unsigned char bytes[32] = {0};
    assert_int_equal(lagd_crc32c("123456789", 9), 0xe3069283u);
    assert_int_equal(lagd_crc32c(bytes, sizeof(bytes)), 0x8a9136aau);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(lagd_crc32c(bytes, sizeof(bytes)), 0x62a8ab43u);
    for (unsigned i = 0; i < sizeof(bytes); i++) bytes[i] = (unsigned char)i;
    assert_int_equal(lagd_crc32c(bytes, sizeof(bytes)), 0x46dd794eu);
    assert_int_equal(lagd_crc32c("", 0), 0);
}

/* The file that TensorFlow's documentation of the format begins with: length 24, its check, an Event with time and
 * version, its check. */
static void a_file_begins_with_its_version(void **state) {
    static const unsigned char event[] = "\11\0\0\0\0\0\0\360?\32\15brain.Event:2"; /* 1.0 */
    struct lag_strbuf out = LAG_STRBUF_INIT;
    lagd_tfevents_begin(&out, 1);
    assert_int_equal(out.length, 8 + 4 + 24 + 4);
    assert_memory_equal(out.data, "\30\0\0\0\0\0\0\0", 8);
    assert_memory_equal(out.data + 8, "\243\177K\"", 4); /* so begins each such file: 18 00 … a3 7f 4b 22 */
    assert_memory_equal(out.data + 12, event, 24);
    lag_strbuf_deinit(&out);
}

static void a_step_holds_its_scalars(void **state) {
    static const unsigned char wanted[] = "\11\0\0\0\0\0\0\0@" /* at 2.0 */
                                          "\20\254\2"            /* step 300 */
                                          "*\26"                 /* a summary of 22 bytes */
                                          "\12\10\12\1a\25\0\0\200?"    /* a: 1 */
                                          "\12\12\12\3b/c\25\0\0\200\177"; /* b/c: infinite */
    struct lagd_tfevent event = LAGD_TFEVENT_INIT;
    struct lag_strbuf out = LAG_STRBUF_INIT;
    lagd_tfevent_begin(&event, 7, 1); /* is forgotten */
    lagd_tfevent_add(&event, "x", 1);
    lagd_tfevent_begin(&event, 2, 300);
    lagd_tfevent_add(&event, "a", 1);
    lagd_tfevent_add(&event, "b/c", INFINITY);
    lagd_tfevent_append(&event, &out);
    assert_int_equal(out.length, 8 + 4 + sizeof(wanted) - 1 + 4);
    assert_int_equal(out.data[0], sizeof(wanted) - 1);
    assert_memory_equal(out.data + 12, wanted, sizeof(wanted) - 1);
    lagd_tfevent_deinit(&event);
    lag_strbuf_deinit(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_are_the_known_ones),
        cmocka_unit_test(a_file_begins_with_its_version),
        cmocka_unit_test(a_step_holds_its_scalars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
