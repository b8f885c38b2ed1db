/* Copies of a young run's weights. */
#include "train/run_lend_internal.h"

#include <lagd/base/error.h>
#include <lagd/engine/state.h>

void lagd_run_lend(struct lagd_run *run) {
    for (struct lagd_copy_ask *ask = lagd_wishes_take_asks(&run->wishes, false), *next; ask; ask = next) {
        struct lag_error err = {0};
        struct lag_state *copy = NULL;
        next = ask->next;
        int rc = lag_state_clone_weights(run->trainer.state, &copy, &err);
        ask->done(ask, copy, rc == 0 ? NULL : &err);
    }
}

void lagd_run_lend_no_more(struct lagd_run *run) {
    for (struct lagd_copy_ask *ask = lagd_wishes_take_asks(&run->wishes, true), *next; ask; ask = next) {
        next = ask->next;
        ask->done(ask, NULL, NULL);
    }
}
