/* What the terminal and the locale can show. */
#include "term_internal.h"

#include <lagd/base/check.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool ctl_term_is_utf8(const char *lc_all, const char *lc_ctype, const char *lang) {
    const char *locale = lc_all && *lc_all ? lc_all : lc_ctype && *lc_ctype ? lc_ctype : lang;
    const char *charset = locale ? strchr(locale, '.') : NULL;
    if (!charset) return false;
    charset++;
    return strncasecmp(charset, "utf-8", 5) == 0 || strncasecmp(charset, "utf8", 4) == 0;
}

static bool is_set(const char *name) {
    const char *value = getenv(name);
    return value && *value;
}

void ctl_term_init(struct ctl_term *term, bool no_color) {
    struct winsize size = {0};
    const char *kind = getenv("TERM");
    memset(term, 0, sizeof(*term));
    term->tty = isatty(STDOUT_FILENO);
    term->utf8 = ctl_term_is_utf8(getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG"));
    term->colour = term->tty && !no_color && !is_set("NO_COLOR") && kind && strcmp(kind, "dumb") != 0;
    if (term->tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        term->width = size.ws_col;
        term->height = size.ws_row;
    } else if (term->tty) {
        term->width = 80;
        term->height = 24;
    }
}

const char *ctl_term_colour(bool colour, const char *state) {
    static const struct {
        const char *state, *sequence;
    } colours[] = {
        {"running", "\033[32m"},     {"ok", "\033[32m"},
        {"ready", "\033[32m"},       {"applied", "\033[32m"},
        {"growing", "\033[36m"},     {"probing", "\033[36m"},
        {"failed", "\033[31m"},      {"fail", "\033[31m"},
        {"diverged", "\033[31m"},    {"not ready", "\033[31m"},
        {"warning", "\033[33m"},     {"paused", "\033[33m"},
        {"interrupted", "\033[33m"}, {"awaiting_approval", "\033[33m"},
    };
    for (size_t i = 0; colour && i < LAG_COUNT(colours); i++) {
        if (strcmp(colours[i].state, state) == 0) return colours[i].sequence;
    }
    return "";
}
