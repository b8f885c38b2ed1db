/* What the daemon makes or reads for a while before it is ready: datasets, models, tokenizers. Thread: main. */
#pragma once
#include "ctl_internal.h"

struct ctl_making {
    const char *what;  /* "dataset": its path is /datasets, and dataset show tells of it */
    const char *state; /* while it is being made */
    const char *say;   /* a view's sentence of one that is not waited for */
    double (*share)(json_t *row);                         /* done, 0 to 1 */
    void (*detail)(json_t *row, struct lag_strbuf *line); /* behind the bar; NULL: nothing */
};

/* Until it is ready, unless nobody waits (--no-wait), with a bar at a terminal; then it is printed. One that failed was
 * refused as a whole: it leaves no name behind. */
int ctl_see_through(struct ctl *ctl, const struct ctl_making *making, json_t **row);
double ctl_made_share(json_t *row); /* its member progress */
