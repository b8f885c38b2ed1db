/* What candidates are called beside each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/ranking.h>

#define MOST 4
struct one {
    const char *op, *names, *strategy, *label;
};

static const struct one cases[][MOST] = {
    /* alone of its operator */
    {{"stack", "stack, gradual_stack block=3", "stack optimizer=inherit lr=continue seed=0", "stack"},
     {"midas", "midas block=1", "midas block=1 optimizer=inherit lr=continue seed=0", "midas"},
     {"none", "none", "none optimizer=inherit lr=continue seed=0", "none"}},
    /* by the names that they were asked for */
    {{"midas", "midas block=1, lidas block=1", "midas block=1 optimizer=inherit lr=continue seed=0", "midas block=1"},
     {"midas", "midas block=2", "midas block=2 optimizer=inherit lr=continue seed=0", "midas block=2"}},
    {{"stack", "stack", "stack optimizer=inherit lr=continue seed=0", "stack"},
     {"stack", "g_stack", "stack optimizer=reset lr=restart seed=0", "g_stack"}},
    /* the names are the same: by what differs */
    {{"stack", "stack", "stack optimizer=inherit lr=continue seed=0", "stack optimizer=inherit"},
     {"stack", "stack", "stack optimizer=reset lr=continue seed=0", "stack optimizer=reset"}},
    {{"stack", "stack", "stack optimizer=inherit lr=rewarm rewarm_steps=5 seed=0", "stack rewarm_steps=5"},
     {"stack", "stack", "stack optimizer=inherit lr=rewarm rewarm_steps=50 seed=0", "stack rewarm_steps=50"}},
    {{"random", "random at=-1", "random at=-1 optimizer=inherit lr=continue seed=1", "random at=-1 seed=1"},
     {"random", "random at=-1", "random at=-1 optimizer=inherit lr=continue seed=12", "random at=-1 seed=12"},
     {"random", "random at=0", "random at=0 optimizer=inherit lr=continue seed=1", "random at=0 seed=1"}},
    {{"llama_pro", "llama_pro every=1", "llama_pro every=1 optimizer=reset_new lr=rewarm_new seed=0", "llama_pro"},
     {"llama_pro", "llama_pro every=1", "llama_pro every=1 optimizer=reset_new lr=rewarm_new freeze_old=keep seed=0",
      "llama_pro freeze_old=keep"},
     {"llama_pro", "llama_pro every=1", "llama_pro every=1 optimizer=reset_new lr=rewarm_new freeze_old=9 seed=0",
      "llama_pro freeze_old=9"}},
    /* rows without names or strategy, as none that lagd writes */
    {{"stack", "", "", "stack"}, {"stack", "", "stack lr=restart", "stack lr=restart"}},
};

static void labels_tell_apart(void **state) {
    (void)state;
    static struct lag_candidate_row rows[MOST];
    for (size_t c = 0; c < LAG_COUNT(cases); c++) {
        int n = 0;
        for (; n < MOST && cases[c][n].op; n++) {
            lag_copy(rows[n].op, sizeof(rows[n].op), cases[c][n].op);
            lag_copy(rows[n].names, sizeof(rows[n].names), cases[c][n].names);
            lag_copy(rows[n].strategy, sizeof(rows[n].strategy), cases[c][n].strategy);
        }
        char labels[MOST][LAGD_LABEL];
        for (int i = 0; i < n; i++) {
            lagd_candidate_label(rows, n, i, labels[i]);
            assert_string_equal(labels[i], cases[c][i].label);
            for (int j = 0; j < i; j++) assert_string_not_equal(labels[i], labels[j]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(labels_tell_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
