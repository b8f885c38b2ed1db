/* The audit of a growth as a study: its request, from the growth's rows. */
#include <lagd/daemon/audit.h>

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVALUATIONS = 40 }; /* about so many of a candidate, beside those at powers of two */

struct making {
    struct lag_db *db;
    struct lag_growth_row growth;
    struct lag_run_row run;
    struct lagd_study_request *request;
    int rc;
    struct lag_error *err;
};

static int check_growth(const struct making *m, struct lag_error *err) {
    const struct lag_growth_row *growth = &m->growth;
    struct lag_study_row study;
    struct lag_checkpoint_row parent;
    if (!lagd_growth_is(growth->state, LAGD_GROWTH_APPLIED))
        return lag_error_set(err, LAG_ESTATE, "growth %s is %s: only a decision that was applied can be audited",
                             growth->id, growth->state);
    if (strcmp(growth->mode, "study") == 0)
        return lag_error_set(err, LAG_ESTATE, "growth %s is of mode study: its candidates were trained to its end "
                             "already", growth->id);
    int rc = lag_study_of_growth(m->db, growth->id, &study, err);
    if (rc > 0)
        return lag_error_set(err, LAG_ESTATE, "growth %s has an audit, study %s, which is %s: delete that to ask for "
                             "another one", growth->id, study.name, study.state);
    if (rc == 0) rc = lag_checkpoint_get(m->db, growth->parent_checkpoint, &parent, err);
    if (rc == LAG_ENOTFOUND)
        return lag_error_set(err, LAG_ESTATE, "growth %s cannot be audited: its parent's checkpoint %s has been "
                             "deleted, and its candidates cannot be made without it", growth->id,
                             growth->parent_checkpoint);
    return rc;
}

static int check_horizon(const struct making *m, int64_t horizon, struct lag_error *err) {
    if (horizon < LAGD_STUDY_HORIZON_MIN)
        return lag_error_set(err, LAG_ESTATE, "growth %s cannot be audited: run %s ends %" PRId64 " steps after it, "
                             "and a study takes at least %d", m->growth.id, m->run.name, horizon,
                             LAGD_STUDY_HORIZON_MIN);
    if (horizon > LAGD_PROBE_STEPS_MAX)
        return lag_error_set(err, LAG_ESTATE, "growth %s cannot be audited: run %s ends %" PRId64 " steps after it, "
                             "and a study takes at most %d", m->growth.id, m->run.name, horizon, LAGD_PROBE_STEPS_MAX);
    return 0;
}

/* As they were probed, whatever an operator's name stands for today. */
static int add_strategy(const struct lag_candidate_row *row, void *arg) {
    struct making *m = arg;
    struct lagd_growth_request *growth = &m->request->growth;
    if (strcmp(row->op, "none") == 0 || growth->n_strategies == LAGD_STRATEGIES_MAX) return 0;
    m->rc = lagd_strategy_decode(row->strategy, &growth->strategies[growth->n_strategies++], m->err);
    return m->rc;
}

/* "audit-" and the end of the growth's id, with a number behind where that is taken: runs of a deleted audit stay. */
static int find_name(struct making *m, struct lag_error *err) {
    struct lag_study_row study;
    struct lag_run_row run;
    char run_name[LAG_ROW_NAME];
    const char *id = m->growth.id;
    const size_t length = strlen(id), from = length > 10 ? length - 10 : 0;
    for (int n = 1; n < 1000; n++) {
        char number[8] = "";
        if (n > 1) (void)snprintf(number, sizeof(number), "-%d", n);
        (void)snprintf(m->request->name, sizeof(m->request->name), "audit-%.16s%s", id + from, number);
        lagd_study_run_name(m->request->name, "candidates", m->request->seeds[0], run_name);
        if (lag_study_get(m->db, m->request->name, &study, NULL) == LAG_ENOTFOUND &&
            lag_run_get(m->db, run_name, &run, NULL) == LAG_ENOTFOUND)
            return 0;
    }
    return lag_error_set(err, LAG_ESTATE, "growth %s has been audited too often: delete runs of its audits", id);
}

static int fill(struct making *m, struct lag_error *err) {
    struct lagd_growth_request asked;
    struct lagd_run_config config;
    struct lagd_study_request *request = m->request;
    lagd_growth_request_defaults(&asked);
    int rc = lag_fields_parse(&lagd_growth_fields, &asked, m->growth.request, err);
    if (rc == 0) rc = lagd_run_config_parse(m->run.config, &config, err);
    if (rc < 0) return rc;
    lagd_study_request_defaults(request);
    request->horizon = m->run.max_steps - m->growth.start_step;
    rc = check_horizon(m, request->horizon, err);
    if (rc < 0) return rc;
    (void)lag_copy(request->audits, sizeof(request->audits), m->growth.id);
    (void)lag_copy(request->parent_run, sizeof(request->parent_run), m->run.id);
    (void)lag_copy(request->parent_checkpoint, sizeof(request->parent_checkpoint), m->growth.parent_checkpoint);
    (void)snprintf(request->note, sizeof(request->note), "The audit of growth %s of run %s.", m->growth.id,
                   m->run.name);
    request->target = m->growth.to;
    request->tokens_per_sequence = m->growth.tokens_per_sequence;
    request->eval_every = LAG_MAX(asked.eval_every, (request->horizon + EVALUATIONS - 1) / EVALUATIONS);
    request->eval_batches = LAG_MAX(2, m->growth.n_batches);
    request->delta = asked.delta;
    request->divergence_bound = asked.divergence_bound;
    request->n_seeds = 1;
    request->seeds[0] = config.seed;
    request->growth.pool[0] = '\0';
    rc = lag_candidate_list(m->db, m->growth.id, add_strategy, m, err);
    return rc == 0 ? find_name(m, err) : m->rc < 0 ? m->rc : rc;
}

/* What a study refuses is told of the growth: nobody has given a horizon or a pool. */
static int explain(const struct making *m, int rc, struct lag_error *err) {
    char text[sizeof(err->text)];
    if (rc != LAG_EINVAL || !err) return rc;
    (void)lag_copy(text, sizeof(text), err->text);
    *err = (struct lag_error){0};
    return lag_error_set(err, LAG_ESTATE, "growth %s cannot be audited: %.400s", m->growth.id, text);
}

int lagd_audit_plan_read(struct lag_db *db, const char *growth_id, int n_threads,
                         struct lagd_study_request **ret_request, struct lagd_study_plan **ret_plan,
                         struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) struct making *m = lag_calloc(1, sizeof(*m));
    LAG_CLEANUP(lag_free_p) struct lagd_study_request *request = lag_calloc(1, sizeof(*request));
    if (!m || !request) return lag_error_set(err, LAG_ENOMEM, "out of memory while planning an audit");
    m->db = db;
    m->request = request;
    m->err = err;
    int rc = lag_growth_get(db, growth_id, &m->growth, err);
    if (rc == 0) rc = check_growth(m, err);
    if (rc == 0) rc = lag_run_get(db, m->growth.run_id, &m->run, err);
    if (rc == 0) rc = fill(m, err);
    if (rc == 0) rc = explain(m, lagd_study_plan_read(db, request, n_threads, ret_plan, err), err);
    if (rc == 0) *ret_request = LAG_TAKE(request);
    return rc;
}
