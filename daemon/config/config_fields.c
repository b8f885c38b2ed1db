/* The table of configuration keys: the only place where a key, its range and its preset are written. */
#include <lagd/base/check.h>
#include <lagd/base/team.h>
#include <lagd/daemon/config.h>
#include <lagd/daemon/outbox.h>

#define AT(member) LAG_FIELD_AT(struct lagd_config, member)
#define G 1073741824.0

static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};

static const struct lag_field rows[] = {
    {"server/listen", LAG_FIELD_TEXT, AT(listen), 0, 255, "127.0.0.1:7437", NULL, 0, "",
     "Address and port of the HTTP API, [::1]:7437 for IPv6; empty for none. Beyond loopback auth/token_file is "
     "needed."},
    {"server/socket", LAG_FIELD_TEXT, AT(socket), 0, 107, NULL, NULL, 0, "",
     "Path of the unix socket of the HTTP API; empty for none."},
    {"server/allowed_hosts", LAG_FIELD_LIST, AT(allowed_hosts), 0, 0, NULL, NULL, LAG_FIELD_RELOADABLE, "",
     "Host names that requests may use beside localhost, 127.0.0.1, [::1] and the bound address."},
    {"server/allowed_origins", LAG_FIELD_LIST, AT(allowed_origins), 0, 0, NULL, NULL, LAG_FIELD_RELOADABLE, "",
     "Origins (https://host:port) from which pages may send requests that change something."},
    {"server/body_limit_bytes", LAG_FIELD_BYTES, AT(body_limit_bytes), 1024, 16777216, "64K", NULL,
     LAG_FIELD_RELOADABLE, "bytes", "Largest JSON body of a request."},
    {"server/upload_limit_bytes", LAG_FIELD_BYTES, AT(upload_limit_bytes), 1024, 1024 * G, "1G", NULL,
     LAG_FIELD_RELOADABLE, "bytes", "Largest dataset that may be uploaded."},
    {"server/connection_limit", LAG_FIELD_INT, AT(connection_limit), 4, 4096, "128", NULL, 0, "connections",
     "Connections open at once, beside those of server/max_streams."},
    {"server/max_streams", LAG_FIELD_INT, AT(max_streams), 1, 4096, "512", NULL, 0, "streams",
     "Clients that follow events at once; more are refused with 503."},
    {"server/max_waits", LAG_FIELD_INT, AT(max_waits), 1, 4096, "48", NULL, 0, "requests",
     "Requests that wait for an event (?wait=) at once; more are refused with 503."},
    {"server/max_uploads", LAG_FIELD_INT, AT(max_uploads), 1, 1024, "16", NULL, 0, "uploads",
     "Uploads at once; more are refused with 503."},
    {"server/max_downloads", LAG_FIELD_INT, AT(max_downloads), 1, 1024, "32", NULL, 0, "downloads",
     "Files of checkpoints, archives and exports that are read at once; more are refused with 503."},
    {"server/max_reads", LAG_FIELD_INT, AT(max_reads), 1, 16, "2", NULL, 0, "requests",
     "Requests worked on at once that read very many points; eight times as many wait, more are refused with 503."},
    {"server/body_rate_bytes", LAG_FIELD_BYTES, AT(body_rate_bytes), 1, 1048576, "1K", NULL, LAG_FIELD_RELOADABLE,
     "bytes a second", "Least that a body must bring in each ten seconds, on average; a slower one is cut off."},
    {"server/web_dir", LAG_FIELD_TEXT, AT(web_dir), 0, 1023, NULL, NULL, 0, "",
     "Folder of the dashboard's files; empty for the ones that were built or installed with this program."},

    {"auth/token_file", LAG_FIELD_TEXT, AT(token_file), 0, 1023, NULL, NULL, LAG_FIELD_RELOADABLE, "",
     "File with the bearer token on one line; others must not be able to read it. Empty: no token on loopback."},

    {"train/threads", LAG_FIELD_INT, AT(threads), 0, LAG_TEAM_MAX, "0", NULL, 0, "threads",
     "Compute threads; 0 for every processor that this process may use."},
    {"train/max_runs", LAG_FIELD_INT, AT(max_runs), 1, LAGD_RUNS_MAX, "4", NULL, LAG_FIELD_RELOADABLE, "runs",
     "Runs that train at once; further ones wait in state queued."},
    {"train/memory_limit_bytes", LAG_FIELD_BYTES, AT(memory_limit_bytes), 0, 65536 * G, "0", NULL, LAG_FIELD_RELOADABLE,
     "bytes", "Memory for all runs and growths together; 0 for what the machine or its cgroup allows."},
    {"train/memory_reserve_bytes", LAG_FIELD_BYTES, AT(memory_reserve_bytes), 0, 1024 * G, "256M", NULL,
     LAG_FIELD_RELOADABLE, "bytes", "Memory that is never promised to a run."},
    {"train/probe_checkpoint_s", LAG_FIELD_INT, AT(probe_checkpoint_s), 0, 86400, "60", NULL, 0, "seconds",
     "Least time between two states that a probe keeps on disk to go on from after a crash; 0 for none. Writing takes "
     "at most 2 % of its time."},

    {"growth/audit", LAG_FIELD_BOOL, AT(growth_audit), 0, 0, "false", NULL, LAG_FIELD_RELOADABLE, "",
     "Whether growths that do not say it themselves are audited: all their candidates are trained to the run's end, "
     "while nothing else wants to compute."},

    {"storage/state_dir", LAG_FIELD_TEXT, AT(state_dir), 1, 1023, "/var/lib/lagd", NULL, 0, "",
     "Folder of the database, the checkpoints and the uploaded datasets. One daemon at a time."},
    {"storage/dataset_roots", LAG_FIELD_LIST, AT(dataset_roots), 0, 0, NULL, NULL, LAG_FIELD_RELOADABLE, "",
     "Folders below which dataset files may be registered, ',' between; empty: uploads only."},
    {"storage/keep_checkpoints", LAG_FIELD_INT, AT(keep_checkpoints), 1, 1000, "3", NULL, 0, "checkpoints",
     "Newest checkpoints kept of a run; the ones from before a growth are kept beside them."},
    {"storage/min_free_bytes", LAG_FIELD_BYTES, AT(min_free_bytes), 0, 1024 * G, "256M", NULL, 0, "bytes",
     "A checkpoint or upload that would leave less free space than this is refused."},
    {"storage/event_retention_days", LAG_FIELD_INT, AT(event_retention_days), 0, 36500, "30", NULL,
     LAG_FIELD_RELOADABLE, "days", "Events older than this are removed; 0 keeps all."},
    {"storage/sample_seconds", LAG_FIELD_INT, AT(sample_seconds), 0, 3600, "10", NULL, LAG_FIELD_RELOADABLE, "seconds",
     "Between two looks at processors, memory, disk and temperature; 0 keeps none."},

    {"notify/webhook_url", LAG_FIELD_TEXT, AT(webhook_url), 0, 1023, NULL, NULL,
     LAG_FIELD_RELOADABLE | LAG_FIELD_SECRET, "",
     "Address that notifications are posted to as JSON: https://HOST/PATH, http://127.0.0.1:PORT/PATH or "
     "unix:/SOCKET:/PATH; empty for none. It is never shown."},
    {"notify/webhook_url_file", LAG_FIELD_TEXT, AT(webhook_url_file), 0, 1023, NULL, NULL, LAG_FIELD_RELOADABLE, "",
     "File with that address on one line, where it is a secret; others must not be able to read it."},
    {"notify/webhook_secret_file", LAG_FIELD_TEXT, AT(webhook_secret_file), 0, 1023, NULL, NULL, LAG_FIELD_RELOADABLE,
     "", "File with the secret that they are signed by (HMAC-SHA256), on one line; empty for no signature. It is read "
         "anew for each."},
    {"notify/webhook_on", LAG_FIELD_LIST, AT(webhook_on), 0, 0, LAGD_RULES_ALL, NULL, LAG_FIELD_RELOADABLE, "",
     "What the webhook is told of."},
    {"notify/command", LAG_FIELD_LIST, AT(notify_command), 0, 0, NULL, NULL, LAG_FIELD_RELOADABLE, "",
     "Program that is run for each notification, and its arguments, ',' between; no shell sees them. It reads the JSON "
     "from standard input. Empty for none."},
    {"notify/command_on", LAG_FIELD_LIST, AT(command_on), 0, 0, LAGD_RULES_ALL, NULL, LAG_FIELD_RELOADABLE, "",
     "What the command is run for."},
    {"notify/command_timeout_s", LAG_FIELD_INT, AT(command_timeout_s), 1, 600, "10", NULL, LAG_FIELD_RELOADABLE,
     "seconds", "Longest time that it may take; then it is killed, and tried again."},
    {"notify/journal", LAG_FIELD_BOOL, AT(notify_journal), 0, 0, "false", NULL, LAG_FIELD_RELOADABLE, "",
     "Whether notifications are written to the log, in the journal with the fields LAGD_RULE and LAGD_NOTIFICATION."},
    {"notify/journal_on", LAG_FIELD_LIST, AT(journal_on), 0, 0, LAGD_RULES_ALL, NULL, LAG_FIELD_RELOADABLE, "",
     "What is written there."},
    {"notify/helper", LAG_FIELD_TEXT, AT(notify_helper), 0, 107, "/run/lagd-notify.sock", NULL, LAG_FIELD_RELOADABLE,
     "", "Socket of lagd-notify, which calls https addresses for lagd."},
    {"notify/dashboard_url", LAG_FIELD_TEXT, AT(dashboard_url), 0, 255, NULL, NULL, LAG_FIELD_RELOADABLE, "",
     "Address of the dashboard as people reach it, such as http://127.0.0.1:7437; notifications then have a link."},

    {"log/level", LAG_FIELD_CHOICE, AT(log_level), 0, 0, "info", log_levels, LAG_FIELD_RELOADABLE, "",
     "Least important messages written to standard error."},
};

const struct lag_fields lagd_config_fields = {rows, LAG_COUNT(rows)};
