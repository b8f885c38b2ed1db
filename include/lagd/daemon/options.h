/* The command line of lagd. */
#pragma once
#include <lagd/daemon/config.h>
#include <stdbool.h>
struct lag_error;

enum lagd_mode {
    LAGD_MODE_SERVE,
    LAGD_MODE_CHECK,
    LAGD_MODE_PRINT_CONFIG,
    LAGD_MODE_VERSION,
    LAGD_MODE_HELP,
    LAGD_MODE_BACKUP,
    LAGD_MODE_RECOVER
};
#define LAGD_FLAGS_MAX 64
struct lagd_options {
    enum lagd_mode mode;
    const char *config_file;       /* NULL = the usual one */
    struct lagd_config_flag flags[LAGD_FLAGS_MAX];
    int n_flags;
    char state_dir[1024], socket[1024]; /* made absolute; flags point here */
    char backup_dir[1024];         /* of the verb, made absolute */
};
/* LAG_EINVAL: a usage error. argv stays borrowed. */
int lagd_options_parse(int argc, char **argv, struct lagd_options *ret, struct lag_error *err);
/* Both texts come from the configuration's table. free(); NULL when out of memory. */
char *lagd_options_help(void);
char *lagd_options_sample(void);
