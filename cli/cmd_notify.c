/* notify test: a sink is told something, and what came of it is shown. */
#include "ctl_internal.h"

#include <stdio.h>

static int judge(json_t *outcomes) {
    json_t *outcome;
    size_t i, n_failed = 0;
    if (json_array_size(outcomes) == 0)
        return ctl_fail(CTL_FAILED, "no sink is configured: see the section [notify] of lagd.conf(5)");
    json_array_foreach(outcomes, i, outcome) n_failed += !json_is_true(json_object_get(outcome, "delivered"));
    return n_failed ? CTL_FAILED : CTL_OK;
}

int ctl_cmd_notify_test(struct ctl *ctl) {
    const char *sink = ctl_argument(ctl->call, "SINK");
    json_t *answer = NULL, *body = sink ? json_pack("{s:s}", "sink", sink) : json_object();
    if (!body) return ctl_fail(CTL_USAGE, "the name of a sink must be UTF-8");
    int status = ctl_ask(ctl, "POST", "/notify/test", body, &answer);
    if (status == CTL_OK && json_array_size(json_object_get(answer, "items")) > 0)
        status = ctl_print(ctl, ctl->call->command->view, answer);
    if (status == CTL_OK) status = judge(json_object_get(answer, "items"));
    json_decref(answer);
    json_decref(body);
    return status;
}
