/* model add: a folder is named, and the daemon's import of it is waited for. */
#include "ctl_internal.h"
#include "draw_internal.h"

#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLL_MS 250
#define BAR_WIDTH 24

/* One line that is drawn over itself. */
static void draw(struct ctl *ctl, json_t *model) {
    struct lag_strbuf line = LAG_STRBUF_INIT;
    char all[16];
    ctl_bytes_text(ctl_json_number(model, "n_bytes"), all);
    lag_strbuf_append(&line, "\r");
    ctl_say(&line, "{name} ", model);
    ctl_bar(&line, ctl_json_number(model, "progress"), BAR_WIDTH, ctl->term.utf8);
    lag_strbuf_printf(&line, " of %s\033[K", all);
    if (!line.failed) (void)fputs(line.data, stderr);
    lag_strbuf_deinit(&line);
}

static int wait_for(struct ctl *ctl, json_t **model) {
    const bool draws = isatty(STDERR_FILENO) && !ctl->quiet;
    char id[64];
    int status = CTL_OK;
    (void)snprintf(id, sizeof(id), "%s", ctl_json_text(*model, "id"));
    while (status == CTL_OK && strcmp(ctl_json_text(*model, "state"), "importing") == 0) {
        if (draws) draw(ctl, *model);
        if (!ctl_sleep_ms(POLL_MS)) {
            status = CTL_INTERRUPTED;
            break;
        }
        json_decref(*model);
        *model = NULL;
        status = ctl_get(ctl, model, "/models/%s", id);
    }
    if (draws) (void)fputs("\r\033[K", stderr);
    if (status == CTL_INTERRUPTED && !ctl->quiet)
        ctl_tell("the daemon goes on; see how far by: lagctl model show %s", id);
    return status;
}

/* Until it is ready, unless nobody waits. One that failed leaves no name behind. */
static int see_through(struct ctl *ctl, json_t **model) {
    struct lag_strbuf path = LAG_STRBUF_INIT;
    struct ctl_view view = *ctl->call->command->view;
    json_t *answer = NULL;
    int status = ctl_value(ctl->call, "no-wait") ? CTL_OK : wait_for(ctl, model);
    if (status != CTL_OK) return status;
    const char *state = ctl_json_text(*model, "state");
    if (strcmp(state, "importing") == 0) view.say = "{name}: {state}";
    if (strcmp(state, "failed") != 0) return ctl_print(ctl, &view, *model);
    status = ctl_fail(CTL_FAILED, "%s", ctl_json_text(*model, "reason"));
    lag_strbuf_printf(&path, "/models/%s", ctl_json_text(*model, "id"));
    (void)ctl_ask(ctl, "DELETE", path.data, NULL, &answer);
    json_decref(answer);
    lag_strbuf_deinit(&path);
    return status;
}

/* "models/my gpt2/" → "my-gpt2": what may be a name. */
static void name_of(const char *path, char ret[LAG_NAME_MAX + 1]) {
    size_t end = strlen(path), n = 0;
    while (end > 0 && path[end - 1] == '/') end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/') begin--;
    for (size_t i = begin; i < end && n < LAG_NAME_MAX; i++) {
        const char one[2] = {path[i], '\0'};
        const bool good = lag_name_valid(one) || (n > 0 && (path[i] == '.' || path[i] == '-'));
        if (good || n > 0) ret[n++] = good ? path[i] : '-';
    }
    ret[n] = '\0';
}

int ctl_cmd_model_add(struct ctl *ctl) {
    const char *path = ctl_argument(ctl->call, "PATH"), *name = ctl_value(ctl->call, "name");
    char made[LAG_NAME_MAX + 1];
    name_of(path, made);
    if (!name && !made[0]) return ctl_fail(CTL_USAGE, "'%s' makes no name: give one by --name", path);
    json_t *answer = NULL, *body = json_pack("{s:s, s:s}", "name", name ? name : made, "path", path);
    if (!body) return ctl_fail(CTL_USAGE, "name and path must be UTF-8");
    int status = ctl_ask(ctl, "POST", "/models", body, &answer);
    if (status == CTL_OK) status = see_through(ctl, &answer);
    json_decref(answer);
    json_decref(body);
    return status;
}
