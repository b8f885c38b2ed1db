/* A growth measured: one batch through the parent, the same through what it became. */
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/team.h>
#include <lagd/engine/backend.h>
#include <lagd/engine/measure.h>
#include <lagd/engine/newness.h>
#include <math.h>
#include <stdlib.h>

#define LOGIT_TOKENS 16 /* whose logits are compared */
#define FP32_CHANGE 1e-4
#define BF16_CHANGE 0x1p-5

/* One of the two models. */
struct side {
    double loss, *rms; /* rms[n_layer + 1]: of the stream before each layer, and at the end; owned */
    lag_real *logits;  /* [n_tokens][vocab]; owned */
};
struct measuring {
    const struct lag_measure_ask *ask;
    const struct lag_dataset *dataset;
    struct lag_team *team;
    int64_t step; /* whose batch */
    int n_tokens;
};

static void side_deinit(struct side *side) {
    free(side->rms);
    free(side->logits);
}

static int look_inside(const struct measuring *m, const struct lag_state *state, struct lag_work *work,
                       struct side *side, struct lag_error *err) {
    const struct lag_step_config *config = m->ask->config;
    const struct lag_spec *spec = &state->layout.spec;
    side->rms = lag_calloc((size_t)spec->n_layer + 1, sizeof(*side->rms));
    side->logits = lag_calloc((size_t)m->n_tokens * (size_t)spec->vocab_size, sizeof(*side->logits));
    if (!side->rms || !side->logits) return lag_error_set(err, LAG_ENOMEM, "out of memory for a growth's measures");
    const int rc = lag_dataset_batch(m->dataset, config->seed, m->step, 0, config->batch, config->context, work->tokens,
                                     work->targets, err);
    if (rc) return rc;
    lag_model_logits(state, work, work->tokens, 1, m->n_tokens, side->logits, m->team);
    side->loss = lag_model_backward(state, work, work->tokens, work->targets, config->batch, config->context, 1, true,
                                    m->team);
    for (int i = 0; i <= spec->n_layer; i++)
        side->rms[i] = lag_work_stream_rms(work, i, config->batch * config->context);
    return 0;
}

static int look(const struct measuring *m, const struct lag_state *state, struct side *side, double *ret_share,
                struct lag_error *err) {
    LAG_CLEANUP(lag_work_destroy_p) struct lag_work *work = NULL;
    const struct lag_work_shape shape = {.batch = m->ask->config->batch, .context = m->ask->config->context,
                                         .n_members = lag_team_size(m->team), .precision = m->ask->precision,
                                         .recompute = m->ask->recompute};
    int rc = lag_work_create(&state->layout.spec, &shape, &work, err);
    if (rc == 0) rc = look_inside(m, state, work, side, err);
    if (rc || !ret_share) return rc;
    rc = lag_new_share(m->ask->recipe, &state->layout, lag_work_grads(work), ret_share);
    return rc ? lag_error_set(err, rc, "out of memory for a growth's measures") : 0;
}

/* Of the tokens that both know. */
static double logit_change(const struct measuring *m, const struct side *before, int n_before, const struct side *after,
                           int n_after) {
    double change = 0, largest = 0;
    for (int t = 0; t < m->n_tokens; t++)
        for (int v = 0; v < LAG_MIN(n_before, n_after); v++) {
            const double a = before->logits[(size_t)t * (size_t)n_before + (size_t)v];
            change = fmax(change, fabs(a - after->logits[(size_t)t * (size_t)n_after + (size_t)v]));
            largest = fmax(largest, fabs(a));
        }
    return largest > 0 ? change / largest : change;
}

static int compare(const struct lag_recipe *recipe, const struct side *before, const struct side *after,
                   struct lag_measure *ret) {
    int old = -1;
    ret->n_layers = recipe->n_layers;
    ret->rms_ratio = lag_calloc((size_t)recipe->n_layers, sizeof(*ret->rms_ratio));
    if (!ret->rms_ratio) return LAG_ENOMEM;
    for (int i = 0; i < recipe->n_layers; i++) {
        if (!recipe->layers[i].is_new) old = recipe->layers[i].source;
        const double was = before->rms[old + 1];
        ret->rms_ratio[i] = was > 0 ? after->rms[i + 1] / was : NAN;
    }
    return 0;
}

int lag_measure_growth(const struct lag_state *parent, const struct lag_measure_ask *ask,
                       const struct lag_dataset *dataset, struct lag_team *team, struct lag_measure *ret,
                       struct lag_error *err) {
    LAG_CLEANUP(lag_state_destroy_p) struct lag_state *made = NULL;
    const struct lag_state *grown = ask->grown;
    LAG_CLEANUP(side_deinit) struct side before = {0};
    LAG_CLEANUP(side_deinit) struct side after = {0};
    const struct measuring m = {ask, dataset, team, parent->step, LAG_MIN(LOGIT_TOKENS, ask->config->context)};
    struct lag_measure measure = {.connection_rate = lag_recipe_connection_rate(ask->recipe)};
    int rc = look(&m, parent, &before, NULL, err);
    if (rc == 0 && !grown) rc = lag_grow_by(parent, ask->others, ask->strategy, ask->recipe, &made, err);
    if (rc == 0 && made) grown = made;
    if (rc == 0) rc = look(&m, grown, &after, &measure.new_share, err);
    if (rc) return rc;
    if (compare(ask->recipe, &before, &after, &measure))
        return lag_error_set(err, LAG_ENOMEM, "out of memory for a growth's measures");
    measure.loss_before = before.loss;
    measure.loss_after = after.loss;
    measure.logit_change = logit_change(&m, &before, parent->layout.spec.vocab_size, &after,
                                        grown->layout.spec.vocab_size);
    *ret = measure;
    return 0;
}

bool lag_measure_preserved(const struct lag_measure *measure, enum lag_precision precision) {
    return measure->logit_change <= (precision == LAG_BF16 ? BF16_CHANGE : FP32_CHANGE);
}

void lag_measure_deinit(struct lag_measure *measure) {
    free(measure->rms_ratio);
    *measure = (struct lag_measure){0};
}
