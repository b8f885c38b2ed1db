/* What notifications say. */
#include "notify/notice_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/studies.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- as JSON ----------------------------------------------------------------------------------------------------- */

static const char *rule_word(int i, const char **ret_help) {
    if (i == LAGD_N_RULES) {
        *ret_help = "asked for by POST /notify/test";
        return "test";
    }
    if (i > LAGD_N_RULES) return NULL;
    *ret_help = lagd_rule_kind((enum lagd_rule)i)->help;
    return lagd_rule_kind((enum lagd_rule)i)->name;
}

static int write_severity(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_text(json, key, ((const struct lagd_notice *)object)->warns ? "warning" : "info");
    return 0;
}

#define NOTICE(name, type, member, help) LAGD_MEMBER(struct lagd_notice, name, type, member, help)
static const struct lagd_member notification_members[] = {
    NOTICE("id", "s", id, "The same each time that this is told: a receiver that knows it already may pass it over."),
    LAGD_CHOICE(struct lagd_notice, "rule", "s", rule, rule_word, "Why it is told."),
    LAGD_WRITTEN("severity", "s", write_severity, "warning: a person is needed, or may be; else info."),
    NOTICE("at", "t?", event.ts_ms, "When it happened."),
    NOTICE("text", "s", text, "What happened, for people."),
    NOTICE("run", "s?", event.run_id, "Id of the run that it is about."),
    NOTICE("run_name", "s?", run_name, "Its name now; null when it was deleted."),
    NOTICE("growth", "s?", event.growth_id, "Id of the growth that it is about."),
    NOTICE("state", "s?", event.state, "The state that it is in since then."),
    NOTICE("step", "i?", event.step, "Step of the run."),
    NOTICE("event", "c?", event.seq, "Number of the event, as in GET /events; null in a test."),
    NOTICE("link", "s?", link, "Where to look at it, where notify/dashboard_url is set."),
};
const struct lagd_schema lagd_notification_schema = LAGD_SCHEMA("Notification", notification_members);

char *lagd_notice_json(const struct lagd_notice *notice, size_t *ret_length) {
    struct lagd_json json;
    lagd_json_init(&json, false);
    (void)lagd_write_object(&json, NULL, &lagd_notification_schema, notice, NULL);
    return lagd_json_take(&json, ret_length);
}

/* --- as text ----------------------------------------------------------------------------------------------------- */

static const char *const texts[LAGD_N_RULES] = {
    [LAGD_RULE_WAITING] = "waits for your decision: the candidates of its growth are ranked",
    [LAGD_RULE_FAILED] = "has failed",
    [LAGD_RULE_TROUBLE] = "is paused",
    [LAGD_RULE_ROLLBACK] = "went back to a checkpoint",
    [LAGD_RULE_DECIDED] = "grows: the winner of its growth is being applied",
    [LAGD_RULE_COMPLETED] = "is completed",
    [LAGD_RULE_STALLED] = "makes no progress",
    [LAGD_RULE_DIVERGED] = "diverged",
};

/* Events of studies begin with the study's name. */
static void say_study(enum lagd_rule rule, const char *message, struct lagd_notice *ret) {
    int n = (int)strcspn(message, ":");
    (void)snprintf(ret->text, sizeof(ret->text), "Study %.*s %s%s.", n, message, texts[rule], message + n);
}

static void say_run(enum lagd_rule rule, struct lagd_notice *ret) {
    const struct lag_event_row *event = &ret->event;
    const char *name = ret->run_name[0] ? ret->run_name : event->run_id;
    char step[40] = "";
    if (event->step >= 0) (void)snprintf(step, sizeof(step), " at step %" PRId64, event->step);
    if (rule == LAGD_RULE_FAILED && event->growth_id[0]) {
        (void)snprintf(ret->text, sizeof(ret->text), "A growth of run %s has failed; the run goes on as it was%s%s.",
                       name, event->message[0] ? ": " : "", event->message);
        return;
    }
    (void)snprintf(ret->text, sizeof(ret->text), "Run %s %s%s%s%s.", name, texts[rule], step,
                   event->message[0] ? ": " : "", event->message);
}

static void link_to(const char *dashboard_url, const char *page, const char *name, struct lagd_notice *ret) {
    size_t n = strlen(dashboard_url);
    if (n == 0) return;
    while (n > 0 && dashboard_url[n - 1] == '/') n--;
    (void)snprintf(ret->link, sizeof(ret->link), "%.*s/#/%s%s%s", (int)n, dashboard_url, page, *name ? "/" : "", name);
}

/* Its study tells how it ends and what it finds. 1 or 0. */
static int is_of_study(struct lag_db *db, enum lagd_rule rule, const char *run_id, struct lag_error *err) {
    struct lag_study_run_row row;
    if (rule != LAGD_RULE_COMPLETED && rule != LAGD_RULE_DECIDED) return 0;
    return lag_study_of_run(db, run_id, &row, err);
}

int lagd_notice_make(struct lag_db *db, const char *dashboard_url, unsigned rules, const struct lag_event_row *event,
                     struct lagd_notice *ret, struct lag_error *err) {
    int rule = lagd_rule_of(event);
    if (rule == LAGD_NO_RULE || !(rules & 1u << rule)) return 1;
    memset(ret, 0, sizeof(*ret));
    ret->event = *event;
    lagd_notice_id(event, ret->id);
    (void)lag_copy(ret->rule, sizeof(ret->rule), lagd_rule_kind((enum lagd_rule)rule)->name);
    ret->warns = lagd_rule_kind((enum lagd_rule)rule)->warns;
    if (!event->run_id[0]) {
        say_study((enum lagd_rule)rule, event->message, ret);
        link_to(dashboard_url, "studies", "", ret);
        return 0;
    }
    int rc = is_of_study(db, (enum lagd_rule)rule, event->run_id, err);
    if (rc != 0) return rc;
    struct lag_run_row run;
    rc = lag_run_get(db, event->run_id, &run, err);
    if (rc == 0) (void)lag_copy(ret->run_name, sizeof(ret->run_name), run.name);
    if (rc != 0 && rc != LAG_ENOTFOUND) return rc;
    say_run((enum lagd_rule)rule, ret);
    if (rule == LAGD_RULE_WAITING) link_to(dashboard_url, "growths", event->growth_id, ret);
    else link_to(dashboard_url, "runs", ret->run_name, ret);
    return 0;
}

void lagd_notice_test(int64_t now_ms, const char *dashboard_url, struct lagd_notice *ret) {
    memset(ret, 0, sizeof(*ret));
    ret->event.ts_ms = now_ms;
    ret->event.step = -1;
    (void)snprintf(ret->id, sizeof(ret->id), "ntf_test_%" PRIx64, (uint64_t)now_ms);
    (void)lag_copy(ret->rule, sizeof(ret->rule), "test");
    (void)lag_copy(ret->text, sizeof(ret->text), "This is a test: notifications of lagd arrive here.");
    link_to(dashboard_url, "", "", ret);
}
