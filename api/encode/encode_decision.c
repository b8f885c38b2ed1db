/* Decisions as JSON: the schema, and what no column holds. */
#include "encode/audit_internal.h"
#include "encode/encode_internal.h"

#include <lagd/daemon/ranking.h>
#include <lagd/storage/growths.h>

static int write_interval(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_decision_row *row = object;
    return lagd_write_interval(json, key, row->margin_low, row->margin_high);
}

static int write_gain_interval(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_decision_row *row = object;
    return lagd_write_interval(json, key, row->gain_low, row->gain_high);
}

static int write_tied_set(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_list(json, key, ((const struct lag_decision_row *)object)->tied_set);
    return 0;
}

static int write_tied_at_0(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_list(json, key, ((const struct lag_decision_row *)object)->tied_at_0);
    return 0;
}

static int write_short_by(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_open_array(json, key);
    const int64_t flags = ((const struct lag_decision_row *)object)->short_by;
    for (int i = 0; lagd_short_names[i]; i++)
        if (flags >> i & 1) lagd_json_text(json, NULL, lagd_short_names[i]);
    lagd_json_close_array(json);
    return 0;
}

static int write_audit(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    struct lag_growth_row growth;
    int status = lag_growth_get(encoding->db, ((const struct lag_decision_row *)object)->growth_id, &growth,
                                encoding->err);
    return status < 0 ? status : lagd_write_audit(json, key, &growth, encoding->db, encoding->err);
}

static int write_gain_flops_interval(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_decision_row *row = object;
    return lagd_write_interval(json, key, row->gain_flops_low, row->gain_flops_high);
}

#define ROW(name, type, member, help) LAGD_MEMBER(struct lag_decision_row, name, type, member, help)
static const struct lagd_member decision_members[] = {
    ROW("growth", "s", growth_id, "Id of the growth."),
    ROW("candidate", "s?", candidate, "What is applied; null: the run goes on as it was."),
    ROW("basis", "s?", basis, "What it rests on: verified, provisional, tied, nothing_to_decide, or person."),
    LAGD_WRITTEN("tied_set", "[s]", write_tied_set, "Ids of the candidates that no other beats at 95 %, the pick among "
                 "them: one id, unless it is a tie."),
    ROW("pick_at_0", "s?", pick_at_0, "What the loss right after growth would have picked: the first of tied_at_0, "
        "where it cannot choose."),
    LAGD_WRITTEN("tied_at_0", "[s]", write_tied_at_0, "Ids of those that share the lowest loss right after growth, "
                 "where it is not one alone."),
    ROW("pick_at_lag", "s?", pick_at_lag, "What has the lowest loss at the lag."),
    ROW("runner_up", "s?", runner_up, "The second lowest at the lag."),
    ROW("margin", "n?", margin, "Loss of the runner-up above the lowest's, over the last evaluations."),
    LAGD_WRITTEN("margin_interval", "[n?]", write_interval, "Its interval at 95 %, over batches and evaluations."),
    ROW("p_now", "n?", p_now, "At least so likely is the lowest the best of all now."),
    ROW("p_end", "n?", p_end, "How likely the order holds to the end of training; null: not known."),
    ROW("delta", "n?", delta, "The difference that matters."),
    ROW("gain", "n?", gain, "Loss of not growing above the pick's, over the last evaluations."),
    LAGD_WRITTEN("gain_interval", "[n?]", write_gain_interval, "Its interval at 95 %."),
    ROW("gain_flops", "n?", gain_flops, "The same at equal FLOPs: not growing at the lag against the pick at its step "
        "gain_flops_t, which cost as much."),
    LAGD_WRITTEN("gain_flops_interval", "[n?]", write_gain_flops_interval, "Its interval at 95 %, over batches."),
    ROW("gain_flops_t", "n?", gain_flops_t, NULL),
    ROW("tau", "n?", tau, "Kendall's tau between the ranks at half the lag and at the lag."),
    ROW("tau_0", "n?", tau_0, "Kendall's tau between the ranks right after growth and at the lag."),
    ROW("flops", "n?", flops, "Spent by all candidates."),
    ROW("run_flops", "n?", run_flops, "Spent by the run itself when it was decided."),
    ROW("tied", "b", tied, "The tied set has more than one member."),
    ROW("lag_short", "b", lag_short, "The lag was too short to trust the ranks."),
    LAGD_WRITTEN("short_by", "[s]", write_short_by, "Why: none_ahead (not growing was ahead of the first at one of the "
                 "last two evaluations), rewarm (it, or a freeze of old layers, has hardly ended), warmup (the same), "
                 "decay (it began within the probe), evaluations (fewer than three full ones in its last half)."),
    ROW("verdict", "s", verdict, "The verdict in a sentence."),
    ROW("decided_by", "s", decided_by, "lag: the rule; user: a person."),
    ROW("reason", "s?", reason, "What a person gave as the reason."),
    LAGD_WRITTEN_OF("audit", "@?", &lagd_audit_schema, write_audit, LAGD_AUDIT_HELP),
    ROW("decided_at", "t?", decided_ms, NULL),
};
#undef ROW
const struct lagd_schema lagd_decision_schema = LAGD_SCHEMA("Decision", decision_members);
