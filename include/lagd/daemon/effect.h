/* What an applied growth did to its run: what was measured right after it, and what the run's validation shows since.
 * Thread: owner of db. */
#pragma once
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

struct lagd_effect {
    bool is_known;              /* it was applied, and what was applied grows */
    bool is_measured;           /* row is there */
    struct lag_effect_row row;
    struct lag_candidate_row candidate; /* what was applied */
    bool promised;              /* its operators keep the function */
    double loss_change;         /* validation loss at step 0 above the parent's; NaN = not known */
    double spike;               /* the highest validation loss before it was back, above the parent's; 0: never above */
    int64_t spike_steps;        /* after how many steps that was; -1 = not known */
    int64_t recovery_steps;     /* after how many steps it was back at the parent's; 0: it never left; -1: not yet */
};
#define LAGD_SPIKE_LEAST 1e-4   /* nats: what is less is none */
int lagd_effect_read(struct lag_db *db, const struct lag_growth_row *growth, struct lagd_effect *ret,
                     struct lag_error *err);
/* It may tell more later, without another revision of the growth. */
bool lagd_effect_moves(const struct lagd_effect *effect);
