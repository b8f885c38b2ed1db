/* The rungs of growths as JSON. */
#include "encode/encode_internal.h"

#include <lagd/storage/growths.h>

#define ROW(name, type, member, help) LAGD_MEMBER(struct lag_rung_row, name, type, member, help)
static const struct lagd_member members[] = {
    ROW("r", "i", r, "Its number: 1, 2 and so on."),
    ROW("t", "i", t, "Steps since the growth."),
    ROW("action", "s", action, "go_on: to the next rung; end: decided here; extend: beyond the lag."),
    ROW("kept", "[s]", kept, "Ids of the candidates that are probed on, or have completed here."),
    ROW("stopped", "[s]", stopped, "Ids of those that were stopped here; the reason of each says why."),
    ROW("taken_up", "[s]", taken_up, "Ids of those that had been stopped and go on."),
    ROW("leader", "s?", leader, "Id of the candidate with the lowest loss."),
    ROW("basis", "s?", basis, "What a decision here would have rested on."),
    ROW("p_now", "n?", p_now, "At least so likely was the leader the best of all."),
    ROW("p_end", "n?", p_end, "How likely its order was to hold to the end of training; null: not known."),
    ROW("reason", "s", reason, "The same in a sentence."),
    ROW("decided_at", "t?", decided_ms, NULL),
};
#undef ROW
const struct lagd_schema lagd_rung_schema = LAGD_SCHEMA("Rung", members);

static int write_rung(const struct lag_rung_row *row, void *arg) {
    (void)lagd_write_object(arg, NULL, &lagd_rung_schema, row, NULL);
    return 0;
}

int lagd_write_rungs(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    lagd_json_open_array(json, key);
    int status = lag_rung_list(encoding->db, ((const struct lag_growth_row *)object)->id, write_rung, json,
                               encoding->err);
    lagd_json_close_array(json);
    return status;
}
