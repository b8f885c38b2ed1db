/* Gates and masks laid into the weights that they scale, so that a model without either says the same: a branch adds
 * g (mask ⊙ a) W + g mask ⊙ b to the residual stream, which is a W' + b' with W' = g mask ⊙ W and b' = g mask ⊙ b. */
#pragma once
#include "checkpoint/manifest_internal.h"
#include "format/recode_internal.h"

struct lag_fold {
    const struct lag_manifest *manifest; /* borrowed */
    double *gates;     /* of each tensor of the layout: its branch's, 1 where it has none */
    int *tensors;      /* of each entry that goes out: the layout's tensor that is scaled, -1: it is not */
};
/* Whether there is anything to fold. */
bool lag_fold_is_needed(const struct lag_manifest *manifest);
/* As begin and adjust of a struct lag_recode_edit. LAG_ECORRUPT: the file has not the manifest's tensors. */
int lag_fold_begin(void *fold, struct lag_st_file *file, struct lag_error *err);
void lag_fold_adjust(const void *fold, size_t entry, uint64_t at, size_t n, float *values);
/* n elements from at on of a tensor of the manifest's layout, row by row. After begin. */
void lag_fold_scale(const struct lag_fold *fold, int tensor, uint64_t at, size_t n, float *values);
void lag_fold_deinit(struct lag_fold *fold);
