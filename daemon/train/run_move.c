/* Events of a run and its growth, posted in one transaction; and the thread's book, which follows. */
#include "train/run_move_internal.h"

#include "process/tell_internal.h"
#include "records/transact_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <string.h>

/* --- the transaction --- */

static int post(struct lag_db *db, const struct lagd_move *move, enum lagd_machine machine, int *ret_to,
                struct lag_error *err) {
    const struct lagd_book *book = &move->run->book;
    bool of_run = machine == LAGD_MACHINE_RUN;
    const char *reason = !of_run && move->growth_reason ? move->growth_reason : move->reason;
    const struct lagd_post post = {.machine = machine,
                                   .event = of_run ? (int)move->run_event : (int)move->growth_event,
                                   .id = of_run ? book->row.id : book->growth.id,
                                   .seen = of_run || move->unless_ended ? NULL : book->growth.state,
                                   .reason = reason,
                                   .step = book->row.step};
    return lagd_tx_post(db, &post, ret_to, err);
}

/* One begins as it was read: since then another may have come before it, or it may have been planned anew. */
static int check_turn(struct lag_db *db, const struct lagd_move *move, const struct lag_growth_row *now,
                      struct lag_error *err) {
    struct lag_run_row run;
    if (move->growth_event != LAGD_GROWTH_ON_BEGUN) return 0;
    int rc = lag_run_get(db, now->run_id, &run, err);
    if (rc != 0 || (strcmp(run.growth_id, now->id) == 0 && now->revision == move->run->book.growth.revision)) return rc;
    return lag_error_set(err, LAG_ESTATE, "growth %s is not as it was when its turn came", now->id);
}

static int move_growth(struct lag_db *db, struct lagd_move *move, struct lag_error *err) {
    struct lag_growth_row now;
    int rc = lag_growth_get(db, move->run->book.growth.id, &now, err);
    if (rc == 0) rc = check_turn(db, move, &now, err);
    bool ended = rc == 0 && move->unless_ended && lagd_state_has_ended(LAGD_MACHINE_GROWTH, now.state);
    if (rc == 0 && move->growth_event && !ended) rc = post(db, move, LAGD_MACHINE_GROWTH, &move->growth_to, err);
    if (rc == 0 && move->ends_growth) rc = lagd_tx_growth_leave(db, &now, move->reason, &move->leftovers, err);
    return rc;
}

/* Why the growths of a run that ends do not begin any more. */
static const char *const withdrawn[LAGD_N_RUN_EVENTS] = {
    [LAGD_RUN_ON_COMPLETED] = "the run reached its last step",
    [LAGD_RUN_ON_CANCEL] = "the run was cancelled",
    [LAGD_RUN_ON_FAILED] = "the run failed",
};

static bool ends_run(const struct lagd_move *move) {
    return move->run_to != LAGD_NOWHERE &&
           lagd_state_has_ended(LAGD_MACHINE_RUN, lagd_state_name(LAGD_MACHINE_RUN, move->run_to));
}

int lagd_move_write(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lagd_move *move = arg;
    const struct lagd_run *run = move->run;
    int rc = 0;
    move->run_to = move->growth_to = LAGD_NOWHERE;
    move->leftovers.n = 0; /* a transaction may be tried again */
    if (run->book.has_growth && (move->growth_event || move->ends_growth)) rc = move_growth(db, move, err);
    if (rc == 0 && move->run_event) rc = post(db, move, LAGD_MACHINE_RUN, &move->run_to, err);
    if (rc == 0 && ends_run(move))
        rc = lagd_tx_growths_withdraw(db, run->id, withdrawn[move->run_event], &move->leftovers, err);
    if (rc == 0 && move->progress)
        rc = lag_run_set_progress(db, run->id, run->book.row.step, run->book.row.tokens, run->book.row.flops, err);
    if (rc == 0 && move->extra) rc = move->extra(db, move->extra_arg, err);
    return rc;
}

/* --- after the commit --- */

static void follow_growth(struct lagd_move *move, const struct lagd_about *about) {
    struct lagd_book *book = &move->run->book;
    if (move->growth_to != LAGD_NOWHERE) {
        const char *state = lagd_state_name(LAGD_MACHINE_GROWTH, move->growth_to);
        lagd_tell(LAG_LOG_INFO, about, "growth %s of %s: %s", book->growth.id, book->row.id, state);
        (void)lag_copy(book->growth.state, sizeof(book->growth.state), state);
    }
    if (!move->ends_growth) return;
    book->has_growth = false;
    book->row.growth_id[0] = '\0';
    lagd_wishes_post(&move->run->wishes, LAGD_WISH_GROWTH, NULL); /* it is the turn of the next one, if there is one */
}

static void follow_run(struct lagd_move *move, const struct lagd_about *about) {
    struct lagd_book *book = &move->run->book;
    if (move->run_to == LAGD_NOWHERE || lagd_run_is(book->row.state, (enum lagd_run_state)move->run_to)) return;
    const char *state = lagd_state_name(LAGD_MACHINE_RUN, move->run_to);
    lagd_tell(LAG_LOG_INFO, about, "run %s: %s at step %lld%s%s", book->row.id, state, (long long)book->row.step,
              move->reason ? ": " : "", move->reason ? move->reason : "");
    (void)lag_copy(book->row.state, sizeof(book->row.state), state);
}

void lagd_move_committed(struct lagd_move *move) {
    struct lagd_run *run = move->run;
    const struct lagd_about about = {run->id, run->book.has_growth ? run->book.growth.id : NULL, run->book.row.step,
                                     NULL};
    follow_growth(move, &about);
    follow_run(move, &about);
    lagd_leftovers_remove(run->deps, &move->leftovers);
}

void lagd_move_drop(struct lagd_move *move) {
    lagd_leftovers_drop(&move->leftovers);
}

int lagd_move_make(struct lagd_move *move, struct lag_error *err) {
    return lagd_move_make_until(move, &move->run->wishes.quit, err);
}

int lagd_move_make_until(struct lagd_move *move, const _Atomic bool *cancel, struct lag_error *err) {
    struct lagd_run *run = move->run;
    int rc = lagd_recorder_flush(&run->book.recorder, err);
    if (rc == 0) rc = lagd_write_patiently(run->deps, lagd_move_write, move, cancel, err);
    if (rc == 0) lagd_move_committed(move);
    else lagd_move_drop(move);
    return rc;
}
