/* What allocators would have done with a study's candidates. */
#pragma once
#include <lagd/daemon/study_report.h>
struct lag_db;
struct lag_error;

/* Fills result->allocators and result->said from the curves that it owns: the first so many of owned, one a seed. No
 * allocator where the horizon is too short for a rung. Thread: owner of db. */
int lagd_study_replay(struct lag_db *db, struct lagd_study_result *result, struct lag_error *err);
void lagd_study_replay_deinit(struct lagd_study_result *result);
