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

void lag_state_fold_masks(struct lag_state *state) {
    for (int i = 0; i < state->n_segments; i++) {
        struct lag_segment *segment = &state->segments[i];
        if (lag_mask_factor(segment, state->step) < 1) continue;
        segment->mask_from = segment->mask_steps = 0;
    }
}
