/* The command line, its help and the sample configuration: all from the table of keys. */
#include <lagd/daemon/options.h>

#include "config/config_names_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Flags with a short name of their own; every key can also be given as --set section/key=value. */
static const struct {
    const char *name, *path, *argument, *help;
} key_flags[] = {
    {"state-dir", "storage/state_dir", "DIR", "folder of the database, checkpoints and uploaded datasets"},
    {"listen", "server/listen", "ADDRESS:PORT", "address of the HTTP API"},
    {"socket", "server/socket", "PATH", "unix socket of the HTTP API"},
    {"threads", "train/threads", "N", "compute threads"},
    {"log-level", "log/level", "LEVEL", "error, warning, info or debug"},
};
enum {
    OPT_KEY = 256,
    OPT_CONFIG = OPT_KEY + (int)LAG_COUNT(key_flags),
    OPT_SET,
    OPT_CHECK,
    OPT_PRINT,
    OPT_VERSION,
    OPT_HELP
};

static const struct {
    const char *name, *argument, *help;
    int value;
} other_flags[] = {
    {"config", "FILE", "configuration file; FILE.d/*.conf are read after it (default /etc/lagd/lagd.conf)", OPT_CONFIG},
    {"set", "KEY=VALUE", "any key of the configuration, e.g. train/max_runs=2", OPT_SET},
    {"check-config", NULL, "read and check the configuration, then exit", OPT_CHECK},
    {"print-config", NULL, "print a sample configuration file with every key and its default", OPT_PRINT},
    {"version", NULL, "print the version", OPT_VERSION},
    {"help", NULL, "print this help", OPT_HELP},
};

/* Words that make lagd do one thing and end, instead of serving. The state directory is found as a daemon finds it. */
static const struct {
    const char *name, *argument, *help;
    enum lagd_mode mode;
} verbs[] = {
    {"backup", "DIR", "copy the state directory into the new folder DIR, also while lagd works in it",
     LAGD_MODE_BACKUP},
    {"recover", NULL, "go on with what is whole where a start refused a damaged log; copies are kept",
     LAGD_MODE_RECOVER},
};
#define N_LONG (LAG_COUNT(key_flags) + LAG_COUNT(other_flags))

static void list_options(struct option *ret) {
    size_t n = 0;
    for (size_t i = 0; i < LAG_COUNT(key_flags); i++) {
        ret[n++] = (struct option){key_flags[i].name, required_argument, NULL, OPT_KEY + (int)i};
    }
    for (size_t i = 0; i < LAG_COUNT(other_flags); i++) {
        ret[n++] = (struct option){other_flags[i].name, other_flags[i].argument ? required_argument : no_argument, NULL,
                                   other_flags[i].value};
    }
    ret[n] = (struct option){0};
}

static int add_flag(struct lagd_options *options, const char *path, const char *value, struct lag_error *err) {
    if (options->n_flags == LAGD_FLAGS_MAX) return lag_error_set(err, LAG_EINVAL, "too many flags");
    options->flags[options->n_flags++] = (struct lagd_config_flag){path, value};
    return 0;
}

/* On the command line a path is relative to where one stands. */
static int absolute(const char *path, char *ret, size_t size, struct lag_error *err) {
    char here[1024];
    if (path[0] == '/' || path[0] == '\0') {
        if (lag_copy(ret, size, path) == 0) return 0;
    } else if (getcwd(here, sizeof(here))) {
        int n = snprintf(ret, size, "%s/%s", here, path);
        if (n > 0 && (size_t)n < size) return 0;
    }
    return lag_error_set(err, LAG_EINVAL, "the path %.200s is too long", path);
}

static int add_key_flag(struct lagd_options *options, size_t index, const char *value, struct lag_error *err) {
    const char *path = key_flags[index].path;
    char *place = strcmp(path, "storage/state_dir") == 0 ? options->state_dir
                  : strcmp(path, "server/socket") == 0 ? options->socket : NULL;
    if (place) {
        int rc = absolute(value, place, sizeof(options->state_dir), err);
        if (rc < 0) return rc;
        value = place;
    }
    return add_flag(options, path, value, err);
}

static int add_set(struct lagd_options *options, char *argument, struct lag_error *err) {
    char *equals = strchr(argument, '=');
    if (!equals) return lag_error_set(err, LAG_EINVAL, "--set needs KEY=VALUE (got %.200s)", argument);
    *equals = '\0';
    if (!lag_fields_find(&lagd_config_fields, argument)) {
        char meant[128];
        lagd_config_meant(argument, meant, sizeof(meant));
        return lag_error_set(err, LAG_EINVAL, "--set: there is no configuration key %.100s; %s", argument, meant);
    }
    return add_flag(options, argument, equals + 1, err);
}

static int take(struct lagd_options *options, int value, const char *word, struct lag_error *err) {
    if (value >= OPT_KEY && value < OPT_CONFIG) return add_key_flag(options, (size_t)(value - OPT_KEY), optarg, err);
    switch (value) {
    case OPT_CONFIG: options->config_file = optarg; return 0;
    case OPT_SET: return add_set(options, optarg, err);
    case OPT_CHECK: options->mode = LAGD_MODE_CHECK; return 0;
    case OPT_PRINT: options->mode = LAGD_MODE_PRINT_CONFIG; return 0;
    case OPT_VERSION: options->mode = LAGD_MODE_VERSION; return 0;
    case OPT_HELP: options->mode = LAGD_MODE_HELP; return 0;
    case ':': return lag_error_set(err, LAG_EINVAL, "%s needs a value", word);
    default: return lag_error_set(err, LAG_EINVAL, "unknown flag %s", word);
    }
}

/* The index-th word that is no flag. */
static int take_word(struct lagd_options *options, int index, const char *word, struct lag_error *err) {
    size_t i = 0;
    if (index == 0) {
        while (i < LAG_COUNT(verbs) && strcmp(verbs[i].name, word) != 0) i++;
        if (i == LAG_COUNT(verbs)) return lag_error_set(err, LAG_EINVAL, "unexpected argument %s", word);
        if (options->mode == LAGD_MODE_SERVE) options->mode = verbs[i].mode;
        return 0;
    }
    if (index > 1 || options->mode != LAGD_MODE_BACKUP)
        return lag_error_set(err, LAG_EINVAL, "unexpected argument %s", word);
    return absolute(word, options->backup_dir, sizeof(options->backup_dir), err);
}

int lagd_options_parse(int argc, char **argv, struct lagd_options *ret, struct lag_error *err) {
    struct option table[N_LONG + 1];
    list_options(table);
    memset(ret, 0, sizeof(*ret));
    optind = 0; /* start afresh: glibc keeps the place between calls */
    opterr = 0;
    for (int n_words = 0;;) {
        int before = optind > 0 ? optind : 1;
        int value = getopt_long(argc, argv, "+:", table, NULL);
        if (value < 0 && optind >= argc) break;
        int rc = value < 0 ? take_word(ret, n_words++, argv[optind++], err)
                           : take(ret, value, before < argc ? argv[before] : "", err);
        if (rc < 0) return rc;
    }
    if (ret->mode == LAGD_MODE_BACKUP && !ret->backup_dir[0])
        return lag_error_set(err, LAG_EINVAL, "backup needs DIR, a folder that does not exist yet");
    return 0;
}

/* --- texts ------------------------------------------------------------------------------------------------------- */

static void say_verb(struct lag_strbuf *out, const char *name, const char *argument, const char *help) {
    char left[48];
    (void)snprintf(left, sizeof(left), "%s%s%s", name, argument ? " " : "", argument ? argument : "");
    lag_strbuf_printf(out, "  %-24s %s\n", left, help);
}

static void say_flag(struct lag_strbuf *out, const char *name, const char *argument, const char *help) {
    char left[48];
    (void)snprintf(left, sizeof(left), "--%s%s%s", name, argument ? " " : "", argument ? argument : "");
    lag_strbuf_printf(out, "  %-24s %s\n", left, help);
}

static void say_key(struct lag_strbuf *out, const struct lag_field *field) {
    lag_strbuf_printf(out, "  %-28s %s", field->path, field->help);
    if (field->preset) lag_strbuf_printf(out, " [%s]", field->preset);
    if (field->flags & LAG_FIELD_RELOADABLE) lag_strbuf_append(out, " (reloadable)");
    lag_strbuf_append(out, "\n");
}

char *lagd_options_help(void) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    lag_strbuf_append(
        &out,
        "Usage: lagd [flags] [verb]\n\n"
        "lagd trains Transformers, keeps their runs alive, and grows them by the strategy that a short probe ranks\n"
        "first. It serves a REST API; `curl http://127.0.0.1:7437/api/v1/version` asks whether it is "
        "there.\n\nFlags:\n");
    for (size_t i = 0; i < LAG_COUNT(key_flags); i++)
        say_flag(&out, key_flags[i].name, key_flags[i].argument, key_flags[i].help);
    for (size_t i = 0; i < LAG_COUNT(other_flags); i++)
        say_flag(&out, other_flags[i].name, other_flags[i].argument, other_flags[i].help);
    lag_strbuf_append(&out, "\nVerbs, with which lagd does not serve:\n");
    for (size_t i = 0; i < LAG_COUNT(verbs); i++) say_verb(&out, verbs[i].name, verbs[i].argument, verbs[i].help);
    lag_strbuf_append(&out,
                      "\nKeys, also as [section] key = value in the file and as LAGD_SECTION_KEY in the environment;\n"
                      "file < drop-ins < environment < flags. SIGHUP reads the reloadable ones again.\n");
    for (size_t i = 0; i < lagd_config_fields.n_rows; i++) say_key(&out, &lagd_config_fields.rows[i]);
    lag_strbuf_append(&out,
                      "\nExit status: 0 stopped as asked, or done; 1 failure; 2 wrong usage; 3 backup left out what "
                      "was damaged;\n75 the state directory is in use; 78 the configuration is wrong.\n");
    return lag_strbuf_take(&out);
}

char *lagd_options_sample(void) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    lag_strbuf_append(
        &out,
        "# lagd's configuration: every key with its default. A later file lagd.conf.d/*.conf, LAGD_SECTION_KEY in the\n"
        "# environment, and flags override it.\n");
    const char *section = "";
    for (size_t i = 0; i < lagd_config_fields.n_rows; i++) {
        const struct lag_field *field = &lagd_config_fields.rows[i];
        size_t length = strcspn(field->path, "/");
        if (strncmp(section, field->path, length + 1) != 0)
            lag_strbuf_printf(&out, "\n[%.*s]\n", (int)length, field->path);
        section = field->path;
        lag_strbuf_printf(&out, "# %s%s\n%s = %s\n", field->help,
                          field->flags & LAG_FIELD_RELOADABLE ? " Reloadable." : "", field->path + length + 1,
                          field->preset ? field->preset : "");
    }
    return lag_strbuf_take(&out);
}
