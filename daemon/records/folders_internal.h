/* Folders of the state directory that rows name. Thread: any. */
#pragma once
#include "process/deps_internal.h"

#define LAGD_STATE_PATH 2200 /* bytes of a path below the state directory */
/* relative: to the state directory. */
void lagd_state_path(const struct lagd_deps *deps, const char *relative, char ret[LAGD_STATE_PATH]);
/* Removes the folder of a row that has been deleted; failure is only logged: the next start finds what stays behind. */
void lagd_folder_remove(const struct lagd_deps *deps, const char *relative);
