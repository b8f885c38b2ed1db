/* grow, grow approve, grow reject. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl_internal.h"
#include "draw_internal.h"

#define POLL_MS 250
#define BAR_WIDTH 24

/* Progress is shown on standard error: standard output is for the decision. */
struct progress {
    struct ctl *ctl;
    bool terminal;
    int n_lines;    /* drawn last time, to be drawn over */
    char state[32]; /* told last, when there is no terminal */
    size_t n_ended;
};

static bool in(const char *words, const char *word) {
    const char *found = strstr(words, word);
    return found && *word && (found == words || found[-1] == ' ') && strchr(" ", found[strlen(word)]);
}

static void append_candidate(struct lag_strbuf *out, json_t *candidate, double steps, bool utf8) {
    struct lag_strbuf name = LAG_STRBUF_INIT;
    double loss = ctl_json_number(candidate, "loss_at_lag");
    ctl_say(&name, "{operator}", candidate);
    lag_strbuf_printf(out, "  %-20.20s ", name.failed ? "" : name.data);
    ctl_bar(out, ctl_json_number(candidate, "t") / steps, BAR_WIDTH, utf8);
    lag_strbuf_append(out, "  ");
    ctl_say(out, "{t}", candidate);
    lag_strbuf_printf(out, "/%.0f ", steps);
    ctl_say(out, "{state}", candidate);
    if (loss == loss) lag_strbuf_printf(out, "  %.4f", loss);
    lag_strbuf_deinit(&name);
}

static void draw(struct progress *progress, json_t *growth) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    double steps = ctl_json_number(growth, "lag"); /* an allocator may lead it on */
    json_t *items = json_object_get(growth, "candidates"), *item;
    const double left = ctl_json_number(growth, "seconds_left");
    char text[48];
    size_t i;
    ctl_seconds_text(left, text);
    if (progress->n_lines) lag_strbuf_printf(&out, "\033[%dA", progress->n_lines);
    ctl_say(&out, "\r{id}: {state}, {progress.done_steps} of {progress.total_steps} steps", growth);
    if (isfinite(left)) lag_strbuf_printf(&out, ", about %s left", text);
    lag_strbuf_append(&out, "\033[K\n");
    json_array_foreach(items, i, item) {
        append_candidate(&out, item, steps, progress->ctl->term.utf8);
        lag_strbuf_append(&out, "\033[K\n");
    }
    progress->n_lines = 1 + (int)json_array_size(items);
    if (!out.failed) (void)fputs(out.data, stderr);
    lag_strbuf_deinit(&out);
}

static size_t count_ended(json_t *growth) {
    json_t *item;
    size_t i, n = 0;
    json_array_foreach(json_object_get(growth, "candidates"), i, item) {
        n += in("completed diverged cancelled failed stopped", ctl_json_text(item, "state"));
    }
    return n;
}

/* A line when something has changed. */
static void report(struct progress *progress, json_t *growth) {
    const char *state = ctl_json_text(growth, "state");
    size_t n_ended = count_ended(growth);
    if (strcmp(state, progress->state) == 0 && n_ended == progress->n_ended) return;
    (void)snprintf(progress->state, sizeof(progress->state), "%s", state);
    progress->n_ended = n_ended;
    ctl_tell("%s: %s, %zu of %zu candidates have ended", ctl_json_text(growth, "id"), state, n_ended,
             json_array_size(json_object_get(growth, "candidates")));
}

/* A growth of a paused run waits for its resume: say so once. */
static void hint(struct ctl *ctl, json_t *growth) {
    json_t *run = NULL;
    if (ctl->quiet || strcmp(ctl_json_text(growth, "state"), "queued") != 0) return;
    if (ctl_get(ctl, &run, "/runs/%s", ctl_json_text(growth, "run")) == CTL_OK &&
        strcmp(ctl_json_text(run, "state"), "paused") == 0)
        ctl_tell("the run is paused; go on by: lagctl run resume %s", ctl_json_text(run, "name"));
    json_decref(run);
}

static int wait_for(struct ctl *ctl, json_t **growth) {
    static const char ends[] = "applied awaiting_approval rejected cancelled failed";
    struct progress progress = {.ctl = ctl, .terminal = isatty(STDERR_FILENO) && !ctl->quiet};
    char id[64];
    int status = CTL_OK;
    (void)snprintf(id, sizeof(id), "%s", ctl_json_text(*growth, "id"));
    hint(ctl, *growth);
    while (status == CTL_OK) {
        if (progress.terminal)
            draw(&progress, *growth);
        else if (!ctl->quiet)
            report(&progress, *growth);
        if (in(ends, ctl_json_text(*growth, "state"))) break;
        if (!ctl_sleep_ms(POLL_MS)) return CTL_INTERRUPTED;
        json_decref(*growth);
        *growth = NULL;
        status = ctl_get(ctl, growth, "/growths/%s", id);
    }
    return status;
}

int ctl_cmd_grow(struct ctl *ctl) {
    static const struct ctl_view decided = {NULL, NULL, NULL, ctl_print_growth};
    struct ctl_view view = decided;
    const struct ctl_call *call = ctl->call;
    bool dry = ctl_value(call, "dry-run") != NULL, waits = ctl_value(call, "wait") && !dry;
    struct lag_strbuf path = LAG_STRBUF_INIT;
    json_t *body = NULL, *growth = NULL;
    if (!ctl_value(call, "file") && !ctl_value(call, "to"))
        return ctl_fail(CTL_USAGE, "'grow' needs --to N (layers after the growth) or -f FILE");
    int status = ctl_path_of(ctl, &path);
    if (status == CTL_OK) status = ctl_body_of(ctl, &body);
    if (status == CTL_OK) status = ctl_ask(ctl, "POST", path.data, body, &growth);
    if (status == CTL_OK && waits) status = wait_for(ctl, &growth);
    if (status == CTL_OK) {
        view.columns = call->command->view->columns;
        status = ctl_print(ctl, dry ? &ctl_growth_plan_view : waits ? &view : call->command->view, growth);
    }
    if (status == CTL_OK && waits && in("rejected cancelled failed", ctl_json_text(growth, "state")))
        status = CTL_FAILED;
    json_decref(growth);
    json_decref(body);
    lag_strbuf_deinit(&path);
    return status;
}

/* --candidate may be the name of an operator when only one candidate has it. */
static int find_candidate(struct ctl *ctl, const char *name, json_t **ret_id) {
    json_t *growth = NULL, *item, *found = NULL;
    struct lag_strbuf path = LAG_STRBUF_INIT;
    size_t i, n_found = 0;
    lag_strbuf_append(&path, "/growths/");
    ctl_escape(&path, ctl->call->arguments[0]);
    int status = ctl_ask(ctl, "GET", path.data, NULL, &growth);
    json_array_foreach(json_object_get(growth, "candidates"), i, item) {
        bool same = strcmp(ctl_json_text(item, "operator"), name) == 0;
        if (strcmp(ctl_json_text(item, "id"), name) != 0 && !same) continue;
        found = json_object_get(item, "id");
        n_found++;
    }
    if (status == CTL_OK && n_found == 0) status = ctl_fail(CTL_NOT_FOUND, "the growth has no candidate %s", name);
    if (status == CTL_OK && n_found > 1)
        status = ctl_fail(CTL_USAGE, "%zu candidates are %s; give an id", n_found, name);
    if (status == CTL_OK) *ret_id = json_incref(found);
    json_decref(growth);
    lag_strbuf_deinit(&path);
    return status;
}

int ctl_cmd_audit(struct ctl *ctl) {
    const bool dry = ctl_value(ctl->call, "dry-run") != NULL;
    struct lag_strbuf path = LAG_STRBUF_INIT;
    json_t *answer = NULL;
    int status = ctl_path_of(ctl, &path);
    if (status == CTL_OK) status = ctl_ask(ctl, "POST", path.data, NULL, &answer);
    if (status == CTL_OK) status = ctl_print(ctl, dry ? &ctl_study_plan_view : ctl->call->command->view, answer);
    json_decref(answer);
    lag_strbuf_deinit(&path);
    return status;
}

static int decide(struct ctl *ctl, const char *key, json_t *value) {
    struct lag_strbuf path = LAG_STRBUF_INIT;
    json_t *body = NULL, *answer = NULL;
    int status = ctl_path_of(ctl, &path);
    if (status == CTL_OK) status = ctl_body_of(ctl, &body);
    if (status == CTL_OK && !body) body = json_object();
    if (status == CTL_OK && json_object_set(body, key, value) < 0) status = ctl_fail(CTL_FAILED, "out of memory");
    if (status == CTL_OK) status = ctl_ask(ctl, "POST", path.data, body, &answer);
    if (status == CTL_OK) status = ctl_print(ctl, ctl->call->command->view, answer);
    json_decref(answer);
    json_decref(body);
    lag_strbuf_deinit(&path);
    return status;
}

int ctl_cmd_approve(struct ctl *ctl) {
    const char *name = ctl_value(ctl->call, "candidate");
    json_t *id = NULL;
    if (!name) return decide(ctl, "approve", json_true());
    int status = find_candidate(ctl, name, &id);
    if (status == CTL_OK) status = decide(ctl, "candidate", id);
    json_decref(id);
    return status;
}

int ctl_cmd_reject(struct ctl *ctl) { return decide(ctl, "reject", json_true()); }
