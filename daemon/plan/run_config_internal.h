/* From a run's configuration to what the engine takes. */
#pragma once
#include <lagd/daemon/run_config.h>
#include <lagd/engine/spec.h>
#include <lagd/engine/train.h>

/* resolved: no zero left that means "derive". Pure. */
void lagd_run_spec(const struct lagd_run_config *resolved, struct lag_spec *ret);
/* lr_scale: the row's, 1 until a rollback. Pure. */
void lagd_run_step_config(const struct lagd_run_config *resolved, double lr_scale, struct lag_step_config *ret);
enum lag_precision lagd_run_precision(const struct lagd_run_config *config);
/* What n_threads threads work in. Pure. */
struct lag_work_shape lagd_run_work_shape(const struct lagd_run_config *resolved, int n_threads);
/* --- what is known of any machine, before a run has shown it --- */
/* Stacks, file buffers and the loss bookkeeping of a run's thread, with a growth also of its probes. */
#define LAGD_OVERHEAD_BYTES (8u << 20)
/* Share of the measured matrix rate that whole steps reach: attention, norms and the optimiser are no matrix products.
 */
#define LAGD_STEP_EFFICIENCY 0.7
/* A step that computes activations again, in steps that keep them: most of a forward pass more, which no count of a
 * model's FLOPs contains. */
#define LAGD_RECOMPUTE_TIME 1.2
/* What a stored run is now: its shape and its batches from the row, the rest from its configuration. ret_config may be
 * NULL. */
int lagd_run_spec_of_row(const struct lag_run_row *row, struct lagd_run_config *ret_config, struct lag_spec *ret,
                         struct lag_error *err);
