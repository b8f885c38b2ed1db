/* Compute slots: how many threads may compute at once, over all runs and candidates. Taken before a step, given back
 * after it, so that several take turns at step boundaries; first come, first served. */
#pragma once
#include <lagd/base/error.h>
#include <stdatomic.h>
#include <stdbool.h>
struct lagd_slots;

int lagd_slots_create(int budget, struct lagd_slots **ret, struct lag_error *err);
void lagd_slots_destroy(struct lagd_slots *slots);
/* Waits for its turn and takes between 1 and want slots: all free ones when nobody else claims, else its fair share.
 * LAG_ECANCELED when *cancel becomes true (poke with lagd_slots_wake). Thread: any. */
int lagd_slots_acquire(struct lagd_slots *slots, int want, const _Atomic bool *cancel, int *ret_n);
void lagd_slots_release(struct lagd_slots *slots, int n);
void lagd_slots_wake(struct lagd_slots *slots);
int lagd_slots_used(struct lagd_slots *slots);
