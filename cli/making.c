/* What the daemon makes or reads for a while before it is ready. */
#include "making_internal.h"
#include "draw_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define POLL_MS 250
#define BAR_WIDTH 24

/* One line that is drawn over itself. */
static void draw(struct ctl *ctl, const struct ctl_making *making, json_t *row) {
    struct lag_strbuf line = LAG_STRBUF_INIT;
    lag_strbuf_append(&line, "\r");
    ctl_say(&line, "{name} ", row);
    ctl_bar(&line, making->share(row), BAR_WIDTH, ctl->term.utf8);
    if (making->detail) making->detail(row, &line);
    lag_strbuf_append(&line, "\033[K");
    if (!line.failed) (void)fputs(line.data, stderr);
    lag_strbuf_deinit(&line);
}

static bool is_made(const struct ctl_making *making, json_t *row) {
    return strcmp(ctl_json_text(row, "state"), making->state) != 0;
}

static int wait_for(struct ctl *ctl, const struct ctl_making *making, json_t **row) {
    const bool draws = isatty(STDERR_FILENO) && !ctl->quiet;
    char id[64];
    int status = CTL_OK;
    (void)snprintf(id, sizeof(id), "%s", ctl_json_text(*row, "id"));
    while (status == CTL_OK && !is_made(making, *row)) {
        if (draws) draw(ctl, making, *row);
        if (!ctl_sleep_ms(POLL_MS)) {
            status = CTL_INTERRUPTED;
            break;
        }
        json_decref(*row);
        *row = NULL;
        status = ctl_get(ctl, row, "/%ss/%s", making->what, id);
    }
    if (draws) (void)fputs("\r\033[K", stderr);
    if (status == CTL_INTERRUPTED && !ctl->quiet)
        ctl_tell("the daemon goes on; see how far by: lagctl %s show %s", making->what, id);
    return status;
}

int ctl_see_through(struct ctl *ctl, const struct ctl_making *making, json_t **row) {
    struct lag_strbuf path = LAG_STRBUF_INIT;
    struct ctl_view view = *ctl->call->command->view;
    json_t *answer = NULL;
    int status = ctl_value(ctl->call, "no-wait") ? CTL_OK : wait_for(ctl, making, row);
    if (status != CTL_OK) return status;
    if (!is_made(making, *row)) view.say = making->say;
    if (strcmp(ctl_json_text(*row, "state"), "failed") != 0) return ctl_print(ctl, &view, *row);
    status = ctl_fail(CTL_FAILED, "%s", ctl_json_text(*row, "reason"));
    lag_strbuf_printf(&path, "/%ss/%s", making->what, ctl_json_text(*row, "id"));
    (void)ctl_ask(ctl, "DELETE", path.data, NULL, &answer);
    json_decref(answer);
    lag_strbuf_deinit(&path);
    return status;
}

double ctl_made_share(json_t *row) { return ctl_json_number(row, "progress"); }
