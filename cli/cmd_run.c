/* run create, wait. */
#include "ctl_internal.h"
#include "draw_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/ids.h>
#include <lagd/base/parse.h>
#include <stdio.h>
#include <string.h>

int ctl_cmd_run_create(struct ctl *ctl) {
    bool dry = ctl_value(ctl->call, "dry-run") != NULL;
    json_t *body = NULL, *answer = NULL;
    if (!ctl_value(ctl->call, "file") && !(ctl_value(ctl->call, "dataset") && ctl_value(ctl->call, "steps")))
        return ctl_fail(CTL_USAGE, "'run create' needs -f FILE (- reads standard input), or --dataset and --steps");
    int status = ctl_body_of(ctl, &body);
    if (status == CTL_OK) status = ctl_ask(ctl, "POST", dry ? "/runs?dry_run=true" : "/runs", body, &answer);
    if (status == CTL_OK) status = ctl_print(ctl, dry ? &ctl_estimate_view : ctl->call->command->view, answer);
    json_decref(answer);
    json_decref(body);
    return status;
}

int ctl_cmd_run_extend(struct ctl *ctl) {
    bool dry = ctl_value(ctl->call, "dry-run") != NULL;
    struct lag_strbuf path = LAG_STRBUF_INIT;
    json_t *body = NULL, *answer = NULL;
    if (!ctl_value(ctl->call, "steps"))
        return ctl_fail(CTL_USAGE, "'run extend' needs --steps N: of the whole run from now on");
    lag_strbuf_append(&path, "/runs/");
    ctl_escape(&path, ctl->call->arguments[0]);
    lag_strbuf_append(&path, dry ? "/extend?dry_run=true" : "/extend");
    int status = path.failed ? ctl_fail(CTL_FAILED, "out of memory") : ctl_body_of(ctl, &body);
    if (status == CTL_OK) status = ctl_ask(ctl, "POST", path.data, body, &answer);
    if (status == CTL_OK) status = ctl_print(ctl, dry ? &ctl_extension_view : ctl->call->command->view, answer);
    lag_strbuf_deinit(&path);
    json_decref(answer);
    json_decref(body);
    return status;
}

static void add_rate(struct lag_strbuf *out, json_t *point) {
    lag_strbuf_printf(out, "%7.0f  %.4g\n", ctl_json_number(point, "step"), ctl_json_number(point, "lr"));
}

/* The learning rate that is to come: a sentence, a picture in a line, and some of its values. */
int ctl_print_extension(struct ctl *ctl, json_t *plan) {
    enum { SHOWN = 9 };
    struct lag_strbuf out = LAG_STRBUF_INIT;
    json_t *rates = json_object_get(plan, "lr");
    const size_t n = json_array_size(rates);
    double values[64];
    for (size_t i = 0; i < n && i < LAG_COUNT(values); i++)
        values[i] = ctl_json_number(json_array_get(rates, i), "lr");
    lag_strbuf_printf(&out, "steps %.0f to %.0f: %s\n\n", ctl_json_number(plan, "from_step"),
                      ctl_json_number(plan, "max_steps"), ctl_json_text(plan, "note"));
    ctl_spark(&out, values, LAG_MIN(n, LAG_COUNT(values)), 64, ctl->term.utf8);
    lag_strbuf_append(&out, "\n\n   STEP  LEARNING RATE\n");
    for (size_t i = 0; i + 1 < n; i += LAG_MAX(1, n / SHOWN)) add_rate(&out, json_array_get(rates, i));
    if (n > 0) add_rate(&out, json_array_get(rates, n - 1));
    return ctl_put(&out);
}

struct condition {
    const char *states; /* "completed,failed", or NULL */
    int64_t step;       /* -1: none */
};

static bool holds(const struct condition *condition, json_t *thing) {
    const char *state = ctl_json_text(thing, "state");
    size_t length = strlen(state);
    if (condition->step >= 0) return ctl_json_number(thing, "step") >= (double)condition->step;
    for (const char *p = condition->states; *p; p += *p == ',') {
        size_t n = strcspn(p, ",");
        if (n == length && strncmp(p, state, n) == 0) return true;
        p += n;
    }
    return false;
}

/* A run that has ended, and a growth that nothing can be done with, stay as they are. */
static bool is_final(json_t *thing, bool growth) {
    static const char final[] = " completed cancelled failed applied rejected ";
    char word[40];
    (void)snprintf(word, sizeof(word), " %s ", ctl_json_text(thing, "state"));
    return strstr(final, word) && (growth || strcmp(word, " applied ") != 0);
}

static int parse_condition(const char *text, bool growth, struct condition *ret) {
    *ret = (struct condition){growth ? "applied" : "completed", -1};
    if (!text) return CTL_OK;
    if (strncmp(text, "state=", 6) == 0 && text[6]) {
        ret->states = text + 6;
        return CTL_OK;
    }
    if (!growth && strncmp(text, "step=", 5) == 0 && lag_parse_i64(text + 5, &ret->step) == 0 && ret->step >= 0)
        return CTL_OK;
    return ctl_fail(CTL_USAGE, "--for: '%s' is neither state=NAME[,NAME] nor step=N%s", text,
                    growth ? " (of runs only)" : "");
}

/* A state that no run or growth is ever in would be waited for in vain: the daemon's description knows all of them. */
static int check_states(struct ctl *ctl, const char *states, bool growth) {
    json_t *openapi = NULL, *row;
    struct lag_strbuf known = LAG_STRBUF_INIT;
    int status = ctl_get(ctl, &openapi, "/openapi.json");
    json_t *rows = json_object_get(json_object_get(openapi, "x-lagd-states"), growth ? "growth" : "run");
    for (const char *p = states; status == CTL_OK && *p; p += *p == ',') {
        size_t n = strcspn(p, ","), i;
        bool found = n == 0 || json_array_size(rows) == 0; /* of a daemon that does not say */
        known.length = 0;
        json_array_foreach(rows, i, row) {
            const char *name = ctl_json_text(row, "name");
            found = found || (strlen(name) == n && strncmp(name, p, n) == 0);
            lag_strbuf_printf(&known, "%s%s", i ? ", " : "", name);
        }
        if (!found)
            status = ctl_fail(CTL_USAGE, "--for: no %s is ever %.*s; there are %s", growth ? "growth" : "run", (int)n,
                              p, known.failed ? "others" : known.data);
        p += n;
    }
    json_decref(openapi);
    lag_strbuf_deinit(&known);
    return status;
}

int ctl_cmd_wait(struct ctl *ctl) {
    const char *name = ctl->call->arguments[0], *limit = ctl_value(ctl->call, "timeout");
    bool growth = lag_id_is(name, "gr");
    int64_t deadline_ns = limit ? lag_clock_mono_ns() + ctl_duration_ms(limit) * 1000000 : INT64_MAX, pause_ms = 100;
    struct condition condition;
    struct lag_strbuf path = LAG_STRBUF_INIT;
    json_t *thing = NULL;
    int status = parse_condition(ctl_value(ctl->call, "for"), growth, &condition);
    if (status == CTL_OK && ctl_value(ctl->call, "for") && condition.step < 0)
        status = check_states(ctl, condition.states, growth);
    lag_strbuf_append(&path, growth ? "/growths/" : "/runs/");
    ctl_escape(&path, name);
    while (status == CTL_OK && !path.failed) {
        json_decref(thing);
        thing = NULL;
        status = ctl_ask(ctl, "GET", path.data, NULL, &thing);
        if (status != CTL_OK || holds(&condition, thing)) break;
        if (is_final(thing, growth)) {
            status = ctl_fail(CTL_FAILED, "%s is %s: %s", name, ctl_json_text(thing, "state"),
                              *ctl_json_text(thing, "reason") ? ctl_json_text(thing, "reason") : "it stays so");
        } else if (lag_clock_mono_ns() >= deadline_ns) {
            status = ctl_fail(CTL_TIMEOUT, "%s is still %s after %s", name, ctl_json_text(thing, "state"), limit);
        } else {
            int64_t left_ms = (deadline_ns - lag_clock_mono_ns()) / 1000000 + 1;
            if (!ctl_sleep_ms(left_ms < pause_ms ? left_ms : pause_ms)) status = CTL_INTERRUPTED;
            pause_ms = pause_ms < 1000 ? pause_ms * 5 / 4 : 1000;
        }
    }
    if (status == CTL_OK && thing) {
        struct ctl_view view = {ctl->call->command->view->columns,
                                growth ? "{id}: {state}" : "{name}: {state}, step {step}", NULL, NULL};
        status = ctl_print(ctl, &view, thing);
    }
    json_decref(thing);
    lag_strbuf_deinit(&path);
    return status;
}
