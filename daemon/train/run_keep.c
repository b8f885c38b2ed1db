/* The checkpoints of a run's thread, and its waits for a store that refuses. */
#include "train/run_keep_internal.h"

#include "plan/run_config_internal.h"
#include "records/causes_internal.h"
#include "records/transact_internal.h"
#include "train/flops_internal.h"
#include "train/run_dataset_internal.h"
#include "train/run_lend_internal.h"

#include <lagd/base/clock.h>
#include <lagd/base/mem.h>
#include <string.h>

/* --- the store --- */

int lagd_run_wait_for_storage(struct lagd_run *run, const char *why, struct lag_error *err) {
    char reason[400];
    (void)lag_copy(reason, sizeof(reason), why);
    if (!run->storage_fails)
        lagd_warn(run->deps, run->id, run->trainer.state->step, "the run waits for storage: %s", reason);
    run->storage_fails = true;
    enum lagd_doing before = lagd_progress_do(&run->progress, LAGD_DOING_STORAGE);
    int rc = 1;
    while (rc != 0 && !atomic_load(&run->wishes.interrupt)) {
        lagd_run_lend(run); /* who asked would wait as long */
        lagd_pause_ms(LAGD_STORAGE_RETRY_MS, &run->wishes.interrupt);
        struct lag_error again = {0};
        rc = lag_store_flush(run->deps->store, &again);
        if (rc == 0) rc = lagd_recorder_flush(&run->book.recorder, &again);
    }
    (void)lagd_progress_do(&run->progress, before);
    return rc == 0 ? 0 : lag_error_set(err, LAG_ECANCELED, "interrupted while storage did not work: %s", reason);
}

/* After a write that was waited for. */
void lagd_run_storage_works(struct lagd_run *run) {
    if (!run->storage_fails) return;
    run->storage_fails = false;
    lagd_warn(run->deps, run->id, run->trainer.state->step, "storage works again, the run goes on");
}

int lagd_run_survive(struct lagd_run *run, int rc, struct lag_error *err) {
    if (!lagd_is_trouble(rc)) return rc;
    char why[400];
    (void)lag_copy(why, sizeof(why), err->text);
    return lagd_run_wait_for_storage(run, why, err);
}

/* --- checkpoints --- */

/* Where lagd's files were removed or replaced nothing can be asked or stored: the weights are saved alone. */
static int before_checkpoint(struct lagd_run *run, struct lag_error *err) {
    if (atomic_load(&run->deps->files_lost)) return 0;
    int rc = lagd_run_check_dataset(run, true, err); /* each checkpoint is from before a change */
    /* A folder that is whole may be taken in by a later start without its row: the numbers up to it come first. */
    if (rc == 0) rc = lagd_recorder_flush(&run->book.recorder, err);
    return rc == 0 ? lag_store_flush(run->deps->store, err) : rc;
}

int lagd_run_keep(struct lagd_run *run, const struct lag_state *state, const struct lagd_checkpoint_request *request,
                  struct lagd_move *move, struct lag_error *err) {
    struct lagd_checkpoint_request whole = *request;
    whole.run_id = run->id;
    whole.run = &run->book.row;
    whole.tokens = state->step * lagd_run_step_tokens(run);
    whole.seed = (uint64_t)run->book.config.seed;
    whole.precision = lagd_run_precision(&run->book.config);
    whole.retention = lagd_retention_of(&run->book.config);
    whole.extra = lagd_move_write;
    whole.extra_arg = move;
    enum lagd_doing before = lagd_progress_do(&run->progress, LAGD_DOING_CHECKPOINTING);
    int rc = before_checkpoint(run, err);
    if (rc == 0) rc = lagd_checkpoint_make(run->deps, state, &whole, NULL, err);
    (void)lagd_progress_do(&run->progress, before);
    if (rc != 0) {
        lagd_move_drop(move);
        return rc;
    }
    lagd_move_committed(move);
    run->book.checkpoint_step = state->step;
    run->book.has_final = strcmp(request->kind, "final") == 0;
    lagd_run_lend_no_more(run);
    lagd_run_storage_works(run);
    return 0;
}

int lagd_run_keep_patiently(struct lagd_run *run, const struct lag_state *state,
                            const struct lagd_checkpoint_request *request, struct lagd_move *move,
                            struct lag_error *err) {
    for (int64_t began_ns = lag_clock_mono_ns();;) {
        int rc = lagd_run_keep(run, state, request, move, err);
        bool lasts = lag_code_cause(rc) == LAG_CAUSE_OUTSIDE && lag_clock_mono_ns() - began_ns > LAGD_MENDED_NS;
        if (!lagd_is_trouble(rc) || lasts) return rc;
        char why[400];
        (void)lag_copy(why, sizeof(why), err->text);
        rc = lagd_run_wait_for_storage(run, why, err);
        if (rc != 0) return rc;
    }
}

int lagd_run_checkpoint(struct lagd_run *run, const char *kind, struct lagd_move *move, struct lag_error *err) {
    struct lagd_move progress = {.run = run, .progress = true};
    const struct lagd_checkpoint_request request = {.kind = kind, .growth_text = run->book.origin.growth_text,
                                                    .parent_sha256 = run->book.origin.parent_sha256,
                                                    .keep = strcmp(kind, LAGD_KIND_PRE_DECAY) == 0};
    return lagd_run_keep(run, run->trainer.state, &request, move ? move : &progress, err);
}
