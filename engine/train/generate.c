/* Sampling: the window of the last n_positions tokens goes through the model for every new token. */
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/team.h>
#include <lagd/engine/backend.h>
#include <lagd/engine/rng.h>
#include <lagd/engine/train.h>

#include <math.h>
#include <string.h>

static int check(const struct lag_spec *spec, const int32_t *prompt, int n_prompt,
                 const struct lag_sample_config *config, struct lag_error *err) {
    if (n_prompt < 1) return lag_error_at(err, LAG_EINVAL, "/prompt", "the prompt is empty; give at least one token");
    for (int i = 0; i < n_prompt; i++)
        if (prompt[i] < 0 || prompt[i] >= spec->vocab_size)
            return lag_error_at(err, LAG_EINVAL, "/prompt", "prompt token %d is outside the vocabulary of %d",
                                prompt[i], spec->vocab_size);
    if (config->n_tokens < 1 || config->n_tokens > LAG_SAMPLE_TOKENS_MAX)
        return lag_error_at(err, LAG_EINVAL, "/n_tokens", "n_tokens must be between 1 and %d", LAG_SAMPLE_TOKENS_MAX);
    if (!(config->temperature >= 0 && config->temperature <= LAG_SAMPLE_TEMPERATURE_MAX))
        return lag_error_at(err, LAG_EINVAL, "/temperature", "temperature must be between 0 and %d",
                            LAG_SAMPLE_TEMPERATURE_MAX);
    if (config->top_k < 0) return lag_error_at(err, LAG_EINVAL, "/top_k", "top_k must be 0 (all) or more");
    return 0;
}

static int argmax(const lag_real *x, int n) {
    int best = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

/* The k-th largest logit, by removing the largest ones from scratch; equal ones all stay in. */
static lag_real threshold(const lag_real *logits, int n, int k, lag_real *scratch) {
    lag_real top = -INFINITY;
    memcpy(scratch, logits, (size_t)n * sizeof(*scratch));
    for (int i = 0; i < k; i++) {
        const int best = argmax(scratch, n);
        top = scratch[best];
        scratch[best] = -INFINITY;
    }
    return top;
}

static int sample(const lag_real *logits, int n, const struct lag_sample_config *config, uint64_t index,
                  lag_real *scratch) {
    const int best = argmax(logits, n);
    if (config->temperature == 0) return best;
    const lag_real low = config->top_k > 0 && config->top_k < n ? threshold(logits, n, config->top_k, scratch)
                                                                : -INFINITY;
    double sum = 0;
    for (int i = 0; i < n; i++) {
        const double p = logits[i] >= low ? exp((double)(logits[i] - logits[best]) / config->temperature) : 0;
        scratch[i] = (lag_real)p;
        sum += (double)scratch[i];
    }
    double left = lag_rng_uniform(config->seed, LAG_RNG_SAMPLE, 0, index) * sum;
    for (int i = 0; i < n; i++) {
        left -= (double)scratch[i];
        if (left < 0) return i;
    }
    return best; /* rounding used all of the sum up */
}

int lag_generate(const struct lag_state *state, const int32_t *prompt, int n_prompt,
                 const struct lag_sample_config *config, int32_t *ret_tokens, const volatile bool *cancel,
                 struct lag_team *team, struct lag_error *err) {
    const struct lag_spec *spec = &state->layout.spec;
    int rc = check(spec, prompt, n_prompt, config, err);
    if (rc) return rc;
    const int window = spec->n_positions, kept = LAG_MIN(n_prompt, window);
    LAG_CLEANUP(lag_free_p) int32_t *tokens = lag_calloc((size_t)kept + (size_t)config->n_tokens, sizeof(*tokens));
    LAG_CLEANUP(lag_free_p) lag_real *logits = lag_calloc(2 * (size_t)spec->vocab_size, sizeof(*logits));
    LAG_CLEANUP(lag_work_destroy_p) struct lag_work *work = NULL;
    if (!tokens || !logits) return lag_error_set(err, LAG_ENOMEM, "no memory to generate text");
    const struct lag_work_shape shape = {
        .batch = 1, .context = LAG_MIN(window, kept + config->n_tokens), .n_members = lag_team_size(team),
        .backend = config->backend};
    rc = lag_work_create(spec, &shape, &work, err);
    if (rc) return rc;
    memcpy(tokens, prompt + (n_prompt - kept), (size_t)kept * sizeof(*tokens));
    for (int i = 0; i < config->n_tokens; i++) {
        if (cancel && *cancel) return lag_error_set(err, LAG_ECANCELED, "generation was cancelled");
        const int n = kept + i, used = LAG_MIN(n, window);
        work->backend->next_logits(state, work, tokens + (n - used), used, logits, team);
        const int best = argmax(logits, spec->vocab_size);
        if (!isfinite(logits[best]))
            return lag_error_set(err, LAG_ENONFINITE, "the model's outputs are not finite; use an earlier checkpoint");
        tokens[n] = sample(logits, spec->vocab_size, config, (uint64_t)i, logits + spec->vocab_size);
    }
    memcpy(ret_tokens, tokens + kept, (size_t)config->n_tokens * sizeof(*tokens));
    return 0;
}
