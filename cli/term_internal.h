/* What standard output and the locale can show. Thread: main. */
#pragma once
#include <stdbool.h>

struct ctl_term {
    bool tty;    /* standard output is a terminal */
    bool colour; /* tty, without --no-color, NO_COLOR and TERM=dumb */
    bool utf8;
    int width, height; /* of the terminal; 0 × 0 when it is none */
};
void ctl_term_init(struct ctl_term *term, bool no_color);
/* The locale by its variables: the first of LC_ALL, LC_CTYPE and LANG that is set and not empty decides. */
bool ctl_term_is_utf8(const char *lc_all, const char *lc_ctype, const char *lang);
/* Colours of a state's name; "" without colour. */
const char *ctl_term_colour(bool colour, const char *state);
