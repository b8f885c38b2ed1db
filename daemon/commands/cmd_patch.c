/* Changes of what a run is called and how it is kept; and the precondition that such commands may carry. */
#include "checkpoint/extension_internal.h"
#include "commands/command_internal.h"
#include "commands/commands_internal.h"
#include "records/post_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/events.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <inttypes.h>
#include <string.h>

int lagd_command_check_revision(struct lagd_command *command, int64_t revision, struct lag_error *err) {
    const struct lagd_precondition *condition = &command->if_match;
    bool met = !condition->given;
    for (int i = 0; i < condition->n && !met; i++) met = condition->revisions[i] == revision;
    if (met) return 0;
    command->mismatch = true;
    command->revision = revision;
    return lag_error_set(err, LAG_ESTATE, "it has changed meanwhile and has revision %" PRId64 " now: look at it again",
                         revision);
}

struct patching {
    struct lagd_command *command;
    struct lag_run_row row;
    struct lagd_run_config config;
    bool extends;
    struct lagd_extension *plan; /* to more steps, when it does */
};

static void merge(const struct lagd_run_patch *patch, struct lagd_run_config *config) {
    for (size_t i = 0; i < lagd_run_patch_fields.n_rows; i++) {
        const struct lag_field *field = &lagd_run_patch_fields.rows[i];
        if (!(patch->given >> i & 1)) continue;
        memcpy((char *)config + field->offset, (const char *)&patch->config + field->offset, field->size);
    }
}

/* The rate that a run failed with was its own fault, so a person may mend it. It begins anew from the newest
 * checkpoint: not with a part of the new rate, and without the points that the old one made behind it. */
static int change_rate(struct lag_db *db, const struct patching *p, double before, struct lag_error *err) {
    static const char at[] = "/optim/lr";
    struct lag_checkpoint_row newest = {0};
    if (p->config.lr == before) return 0;
    if (!lagd_run_is(p->row.state, LAGD_RUN_FAILED))
        return lag_error_at(err, LAG_EINVAL, at, "cannot be changed: it was fixed when the run was made, and only a "
                            "run that has failed may get another");
    if (p->config.min_lr > p->config.lr)
        return lag_error_at(err, LAG_EINVAL, at, "must not be below schedule/min_lr (%g)", p->config.min_lr);
    int rc = lag_checkpoint_latest(db, p->row.id, &newest, err);
    if (rc == LAG_ENOTFOUND) rc = 0;
    if (rc == 0) rc = lag_points_truncate(db, p->row.id, newest.step, err);
    return rc < 0 ? rc : lag_run_set_rollback(db, p->row.id, 1, p->row.n_rollbacks, p->row.rollback_step, err);
}

static int write_patch(struct lag_db *db, void *arg, struct lag_error *err) {
    struct patching *p = arg;
    struct lagd_extending extending = {.plan = p->plan, .stays = true};
    int rc = lag_run_get(db, p->command->target, &p->row, err);
    if (rc == 0) rc = lagd_command_check_revision(p->command, p->row.revision, err);
    if (rc == 0 && p->extends) {
        rc = lagd_extension_write(db, &extending, err);
        if (rc == 0) rc = lag_run_get(db, p->row.id, &p->row, err);
    }
    if (rc == 0) rc = lagd_run_config_parse(p->row.config, &p->config, err);
    if (rc < 0) return rc;
    const double lr = p->config.lr;
    merge(p->command->u.patch, &p->config);
    rc = change_rate(db, p, lr, err);
    if (rc < 0) return rc;
    /* What is called like an id since before that was refused keeps its name through other changes. */
    if (strcmp(p->config.name, p->row.name) != 0) rc = lag_name_check(p->config.name, err);
    if (rc == 0) rc = lagd_run_config_format(&p->config, p->row.config, err);
    if (rc == 0) rc = lag_run_set_config(db, p->row.id, p->config.name, p->row.config, err);
    const struct lag_event event = {.type = LAG_EVENT_RUN_CHANGED, .run_id = p->row.id, .state = p->row.state,
                                    .message = p->config.name};
    return rc < 0 ? rc : lag_event_put(db, &event, err);
}

static bool gives(const struct lagd_run_patch *patch, const char *path) {
    for (size_t i = 0; i < lagd_run_patch_fields.n_rows; i++)
        if (strcmp(lagd_run_patch_fields.rows[i].path, path) == 0) return patch->given >> i & 1;
    return false;
}

int lagd_cmd_run_patch(struct lagd_commands *c, struct lagd_command *command) {
    LAG_CLEANUP(lag_free_p) struct patching *patching = lag_calloc(1, sizeof(*patching));
    LAG_CLEANUP(lag_free_p) struct lagd_extension *plan = lag_calloc(1, sizeof(*plan));
    if (!patching || !plan) return lag_error_set(&command->err, LAG_ENOMEM, "out of memory while changing a run");
    patching->command = command;
    patching->plan = plan;
    int rc = 0;
    if (gives(command->u.patch, "schedule/max_steps"))
        rc = lagd_extension_for_patch(c->db, c->deps->state_dir, command->u.patch->config.max_steps, command->target,
                                      &patching->extends, plan, &command->err);
    if (rc == 0) rc = lag_store_write(c->deps->store, write_patch, patching, &command->err);
    if (rc == 0) (void)lag_copy(command->id, sizeof(command->id), patching->row.id);
    return rc;
}
