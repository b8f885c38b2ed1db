/* events, logs. */
#include <string.h>

#include "ctl_internal.h"

/* "2026-01-02T03:04:05.678Z" → "2026-01-02 03:04:05" */
static void append_time(struct lag_strbuf *out, const char *ts) {
    size_t n = strcspn(ts, ".");
    for (size_t i = 0; i < n; i++) lag_strbuf_append_n(out, ts[i] == 'T' ? " " : ts + i, 1);
}

static void append_event(struct ctl *ctl, struct lag_strbuf *out, json_t *event, bool with_ids) {
    static const struct ctl_column number = {"", "value", CTL_NUMBER}, bytes = {"", "value", CTL_BYTES};
    const char *state = ctl_json_text(event, "state"), *colour = ctl_term_colour(ctl->term.colour, state);
    if (with_ids) ctl_say(out, "{seq}  ", event);
    append_time(out, ctl_json_text(event, "ts"));
    lag_strbuf_append(out, "  ");
    ctl_say(out, "{type}", event);
    if (with_ids && *ctl_json_text(event, "run")) ctl_say(out, "  {run}", event);
    if (*ctl_json_text(event, "candidate"))
        ctl_say(out, "  {candidate}", event);
    else if (*ctl_json_text(event, "growth"))
        ctl_say(out, "  {growth}", event);
    if (*state) {
        lag_strbuf_printf(out, "  %s", colour);
        ctl_say(out, "{state}", event);
        if (*colour) lag_strbuf_append(out, "\033[0m");
    }
    if (json_object_get(event, "step")) ctl_say(out, "  step {step}", event);
    if (json_object_get(event, "value")) {
        lag_strbuf_append(out, "  ");
        bool is_size = strcmp(ctl_json_text(event, "type"), "run.checkpoint") == 0;
        ctl_cell(out, event, is_size ? &bytes : &number, false);
    }
    if (*ctl_json_text(event, "message")) ctl_say(out, "  {message}", event);
    lag_strbuf_append(out, "\n");
}

struct shown {
    struct ctl *ctl;
    bool has_titles; /* tsv has them once */
};

static int show(void *arg, json_t *event) {
    struct shown *shown = arg;
    struct ctl now = *shown->ctl;
    struct lag_strbuf out = LAG_STRBUF_INIT;
    if (now.form == CTL_FORM_TABLE) {
        append_event(&now, &out, event, strcmp(now.call->command->words, "events") == 0);
        return ctl_put(&out);
    }
    /* a stream does not end, so an array could not be closed */
    if (now.form == CTL_FORM_JSON) now.form = CTL_FORM_JSONL;
    now.quiet = now.quiet || shown->has_titles;
    shown->has_titles = true;
    return ctl_print(&now, now.call->command->view, event);
}

static int events_of(struct ctl *ctl, const char *run, int64_t after) {
    struct shown shown = {ctl, false};
    struct ctl_follow what = {.run = run,
                              .after = after,
                              .tail = ctl_value_int(ctl->call, "tail", -1),
                              .follow = ctl_value(ctl->call, "follow") != NULL,
                              .each = show,
                              .arg = &shown};
    return ctl_follow(ctl, &what);
}

int ctl_cmd_logs(struct ctl *ctl) { return events_of(ctl, ctl->call->arguments[0], 0); }

int ctl_cmd_events(struct ctl *ctl) {
    return events_of(ctl, ctl_value(ctl->call, "run"), ctl_value_int(ctl->call, "after", 0));
}
