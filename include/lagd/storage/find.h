/* Finding runs among many: by words, tag, state and what they wait for, in some order, page by page. It reads an index
 * that has all of this, and then the rows of the page. Thread: owner of db. */
#pragma once
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

enum lag_run_order {
    LAG_RUNS_BY_CREATED,       /* which is by id */
    LAG_RUNS_BY_NAME,
    LAG_RUNS_BY_STEP,
    LAG_RUNS_BY_TOKENS,
    LAG_RUNS_BY_FLOPS,         /* of training */
    LAG_RUNS_BY_PARAMS,
    LAG_RUNS_BY_BEST,          /* the lowest val/loss */
    LAG_RUNS_BY_LATEST,        /* the last val/loss */
    LAG_RUNS_N_ORDERS
};
/* Where a run stands in an order: runs without a value are behind all others, of equals the newest is first. */
struct lag_run_place {
    char id[LAG_ROW_ID];
    char name[LAG_ROW_NAME];   /* by name; by created the id */
    double value;              /* by anything else; NaN: none */
};
struct lag_run_query {
    const char *words;         /* all of these, a space between, in id, name, tags or note, in any case; or NULL */
    const char *tag;           /* or NULL */
    const char *states;        /* comma-separated, or NULL */
    const char *waiting_for;   /* one of LAG_WAITS_…, or NULL */
    enum lag_run_order order;
    bool descending;
    const struct lag_run_place *after; /* rows behind this one, or NULL */
    int limit;
};
/* non-zero from each() ends the list and is returned. LAG_EINVAL: too many words. */
int lag_run_find(struct lag_db *db, const struct lag_run_query *query,
                 int (*each)(const struct lag_run_row *, const struct lag_run_place *, void *), void *arg,
                 struct lag_error *err);
#define LAG_WORDS_MAX 8        /* of a query */

/* What a run waits for: "approval" (its growth is decided, and a person has to agree), "shortage" (of what may come
 * back, as memory), "turn" (it is queued), or "" when it waits for nothing. reason: a sentence where the run's row has
 * none, else "". */
#define LAG_WAITS_APPROVAL "approval"
#define LAG_WAITS_SHORTAGE "shortage"
#define LAG_WAITS_TURN "turn"
int lag_run_waiting_for(struct lag_db *db, const struct lag_run_row *row, char ret[16], struct lag_error *err);
/* The lowest val/loss of a run, and its first step; NaN and -1 when there is none. */
int lag_run_best(struct lag_db *db, const char *id, double *ret_value, int64_t *ret_step, struct lag_error *err);
