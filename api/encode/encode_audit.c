/* What the audit of a growth's decision tells, as JSON. */
#include "encode/audit_internal.h"
#include "encode/encode_internal.h"

#include <lagd/base/error.h>

#define ROW(name, type, member, help) LAGD_MEMBER(struct lagd_audit, name, type, member, help)
static const struct lagd_member audit_members[] = {
    ROW("study", "s?", study, "Id of the study that it is; null before it is made, and where it is refused."),
    ROW("study_name", "s?", study_name, NULL),
    ROW("state", "s", state, "wanted (it is made once the growth is applied), refused (the reason says why), or that "
        "of its study."),
    ROW("reason", "s?", reason, "Why it is in this state, or what it waits for."),
    ROW("regret", "n?", regret, "Final loss of what was applied above the best candidate's, in nats; null before all "
        "have come to the run's end."),
    ROW("regret_low", "n?", low, "Of its interval at 95 %, over the validation batches."),
    ROW("regret_high", "n?", high, NULL),
    ROW("regret_of_spread", "n?", of_spread, "Of the range of the finals: 0 it was the best, 1 the worst."),
    ROW("best", "s?", best, "Id of the growth's candidate that ended best."),
    ROW("flops", "n?", flops, "Spent by the audit's candidates so far, which no run but the audit's own counts."),
};
#undef ROW
const struct lagd_schema lagd_audit_schema = LAGD_SCHEMA("Audit", audit_members);

int lagd_write_audit(struct lagd_json *json, const char *key, const struct lag_growth_row *growth, struct lag_db *db,
                     struct lag_error *err) {
    struct lagd_audit audit;
    int status = lagd_audit_read(db, growth, &audit, err);
    if (status == 0 && audit.state[0]) return lagd_write_object(json, key, &lagd_audit_schema, &audit, NULL);
    lagd_json_null(json, key);
    return status;
}
