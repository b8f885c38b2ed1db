/* lagd: the composition root. It alone knows every layer: it makes them in order and unmakes them in reverse. */
#include <lagd/api/server.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/notify.h>
#include <lagd/daemon/offline.h>
#include <lagd/daemon/options.h>
#include <lagd/daemon/supervisor.h>
#include <lagd/engine/train.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Exit statuses: those of sysexits.h where systemd or a script can make use of the difference. */
enum { EXIT_USAGE = 2, EXIT_PARTS = 3, EXIT_IN_USE = 75, EXIT_BAD_CONFIG = 78 };

struct process {
    struct lagd_options options;
    struct lagd_config config;
    struct lagd_config_source sources[LAGD_CONFIG_KEYS_MAX];
    struct lagd_passed passed;
};

static int load_config(void *arg, struct lagd_config *ret, struct lagd_config_source *ret_sources,
                       struct lag_error *err) {
    const struct process *process = arg;
    return lagd_config_load(process->options.config_file, process->options.flags, process->options.n_flags, ret,
                            ret_sources, err);
}

static int complain(const struct lag_error *err, int status) {
    fprintf(stderr, "lagd: %s\n", err->text);
    lagd_notify("STATUS=%.300s", err->text);
    return status;
}

static void warn(void *arg, const char *text) {
    (void)arg;
    fprintf(stderr, "lagd: warning: %s\n", text);
}

static void log_warning(void *arg, const char *text) {
    (void)arg;
    lag_log(LAG_LOG_WARNING, "%s", text);
}

static int print(char *text) {
    if (!text) {
        fputs("lagd: out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    int status = fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    free(text);
    return status;
}

static void setup_log(const struct lagd_config *config) {
    enum lag_log_level level = LAG_LOG_INFO;
    (void)lag_log_level_parse(config->log_level, &level);
    lag_log_setup(level, 0);
    (void)lag_log_to_journal();
}

static void on_ready(void *arg) {
    const struct process *process = arg;
    lag_log(LAG_LOG_INFO, "ready: state in %s", process->config.state_dir);
}

static int serve(struct process *process) {
    struct lag_error err = {0};
    struct lagd_supervisor *supervisor = NULL;
    struct lagd_server *server = NULL;
    int status = EXIT_FAILURE;
    int rc = lag_engine_setup(&err);
    if (rc != 0) goto error;
    rc = lagd_supervisor_create(&process->config, &supervisor, &err);
    if (rc == LAG_EBUSY) status = EXIT_IN_USE;
    if (rc != 0) goto error;
    lagd_supervisor_set_sources(supervisor, process->sources);
    lagd_supervisor_on_reload(supervisor, load_config, process);
    rc = lagd_server_start(supervisor, &lagd_routes, &process->passed, &server, &err);
    if (rc == LAG_EINVAL || rc == LAG_EDENIED || rc == LAG_EPATH) status = EXIT_BAD_CONFIG;
    if (rc != 0) goto error;
    rc = lagd_supervisor_run(supervisor, on_ready, process, &err);
    if (rc == 0) status = EXIT_SUCCESS;
error:
    if (rc != 0) {
        lag_log(LAG_LOG_ERROR, "%s", err.text);
        lagd_notify("STATUS=%.300s", err.text);
    }
    lagd_server_stop(server);
    lagd_supervisor_destroy(supervisor);
    if (rc == 0) lag_log(LAG_LOG_INFO, "ended; every run is on disk");
    return status;
}

static int do_verb(struct process *process) {
    struct lag_error err = {0};
    char *text = NULL;
    int rc = process->options.mode == LAGD_MODE_BACKUP
                 ? lagd_backup(&process->config, process->options.backup_dir, stderr, &err)
                 : lagd_recover_log(&process->config, &text, &err);
    if (rc < 0) return complain(&err, rc == LAG_EBUSY ? EXIT_IN_USE : EXIT_FAILURE);
    if (text) return print(text);
    return rc == LAGD_BACKUP_PARTS ? EXIT_PARTS : EXIT_SUCCESS;
}

static int run(struct process *process, int argc, char **argv) {
    struct lag_error err = {0};
    if (lagd_options_parse(argc, argv, &process->options, &err) != 0) {
        fprintf(stderr, "lagd: %s\nTry 'lagd --help'.\n", err.text);
        return EXIT_USAGE;
    }
    switch (process->options.mode) {
    case LAGD_MODE_VERSION:
        return printf("lagd %s\n", LAGD_VERSION) > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    case LAGD_MODE_HELP:
        return print(lagd_options_help());
    case LAGD_MODE_PRINT_CONFIG:
        return print(lagd_options_sample());
    case LAGD_MODE_CHECK:
    case LAGD_MODE_SERVE:
    case LAGD_MODE_BACKUP:
    case LAGD_MODE_RECOVER:
        break;
    }
    int rc = process->options.mode == LAGD_MODE_SERVE ? lagd_passed_take(&process->passed, &err) : 0;
    if (rc == 0) rc = load_config(process, &process->config, process->sources, &err);
    if (rc == 0) rc = lagd_config_check(&process->config, &err);
    if (rc != 0) return complain(&err, rc == LAG_ENOMEM ? EXIT_FAILURE : EXIT_BAD_CONFIG);
    if (process->options.mode == LAGD_MODE_CHECK) {
        (void)lagd_config_unknown_variables(warn, NULL);
        return printf("the configuration is good\n") > 0 ? 0 : EXIT_FAILURE;
    }
    setup_log(&process->config);
    if (process->options.mode != LAGD_MODE_SERVE) return do_verb(process);
    rc = lag_log_start(&err);
    if (rc != 0) return complain(&err, EXIT_FAILURE);
    (void)lagd_config_unknown_variables(log_warning, NULL);
    int status = serve(process);
    lag_log_stop();
    return status;
}

/* Everything was unmade, and written. Libraries would unmake themselves now, too: OpenBLAS waits for ever for its own
 * threads where memory was too short to start them. Sanitizers report at the end of main. */
static int end(int status) {
    (void)fflush(NULL);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    _exit(status);
#endif
    return status;
}

int main(int argc, char **argv) {
    struct lag_error err = {0};
    if (lag_fs_open_standard(&err) != 0) return EXIT_FAILURE; /* there is nowhere to say it */
    struct process *process = lag_calloc(1, sizeof(*process));
    if (!process) {
        fputs("lagd: out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    int status = run(process, argc, argv);
    free(process);
    return end(status);
}
