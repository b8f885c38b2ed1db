/* events, logs. */
#include <string.h>

#include "ctl_internal.h"

/* "2026-01-02T03:04:05.678Z" → "2026-01-02 03:04:05" */
static void append_time(struct lag_strbuf *out, const char *ts) {
    size_t n = strcspn(ts, ".");
    for (size_t i = 0; i < n; i++) lag_strbuf_append_n(out, ts[i] == 'T' ? " " : ts + i, 1);
}

/* What the value of an event is, where it has one. */
static const struct {
    const char *type, *label;
    struct ctl_column column;
} values[] = {
    {"run.checkpoint", "", {"", "value", CTL_BYTES}},
    {"checkpoint.deleted", "", {"", "value", CTL_BYTES}},
    {"checkpoint.adopted", "", {"", "value", CTL_BYTES}},
    {"run.rollback", "learning rate × ", {"", "value", CTL_NUMBER}},
    {"candidate.state", "loss ", {"", "value", CTL_LOSS}},
    {"growth.decision", "margin ", {"", "value", CTL_LOSS}},
    {"run.diverged", "validation loss ", {"", "value", CTL_LOSS}},
    {"determinism.mismatch", "computed ", {"", "value", CTL_NUMBER}},
};

static void append_value(struct lag_strbuf *out, json_t *event) {
    static const struct ctl_column number = {"", "value", CTL_NUMBER};
    const char *type = ctl_json_text(event, "type");
    if (!json_object_get(event, "value")) return;
    size_t i = 0;
    while (i < sizeof(values) / sizeof(values[0]) && strcmp(values[i].type, type) != 0) i++;
    bool known = i < sizeof(values) / sizeof(values[0]);
    lag_strbuf_printf(out, "  %s", known ? values[i].label : "value ");
    ctl_cell(out, event, known ? &values[i].column : &number, false);
}

struct shown {
    struct ctl *ctl;
    bool has_titles; /* tsv has them once */
    json_t *names;   /* of runs, by id */
};

static void note_name(struct shown *shown, const char *id, const char *name) {
    if (*id && *name) (void)json_object_set_new(shown->names, id, json_string(name));
}

/* Before the stream begins, which has the connection; it tells of later names itself. A run that is gone, or one of
 * very many, is told by its id. */
static void know_names(struct shown *shown) {
    struct ctl_request request = {.method = "GET", .path = "/runs?limit=1000", .timeout_ms = 10000};
    struct ctl_answer answer;
    json_t *run;
    size_t i;
    ctl_send(shown->ctl->client, &request, &answer);
    json_t *runs = answer.status == 200 ? json_loadb(answer.body.data, answer.body.length, 0, NULL) : NULL;
    json_array_foreach(json_object_get(runs, "items"), i, run)
        note_name(shown, ctl_json_text(run, "id"), ctl_json_text(run, "name"));
    json_decref(runs);
    ctl_answer_deinit(&answer);
}

static void learn_name(struct shown *shown, json_t *event) {
    const char *type = ctl_json_text(event, "type");
    if (strcmp(type, "run.created") == 0 || strcmp(type, "run.changed") == 0)
        note_name(shown, ctl_json_text(event, "run"), ctl_json_text(event, "message"));
}

static const char *name_of(const struct shown *shown, const char *id) {
    const char *name = json_string_value(json_object_get(shown->names, id));
    return name ? name : id;
}

/* Ids are for programs: -o jsonl has them. */
static void append_event(struct shown *shown, struct lag_strbuf *out, json_t *event, bool of_all) {
    struct ctl *ctl = shown->ctl;
    const char *state = ctl_json_text(event, "state"), *colour = ctl_term_colour(ctl->term.colour, state);
    const char *run = ctl_json_text(event, "run"), *message = ctl_json_text(event, "message");
    if (of_all) ctl_say(out, "{seq}  ", event);
    append_time(out, ctl_json_text(event, "ts"));
    lag_strbuf_append(out, "  ");
    ctl_say(out, "{type}", event);
    if (of_all && *run) {
        lag_strbuf_append(out, "  ");
        ctl_clean(out, name_of(shown, run), false);
    }
    if (*state) {
        lag_strbuf_printf(out, "  %s", colour);
        ctl_say(out, "{state}", event);
        if (*colour) lag_strbuf_append(out, "\033[0m");
    }
    if (json_object_get(event, "step")) ctl_say(out, "  step {step}", event);
    append_value(out, event);
    if (*message && strncmp(message, "ckpt_", 5) != 0) ctl_say(out, "  {message}", event);
    lag_strbuf_append(out, "\n");
}

static int show(void *arg, json_t *event) {
    struct shown *shown = arg;
    learn_name(shown, event);
    struct ctl now = *shown->ctl;
    struct lag_strbuf out = LAG_STRBUF_INIT;
    if (now.form == CTL_FORM_TABLE) {
        append_event(shown, &out, event, strcmp(now.call->command->words, "events") == 0);
        return ctl_put(&out);
    }
    /* a stream does not end, so an array could not be closed */
    if (now.form == CTL_FORM_JSON) now.form = CTL_FORM_JSONL;
    now.quiet = now.quiet || shown->has_titles;
    shown->has_titles = true;
    return ctl_print(&now, now.call->command->view, event);
}

static int events_of(struct ctl *ctl, const char *run, int64_t after) {
    struct shown shown = {ctl, false, json_object()};
    struct ctl_follow what = {.run = run,
                              .after = after,
                              .tail = ctl_value_int(ctl->call, "tail", -1),
                              .follow = ctl_value(ctl->call, "follow") != NULL,
                              .each = show,
                              .arg = &shown};
    if (ctl->form == CTL_FORM_TABLE && strcmp(ctl->call->command->words, "events") == 0) know_names(&shown);
    int status = ctl_follow(ctl, &what);
    json_decref(shown.names);
    return status;
}

int ctl_cmd_logs(struct ctl *ctl) { return events_of(ctl, ctl->call->arguments[0], 0); }

int ctl_cmd_events(struct ctl *ctl) {
    return events_of(ctl, ctl_value(ctl->call, "run"), ctl_value_int(ctl->call, "after", 0));
}
