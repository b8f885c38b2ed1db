/* The command line: words, arguments and options by the table. */
#include <lagd/base/parse.h>

#include "ctl_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define WORDS_SIZE 48

const struct ctl_command *ctl_command_find(const char *words) {
    size_t n;
    const struct ctl_command *rows = ctl_commands(&n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].words, words) == 0) return &rows[i];
    }
    return NULL;
}

bool ctl_argument_get(const struct ctl_command *command, int i, char ret[32], bool *ret_optional) {
    const char *p = command->arguments;
    for (; *p; p += *p == ' ') {
        size_t n = strcspn(p, " ");
        if (i-- == 0) {
            bool optional = *p == '[';
            (void)snprintf(ret, 32, "%.*s", (int)n - 2 * optional, p + optional);
            *ret_optional = optional;
            return true;
        }
        p += n;
    }
    return false;
}

int64_t ctl_duration_ms(const char *text) {
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    char digits[12] = "";
    uint64_t value;
    size_t n = strspn(text, "0123456789");
    if (n == 0 || n >= sizeof(digits)) return -1;
    memcpy(digits, text, n);
    if (lag_parse_u64(digits, &value) < 0) return -1;
    for (size_t i = 0; i < LAG_COUNT(units); i++) {
        if (strcmp(text + n, units[i].unit) == 0) return (int64_t)value * units[i].ms;
    }
    return -1;
}

static bool is_choice(const char *choices, const char *value) {
    size_t length = strlen(value);
    for (const char *p = choices;; p++) {
        size_t n = strcspn(p, "|");
        if (n == length && strncmp(p, value, n) == 0) return true;
        p += n;
        if (!*p) return false;
    }
}

int ctl_value_check(const char *kind, const char *value, struct lag_error *err) {
    static const char *const whole[] = {"N", "STEP", "STEPS", "SEQ"};
    int64_t integer;
    double real;
    for (size_t i = 0; i < LAG_COUNT(whole); i++) {
        if (strcmp(kind, whole[i]) == 0 && (lag_parse_i64(value, &integer) < 0 || integer < 0))
            return lag_error_set(err, LAG_EINVAL, "'%s' is no whole number", value);
    }
    if (strcmp(kind, "X") == 0 && lag_parse_double(value, &real) < 0)
        return lag_error_set(err, LAG_EINVAL, "'%s' is no number", value);
    if (strcmp(kind, "DURATION") == 0 && ctl_duration_ms(value) < 0)
        return lag_error_set(err, LAG_EINVAL, "'%s' is no time such as 30s, 5m or 1h", value);
    if ((strchr(kind, '|') || islower((unsigned char)*kind)) && !is_choice(kind, value))
        return lag_error_set(err, LAG_EINVAL, "'%s' is none of %s", value, kind);
    return 0;
}

static const struct ctl_option *find_option(const struct ctl_option *rows, char letter, const char *name,
                                            size_t length) {
    for (; rows && rows->name; rows++) {
        if (letter ? rows->letter == letter : strlen(rows->name) == length && strncmp(rows->name, name, length) == 0)
            return rows;
    }
    return NULL;
}

/* The command's own options come first: -f is a file to one and "follow" to another. */
static const struct ctl_option *option_of(const struct ctl_call *call, char letter, const char *name, size_t length) {
    const struct ctl_option *option = find_option(call->command ? call->command->options : NULL, letter, name, length);
    return option ? option : find_option(ctl_global_options, letter, name, length);
}

static int add_value(struct ctl_call *call, const struct ctl_option *option, const char *value, struct lag_error *err) {
    if (option->argument && ctl_value_check(option->argument, value, err) < 0)
        return lag_error_wrap(err, "--%s", option->name);
    if (call->n_values == CTL_MAX_VALUES) return lag_error_set(err, LAG_EINVAL, "too many options");
    if (strcmp(option->name, "help") == 0) call->help = true;
    call->values[call->n_values].option = option;
    call->values[call->n_values++].value = value;
    return 0;
}

/* "--name", "--name=value", "--name value"; returns how many further words of argv it took. */
static int take_long(struct ctl_call *call, const char *text, const char *next, struct lag_error *err) {
    size_t length = strcspn(text, "=");
    const struct ctl_option *option = option_of(call, 0, text, length);
    const char *value = text[length] == '=' ? text + length + 1 : NULL;
    if (!option) return lag_error_set(err, LAG_EINVAL, "there is no option --%.*s here", (int)length, text);
    if (!option->argument && value) return lag_error_set(err, LAG_EINVAL, "--%s takes no value", option->name);
    if (!option->argument) return add_value(call, option, "", err);
    if (!value && !next)
        return lag_error_set(err, LAG_EINVAL, "--%s needs a value: %s", option->name, option->argument);
    int status = add_value(call, option, value ? value : next, err);
    return status < 0 ? status : !value;
}

/* "-f", "-fvalue", "-f value", "-af". */
static int take_short(struct ctl_call *call, const char *text, const char *next, struct lag_error *err) {
    for (; *text; text++) {
        const struct ctl_option *option = option_of(call, *text, NULL, 0);
        if (!option) return lag_error_set(err, LAG_EINVAL, "there is no option -%c here", *text);
        if (option->argument && !text[1] && !next)
            return lag_error_set(err, LAG_EINVAL, "-%c needs a value: %s", *text, option->argument);
        int status = add_value(call, option, !option->argument ? "" : text[1] ? text + 1 : next, err);
        if (status < 0) return status;
        if (option->argument) return !text[1];
    }
    return 0;
}

static bool is_option(const char *text) { return text[0] == '-' && text[1]; }

/* The longest words of the table that argv begins with; *ret_n is how many of argv they are. */
static const struct ctl_command *take_words(int argc, char *const *argv, int *ret_n) {
    char words[WORDS_SIZE] = "";
    const struct ctl_command *found = NULL;
    for (int i = 0; i < argc && i < 2 && !is_option(argv[i]); i++) {
        size_t length = strlen(words);
        if (length + strlen(argv[i]) + 2 > sizeof(words)) break;
        (void)snprintf(words + length, sizeof(words) - length, "%s%s", i ? " " : "", argv[i]);
        const struct ctl_command *command = ctl_command_find(words);
        if (command) {
            found = command;
            *ret_n = i + 1;
        }
    }
    return found;
}

static int no_command(int argc, char *const *argv, struct lag_error *err) {
    char list[192] = "";
    size_t n, length = strlen(argv[0]);
    const struct ctl_command *rows = ctl_commands(&n);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(rows[i].words, argv[0], length) != 0 || rows[i].words[length] != ' ') continue;
        size_t used = strlen(list);
        (void)snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", rows[i].words + length + 1);
    }
    if (!*list) return lag_error_set(err, LAG_EINVAL, "there is no command '%s'; see lagctl --help", argv[0]);
    if (argc > 1 && !is_option(argv[1]))
        return lag_error_set(err, LAG_EINVAL, "there is no command '%s %s'; there is %s", argv[0], argv[1], list);
    return lag_error_set(err, LAG_EINVAL, "'%s' needs one of: %s", argv[0], list);
}

static bool is_group(const char *word) {
    size_t n, length = strlen(word);
    const struct ctl_command *rows = ctl_commands(&n);
    for (size_t i = 0; i < n; i++)
        if (strncmp(rows[i].words, word, length) == 0 && rows[i].words[length] == ' ') return true;
    return false;
}

/* "run --help": of all its commands. */
static bool asks_for_group(int argc, char *const *argv) {
    return argc == 2 && is_group(argv[0]) && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
}

static int check_arguments(const struct ctl_call *call, struct lag_error *err) {
    char kind[32];
    bool optional;
    int n = 0;
    for (; ctl_argument_get(call->command, n, kind, &optional); n++) {
        if (n < call->n_arguments && strchr(kind, '|') && ctl_value_check(kind, call->arguments[n], err) < 0)
            return LAG_EINVAL;
        if (n < call->n_arguments && !*call->arguments[n])
            return lag_error_set(err, LAG_EINVAL, "%s must not be empty", kind);
        if (n >= call->n_arguments && !optional)
            return lag_error_set(err, LAG_EINVAL, "'%s' needs %s; see lagctl %s --help", call->command->words, kind,
                                 call->command->words);
    }
    if (call->n_arguments > n)
        return lag_error_set(err, LAG_EINVAL, "'%s' takes no '%s'", call->command->words, call->arguments[n]);
    return 0;
}

int ctl_parse(int argc, char *const *argv, struct ctl_call *ret, struct lag_error *err) {
    bool only_arguments = false;
    memset(ret, 0, sizeof(*ret));
    for (int i = 1; i < argc; i++) {
        const char *text = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
        int status = 0;
        if (!only_arguments && strcmp(text, "--") == 0) {
            only_arguments = true;
        } else if (!only_arguments && is_option(text)) {
            status = text[1] == '-' ? take_long(ret, text + 2, next, err) : take_short(ret, text + 1, next, err);
        } else if (!ret->command) {
            int n = 0;
            ret->command = take_words(argc - i, argv + i, &n);
            bool behind = ret->help && argc - i == 1 && is_group(text);
            if (!ret->command && (behind || asks_for_group(argc - i, argv + i))) {
                ret->help = true;
                ret->group = text;
                return 0;
            }
            if (!ret->command) return no_command(argc - i, argv + i, err);
            status = n - 1;
        } else if (ret->n_arguments == CTL_MAX_ARGUMENTS) {
            return lag_error_set(err, LAG_EINVAL, "too many arguments");
        } else {
            ret->arguments[ret->n_arguments++] = text;
        }
        if (status < 0) return status;
        i += status;
    }
    return ret->command && !ret->help ? check_arguments(ret, err) : 0;
}

const char *ctl_value(const struct ctl_call *call, const char *name) {
    for (int i = call->n_values - 1; i >= 0; i--) {
        if (strcmp(call->values[i].option->name, name) == 0) return call->values[i].value;
    }
    return NULL;
}

int64_t ctl_value_int(const struct ctl_call *call, const char *name, int64_t preset) {
    const char *text = ctl_value(call, name);
    int64_t value = preset;
    if (text) (void)lag_parse_i64(text, &value);
    return value;
}

const char *ctl_argument(const struct ctl_call *call, const char *kind) {
    char word[32];
    bool optional;
    for (int i = 0; i < call->n_arguments && ctl_argument_get(call->command, i, word, &optional); i++) {
        if (strcmp(word, kind) == 0) return call->arguments[i];
    }
    return NULL;
}
