/* How a run's validation losses stand, in the order of their steps since its shape came about: growth begins anew, so
 * that a spike after it is no alarm.
 *
 * Validation takes the same batches each time, so its losses are without the noise of batches and seeds that training
 * losses have, and one bad batch moves none of them. What is judged is the distance to the lowest of them, in nats,
 * which is the logarithm of a ratio of perplexities:
 *   diverged    two in a row lie 0.5 above it (a perplexity 1.65 times as high). A spike that passes before the next
 *               validation is none: the published ones (PaLM, arXiv 2204.02311, section 5.1) go back within some
 *               hundreds of steps, or do not.
 *   above_best  the last lies 0.1 above it (1.1 times). Without divergence that is a model that has learned its texts
 *               by heart, or a rate that was raised again.
 *   good        else.
 * A loss that is not finite counts as infinitely high. Pure. */
#pragma once

enum lag_health { LAG_HEALTH_UNKNOWN, LAG_HEALTH_GOOD, LAG_HEALTH_ABOVE_BEST, LAG_HEALTH_DIVERGED, LAG_N_HEALTHS };
#define LAG_DIVERGED_NATS 0.5
#define LAG_ABOVE_BEST_NATS 0.1
/* All zero: none yet. */
struct lag_losses {
    int n;
    double best, before, last; /* the lowest of all; the last two */
};
void lag_losses_add(struct lag_losses *losses, double loss);
enum lag_health lag_losses_judge(const struct lag_losses *losses);
const char *lag_health_name(enum lag_health health); /* "", good, above_best, diverged */
