/* The table of commands: it drives parsing, --help, the manual's COMMANDS section and the completions. Thread: main. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "print_internal.h"
struct ctl;
struct lag_error;

/* Exit statuses of lagctl; the functions of this layer return them. What failed has been told by then. */
enum ctl_exit {
    CTL_OK = 0,
    CTL_FAILED = 1,      /* the daemon refused, or something else went wrong */
    CTL_USAGE = 2,       /* the command line is wrong */
    CTL_NOT_FOUND = 3,
    CTL_CONFLICT = 4,    /* not possible in the present state */
    CTL_AUTH = 5,
    CTL_UNREACHABLE = 6, /* no daemon there, or the connection broke */
    CTL_TIMEOUT = 7,
    CTL_INTERRUPTED = 130,
};

/* One option. argument is the kind of its value (see ctl_value_check), NULL for a flag. sends says what its value does:
 * "?limit" is a query parameter, "/target/n_layer" a member of the JSON body (of a flag: "/mode=manual"), NULL means
 * that the command's own function reads it. */
struct ctl_option {
    char letter; /* 0: none */
    const char *name, *argument, *sends, *help;
    bool repeats;
};
#define CTL_OPTION_END \
    { 0, NULL, NULL, NULL, NULL, false }

#define CTL_MAX_ARGUMENTS 4
#define CTL_MAX_VALUES 32
struct ctl_command {
    const char *words;     /* "run create" */
    const char *arguments; /* "RUN [PROMPT]"; a word with '|' lists the choices */
    const struct ctl_option *options;
    const char *method, *path; /* "POST", "/runs/{RUN}/pause"; NULL when run asks for more than one thing */
    const char *help;          /* one sentence */
    const char *notes;         /* more of it, or NULL */
    const struct ctl_view *view;
    int (*run)(struct ctl *ctl); /* NULL: ask method path, and print the answer by view */
};

/* The table, sorted as --help shows it, and the options that every command knows. */
const struct ctl_command *ctl_commands(size_t *ret_n);
extern const struct ctl_option ctl_global_options[];

/* A command line that has been understood. */
struct ctl_value {
    const struct ctl_option *option;
    const char *value; /* "" for flags */
};
struct ctl_call {
    const struct ctl_command *command; /* NULL: only --help or nothing */
    const char *arguments[CTL_MAX_ARGUMENTS];
    int n_arguments;
    struct ctl_value values[CTL_MAX_VALUES];
    int n_values;
    bool help;
    const char *group; /* with help: of these commands ("run"), where no command was named; else NULL */
};
/* Texts in *ret are borrowed from argv. LAG_EINVAL with a text for people; *ret holds what was understood so far. */
int ctl_parse(int argc, char *const *argv, struct ctl_call *ret, struct lag_error *err);
/* The command whose words are those; NULL when there is none. */
const struct ctl_command *ctl_command_find(const char *words);
/* The i-th word of a command's arguments without brackets; false after the last. */
bool ctl_argument_get(const struct ctl_command *command, int i, char ret[32], bool *ret_optional);
/* Value of an option; NULL when it was not given. Flags give "". The last one counts. */
const char *ctl_value(const struct ctl_call *call, const char *name);
int64_t ctl_value_int(const struct ctl_call *call, const char *name, int64_t preset); /* checked by ctl_parse */
/* The argument of that kind ("RUN"); NULL when it was left out. */
const char *ctl_argument(const struct ctl_call *call, const char *kind);
/* Kinds: N, STEP, SEQ (whole numbers), X (real), DURATION, a|b (choices); anything else is free text. */
int ctl_value_check(const char *kind, const char *value, struct lag_error *err);
/* "90", "90s", "5m", "1h", "2d" → milliseconds; -1 when it is none. */
int64_t ctl_duration_ms(const char *text);
