/* Commands on checkpoints: what retention leaves alone, and what a person deletes. */
#include "checkpoint/checkpoint_internal.h"
#include "commands/command_internal.h"
#include "commands/commands_internal.h"
#include "records/folders_internal.h"
#include "records/transact_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/ids.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static int write_keep(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lagd_command *command = arg;
    return lag_checkpoint_set_keep(db, command->target, command->u.keep, err);
}

int lagd_cmd_checkpoint_keep(struct lagd_commands *c, struct lagd_command *command) {
    int rc = lag_store_write(c->deps->store, write_keep, command, &command->err);
    if (rc == 0) (void)lag_copy(command->id, sizeof(command->id), command->target);
    return rc;
}

/* --- delete ------------------------------------------------------------------------------------------------------ */

/* The growth under way goes on from its parent, and a person may still choose any of its candidates. */
static int check_growth(struct lag_db *db, const struct lag_checkpoint_row *row, const struct lag_run_row *run,
                        struct lag_error *err) {
    struct lag_growth_row growth;
    if (!run->growth_id[0]) return 0;
    int rc = lag_growth_get(db, run->growth_id, &growth, err);
    if (rc < 0 || lagd_state_has_ended(LAGD_MACHINE_GROWTH, growth.state)) return rc;
    if (strcmp(growth.parent_checkpoint, row->id) != 0 && !row->candidate_id[0]) return 0;
    return lag_error_set(err, LAG_ESTATE,
                         "growth %s is %s and needs the checkpoint %s: wait until it has ended, or cancel it",
                         growth.id, growth.state, row->id);
}

/* A study forks its parent once for each of its runs, and a growth that will be audited waits for that. */
static int check_studies(struct lag_db *db, const struct lag_checkpoint_row *row, struct lag_error *err) {
    char by[LAG_ROW_ID];
    int rc = lag_checkpoint_is_needed(db, row->id, by, err);
    if (rc <= 0) return rc;
    const bool audit = lag_id_is(by, "gr");
    return lag_error_set(err, LAG_ESTATE, "checkpoint %s is needed by %s %s%s: wait until its runs are made, or %s",
                         row->id, audit ? "growth" : "study", by, audit ? ", which will be audited" : "",
                         audit ? "delete its audit then" : "cancel it");
}

static int check_fused(struct lag_db *db, const struct lag_checkpoint_row *row, struct lag_error *err) {
    char by[LAG_ROW_ID];
    int rc = lag_checkpoint_is_fused(db, row->id, by, err);
    if (rc <= 0) return rc;
    const char *what = lag_id_is(by, "gr") ? "growth" : lag_id_is(by, "st") ? "study" : "stage";
    return lag_error_set(err, LAG_ESTATE, "checkpoint %s is fused by %s %s: wait until that has ended, or cancel it",
                         row->id, what, by);
}

/* away: its files are not there, so that nothing goes on from it. */
static int check_needed(struct lag_db *db, const struct lag_checkpoint_row *row, bool away, struct lag_error *err) {
    struct lag_run_row run;
    struct lag_checkpoint_row newest;
    int rc = lag_run_get(db, row->run_id, &run, err);
    if (rc == 0) rc = check_growth(db, row, &run, err);
    if (rc == 0) rc = check_fused(db, row, err);
    if (rc < 0) return rc;
    if (away) return 0;
    if (row->keep) {
        return lag_error_set(err, LAG_ESTATE, "checkpoint %s (%s) is kept: leave it to retention first (PATCH with "
                             "\"keep\": false), then delete it", row->id, row->kind);
    }
    rc = check_studies(db, row, err);
    if (rc < 0) return rc;
    if (lagd_state_has_ended(LAGD_MACHINE_RUN, run.state) || row->candidate_id[0]) return 0;
    rc = lag_checkpoint_latest(db, run.id, &newest, err);
    if (rc < 0 || strcmp(newest.id, row->id) != 0) return rc;
    return lag_error_set(err, LAG_ESTATE,
                         "checkpoint %s of step %" PRId64 " is the newest of run %s, which goes on from it "
                         "after a crash or a pause: write a newer one first, or end the run",
                         row->id, row->step, run.name);
}

struct removal {
    const char *id;
    bool away;
    struct lag_checkpoint_row row;
};

/* The run's thread may write or retire checkpoints meanwhile: all is looked at where the row goes. */
static int write_removed(struct lag_db *db, void *arg, struct lag_error *err) {
    struct removal *removal = arg;
    int rc = lag_checkpoint_get(db, removal->id, &removal->row, err);
    if (rc == 0) rc = check_needed(db, &removal->row, removal->away, err);
    if (rc == 0) rc = lag_checkpoint_delete(db, removal->id, err);
    if (rc < 0) return rc;
    const struct lag_event event = {.type = LAG_EVENT_CHECKPOINT_DELETED, .run_id = removal->row.run_id,
                                    .state = removal->row.kind, .step = removal->row.step,
                                    .value = (double)removal->row.n_bytes, .message = removal->row.id};
    return lag_event_put(db, &event, err);
}

/* The row goes first: a row without a folder would mislead, and a marked folder without a row is tidied away at the
 * next start. Where it is not known whether the row has gone, the mark stays, and that start decides. */
int lagd_cmd_checkpoint_delete(struct lagd_commands *c, struct lagd_command *command) {
    struct removal removal = {.id = command->target};
    char dir[LAGD_STATE_PATH];
    struct stat info;
    int rc = lag_checkpoint_get(c->db, command->target, &removal.row, &command->err);
    if (rc < 0) return rc;
    const struct lag_checkpoint_row before = removal.row;
    lagd_state_path(c->deps, before.path, dir);
    removal.away = lstat(dir, &info) != 0 && errno == ENOENT; /* what cannot be looked at may come back */
    lagd_folder_mark(c->deps, before.path);
    rc = lag_store_write(c->deps->store, write_removed, &removal, &command->err);
    if (rc < 0) {
        if (lagd_is_undone(rc)) lagd_folder_unmark(c->deps, before.path);
        return rc;
    }
    LAG_FP("checkpoint.unlisted");
    lagd_folder_remove(c->deps, removal.row.path);
    (void)lag_copy(command->id, sizeof(command->id), removal.row.id);
    return 0;
}
