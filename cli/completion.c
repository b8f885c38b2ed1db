/* Completions for bash and zsh from the table. Names of runs, growths, studies, checkpoints, datasets and models are
 * asked of the daemon. */
#include "ctl_internal.h"

#include <lagd/base/check.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* What can stand for an argument or an option's value. */
static const struct {
    const char *kind;
    const char *list; /* the command whose names are offered; NULL: files */
} sources[] = {
    {"RUN", "run list"},
    {"GROWTH", "grow list"},
    {"STUDY", "study list"},
    {"CHECKPOINT", "ckpt list"},
    {"DATASET", "dataset list"},
    {"MODEL", "model list"},
    {"TOKENIZER", "tokenizer list"},
    {"FILE", NULL},
    {"DIR", NULL},
    {"PATH", NULL},
};

/* "%w" words of choices, "%l" a command to list names, "%f" files, or nothing, as the shell's function wants it. */
static void append_source(struct lag_strbuf *out, const char *kind) {
    if (strchr(kind, '|') || islower((unsigned char)*kind)) {
        for (const char *p = kind; *p; p++) lag_strbuf_append_n(out, *p == '|' ? " " : p, 1);
        return;
    }
    for (size_t i = 0; i < LAG_COUNT(sources); i++) {
        if (strcmp(sources[i].kind, kind) != 0) continue;
        lag_strbuf_printf(out, sources[i].list ? "@%s" : "@@", sources[i].list);
        return;
    }
}

static void append_option_names(struct lag_strbuf *out, const struct ctl_option *options) {
    for (; options->name; options++) {
        lag_strbuf_printf(out, " --%s", options->name);
        if (options->letter) lag_strbuf_printf(out, " -%c", options->letter);
    }
}

/* "WORDS/--option" → where its value comes from, one case a line. */
static void append_value_cases(struct lag_strbuf *out, const char *words, const struct ctl_option *options) {
    for (; options->name; options++) {
        if (!options->argument) continue;
        lag_strbuf_printf(out, "    '%s/--%s'", words, options->name);
        if (options->letter) lag_strbuf_printf(out, "|'%s/-%c'", words, options->letter);
        lag_strbuf_append(out, ") REPLY='");
        append_source(out, options->argument);
        lag_strbuf_append(out, "' ;;\n");
    }
}

static void append_argument_cases(struct lag_strbuf *out, const struct ctl_command *command) {
    char kind[32];
    bool optional;
    for (int i = 0; ctl_argument_get(command, i, kind, &optional); i++) {
        lag_strbuf_printf(out, "    '%s/%d') REPLY='", command->words, i);
        append_source(out, kind);
        lag_strbuf_append(out, "' ;;\n");
    }
}

/* Functions that both shells understand: what there is after some words. They answer in REPLY. */
static void append_tables(struct lag_strbuf *out) {
    size_t n, length;
    const struct ctl_command *rows = ctl_commands(&n);
    lag_strbuf_append(out, "_lagctl_words() { # words so far -> the next ones\n    case $1 in\n    '') REPLY='");
    for (size_t i = 0; i < n; i++) {
        length = strcspn(rows[i].words, " ");
        bool again = i > 0 && strncmp(rows[i].words, rows[i - 1].words, length) == 0 &&
                     strcspn(rows[i - 1].words, " ") == length;
        if (!again) lag_strbuf_printf(out, "%s%.*s", i ? " " : "", (int)length, rows[i].words);
    }
    lag_strbuf_append(out, "' ;;\n");
    for (size_t i = 0; i < n; i++) { /* each group once, by its first row that has two words */
        length = strcspn(rows[i].words, " ");
        bool first = rows[i].words[length] == ' ';
        for (size_t k = 0; k < i && first; k++) first = strncmp(rows[k].words, rows[i].words, length + 1) != 0;
        if (!first) continue;
        lag_strbuf_printf(out, "    '%.*s') REPLY='", (int)length, rows[i].words);
        for (size_t k = i; k < n; k++) {
            if (strncmp(rows[k].words, rows[i].words, length + 1) == 0)
                lag_strbuf_printf(out, "%s%s", k > i ? " " : "", rows[k].words + length + 1);
        }
        lag_strbuf_append(out, "' ;;\n");
    }
    lag_strbuf_append(out, "    *) REPLY= ;;\n    esac\n}\n"
                           "_lagctl_command() { # is this a command?\n    case $1 in\n    ");
    for (size_t i = 0; i < n; i++) lag_strbuf_printf(out, "%s'%s'", i ? "|" : "", rows[i].words);
    lag_strbuf_append(out, ") return 0 ;;\n    *) return 1 ;;\n    esac\n}\n"
                           "_lagctl_options() { # command -> its options\n    case $1 in\n");
    for (size_t i = 0; i < n; i++) {
        if (!rows[i].options->name) continue;
        lag_strbuf_printf(out, "    '%s') REPLY='", rows[i].words);
        append_option_names(out, rows[i].options);
        lag_strbuf_append(out, "' ;;\n");
    }
    lag_strbuf_append(out, "    *) REPLY= ;;\n    esac\n    REPLY=\"$REPLY");
    append_option_names(out, ctl_global_options);
    lag_strbuf_append(out,
                      "\"\n}\n_lagctl_value() { # command/--option or command/index -> choices, @@ for files, @words "
                      "to list names; 1: takes no value\n    case $1 in\n");
    for (size_t i = 0; i < n; i++) {
        append_value_cases(out, rows[i].words, rows[i].options);
        append_argument_cases(out, &rows[i]);
    }
    lag_strbuf_append(out, "    *) REPLY=; case ${1##*/} in\n");
    for (const struct ctl_option *option = ctl_global_options; option->name; option++) {
        if (!option->argument) continue;
        lag_strbuf_printf(out, "        --%s", option->name);
        if (option->letter) lag_strbuf_printf(out, "|-%c", option->letter);
        lag_strbuf_append(out, ") REPLY='");
        append_source(out, option->argument);
        lag_strbuf_append(out, "' ;;\n");
    }
    lag_strbuf_append(out, "        *) return 1 ;;\n        esac ;;\n    esac\n    return 0\n}\n");
}

/* Reads the words before the cursor; leaves the command, the index of the argument, and the option that waits. The
 * names come from a lagctl that talks to the daemon that the line names. */
static const char *const walk =
    "_lagctl_walk() { # the words before the cursor, without lagctl itself\n"
    "    _lagctl_cmd= _lagctl_index=0 _lagctl_option= _lagctl_global=()\n"
    "    local word words=\n"
    "    for word in \"$@\"; do\n"
    "        if [ -n \"$_lagctl_option\" ]; then\n"
    "            case $_lagctl_option in --socket|--host|-H|--token-file)\n"
    "                _lagctl_global+=(\"$_lagctl_option\" \"$word\") ;; esac\n"
    "            _lagctl_option=; continue\n"
    "        fi\n"
    "        case $word in\n"
    "        --*=*) continue ;;\n"
    "        -*) _lagctl_value \"$_lagctl_cmd/$word\" && _lagctl_option=$word; continue ;;\n"
    "        esac\n"
    "        if [ $_lagctl_index -eq 0 ] && _lagctl_command \"${words:+$words }$word\"; then\n"
    "            words=\"${words:+$words }$word\"; _lagctl_cmd=$words\n"
    "        elif [ -z \"$_lagctl_cmd\" ]; then words=\"${words:+$words }$word\"\n"
    "        else _lagctl_index=$((_lagctl_index + 1)); fi\n"
    "    done\n"
    "    _lagctl_words_so_far=$words\n"
    "}\n"
    "_lagctl_names() { # list command -> names\n"
    "    lagctl \"${_lagctl_global[@]}\" $=1 -o name -q 2>/dev/null\n"
    "}\n";

static void append_walk(struct lag_strbuf *out, bool zsh) {
    const char *split = strstr(walk, "$=1"); /* zsh splits words only when asked to */
    lag_strbuf_append_n(out, walk, (size_t)(split - walk));
    lag_strbuf_append(out, zsh ? "$=1" : "$1");
    lag_strbuf_append(out, split + 3);
}

void ctl_completion_bash(struct lag_strbuf *out) {
    lag_strbuf_append(out, "# bash completion of lagctl; made by: lagctl completion bash\n");
    append_tables(out);
    append_walk(out, false);
    lag_strbuf_append(
        out, "_lagctl() {\n"
             "    local cur=${COMP_WORDS[COMP_CWORD]} REPLY= source list=\n"
             "    local _lagctl_cmd _lagctl_index _lagctl_option _lagctl_global _lagctl_words_so_far\n"
             "    COMPREPLY=()\n"
             "    _lagctl_walk \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"\n"
             "    if [ -n \"$_lagctl_option\" ]; then _lagctl_value \"$_lagctl_cmd/$_lagctl_option\"; source=$REPLY\n"
             "    elif [[ $cur == -* ]]; then _lagctl_options \"$_lagctl_cmd\"; source=$REPLY\n"
             "    else\n"
             "        if [ $_lagctl_index -eq 0 ]; then _lagctl_words \"$_lagctl_words_so_far\"; list=$REPLY; fi\n"
             "        REPLY=\n"
             "        [ -z \"$_lagctl_cmd\" ] || _lagctl_value \"$_lagctl_cmd/$_lagctl_index\"; source=$REPLY\n"
             "    fi\n"
             "    case $source in\n"
             "    @@) compopt -o default 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
             "    @*) list=\"$list $(_lagctl_names \"${source#@}\")\" ;;\n"
             "    *) list=\"$list $source\" ;;\n"
             "    esac\n"
             "    [ -z \"${list// /}\" ] || mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -W \"$list\" -- "
             "\"$cur\")\n"
             "}\n"
             "complete -F _lagctl lagctl\n");
}

void ctl_completion_zsh(struct lag_strbuf *out) {
    lag_strbuf_append(out, "#compdef lagctl\n# zsh completion of lagctl; made by: lagctl completion zsh\n");
    append_tables(out);
    append_walk(out, true);
    lag_strbuf_append(
        out, "_lagctl() {\n"
             "    local cur=$words[CURRENT] REPLY= source list=\n"
             "    local _lagctl_cmd _lagctl_index _lagctl_option _lagctl_words_so_far\n"
             "    local -a _lagctl_global\n"
             "    _lagctl_walk \"${(@)words[2,CURRENT-1]}\"\n"
             "    if [ -n \"$_lagctl_option\" ]; then _lagctl_value \"$_lagctl_cmd/$_lagctl_option\"; source=$REPLY\n"
             "    elif [[ $cur == -* ]]; then _lagctl_options \"$_lagctl_cmd\"; source=$REPLY\n"
             "    else\n"
             "        if [ $_lagctl_index -eq 0 ]; then _lagctl_words \"$_lagctl_words_so_far\"; list=$REPLY; fi\n"
             "        REPLY=\n"
             "        [ -z \"$_lagctl_cmd\" ] || _lagctl_value \"$_lagctl_cmd/$_lagctl_index\"; source=$REPLY\n"
             "    fi\n"
             "    case $source in\n"
             "    @@) _files ;;\n"
             "    @*) list=\"$list $(_lagctl_names \"${source#@}\")\" ;;\n"
             "    *) list=\"$list $source\" ;;\n"
             "    esac\n"
             "    compadd -- ${(z)list}\n"
             "}\n"
             "if [ \"$funcstack[1]\" = _lagctl ]; then _lagctl \"$@\"; else compdef _lagctl lagctl; fi\n");
}
