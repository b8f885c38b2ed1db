/* lagctl: a client of lagd's HTTP API. It knows nothing that the API does not tell. */
#include "ctl_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static enum ctl_form form_of(const char *name) {
    static const char *const names[] = {"table", "json", "jsonl", "tsv", "name"};
    for (size_t i = 0; name && i < LAG_COUNT(names); i++) {
        if (strcmp(names[i], name) == 0) return (enum ctl_form)i;
    }
    return CTL_FORM_TABLE;
}

static int run(struct ctl *ctl) {
    const struct ctl_call *call = ctl->call;
    const char *token_file = ctl_value(call, "token-file");
    struct ctl_place place;
    struct lag_error err = {0};
    if (ctl_place_find(ctl_value(call, "socket"), ctl_value(call, "host"), &place, &err) < 0)
        return ctl_fail(CTL_USAGE, "%s", err.text);
    if (!token_file) token_file = getenv("LAGD_TOKEN_FILE");
    if (ctl_client_create(&place, token_file, &ctl->client, &err) < 0) return ctl_fail(CTL_AUTH, "%s", err.text);
    int status = call->command->run ? call->command->run(ctl) : ctl_run_generic(ctl);
    ctl_client_destroy(ctl->client);
    return ctl_interrupted() ? CTL_INTERRUPTED : status;
}

int main(int argc, char **argv) {
    struct ctl_call call;
    struct ctl ctl = {.call = &call};
    struct lag_error err = {0};
    struct lag_strbuf out = LAG_STRBUF_INIT;
    if (lag_fs_open_standard(&err) < 0) return CTL_FAILED; /* there is nowhere to say it */
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        lag_strbuf_append(&out, "lagctl " LAGD_VERSION "\n");
        return ctl_put(&out);
    }
    if (argc == 2 && strcmp(argv[1], "--print-mdoc") == 0) { /* the manual's build asks this */
        ctl_help_mdoc(&out);
        return ctl_put(&out);
    }
    int parsed = ctl_parse(argc, argv, &call, &err);
    if (parsed < 0) return ctl_fail(CTL_USAGE, "%s", err.text);
    ctl.form = form_of(ctl_value(&call, "output"));
    ctl.quiet = ctl_value(&call, "quiet") != NULL;
    ctl_term_init(&ctl.term, ctl_value(&call, "no-color") != NULL);
    if (call.help || !call.command) {
        if (call.group) (void)ctl_help_group(&out, call.group);
        else ctl_help_text(&out, call.command);
        int status = ctl_put(&out);
        return call.help ? status : CTL_USAGE;
    }
    ctl_interrupt_init();
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return ctl_fail(CTL_FAILED, "libcurl cannot begin");
    int status = run(&ctl);
    curl_global_cleanup();
    return status;
}
