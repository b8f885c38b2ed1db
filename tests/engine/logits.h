/* The logits of small models on one batch, and how far a growth changes them. Float and double builds. */
#pragma once
#include "gradcheck.h"

enum { BATCH = 2, CONTEXT = 7, VOCAB = 11, N_LOGITS = BATCH * CONTEXT * VOCAB };
static const bool is_double = sizeof(lag_real) == sizeof(double);

static inline void logits(const struct lag_state *state, lag_real ret[N_LOGITS]) {
    int32_t tokens[BATCH * CONTEXT], targets[BATCH * CONTEXT];
    struct lag_work *work = test_work(&state->layout.spec, BATCH, CONTEXT, 1);
    test_batch(BATCH * CONTEXT, VOCAB, 9, tokens, targets);
    lag_model_logits(state, work, tokens, BATCH, CONTEXT, ret, NULL);
    lag_work_destroy(work);
}

/* The largest change; of single precision as a share of the largest logit, where that is above 1. */
static inline double logit_change(const struct lag_state *parent, const struct lag_state *grown) {
    lag_real before[N_LOGITS], after[N_LOGITS];
    double change = 0, largest = 0;
    logits(parent, before);
    logits(grown, after);
    for (int i = 0; i < N_LOGITS; i++) {
        change = fmax(change, fabs((double)after[i] - (double)before[i]));
        largest = fmax(largest, fabs((double)before[i]));
    }
    return is_double ? change : change / fmax(largest, 1);
}
