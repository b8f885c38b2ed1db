/* How often orders held to the end, by the completed studies of this database. */
#include "evidence/calibration_kept_internal.h"
#include "evidence/decide_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/study_request.h>
#include <lagd/engine/calibration.h>
#include <lagd/storage/studies.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEWEST = 64, KEY = NEWEST * LAG_ROW_ID + 1 }; /* studies that count; room for their ids */

struct studies {
    struct lag_study_row *rows; /* [NEWEST] */
    int n;
};

/* All orders that were seen, study by study. */
struct orders {
    struct lag_kept_row *rows;
    size_t n, capacity;
    int n_studies;
};

static int no_memory(struct lag_error *err) {
    return lag_error_set(err, LAG_ENOMEM, "out of memory while reading what studies say of the end");
}

static int add_study(const struct lag_study_row *row, void *arg) {
    struct studies *studies = arg;
    if (strcmp(row->state, "completed") == 0) studies->rows[studies->n++] = *row;
    return studies->n == NEWEST;
}

/* --- one study --------------------------------------------------------------------------------------------------- */

struct seeds {
    char growths[LAGD_STUDY_SEEDS_MAX][LAG_ROW_ID];
    struct lagd_curves *sets[LAGD_STUDY_SEEDS_MAX];
    int n;
};

static int add_seed(const struct lag_study_run_row *row, void *arg) {
    struct seeds *seeds = arg;
    if (strcmp(row->role, "candidates") == 0 && row->growth_id[0] && seeds->n < LAGD_STUDY_SEEDS_MAX)
        (void)lag_copy(seeds->growths[seeds->n++], LAG_ROW_ID, row->growth_id);
    return 0;
}

static int add_orders(struct orders *orders, const struct lag_study_row *row, const struct seeds *seeds) {
    struct lag_study_group groups[LAGD_STUDY_SEEDS_MAX];
    struct lag_kept_row *found = NULL;
    size_t n = 0;
    int n_groups = 0;
    for (int g = 0; g < seeds->n; g++) {
        const struct lagd_curves *set = seeds->sets[g];
        if (!set || set->n != seeds->sets[0]->n) continue;
        groups[n_groups++] = (struct lag_study_group){set->curves, (int)set->growth.n_batches};
    }
    if (n_groups == 0) return 0;
    const struct lag_study study = {.n_groups = n_groups, .n_candidates = seeds->sets[0]->n, .groups = groups,
                                    .horizon = row->horizon, .delta = row->delta, .prior = -1};
    int rc = lag_study_orders(&study, seeds->sets[0]->preserving, orders->n_studies, &found, &n);
    if (rc == LAG_ENOMEM) return rc;
    if (rc == 0 && n > 0 &&
        lag_grow_array((void **)&orders->rows, &orders->capacity, orders->n + n, sizeof(*orders->rows)) != 0)
        rc = LAG_ENOMEM;
    if (rc == 0 && n > 0) {
        memcpy(orders->rows + orders->n, found, n * sizeof(*found));
        orders->n += n;
        orders->n_studies++;
    }
    free(found);
    return rc == LAG_ENOMEM ? rc : 0; /* one that nobody can be ranked in says nothing */
}

static int read_study(struct lag_db *db, struct orders *orders, const struct lag_study_row *row,
                      struct lag_error *err) {
    struct seeds seeds = {.n = 0};
    int rc = lag_study_run_list(db, row->id, add_seed, &seeds, err);
    for (int g = 0; rc == 0 && g < seeds.n; g++) rc = lagd_curves_load(db, seeds.growths[g], &seeds.sets[g], err);
    if (rc == 0 && add_orders(orders, row, &seeds) != 0) rc = no_memory(err);
    for (int g = 0; g < seeds.n; g++) lagd_curves_destroy(seeds.sets[g]);
    return rc;
}

/* --- all --------------------------------------------------------------------------------------------------------- */

/* The ids of those that count. */
static void write_key(const struct studies *studies, const char *but, char ret[KEY]) {
    size_t used = 0;
    ret[0] = '\0';
    for (int i = 0; i < studies->n; i++)
        if (strcmp(studies->rows[i].id, but) != 0)
            used += (size_t)snprintf(ret + used, KEY - used, "%s ", studies->rows[i].id);
}

static int calibrate(struct lag_db *db, const struct studies *studies, const char *but, struct lag_calibration *ret,
                     int *ret_n_studies, struct lag_error *err) {
    struct orders orders = {0};
    int rc = 0;
    for (int i = 0; rc == 0 && i < studies->n; i++)
        if (strcmp(studies->rows[i].id, but) != 0) rc = read_study(db, &orders, &studies->rows[i], err);
    lag_calibrate(orders.rows, orders.n, -1, ret);
    *ret_n_studies = orders.n_studies;
    free(orders.rows);
    return rc;
}

int lagd_calibration_load(struct lag_db *db, const char *but, struct lag_calibration *ret, int *ret_n_studies,
                          struct lag_error *err) {
    char key[KEY];
    LAG_CLEANUP(lag_free_p) struct lag_study_row *rows = lag_calloc(NEWEST, sizeof(*rows));
    struct studies studies = {.rows = rows};
    if (!rows) return no_memory(err);
    int rc = lag_study_list(db, false, 100000, add_study, &studies, err);
    if (rc < 0) return rc;
    if (studies.n < LAG_KEPT_STUDIES) studies.n = 0; /* with fewer there is nothing to be said */
    if (!but) but = "";
    write_key(&studies, but, key);
    if (lagd_calibration_recall(key, ret, ret_n_studies)) return 0;
    rc = calibrate(db, &studies, but, ret, ret_n_studies, err);
    if (rc == 0) lagd_calibration_keep(key, ret, *ret_n_studies);
    return rc;
}

int lagd_p_end_know(struct lag_db *db, const struct lagd_curves *set, int64_t t, double *ret_p_end,
                    struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) struct lag_calibration *calibration = lag_calloc(1, sizeof(*calibration));
    const struct lag_probe_view view = {.curves = set->curves, .n_curves = set->n,
                                        .n_batches = (int)set->growth.n_batches, .t = t, .horizon = set->horizon,
                                        .preserving = set->preserving};
    int n_studies = 0;
    if (!calibration) return no_memory(err);
    for (int i = 0; i < set->n; i++) ret_p_end[i] = NAN;
    int rc = lagd_calibration_load(db, NULL, calibration, &n_studies, err);
    if (rc != 0 || n_studies < LAG_KEPT_STUDIES) return rc;
    lag_p_end_of_leader(calibration, &view, lag_leader_at(set->curves, set->n, view.n_batches, t), ret_p_end);
    return 0;
}
