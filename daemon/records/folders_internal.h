/* Folders of the state directory that rows name. Thread: any. */
#pragma once
#include "process/deps_internal.h"

#include <lagd/storage/rows.h>

#define LAGD_STATE_PATH 2200 /* bytes of a path below the state directory */
/* relative: to the state directory. */
void lagd_state_path(const struct lagd_deps *deps, const char *relative, char ret[LAGD_STATE_PATH]);
/* The file of a dataset: below the state directory where its path is relative. */
void lagd_dataset_path(const struct lagd_deps *deps, const struct lag_dataset_row *row, char ret[LAGD_STATE_PATH]);
/* The folder of a model that was brought. */
void lagd_model_path(const struct lagd_deps *deps, const char *model_id, char ret[LAGD_STATE_PATH]);
void lagd_tokenizer_path(const struct lagd_deps *deps, const char *tokenizer_id, char ret[LAGD_STATE_PATH]);
#define LAGD_PROBE_STATE_PREFIX "probe-" /* of the folder's name, in the run's folder */
/* Where the state of a candidate's probe on its way lies, relative to the state directory. */
void lagd_probe_state_path(const char *run_id, const char *candidate_id, char ret[LAG_ROW_PATH]);
/* Around the deletion of a checkpoint's row, so that a start does not take the folder in again: mark before the commit,
 * unmark when nothing was deleted. A folder that is missing stays so, and a mark that cannot be made (a full disk) must
 * not keep from deleting. */
void lagd_folder_mark(const struct lagd_deps *deps, const char *relative);
void lagd_folder_unmark(const struct lagd_deps *deps, const char *relative);
/* Removes the folder of a row that has been deleted, what makes it a checkpoint first and its mark last; failure is
 * only logged: the next start finds what stays behind. */
void lagd_folder_remove(const struct lagd_deps *deps, const char *relative);
