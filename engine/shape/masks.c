/* Masks of new parts: their ramp is a function of a segment's record and the step alone. */
#include <lagd/engine/state.h>

double lag_mask_factor(const struct lag_segment *segment, int64_t step) {
    if (segment->mask_steps <= 0 || step - segment->mask_from >= segment->mask_steps) return 1;
    return step <= segment->mask_from ? 0 : (double)(step - segment->mask_from) / (double)segment->mask_steps;
}

bool lag_state_is_masked(const struct lag_state *state) {
    for (int i = 0; i < state->n_segments; i++)
        if (lag_mask_factor(&state->segments[i], state->step) < 1) return true;
    return false;
}

int64_t lag_masked_until(const struct lag_segment *segments, int n, int64_t step) {
    int64_t until = 0;
    for (int i = 0; i < n; i++) {
        const int64_t end = segments[i].mask_from + segments[i].mask_steps;
        if (lag_mask_factor(&segments[i], step) < 1 && end > until) until = end;
    }
    return until;
}

int64_t lag_state_masked_until(const struct lag_state *state) {
    return lag_masked_until(state->segments, state->n_segments, state->step);
}

void lag_state_fold_masks(struct lag_state *state) {
    for (int i = 0; i < state->n_segments; i++) {
        struct lag_segment *segment = &state->segments[i];
        if (lag_mask_factor(segment, state->step) < 1) continue;
        segment->mask_from = segment->mask_steps = 0;
    }
}
