/* The orders that a study saw at each time, and whether they were kept to its end. */
#include "stats/study_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/calibration.h>
#include <lagd/engine/rng.h>
#include <math.h>
#include <stdlib.h>

#define KEY UINT64_C(0x6C616772756C6573) /* fixed: the same study gives the same rows */
enum { MOST_TIMES = 24 };

struct orders {
    const struct lag_study_table *table;
    const bool *preserving;
    int number;
    double share; /* of the rows that are taken */
    uint64_t n_seen;
    struct lag_kept_row *rows;
    size_t n, capacity;
};

static const struct lag_study_group *group_of(const struct orders *orders, int g) {
    return &orders->table->study->groups[orders->table->groups[g].group];
}

static const struct lag_curve *curve_of(const struct orders *orders, int g, int i) {
    return &group_of(orders, g)->curves[orders->table->candidates[i]];
}

static int slot_of(const struct lag_study_table *table, int k) {
    return (int)(MOST_TIMES * log1p((double)table->times[k]) / log1p((double)table->study->horizon));
}

/* Of the times that fall into one part of the axis of log t the first. */
static bool takes_time(const struct lag_study_table *table, int k) {
    return table->n_times <= MOST_TIMES + 1 || k == 0 || slot_of(table, k) != slot_of(table, k - 1);
}

static int count_times(const struct lag_study_table *table) {
    int n = 0;
    for (int k = 0; k + 1 < table->n_times; k++) n += takes_time(table, k);
    return n;
}

static double count_pairs(const struct lag_study_table *table) {
    double n = 0;
    for (int g = 0; g < table->n_groups; g++) {
        int ranked = 0;
        for (int i = 0; i < table->n_ranked; i++) ranked += !isnan(lag_study_finals(table, g)[i]);
        n += ranked * (ranked - 1) / 2.0;
    }
    return n;
}

/* The mean of `none` at a time; NaN when it is not known. */
static double none_at(const struct orders *orders, int g, int k) {
    const struct lag_study_group *group = group_of(orders, g);
    for (int i = 0; i < orders->table->study->n_candidates; i++) {
        const struct lag_curve *curve = &group->curves[i];
        if (!curve->reference || curve->diverged) continue;
        const double *losses = lag_losses_at(curve, group->n_batches, orders->table->times[k]);
        return losses ? lag_loss_mean(losses, group->n_batches) : NAN;
    }
    return NAN;
}

static bool is_beyond_none(const struct orders *orders, int g, int k, int leader) {
    for (int e = LAG_MAX(0, k - 1); e <= k; e++)
        if (!(lag_study_row(orders->table, g, e)[leader] < none_at(orders, g, e))) return false;
    return true;
}

static bool preserves(const struct orders *orders, int i) {
    return orders->preserving && orders->preserving[orders->table->candidates[i]];
}

static int add_pair(struct orders *orders, int g, int k, const struct lag_tail *tail, int i, int j) {
    const struct lag_study_table *table = orders->table;
    const double *finals = lag_study_finals(table, g);
    if (orders->share < 1 && lag_rng_uniform(KEY, LAG_RNG_BOOTSTRAP, 0, orders->n_seen++) >= orders->share) return 0;
    const struct lag_pair pair =
        lag_compare(curve_of(orders, g, i), curve_of(orders, g, j), group_of(orders, g)->n_batches, tail);
    if (isnan(pair.mean) || pair.mean == 0) return 0;
    const int leader = pair.mean < 0 ? i : j, other = pair.mean < 0 ? j : i;
    const double ahead = finals[other] - finals[leader];
    if (lag_grow_array((void **)&orders->rows, &orders->capacity, orders->n + 1, sizeof(*orders->rows)) != 0)
        return LAG_ENOMEM;
    orders->rows[orders->n++] = (struct lag_kept_row){
        .study = orders->number,
        .order = {.z = fabs(pair.mean) / pair.se,
                  .share = (double)table->times[k] / (double)table->study->horizon,
                  .phase = lag_study_phase(table, table->times[k]),
                  .beyond_none = is_beyond_none(orders, g, k, leader),
                  .kinds_differ = preserves(orders, i) != preserves(orders, j)},
        .kept = ahead > 0 ? 1 : ahead < 0 ? 0 : 0.5,
    };
    return 0;
}

static int add_time(struct orders *orders, int g, int k) {
    const struct lag_study_table *table = orders->table;
    const double *finals = lag_study_finals(table, g);
    struct lag_tail tail;
    int rc = 0;
    lag_tail_at(group_of(orders, g)->curves, table->study->n_candidates, group_of(orders, g)->n_batches,
                table->times[k], &tail);
    for (int i = 0; i < table->n_ranked && tail.n > 0; i++)
        for (int j = i + 1; j < table->n_ranked && rc == 0; j++)
            if (!isnan(finals[i]) && !isnan(finals[j])) rc = add_pair(orders, g, k, &tail, i, j);
    return rc;
}

static int add_all(struct orders *orders) {
    const struct lag_study_table *table = orders->table;
    int rc = 0;
    orders->share = LAG_KEPT_ROWS / fmax(1, count_pairs(table) * count_times(table));
    for (int g = 0; g < table->n_groups; g++)
        for (int k = 0; k + 1 < table->n_times && rc == 0; k++)
            if (takes_time(table, k)) rc = add_time(orders, g, k);
    return rc;
}

int lag_study_orders(const struct lag_study *study, const bool *preserving, int number, struct lag_kept_row **ret,
                     size_t *ret_n) {
    struct lag_study_table table;
    struct orders orders = {.table = &table, .preserving = preserving, .number = number};
    int rc = lag_study_table_init(study, &table);
    if (rc == 0) rc = add_all(&orders);
    lag_study_table_deinit(&table);
    if (rc != 0) {
        free(orders.rows);
        return rc;
    }
    *ret = orders.rows;
    *ret_n = orders.n;
    return 0;
}
