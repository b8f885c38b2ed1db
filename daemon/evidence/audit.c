/* What the audit of a decision tells, from the rows of its study: only the losses at the horizon are read. */
#include <lagd/daemon/audit.h>

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/verdict.h>
#include <lagd/storage/growths.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A candidate of the growth and of its audit, as far as they are compared. */
struct one {
    char id[LAG_ROW_ID], op[32], strategy[LAG_ROW_STRATEGY];
    int64_t number;
    bool eligible, dropped;
};
struct pool {
    struct one rows[LAGD_STRATEGIES_MAX + 1];
    int n;
    double flops;
};

static int add_candidate(const struct lag_candidate_row *row, void *arg) {
    struct pool *pool = arg;
    if (isfinite(row->flops)) pool->flops += row->flops;
    if (pool->n == (int)LAG_COUNT(pool->rows)) return 0;
    struct one *one = &pool->rows[pool->n++];
    one->number = row->number;
    one->eligible = row->eligible;
    one->dropped = !lagd_candidate_is(row->state, LAGD_CANDIDATE_COMPLETED);
    (void)lag_copy(one->id, sizeof(one->id), row->id);
    (void)lag_copy(one->op, sizeof(one->op), row->op);
    (void)lag_copy(one->strategy, sizeof(one->strategy), row->strategy);
    return 0;
}

static int find_id(const struct pool *pool, const char *id) {
    for (int i = 0; i < pool->n; i++)
        if (strcmp(pool->rows[i].id, id) == 0) return i;
    return -1;
}

/* The same strategy: seeds are those of the run. `none` may be written otherwise. */
static int find_same(const struct pool *pool, const struct one *one) {
    for (int i = 0; i < pool->n; i++) {
        const struct one *other = &pool->rows[i];
        if (strcmp(other->strategy, one->strategy) == 0) return i;
        if (strcmp(one->op, "none") == 0 && strcmp(other->op, "none") == 0) return i;
    }
    return -1;
}

struct reading {
    struct lag_db *db;
    struct pool growth, study;
    struct lag_growth_row trained;     /* the study's */
    struct lag_decision_row decision;
    struct lag_curve curves[LAGD_STRATEGIES_MAX + 1];
    double *losses;                    /* [study.n][n_batches] */
};

static int find_growth(const struct lag_study_run_row *row, void *arg) {
    struct reading *r = arg;
    if (strcmp(row->role, "candidates") != 0 || !row->growth_id[0]) return 0;
    return lag_growth_get(r->db, row->growth_id, &r->trained, NULL) == 0;
}

static int read_finals(struct reading *r, struct lag_error *err) {
    const int n_batches = (int)LAG_MAX(1, r->trained.n_batches);
    r->losses = lag_calloc((size_t)r->study.n * (size_t)n_batches + 1, sizeof(*r->losses));
    if (!r->losses) return lag_error_set(err, LAG_ENOMEM, "out of memory while reading an audit");
    for (int i = 0; i < r->study.n; i++) {
        double *losses = r->losses + i * n_batches;
        int rc = lag_probe_losses_at(r->db, r->study.rows[i].number, r->trained.probe_steps, n_batches, losses, err);
        if (rc < 0) return rc;
        r->curves[i] = (struct lag_curve){.eligible = r->study.rows[i].eligible,
                                          .diverged = r->study.rows[i].dropped || rc == 0, .decays_from = INT64_MAX,
                                          .n_evals = 1, .t = &r->trained.probe_steps, .losses = losses};
    }
    return 0;
}

static int read_regret(struct reading *r, const struct lag_growth_row *growth, struct lagd_audit *ret,
                       struct lag_error *err) {
    struct lag_regret found;
    int rc = lag_decision_get(r->db, growth->id, &r->decision, err);
    if (rc == 0) rc = lag_candidate_list(r->db, growth->id, add_candidate, &r->growth, err);
    const int taken = rc == 0 ? find_id(&r->growth, r->decision.candidate) : -1;
    const int pick = taken >= 0 ? find_same(&r->study, &r->growth.rows[taken]) : -1;
    if (rc == 0 && pick >= 0) rc = read_finals(r, err);
    if (rc != 0 || pick < 0) return rc;
    lag_regret_of(r->curves, r->study.n, (int)r->trained.n_batches, r->trained.probe_steps, pick, &found);
    ret->regret = found.regret;
    ret->low = found.low;
    ret->high = found.high;
    ret->of_spread = found.of_spread;
    const int best = found.best < 0 ? -1 : find_same(&r->growth, &r->study.rows[found.best]);
    if (best >= 0) (void)lag_copy(ret->best, sizeof(ret->best), r->growth.rows[best].id);
    if (isnan(found.regret))
        (void)lag_copy(ret->reason, sizeof(ret->reason), "what was applied has diverged in its audit");
    return 0;
}

static int read_study(struct reading *r, const struct lag_growth_row *growth, struct lagd_audit *ret,
                      struct lag_error *err) {
    struct lag_study_row study;
    int rc = lag_study_of_growth(r->db, growth->id, &study, err);
    if (rc <= 0) return rc;
    (void)lag_copy(ret->state, sizeof(ret->state), study.state);
    (void)lag_copy(ret->reason, sizeof(ret->reason), study.reason);
    (void)lag_copy(ret->study, sizeof(ret->study), study.id);
    (void)lag_copy(ret->study_name, sizeof(ret->study_name), study.name);
    ret->flops = 0;
    rc = lag_study_run_list(r->db, study.id, find_growth, r, err);
    if (rc <= 0) return rc;
    rc = lag_candidate_list(r->db, r->trained.id, add_candidate, &r->study, err);
    ret->flops = r->study.flops;
    return rc == 0 && lagd_study_is(study.state, LAGD_STUDY_COMPLETED) ? read_regret(r, growth, ret, err) : rc;
}

int lagd_audit_read(struct lag_db *db, const struct lag_growth_row *growth, struct lagd_audit *ret,
                    struct lag_error *err) {
    *ret = (struct lagd_audit){.regret = NAN, .low = NAN, .high = NAN, .of_spread = NAN, .flops = NAN};
    if (!growth->audit[0]) return 0;
    (void)lag_copy(ret->state, sizeof(ret->state), growth->audit);
    (void)lag_copy(ret->reason, sizeof(ret->reason), growth->audit_reason);
    if (strcmp(growth->audit, "made") != 0) return 0;
    LAG_CLEANUP(lag_free_p) struct reading *r = lag_calloc(1, sizeof(*r));
    if (!r) return lag_error_set(err, LAG_ENOMEM, "out of memory while reading an audit");
    r->db = db;
    int rc = read_study(r, growth, ret, err);
    free(r->losses);
    return rc;
}
