/* The configuration is read again, asked for by a command or by SIGHUP. */
#include "commands/commands_internal.h"
#include "process/listener_internal.h"

int lagd_commands_reload(struct lagd_commands *c, struct lag_error *err) {
    int rc = lagd_settings_reload(c->settings, err);
    if (rc != 0) return rc;
    lagd_listener_events(c->listener, 0);
    c->runs->next_schedule_ns = 0;
    return 0;
}

int lagd_cmd_reload(struct lagd_commands *c, struct lagd_command *command) {
    return lagd_commands_reload(c, &command->err);
}
