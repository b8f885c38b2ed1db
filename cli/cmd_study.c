/* study create, study show. */
#include <lagd/base/clock.h>
#include <lagd/base/strbuf.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl_internal.h"
#include "draw_internal.h"

#define POLL_MS 500

/* --- create ------------------------------------------------------------------------------------------------------ */

int ctl_cmd_study_create(struct ctl *ctl) {
    const struct ctl_call *call = ctl->call;
    const bool dry = ctl_value(call, "dry-run") != NULL;
    json_t *body = NULL, *answer = NULL;
    if (!ctl_value(call, "file") && (!ctl_value(call, "parent") || !ctl_value(call, "to") ||
                                     !ctl_value(call, "horizon") || !ctl_value(call, "name")))
        return ctl_fail(CTL_USAGE, "'study create' needs -f FILE, or --name, --parent RUN, --to N (layers) and "
                        "--horizon STEPS");
    int status = ctl_body_of(ctl, &body);
    if (status == CTL_OK) status = ctl_ask(ctl, "POST", dry ? "/studies?dry_run=true" : "/studies", body, &answer);
    if (status == CTL_OK) status = ctl_print(ctl, dry ? &ctl_study_plan_view : call->command->view, answer);
    json_decref(answer);
    json_decref(body);
    return status;
}

/* --- show, and stay until it has ended --------------------------------------------------------------------------- */

/* Progress is shown on standard error: standard output is for the study. */
struct watch {
    struct ctl *ctl;
    bool terminal, drawn;
    int64_t begun_ns;      /* when it was first seen to run; 0: it has not */
    double done_then;
    char state[32];        /* told last, when there is no terminal */
    int tenths;
};

static bool has_ended(json_t *study) {
    const char *state = ctl_json_text(study, "state");
    return strcmp(state, "completed") == 0 || strcmp(state, "cancelled") == 0 || strcmp(state, "failed") == 0;
}

/* As lagd tells it, else from how fast its share grows while somebody looks; NaN: that is not known yet. */
static double seconds_left(struct watch *watch, json_t *study) {
    const double done = ctl_json_number(study, "done"), told = ctl_json_number(study, "seconds_left");
    const int64_t now_ns = lag_clock_mono_ns();
    if (isfinite(told)) return told;
    if (strcmp(ctl_json_text(study, "state"), "running") != 0) watch->begun_ns = 0;
    if (strcmp(ctl_json_text(study, "state"), "running") != 0) return (double)NAN;
    if (watch->begun_ns == 0) {
        watch->begun_ns = now_ns;
        watch->done_then = done;
    }
    if (!(done > watch->done_then)) return (double)NAN;
    return (1 - done) * (double)(now_ns - watch->begun_ns) / 1e9 / (done - watch->done_then);
}

static void draw(struct watch *watch, json_t *study) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    ctl_say(&out, "\r{name}: {state} ", study);
    ctl_append_study_done(&out, study, seconds_left(watch, study), watch->ctl->term.utf8);
    lag_strbuf_append(&out, "\033[K");
    watch->drawn = true;
    if (!out.failed) (void)fputs(out.data, stderr);
    (void)fflush(stderr);
    lag_strbuf_deinit(&out);
}

/* A line when its state changes, or a tenth of it more is done. */
static void tell(struct watch *watch, json_t *study) {
    const char *state = ctl_json_text(study, "state");
    const double done = ctl_json_number(study, "done"), left = seconds_left(watch, study);
    const int tenths = (int)(done * 10);
    char text[48];
    if (strcmp(state, watch->state) == 0 && tenths == watch->tenths) return;
    (void)snprintf(watch->state, sizeof(watch->state), "%s", state);
    watch->tenths = tenths;
    ctl_seconds_text(left, text);
    ctl_tell("%s: %s, %.0f %% done%s%s", ctl_json_text(study, "name"), state, floor(done * 100),
             isfinite(left) ? ", time left about " : "", isfinite(left) ? text : "");
}

static int wait_for(struct ctl *ctl, const char *path, json_t **study) {
    struct watch watch = {.ctl = ctl, .terminal = isatty(STDERR_FILENO) && !ctl->quiet, .tenths = -1};
    int status = CTL_OK;
    while (status == CTL_OK) {
        if (watch.terminal)
            draw(&watch, *study);
        else if (!ctl->quiet)
            tell(&watch, *study);
        if (has_ended(*study)) break;
        if (!ctl_sleep_ms(POLL_MS)) {
            status = CTL_INTERRUPTED;
            break;
        }
        json_decref(*study);
        *study = NULL;
        status = ctl_ask(ctl, "GET", path, NULL, study);
    }
    if (watch.drawn) (void)fputs("\n", stderr);
    return status;
}

/* What it shows so far is a part of the study for people. */
static int add_reading(struct ctl *ctl, const char *path, json_t *study) {
    json_t *report = NULL;
    struct lag_strbuf where = LAG_STRBUF_INIT;
    lag_strbuf_printf(&where, "%s/report", path);
    int status = ctl_ask(ctl, "GET", where.data, NULL, &report);
    if (status == CTL_OK && json_object_set(study, "reading", json_object_get(report, "reading")) < 0)
        status = ctl_fail(CTL_FAILED, "out of memory");
    json_decref(report);
    lag_strbuf_deinit(&where);
    return status;
}

int ctl_cmd_study_show(struct ctl *ctl) {
    const bool follow = ctl_value(ctl->call, "follow") != NULL;
    struct lag_strbuf path = LAG_STRBUF_INIT;
    json_t *study = NULL;
    int status = ctl_path_of(ctl, &path);
    if (status == CTL_OK) status = ctl_ask(ctl, "GET", path.data, NULL, &study);
    if (status == CTL_OK && follow) status = wait_for(ctl, path.data, &study);
    if (status == CTL_OK && ctl->form == CTL_FORM_TABLE) status = add_reading(ctl, path.data, study);
    if (status == CTL_OK) status = ctl_print(ctl, ctl->call->command->view, study);
    if (status == CTL_OK && follow && strcmp(ctl_json_text(study, "state"), "completed") != 0) status = CTL_FAILED;
    json_decref(study);
    lag_strbuf_deinit(&path);
    return status;
}
