/* When a row is told next where its owner is. */
#include "train/record_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define MS INT64_C(1000000)

/* Not too often, a fiftieth of the time at most, and never much later: a report that once took minutes, as the store
 * was held up, must not make the next one wait for hours. */
static void test_report(void **state) {
    static const struct {
        int64_t took_ms, pause_ms;
    } rows[] = {{0, 250}, {5, 250}, {6, 300}, {100, 5000}, {200, 10000}, {201, 10000}, {87000, 10000}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int64_t ended = 1000 * MS + rows[i].took_ms * MS;
        assert_int_equal(lagd_report_due_ns(1000 * MS, ended) - ended, rows[i].pause_ms * MS);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_report)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
