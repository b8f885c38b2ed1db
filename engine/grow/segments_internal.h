/* Segments of a grown state, tensor by tensor. */
#pragma once
#include "grow/widen_internal.h"
#include <lagd/engine/state.h>

struct lag_segments {
    struct lag_segment *segment;
    int n, capacity;
};
int lag_segment_add(struct lag_segments *list, const struct lag_segment *segment);

/* How a tensor is divided: by the segments of the parent's tensors that it and its copies of columns come from, and by
 * what is new. settle says what the growth's rules make of a segment: fresh has no source, is_new is no unit of old. */
struct lag_cutting {
    const struct lag_width *width;
    double gain;  /* factor of the tensor's weights beside those of its units */
    bool is_masked; /* it writes to the stream: what it comes from may be masked */
    int64_t step; /* of the growth: what another parent counts from its own step is counted from here */
    /* What units come from, by their origin. */
    struct lag_source {
        const struct lag_state *state;
        const int *first; /* segment of each of its tensors; n_tensors + 1 */
        int tensor;
    } sources[LAG_PARENTS];
    const struct lag_units *rows, *cols;
    void (*settle)(const void *settles, struct lag_segment *segment, bool fresh, bool is_new);
    const void *settles;
};
int lag_segments_cut(const struct lag_cutting *cutting, int tensor, struct lag_segments *list);
