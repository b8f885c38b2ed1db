/* The dataset of a run: its file, opened and compared with what was registered. Thread: any. */
#pragma once
#include "exec/progress_internal.h"
#include "process/deps_internal.h"

#include <lagd/base/stamp.h>
#include <lagd/storage/rows.h>
struct lag_dataset;

/* Reading a large file takes long. */
struct lagd_reading {
    struct lagd_deps *deps;
    const _Atomic bool *cancel;      /* obeyed where it takes longer than a moment; NULL: never */
    struct lagd_progress *progress;  /* gets signs of life; NULL: nobody looks */
};
bool lagd_dataset_is_quick(const struct lag_dataset_row *row); /* it takes a moment */
/* Opens the dataset of a row for reading and says what it trusts. The whole file is hashed unless it is large and has
 * the stamp of the row; a new stamp is stored. LAG_ECORRUPT: it is not what was registered. LAG_ECANCELED. */
int lagd_dataset_open_row(const struct lagd_reading *reading, const struct lag_dataset_row *row,
                          struct lag_dataset **ret, struct lag_error *err);
/* The descriptor of the file at the row's path. */
int lagd_dataset_open_path(const struct lagd_deps *deps, const struct lag_dataset_row *row, int *ret_fd,
                           struct lag_error *err);
/* Hashes the file behind fd. 0: it is what was registered, at this stamp; *ret_fresh as lag_stamp_is_fresh says of the
 * time when the hash was begun. LAG_ECORRUPT, LAG_ECANCELED. */
int lagd_dataset_verify(const struct lagd_reading *reading, const struct lag_dataset_row *row, int fd,
                        struct lag_stamp *ret_stamp, bool *ret_fresh, struct lag_error *err);
bool lagd_dataset_has_stamp(const struct lag_dataset_row *row, const struct lag_stamp *stamp); /* pure */
/* The dataset is trusted from now on, and the stamp is stored where it is no fresh one. */
void lagd_dataset_trust(const struct lagd_reading *reading, const struct lag_dataset_row *row,
                        struct lag_dataset *dataset, const struct lag_stamp *stamp, bool fresh);
