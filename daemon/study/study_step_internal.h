/* What is to be done next for a study. Pure: rows in, one thing to do out; a restart finds it again from the same rows.
 */
#pragma once
#include <lagd/storage/studies.h>
#include <stdbool.h>

/* A run of a study as its rows tell it. */
struct lagd_study_item {
    struct lag_study_run_row row;
    char run_state[LAG_ROW_STATE];    /* "" until there is one */
    char growth_state[LAG_ROW_STATE]; /* the same */
};
enum lagd_study_do {
    LAGD_STUDY_WAITS,    /* nothing until something changes */
    LAGD_STUDY_MAKES,    /* the run of the item */
    LAGD_STUDY_GROWS,    /* the growth of all candidates is asked for */
    LAGD_STUDY_STARTS,   /* its run is resumed, if it is not already */
    LAGD_STUDY_PAUSES,
    LAGD_STUDY_CANCELS,
    LAGD_STUDY_ENDS,     /* only its stage is written: ended */
    LAGD_STUDY_CLOSES,   /* the study itself: all that was to be done is done */
};
struct lagd_study_step {
    enum lagd_study_do what;
    int item; /* which; -1: the study */
};
/* state: of the study; items in order; parallel: runs at once. gives_way: it is of low priority, and others want to
 * compute: while it runs its runs are made and grown, but none is started, and those that train are paused. */
struct lagd_study_step lagd_study_next(const char *state, const struct lagd_study_item *items, int n_items,
                                       int parallel, bool gives_way);
/* Is there a run that has begun, or could begin? */
bool lagd_study_has_begun(const struct lagd_study_item *items, int n_items);
/* Is there a growth that was decided at the horizon? */
bool lagd_study_has_result(const struct lagd_study_item *items, int n_items);
