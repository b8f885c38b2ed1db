/* The end of a growth, and what its candidates leave behind: states that are not at an end, and checkpoints kept for a
 * person's choice. */
#include "records/leftovers_internal.h"

#include "records/folders_internal.h"
#include "records/post_internal.h"
#include "records/turns_internal.h"

#include <lagd/base/mem.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/series.h>
#include <stdlib.h>
#include <string.h>

struct ending {
    struct lag_candidate_row *rows; /* of the growth: the list must not change while it is walked */
    size_t n, capacity;
    bool failed;
};

static bool has_ended(const struct lag_candidate_row *row) {
    return lagd_state_has_ended(LAGD_MACHINE_CANDIDATE, row->state);
}

static int collect(const struct lag_candidate_row *row, void *arg) {
    struct ending *ending = arg;
    if (lag_grow_array((void **)&ending->rows, &ending->capacity, ending->n + 1, sizeof(*ending->rows)) != 0) {
        ending->failed = true;
        return LAG_ENOMEM;
    }
    ending->rows[ending->n++] = *row;
    return 0;
}

static int add_path(struct lagd_leftovers *leftovers, const char *path, struct lag_error *err) {
    if (lag_grow_array((void **)&leftovers->paths, &leftovers->capacity, leftovers->n + 1,
                       sizeof(*leftovers->paths)) != 0)
        return lag_error_set(err, LAG_ENOMEM, "out of memory at the end of a growth");
    (void)lag_copy(leftovers->paths[leftovers->n++], LAG_ROW_PATH, path);
    return 0;
}

/* The state of its probe on the way, where there is one. */
static int give_up_probe(const struct lag_growth_row *growth, const struct lag_candidate_row *candidate,
                         struct lagd_leftovers *leftovers, struct lag_error *err) {
    char path[LAG_ROW_PATH];
    lagd_probe_state_path(growth->run_id, candidate->id, path);
    return add_path(leftovers, path, err);
}

static int give_up_checkpoint(struct lag_db *db, const struct lag_candidate_row *candidate,
                              struct lagd_leftovers *leftovers, struct lag_error *err) {
    struct lag_checkpoint_row row;
    int rc = lag_checkpoint_get(db, candidate->checkpoint, &row, err);
    if (rc == LAG_ENOTFOUND) return 0;
    if (rc == 0) rc = lag_candidate_set_checkpoint(db, candidate->id, "", err);
    if (rc == 0) rc = lag_checkpoint_delete(db, row.id, err);
    return rc == 0 ? add_path(leftovers, row.path, err) : rc;
}

static int end_candidates(struct lag_db *db, const struct lag_growth_row *growth, const char *reason,
                          struct lagd_leftovers *leftovers, struct lag_error *err) {
    struct ending ending = {0};
    int rc = lag_candidate_list(db, growth->id, collect, &ending, err);
    if (ending.failed) rc = lag_error_set(err, LAG_ENOMEM, "out of memory at the end of a growth");
    for (size_t i = 0; rc == 0 && i < ending.n; i++) {
        const struct lag_candidate_row *row = &ending.rows[i];
        const struct lagd_post post = {.machine = LAGD_MACHINE_CANDIDATE, .event = LAGD_CANDIDATE_ON_WITHDRAWN,
                                       .id = row->id, .reason = reason, .step = growth->start_step,
                                       .value = LAG_NO_VALUE};
        if (!has_ended(row)) rc = lagd_tx_post(db, &post, NULL, err);
        if (rc == 0) rc = give_up_probe(growth, row, leftovers, err);
        if (rc == 0 && row->checkpoint[0] != '\0') rc = give_up_checkpoint(db, row, leftovers, err);
    }
    free(ending.rows);
    return rc;
}

/* Points of the winner that the run had taken over already, where it does not become the run's. */
static int drop_adopted(struct lag_db *db, const struct lag_growth_row *before, struct lag_error *err) {
    struct lag_growth_row now;
    if (!lagd_growth_is(before->state, LAGD_GROWTH_APPLYING)) return 0;
    int rc = lag_growth_get(db, before->id, &now, err);
    if (rc != 0 || lagd_growth_is(now.state, LAGD_GROWTH_APPLIED)) return rc;
    return lag_points_truncate(db, before->run_id, before->start_step, err);
}

static int leave(struct lag_db *db, const struct lag_growth_row *growth, const char *reason,
                 struct lagd_leftovers *leftovers, struct lag_error *err) {
    int rc = end_candidates(db, growth, reason, leftovers, err);
    if (rc == 0) rc = drop_adopted(db, growth, err);
    return rc == 0 ? lagd_tx_growth_turn(db, growth->run_id, growth->id, err) : rc;
}

static int end(struct lag_db *db, const struct lag_growth_row *growth, enum lagd_growth_event event, const char *reason,
               struct lagd_leftovers *leftovers, struct lag_error *err) {
    int rc = 0;
    if (!lagd_state_has_ended(LAGD_MACHINE_GROWTH, growth->state))
        rc = lagd_tx_growth_event(db, growth->id, event, reason, err);
    return rc == 0 ? leave(db, growth, reason, leftovers, err) : rc;
}

int lagd_tx_growth_leave(struct lag_db *db, const struct lag_growth_row *growth, const char *reason,
                         struct lagd_leftovers *leftovers, struct lag_error *err) {
    leftovers->n = 0; /* a transaction may be tried again */
    return leave(db, growth, reason, leftovers, err);
}

int lagd_tx_growth_end(struct lag_db *db, const struct lag_growth_row *growth, enum lagd_growth_event event,
                       const char *reason, struct lagd_leftovers *leftovers, struct lag_error *err) {
    leftovers->n = 0;
    return end(db, growth, event, reason, leftovers, err);
}

int lagd_tx_growths_withdraw(struct lag_db *db, const char *run_id, const char *reason,
                             struct lagd_leftovers *leftovers, struct lag_error *err) {
    char id[LAG_ROW_ID];
    struct lag_growth_row growth;
    int rc;
    while ((rc = lag_growth_first_queued(db, run_id, id, err)) == 1) {
        rc = lag_growth_get(db, id, &growth, err);
        if (rc == 0) rc = end(db, &growth, LAGD_GROWTH_ON_WITHDRAWN, reason, leftovers, err);
        if (rc != 0) return rc;
    }
    return rc;
}

void lagd_leftovers_remove(const struct lagd_deps *deps, struct lagd_leftovers *leftovers) {
    for (size_t i = 0; i < leftovers->n; i++) lagd_folder_remove(deps, leftovers->paths[i]);
    lagd_leftovers_drop(leftovers);
}

void lagd_leftovers_drop(struct lagd_leftovers *leftovers) {
    free(leftovers->paths);
    *leftovers = (struct lagd_leftovers){0};
}
