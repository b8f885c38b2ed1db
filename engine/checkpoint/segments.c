/* Do segments divide every tensor? */
#include "checkpoint/manifest_internal.h"
#include <lagd/base/error.h>
#include <math.h>

static bool numbers_good(const struct lag_segment *s) {
    const double factors[] = {s->lr_factor, s->decay_factor, s->eps_factor};
    for (int i = 0; i < 3; i++)
        if (!isfinite(factors[i]) || factors[i] < 0) return false;
    const int64_t far = INT64_MAX / 4; /* of a fork's ramp: it began before the first step */
    if (s->mask_steps < 0 || s->mask_steps > far || s->mask_from < -far || s->mask_from > far) return false;
    return s->age >= 0 && s->rewarm_from >= 0 && s->rewarm_steps >= 0 && s->frozen_until >= 0;
}

static bool inside(const struct lag_tensor *t, const struct lag_segment *s) {
    return s->row_begin >= 0 && s->row_begin < s->row_end && s->row_end <= t->n_rows && s->col_begin >= 0 &&
           s->col_begin < s->col_end && s->col_end <= t->n_cols;
}

static bool in_order(const struct lag_segment *a, const struct lag_segment *b) {
    return a->row_begin != b->row_begin ? a->row_begin < b->row_begin : a->col_begin < b->col_begin;
}

/* Within one tensor and by row: those that begin below s's end may overlap it. */
static bool overlaps_a_later(const struct lag_segment *s, const struct lag_segment *end) {
    for (const struct lag_segment *o = s + 1; o < end && o->row_begin < s->row_end; o++)
        if (o->col_begin < s->col_end && s->col_begin < o->col_end) return true;
    return false;
}

/* Within one tensor and by row: a mask is of whole rows, and of what writes into the residual stream. */
static bool masks_good(const struct lag_tensor *t, const struct lag_segment *s, const struct lag_segment *end) {
    if (s->mask_steps > 0 && !t->row->writes_residual) return false;
    for (const struct lag_segment *o = s + 1; t->n_rows > 1 && o < end && o->row_begin < s->row_end; o++)
        if (o->mask_from != s->mask_from || o->mask_steps != s->mask_steps) return false;
    return true;
}

/* The n segments of one tensor: inside, in order, apart from each other, and together as large as the tensor. */
static const char *broken_rule(const struct lag_tensor *t, const struct lag_segment *segments, int n) {
    uint64_t area = 0;
    if (n == 0) return "it has no segment";
    if (n > LAG_MAX_SEGMENTS_PER_TENSOR) return "it has too many segments";
    for (int i = 0; i < n; i++) {
        const struct lag_segment *s = &segments[i];
        if (!inside(t, s)) return "a segment is empty or outside";
        if (!numbers_good(s)) return "a segment's age, factor, re-warm or freeze is out of range";
        if (i > 0 && !in_order(s - 1, s)) return "its segments are not in order";
        area += (uint64_t)(s->row_end - s->row_begin) * (uint64_t)(s->col_end - s->col_begin);
    }
    for (int i = 0; i < n; i++)
        if (overlaps_a_later(&segments[i], segments + n)) return "its segments overlap";
    for (int i = 0; i < n; i++)
        if (!masks_good(t, &segments[i], segments + n)) return "a mask where none can be, or of a part of a row";
    return area == (uint64_t)t->n_rows * (uint64_t)t->n_cols ? NULL : "its segments do not cover it";
}

int lag_segments_check(const struct lag_layout *layout, const struct lag_segment *segments, int n_segments, int code,
                       struct lag_error *err) {
    int at = 0;
    if (n_segments > LAG_MAX_SEGMENTS)
        return lag_error_set(err, code, "%d segments; at most %d can be kept", n_segments, LAG_MAX_SEGMENTS);
    for (int tensor = 0; tensor < layout->n_tensors; tensor++) {
        int end = at;
        while (end < n_segments && segments[end].tensor == tensor) end++;
        const char *rule = broken_rule(&layout->tensors[tensor], segments + at, end - at);
        if (rule) {
            char name[96];
            lag_tensor_name(&layout->tensors[tensor], name);
            return lag_error_set(err, code, "segments of %s: %s", name, rule);
        }
        at = end;
    }
    if (at != n_segments) return lag_error_set(err, code, "segments beyond the last tensor, or not ordered by tensor");
    return 0;
}
