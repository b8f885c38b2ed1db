/* Which events people are told of. */
#include <lagd/daemon/outbox.h>

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/names.h>
#include <lagd/base/strbuf.h>
#include <lagd/storage/events.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct lagd_rule_kind kinds[LAGD_N_RULES] = {
    [LAGD_RULE_WAITING] = {"waiting", true, "a growth is ranked, and waits for a person's decision"},
    [LAGD_RULE_FAILED] = {"failed", true, "a run, a growth or a study has failed"},
    [LAGD_RULE_TROUBLE] = {"trouble", true, "a run was paused by what it met; a person has to mend it, or it is tried "
                                            "again by itself"},
    [LAGD_RULE_ROLLBACK] = {"rollback", true, "a step was not finite, and the run went back to a checkpoint"},
    [LAGD_RULE_DECIDED] = {"decided", false, "the winner of a growth is known, and is applied"},
    [LAGD_RULE_COMPLETED] = {"completed", false, "a run has reached its last step, or a study has ended"},
    [LAGD_RULE_STALLED] = {"stalled", true, "a run makes no progress"},
    [LAGD_RULE_DIVERGED] = {"diverged", true, "a run's validation loss exploded"},
};

static const struct {
    enum lag_event_type type;
    const char *state; /* NULL: any */
    enum lagd_rule rule;
} matches[] = {
    {LAG_EVENT_GROWTH_STATE, "awaiting_approval", LAGD_RULE_WAITING},
    {LAG_EVENT_RUN_STATE, "failed", LAGD_RULE_FAILED},
    {LAG_EVENT_GROWTH_STATE, "failed", LAGD_RULE_FAILED},
    {LAG_EVENT_STUDY_STATE, "failed", LAGD_RULE_FAILED},
    {LAG_EVENT_RUN_TROUBLE, NULL, LAGD_RULE_TROUBLE},
    {LAG_EVENT_RUN_ROLLBACK, NULL, LAGD_RULE_ROLLBACK},
    {LAG_EVENT_GROWTH_STATE, "decided", LAGD_RULE_DECIDED},
    {LAG_EVENT_RUN_STATE, "completed", LAGD_RULE_COMPLETED},
    {LAG_EVENT_STUDY_STATE, "completed", LAGD_RULE_COMPLETED},
    {LAG_EVENT_RUN_STALLED, NULL, LAGD_RULE_STALLED},
    {LAG_EVENT_RUN_DIVERGED, NULL, LAGD_RULE_DIVERGED},
};

const struct lagd_rule_kind *lagd_rule_kind(enum lagd_rule rule) {
    LAG_ASSERT(rule < LAGD_N_RULES);
    return &kinds[rule];
}

int lagd_rule_of(const struct lag_event_row *event) {
    for (size_t i = 0; i < LAG_COUNT(matches); i++) {
        if (!lag_event_is(event->type, matches[i].type)) continue;
        if (!matches[i].state || strcmp(event->state, matches[i].state) == 0) return (int)matches[i].rule;
    }
    return LAGD_NO_RULE;
}

static int find(const char *word, size_t n) {
    for (int i = 0; i < LAGD_N_RULES; i++)
        if (strlen(kinds[i].name) == n && strncmp(kinds[i].name, word, n) == 0) return i;
    return LAGD_NO_RULE;
}

static int refuse(const char *word, size_t n, struct lag_error *err) {
    char given[40], meant[64] = "";
    int least = LAG_NAMES_FAR;
    (void)snprintf(given, sizeof(given), "%.*s", (int)n, word);
    for (int i = 0; i < LAGD_N_RULES; i++) {
        int far = lag_names_distance(given, kinds[i].name);
        if (far >= least) continue;
        least = far;
        (void)snprintf(meant, sizeof(meant), "did you mean %s? ", kinds[i].name);
    }
    return lag_error_set(err, LAG_EINVAL, "no rule is called %s; %sThere are " LAGD_RULES_ALL, given, meant);
}

int lagd_rules_parse(const char *list, unsigned *ret, struct lag_error *err) {
    unsigned rules = 0;
    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ",");
        int rule = find(p, n);
        if (rule == LAGD_NO_RULE) return refuse(p, n, err);
        rules |= 1u << rule;
        p += n + (p[n] == ',');
    }
    *ret = rules;
    return 0;
}

/* A database that was put back numbers its events anew: the time keeps them apart. */
void lagd_notice_id(const struct lag_event_row *event, char ret[LAGD_NOTICE_ID]) {
    (void)snprintf(ret, LAGD_NOTICE_ID, "ntf_%" PRId64 "_%" PRIx64, event->seq, (uint64_t)event->ts_ms);
}

int64_t lagd_backoff_ms(int n_failures, uint64_t salt) {
    const int64_t longest = 300000;
    int64_t wait = n_failures > 9 ? longest : LAG_MIN(INT64_C(1000) << LAG_MAX(n_failures - 1, 0), longest);
    uint64_t mixed = (salt ^ (uint64_t)n_failures) * UINT64_C(0x9e3779b97f4a7c15);
    return wait - (int64_t)((mixed >> 33) % (uint64_t)(wait / 4 + 1));
}
