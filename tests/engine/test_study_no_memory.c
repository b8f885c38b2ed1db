/* A study's report while one allocation after the other is refused: told as a shortage, with nothing written and
 * nothing kept. The linker leads the program's allocations through here. */
#include "study_fixture.h"
#include <lagd/engine/calibration.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);

static long n_asked, refused_at; /* the how manieth is refused; 0: none */

static bool refuses(void) { return ++n_asked == refused_at; }

void *__wrap_malloc(size_t n) { return refuses() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return refuses() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *old, size_t n) { return refuses() ? NULL : __real_realloc(old, n); }

static const struct plant plant = {2, 5, 3, 0, 0.5, 0.5, 0.5, 300, false};

static void test_report(void **state) {
    (void)state;
    struct planted planted;
    struct lag_study_report report = {.n_points = 77};
    plant_study(&plant, 1, &planted);
    int rc = LAG_ENOMEM;
    long n = 0;
    while (rc == LAG_ENOMEM) {
        n_asked = 0;
        refused_at = ++n;
        rc = lag_study_report_init(&planted.study, &report);
        refused_at = 0;
        if (rc == LAG_ENOMEM) assert_int_equal(report.n_points, 77);
    }
    assert_int_equal(rc, 0);
    assert_true(n > 12);
    lag_study_report_deinit(&report);
    plant_free(&planted);
}

static void test_orders(void **state) {
    (void)state;
    struct planted planted;
    struct lag_kept_row *rows = NULL;
    size_t n_rows = 77;
    plant_study(&plant, 1, &planted);
    int rc = LAG_ENOMEM;
    long n = 0;
    while (rc == LAG_ENOMEM) {
        n_asked = 0;
        refused_at = ++n;
        rc = lag_study_orders(&planted.study, NULL, 1, &rows, &n_rows);
        refused_at = 0;
        if (rc == LAG_ENOMEM) assert_true(rows == NULL && n_rows == 77);
    }
    assert_int_equal(rc, 0);
    assert_true(n > 6);
    free(rows);
    plant_free(&planted);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
