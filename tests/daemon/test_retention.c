/* Which checkpoints stay. */
#include "checkpoint/retention_internal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { N = 8 };
/* newest first; the best loss is at step 300, the second best twice */
static const struct lagd_retained rows[N] = {
    {800, 2.5, false}, {700, 2.2, false}, {600, 2.2, false}, {500, NAN, false},
    {400, 1.0, true},  {300, 2.0, false}, {200, 2.4, false}, {100, 3.0, false},
};

static const struct {
    struct lagd_retention rules;
    const char *stays; /* '1' per row */
} table[] = {
    {{3, 0, 0}, "11101000"},
    {{1, 0, 0}, "10001000"},
    {{8, 0, 0}, "11111111"},
    {{1, 1, 0}, "10001100"},      /* the pinned one is neither counted nor ranked */
    {{1, 2, 0}, "11001100"},      /* equal losses: the newer one */
    {{1, 3, 0}, "11101100"},
    {{1, 100, 0}, "11101111"},    /* a checkpoint without a loss is never among the best */
    {{1, 0, 200}, "10101010"},
    {{2, 1, 500}, "11011100"},
};

static void stays(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        bool ret[N];
        char text[N + 1] = "";
        lagd_retain(rows, N, &table[i].rules, ret);
        for (int r = 0; r < N; r++) text[r] = ret[r] ? '1' : '0';
        assert_string_equal(text, table[i].stays);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
