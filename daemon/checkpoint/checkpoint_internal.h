/* More about checkpoints than run_internal.h tells the supervisor. */
#pragma once
#include "runs/run_internal.h"
#include <lagd/engine/checkpoint.h>

/* As lagd_checkpoint_load_latest and lagd_checkpoint_load, with what the manifest says. */
int lagd_checkpoint_latest_with(struct lagd_deps *deps, const char *run_id, struct lag_state **ret,
                                struct lag_checkpoint_row *ret_row, struct lag_checkpoint_meta *ret_meta,
                                struct lag_error *err);
int lagd_checkpoint_with(struct lagd_deps *deps, const char *checkpoint_id, struct lag_state **ret,
                         struct lag_checkpoint_row *ret_row, struct lag_checkpoint_meta *ret_meta,
                         struct lag_error *err);
/* Hash of the weights' file of a checkpoint; "" when it is not known. */
void lagd_checkpoint_model_sha256(const struct lagd_deps *deps, const char *checkpoint_id, char ret[LAG_SHA256_HEX]);
/* Removes the folder of a row that has been deleted. relative: to the state directory. */
void lagd_checkpoint_remove_folder(const struct lagd_deps *deps, const char *relative);
