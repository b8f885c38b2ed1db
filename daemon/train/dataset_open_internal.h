/* The dataset of a run. Thread: any. */
#pragma once
#include "process/deps_internal.h"

#include <lagd/base/error.h>
#include <lagd/storage/rows.h>
struct lag_dataset;

/* Opens the dataset of a row for reading, checking that the file is still what was registered. */
int lagd_dataset_open_row(const struct lagd_deps *deps, const struct lag_dataset_row *row, struct lag_dataset **ret,
                          struct lag_error *err);
