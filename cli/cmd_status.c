/* status, ps, version, help, completion. */
#include <stdio.h>
#include <string.h>

#include "ctl_internal.h"

static const struct ctl_column active_columns[] = {{"NAME", "name", CTL_TEXT},
                                                   {"STATE", "state", CTL_STATE},
                                                   {"STEP", "step", CTL_INT},
                                                   {"OF", "max_steps", CTL_INT},
                                                   {"TRAIN", "latest.train/loss", CTL_LOSS},
                                                   {"VAL", "latest.val/loss", CTL_LOSS},
                                                   {"HEALTH", "health", CTL_STATE},
                                                   {NULL, NULL, 0}};

#define ACTIVE "/runs?state=queued,running,growing,paused,interrupted"

static int print_status(struct ctl *ctl, json_t *status, json_t *runs) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    int failed = ctl_print(ctl, ctl->call->command->view, status);
    if (failed || ctl->form != CTL_FORM_TABLE || json_array_size(runs) == 0) return failed;
    lag_strbuf_append(&out, "\n");
    ctl_table(&out, active_columns, runs, ctl->term.utf8, ctl->term.colour, ctl->term.width);
    return ctl_put(&out);
}

int ctl_cmd_status(struct ctl *ctl) {
    const struct ctl_place *place = ctl_client_place(ctl->client);
    json_t *system = NULL, *version = NULL, *runs = NULL;
    int status = ctl_get(ctl, &version, "/version");
    if (status == CTL_OK) status = ctl_get(ctl, &system, "/system");
    if (status == CTL_OK) status = ctl_get_all(ctl, ACTIVE, -1, &runs);
    if (status == CTL_OK) {
        bool ready = json_is_true(json_object_get(system, "ready"));
        bool draining = json_is_true(json_object_get(system, "draining"));
        json_t *all = json_pack("{s:O?, s:s, s:s, s:O, s:O?}", "version", json_object_get(version, "version"),
                                "address", *place->socket ? place->socket : place->url, "state",
                                draining ? "stopping"
                                : ready  ? "ready"
                                         : "not ready",
                                "system", system, "runs", json_object_get(runs, "items"));
        status = all ? print_status(ctl, all, json_object_get(all, "runs")) : ctl_fail(CTL_FAILED, "out of memory");
        json_decref(all);
    }
    json_decref(system);
    json_decref(version);
    json_decref(runs);
    return status;
}

int ctl_cmd_ps(struct ctl *ctl) {
    json_t *runs = NULL;
    int status = ctl_get_all(ctl, ctl_value(ctl->call, "all") ? "/runs" : ACTIVE, -1, &runs);
    if (status == CTL_OK) status = ctl_print(ctl, ctl->call->command->view, runs);
    json_decref(runs);
    return status;
}

int ctl_cmd_version(struct ctl *ctl) {
    struct ctl_request request = {.method = "GET", .path = "/version", .timeout_ms = 10000};
    struct ctl_answer answer;
    json_t *daemon = NULL, *both = json_pack("{s:s}", "lagctl", LAGD_VERSION);
    ctl_send(ctl->client, &request, &answer); /* no daemon is no failure: lagctl has a version without it */
    if (answer.failure == 0 && answer.status == 200) daemon = json_loadb(answer.body.data, answer.body.length, 0, NULL);
    json_t *version = json_object_get(daemon, "version");
    int status = !both || json_object_set(both, "lagd", version ? version : json_null()) < 0
                     ? ctl_fail(CTL_FAILED, "out of memory")
                     : ctl_print(ctl, ctl->call->command->view, both);
    json_decref(daemon);
    json_decref(both);
    ctl_answer_deinit(&answer);
    return status;
}

int ctl_cmd_completion(struct ctl *ctl) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    if (strcmp(ctl->call->arguments[0], "bash") == 0)
        ctl_completion_bash(&out);
    else
        ctl_completion_zsh(&out);
    return ctl_put(&out);
}

int ctl_cmd_help(struct ctl *ctl) {
    const struct ctl_call *call = ctl->call;
    struct lag_strbuf out = LAG_STRBUF_INIT;
    char words[64] = "";
    for (int i = 0; i < call->n_arguments; i++) {
        size_t used = strlen(words);
        (void)snprintf(words + used, sizeof(words) - used, "%s%s", i ? " " : "", call->arguments[i]);
    }
    const struct ctl_command *command = ctl_command_find(words);
    if (*words && !command && !ctl_help_group(&out, words))
        return ctl_fail(CTL_USAGE, "there is no command '%s'; see lagctl --help", words);
    if (!*words || command) ctl_help_text(&out, command);
    return ctl_put(&out);
}
