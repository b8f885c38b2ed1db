/* Folders of the state directory that rows name. Thread: any. */
#pragma once
#include "process/deps_internal.h"

#include <lagd/storage/rows.h>

#define LAGD_STATE_PATH 2200 /* bytes of a path below the state directory */
/* relative: to the state directory. */
void lagd_state_path(const struct lagd_deps *deps, const char *relative, char ret[LAGD_STATE_PATH]);
/* The file of a dataset: below the state directory where its path is relative. */
void lagd_dataset_path(const struct lagd_deps *deps, const struct lag_dataset_row *row, char ret[LAGD_STATE_PATH]);
#define LAGD_PROBE_STATE_PREFIX "probe-" /* of the folder's name, in the run's folder */
/* Where the state of a candidate's probe on its way lies, relative to the state directory. */
void lagd_probe_state_path(const char *run_id, const char *candidate_id, char ret[LAG_ROW_PATH]);
/* Removes the folder of a row that has been deleted; failure is only logged: the next start finds what stays behind. */
void lagd_folder_remove(const struct lagd_deps *deps, const char *relative);
