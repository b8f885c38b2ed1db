/* --help, and the part of the manual that lists the commands. */
#include "ctl_internal.h"

#include <lagd/base/check.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define FIRST_COLUMN 30

static void append_synopsis(struct lag_strbuf *out, const struct ctl_command *command) {
    lag_strbuf_append(out, command->words);
    if (*command->arguments) lag_strbuf_printf(out, " %s", command->arguments);
}

static void append_line(struct lag_strbuf *out, const char *left, const char *right) {
    int gap = FIRST_COLUMN - (int)strlen(left);
    if (gap > 0)
        lag_strbuf_printf(out, "  %s%*s%s\n", left, gap, "", right);
    else
        lag_strbuf_printf(out, "  %s\n%*s%s\n", left, FIRST_COLUMN + 2, "", right);
}

static void append_options(struct lag_strbuf *out, const struct ctl_option *options) {
    char left[96], letter[8];
    for (; options->name; options++) {
        (void)snprintf(letter, sizeof(letter), options->letter ? "-%c, " : "    ", options->letter);
        (void)snprintf(left, sizeof(left), "%s--%s%s%s", letter, options->name, options->argument ? " " : "",
                       options->argument ? options->argument : "");
        append_line(out, left, options->help);
    }
}

static void append_command(struct lag_strbuf *out, const struct ctl_command *command) {
    struct lag_strbuf left = LAG_STRBUF_INIT;
    append_synopsis(&left, command);
    if (!left.failed) append_line(out, left.data, command->help);
    lag_strbuf_deinit(&left);
}

static void append_overview(struct lag_strbuf *out) {
    size_t n;
    const struct ctl_command *rows = ctl_commands(&n);
    lag_strbuf_append(out, "Usage: lagctl [OPTIONS] COMMAND [ARGUMENTS]\n\n"
                           "Steers lagd, the daemon that trains Transformers and grows them.\n\nCommands:\n");
    for (size_t i = 0; i < n; i++) append_command(out, &rows[i]);
    lag_strbuf_append(out, "\nOptions:\n");
    append_options(out, ctl_global_options);
    lag_strbuf_append(out,
                      "\nRUN, GROWTH, CHECKPOINT and DATASET are names or ids. lagctl COMMAND --help explains one "
                      "command.\n\nExit status: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not possible in this "
                      "state, 5 not\nauthorised, 6 daemon unreachable, 7 time is up, 130 interrupted.\n");
}

/* How many there are. */
static size_t append_group(struct lag_strbuf *out, const char *group, const char *title) {
    size_t n, length = strlen(group), n_found = 0;
    const struct ctl_command *rows = ctl_commands(&n);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(rows[i].words, group, length) != 0 || rows[i].words[length] != ' ') continue;
        if (n_found++ == 0) lag_strbuf_append(out, title);
        append_command(out, &rows[i]);
    }
    return n_found;
}

void ctl_help_text(struct lag_strbuf *out, const struct ctl_command *command) {
    if (!command) {
        append_overview(out);
        return;
    }
    lag_strbuf_append(out, "Usage: lagctl ");
    append_synopsis(out, command);
    lag_strbuf_printf(out, "%s\n\n%s%s%s\n", command->options->name ? " [OPTIONS]" : "", command->help,
                      command->notes ? " " : "", command->notes ? command->notes : "");
    if (command->method) lag_strbuf_printf(out, "\nAsks: %s /api/v1%s\n", command->method, command->path);
    if (command->options->name) {
        lag_strbuf_append(out, "\nOptions:\n");
        append_options(out, command->options);
    }
    lag_strbuf_append(out, "\nEverywhere:\n");
    append_options(out, ctl_global_options);
    (void)append_group(out, command->words, "\nCommands of their own:\n");
}

bool ctl_help_group(struct lag_strbuf *out, const char *group) {
    struct lag_strbuf list = LAG_STRBUF_INIT;
    size_t n = append_group(&list, group, "Commands:\n");
    if (n > 0 && !list.failed)
        lag_strbuf_printf(out, "Usage: lagctl %s COMMAND [ARGUMENTS]\n\n%s\nlagctl %s COMMAND --help explains one of "
                          "them.\n", group, list.data, group);
    lag_strbuf_deinit(&list);
    return n > 0;
}

/* --- mdoc -------------------------------------------------------------------------------------------------------- */

/* Text in an mdoc macro's line or paragraph: backslashes and leading dots would be commands, and a short word that is
 * a macro's name would be called. */
static void mdoc_text(struct lag_strbuf *out, const char *text) {
    for (const char *p = text; *p; p++) {
        bool starts = p == text || p[-1] == ' ';
        if (*p == '\\')
            lag_strbuf_append(out, "\\e");
        else if (*p == '-')
            lag_strbuf_append(out, "\\-");
        else if (starts && (*p == '.' || *p == '\''))
            lag_strbuf_printf(out, "\\&%c", *p);
        else
            lag_strbuf_append_n(out, p, 1);
    }
}

/* A sentence a line, as mdoc wants it. */
static void mdoc_sentences(struct lag_strbuf *out, const char *text) {
    char line[512];
    while (text && *text) {
        const char *end = strstr(text, ". ");
        size_t n = end ? (size_t)(end - text) + 1 : strlen(text);
        (void)snprintf(line, sizeof(line), "%.*s", (int)n, text);
        mdoc_text(out, line);
        lag_strbuf_append(out, "\n");
        text += n + (end ? 1 : 0);
    }
}

/* "\&" keeps a word from being called as a macro. */
static void mdoc_words(struct lag_strbuf *out, const char *macro, const char *words) {
    for (const char *p = words; *p; p += *p == ' ') {
        size_t n = strcspn(p, " ");
        bool optional = *p == '[';
        lag_strbuf_printf(out, " %s%s \\&%.*s%s", optional ? "Oo " : "", macro, (int)n - 2 * optional, p + optional,
                          optional ? " Oc" : "");
        p += n;
    }
}

static void mdoc_options(struct lag_strbuf *out, const struct ctl_option *options) {
    lag_strbuf_append(out, ".Bl -tag -width Ds -compact\n");
    for (; options->name; options++) {
        lag_strbuf_append(out, ".It");
        if (options->letter) lag_strbuf_printf(out, " Fl \\&%c ,", options->letter);
        lag_strbuf_printf(out, " Fl Fl %s", options->name);
        if (options->argument) lag_strbuf_printf(out, " Ar \\&%s", options->argument);
        lag_strbuf_append(out, "\n");
        mdoc_text(out, options->help);
        lag_strbuf_append(out, "\n");
    }
    lag_strbuf_append(out, ".El\n");
}

void ctl_help_mdoc(struct lag_strbuf *out) {
    size_t n;
    const struct ctl_command *rows = ctl_commands(&n);
    lag_strbuf_append(out, ".Ss Options of every command\n");
    mdoc_options(out, ctl_global_options);
    lag_strbuf_append(out, ".Ss Commands\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < n; i++) {
        lag_strbuf_append(out, ".It");
        mdoc_words(out, "Cm", rows[i].words);
        mdoc_words(out, "Ar", rows[i].arguments);
        lag_strbuf_append(out, "\n");
        mdoc_sentences(out, rows[i].help);
        mdoc_sentences(out, rows[i].notes);
        if (rows[i].options->name) mdoc_options(out, rows[i].options);
    }
    lag_strbuf_append(out, ".El\n");
}
