/* The daemon's configuration: one table row a key drives parsing, --help, the sample file and GET /config.
 * Precedence: preset < $CREDENTIALS_DIRECTORY/lagd.api-token (for auth/token_file) < file < drop-ins FILE.d/[name].conf
 * by name < environment LAGD_SECTION_KEY < flags. Unknown keys are errors with file:line. Thread: a loaded config is
 * read-only; any. */
#pragma once
#include <lagd/base/fields.h>

#define LAGD_PATHS 2048
#define LAGD_RUNS_MAX 64 /* with a thread at once */
struct lagd_config {
    /* server */
    char listen[256];           /* "127.0.0.1:7437"; "" = no TCP */
    char socket[108];           /* unix socket, "" = none */
    char allowed_hosts[512];    /* beside localhost, 127.0.0.1, [::1] and the bound address */
    char allowed_origins[512];
    char web_dir[1024];         /* the dashboard's files; "" = beside the program, or as installed */
    int64_t body_limit_bytes, upload_limit_bytes, connection_limit, max_streams;
    int64_t body_rate_bytes;    /* a second; a body that brings less is cut off */
    int64_t max_waits, max_uploads, max_downloads, max_reads; /* requests of that kind at once */
    /* auth */
    char token_file[1024];      /* bearer token, one line; must not be readable by others */
    /* train */
    int64_t threads;            /* compute threads; 0 = the processors this process may use */
    int64_t max_runs;           /* running at once; more wait as queued */
    int64_t memory_limit_bytes; /* 0 = what the machine or cgroup allows */
    int64_t memory_reserve_bytes;
    int64_t probe_checkpoint_s; /* between two states that a probe keeps on disk; 0 = none */
    /* growth */
    bool growth_audit;          /* of growths that do not say it themselves */
    /* storage */
    char state_dir[1024];
    char dataset_roots[LAGD_PATHS]; /* folders below which files may be registered, ',' between */
    int64_t keep_checkpoints;   /* newest ones of a run; pre-growth ones are kept beside */
    int64_t min_free_bytes;
    int64_t event_retention_days;
    int64_t sample_seconds;     /* between two looks at the machine; 0 = none */
    /* notify: see outbox.h */
    char webhook_url[1024], webhook_url_file[1024], webhook_secret_file[1024], webhook_on[128];
    char notify_command[1024], command_on[128]; /* program and arguments, ',' between */
    int64_t command_timeout_s;
    bool notify_journal;
    char journal_on[128];
    char notify_helper[108];    /* socket of lagd-notify */
    char dashboard_url[256];    /* that links begin with; "" = none are told */
    /* log */
    char log_level[16];
};
extern const struct lag_fields lagd_config_fields; /* paths "server/listen", "train/threads" … = [section] key */

#define LAGD_CONFIG_KEYS_MAX 64 /* rows of the table */
/* "/etc/lagd/lagd.conf:12", "flag", "environment LAGD_…", "credential …", "preset" */
struct lagd_config_source { char text[160]; };
/* Of the values in force, one a row of the table. waiting: a reload read another value, which a restart will take. */
struct lagd_config_origins {
    struct lagd_config_source sources[LAGD_CONFIG_KEYS_MAX];
    bool waiting[LAGD_CONFIG_KEYS_MAX];
};
struct lagd_config_flag { const char *path, *value; };
/* file: NULL = /etc/lagd/lagd.conf when it exists. ret_sources: one per row of the table, or NULL. */
int lagd_config_load(const char *file, const struct lagd_config_flag *flags, int n_flags, struct lagd_config *ret,
                     struct lagd_config_source *ret_sources, struct lag_error *err);
/* Tells of each LAGD_... variable of the environment that nothing reads, with the name that may have been meant. How
 * many there are. Thread: main. */
typedef void lagd_config_tell_fn(void *arg, const char *text);
int lagd_config_unknown_variables(lagd_config_tell_fn *tell, void *arg);
/* What only shows when all keys are there: non-loopback without a token, relative paths, unreadable roots. */
int lagd_config_check(const struct lagd_config *config, struct lag_error *err);
