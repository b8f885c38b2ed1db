/* A run's validation since its growth, a point at a time: how high the loss rose, and when it was back. Pure. */
#pragma once
#include <lagd/daemon/effect.h>

struct lagd_trace {
    struct lagd_effect *effect; /* gets loss_change, spike, spike_steps, recovery_steps */
    int64_t start, last;        /* step of the parent; of the point seen last */
    double parent, highest;     /* its loss; the rise so far */
    int n;
    bool ended;                 /* nothing more will change */
};
void lagd_trace_begin(struct lagd_trace *trace, int64_t start, double parent, struct lagd_effect *effect);
void lagd_trace_see(struct lagd_trace *trace, int64_t step, double loss); /* in the order of steps; NaN tells nothing */
void lagd_trace_end(struct lagd_trace *trace);
