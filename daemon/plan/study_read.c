/* The plan of a study, from the rows of its parent. */
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/study_request.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct lag_run_row run;
    struct lag_checkpoint_row checkpoint;
    struct lag_growth_row *growths;
    size_t capacity;
    int n;
    bool failed;
};

static int add_growth(const struct lag_growth_row *row, void *arg) {
    struct reading *r = arg;
    if (lag_grow_array((void **)&r->growths, &r->capacity, (size_t)r->n + 1, sizeof(*r->growths)) < 0) {
        r->failed = true;
        return 1;
    }
    r->growths[r->n++] = *row;
    return 0;
}

static int read_checkpoint(struct lag_db *db, const char *id, struct reading *r, struct lag_error *err) {
    int rc = id[0] ? lag_checkpoint_get(db, id, &r->checkpoint, err)
                   : lag_checkpoint_latest(db, r->run.id, &r->checkpoint, err);
    if (rc == 0 && (strcmp(r->checkpoint.run_id, r->run.id) != 0 || r->checkpoint.candidate_id[0])) rc = LAG_ENOTFOUND;
    if (rc != LAG_ENOTFOUND) return rc;
    if (!id[0])
        return lag_error_at(err, LAG_EINVAL, "/parent/run", "run %s has no checkpoint yet: let it train to its first "
                            "one, or ask for one", r->run.name);
    return lag_error_at(err, LAG_EINVAL, "/parent/checkpoint", "run %s has no checkpoint %s (it may have been "
                        "deleted): name another one, or none for the newest", r->run.name, id);
}

/* The study's own name, and those of its runs: these are made one after the other, and no study shall fail half-way by
 * that. */
static int check_names(struct lag_db *db, const struct lagd_study_request *request, const struct lagd_study_plan *plan,
                       struct lag_error *err) {
    static const char *const roles[] = {"candidates", "scratch"};
    struct lag_study_row study;
    struct lag_run_row run;
    char name[LAG_ROW_NAME];
    if (lag_study_get(db, request->name, &study, NULL) == 0)
        return lag_error_at(err, LAG_EEXIST, "/name", "a study named %s exists already: choose another name",
                            request->name);
    for (int64_t i = 0; i < plan->n_runs; i++) {
        const int64_t at = i % plan->n_seeds, seed = request->n_seeds > 0 ? request->seeds[at] : plan->config.seed;
        lagd_study_run_name(request->name, roles[i / plan->n_seeds], seed, name);
        if (lag_run_get(db, name, &run, NULL) != 0) continue;
        return lag_error_at(err, LAG_EEXIST, "/name", "a run with the name %s exists already, which a run of this "
                            "study would get: choose another name", name);
    }
    return 0;
}

int lagd_study_plan_read(struct lag_db *db, const struct lagd_study_request *request, int n_threads,
                         struct lagd_study_plan **ret, struct lag_error *err) {
    LAG_CLEANUP(lagd_study_plan_destroy_p) struct lagd_study_plan *plan = NULL;
    struct reading *r = lag_calloc(1, sizeof(*r));
    if (!r) return lag_error_set(err, LAG_ENOMEM, "out of memory while planning a study");
    int rc = lag_run_get(db, request->parent_run, &r->run, err);
    if (rc == LAG_ENOTFOUND)
        rc = lag_error_at(err, LAG_EINVAL, "/parent/run", "there is no run %s: name the one whose checkpoint is to be "
                          "grown", request->parent_run);
    if (rc == 0) rc = read_checkpoint(db, request->parent_checkpoint, r, err);
    if (rc == 0) rc = lag_growth_list(db, r->run.id, INT32_MAX, add_growth, r, err);
    if (r->failed) rc = lag_error_set(err, LAG_ENOMEM, "out of memory while planning a study");
    const struct lagd_study_parent parent = {&r->run, &r->checkpoint, r->growths, r->n, db};
    if (rc == 0) rc = lagd_study_plan_make(request, &parent, n_threads, &plan, err);
    if (rc == 0) rc = check_names(db, request, plan, err);
    if (rc == 0) *ret = LAG_TAKE(plan);
    free(r->growths);
    free(r);
    return rc;
}
