/* model add: a folder is named, and the daemon's import of it is waited for. */
#include "draw_internal.h"
#include "making_internal.h"

#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void of_bytes(json_t *model, struct lag_strbuf *line) {
    char all[16];
    ctl_bytes_text(ctl_json_number(model, "n_bytes"), all);
    lag_strbuf_printf(line, " of %s", all);
}
static const struct ctl_making making = {"model", "importing", "{name}: {state}", ctl_made_share, of_bytes};

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
    if (status == CTL_OK) status = ctl_see_through(ctl, &making, &answer);
    json_decref(answer);
    json_decref(body);
    return status;
}
