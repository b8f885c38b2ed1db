/* Growths that were applied and want an audit get one: a study, made by the command that people have too. */
#include "commands/command_internal.h"
#include "process/tell_internal.h"
#include "records/causes_internal.h"
#include "study/study_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/storage/growths.h>

struct refusal {
    const char *growth, *reason;
};

static int write_refused(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct refusal *refusal = arg;
    return lag_growth_set_audit(db, refusal->growth, "refused", refusal->reason, err);
}

/* What may pass is tried again; anything else is told, once, by the growth. */
static void take_failure(struct lagd_studies *s, const char *growth, int rc, const struct lag_error *why) {
    struct lag_error err = {0};
    struct refusal refusal = {growth, why->text};
    lag_log(LAG_LOG_WARNING, "growth %s is not audited: %s", growth, why->text);
    if (!lagd_is_trouble(rc)) rc = lag_store_write(s->commands->deps->store, write_refused, &refusal, &err);
    if (rc != 0) lagd_study_hold_back(s, growth, rc);
}

struct looking {
    struct lagd_studies *studies;
    char growth[LAG_ROW_ID];
    int64_t now_ns;
};

static int find_next(const char *id, void *arg) {
    struct looking *looking = arg;
    if (lagd_study_is_held(looking->studies, id, looking->now_ns)) return 0;
    (void)lag_copy(looking->growth, sizeof(looking->growth), id);
    return 1;
}

void lagd_audits_look(struct lagd_studies *s, int64_t now_ns) {
    struct looking looking = {.studies = s, .now_ns = now_ns};
    struct lag_error err = {0};
    if (lag_growth_list_to_audit(s->commands->db, find_next, &looking, &err) < 0)
        lag_log(LAG_LOG_WARNING, "growths that want an audit cannot be looked for: %s", err.text);
    if (!looking.growth[0]) return;
    struct lagd_command *command = lagd_command_create(LAGD_GROWTH_AUDIT);
    if (!command) return;
    (void)lag_copy(command->target, sizeof(command->target), looking.growth);
    LAG_FP("audit.making");
    int rc = lagd_cmd_growth_audit(s->commands, command);
    if (rc < 0) take_failure(s, looking.growth, rc, &command->err);
    lagd_command_destroy(command);
}
