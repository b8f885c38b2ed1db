/* What a run begins from, where it does not begin from random weights: a model that was brought, or a checkpoint. Its
 * shape is the model's; it begins at step 0, whatever the checkpoint's step is. Thread: stated per function. */
#pragma once
#include <lagd/daemon/run_config.h>
struct lag_db;
struct lag_error;

struct lagd_run_from {
    char model[LAG_ROW_NAME];      /* id or name; "" with a checkpoint */
    char checkpoint[LAG_ROW_ID];   /* id; "" with a model */
    bool moments;                  /* of the checkpoint's optimiser: kept, else 0 */
    uint32_t given;                /* bit i: the request names axis i of the shape (lagd_axis_name) itself */
};
extern const struct lag_fields lagd_run_from_fields; /* paths within "from" */

/* Rows as they were when the run was planned; id "": there is none. */
struct lagd_run_source {
    struct lag_model_row model;           /* also where the checkpoint's run began from it */
    struct lag_checkpoint_row checkpoint;
    struct lag_run_row run;               /* the checkpoint's */
};

/* Finds the dataset and what the run begins from (from may be NULL: random weights), gives config its shape, resolves
 * it and looks whether the dataset's tokens are the model's. Errors carry pointers ("/dataset", "/from/model",
 * "/model/n_layer"). Thread: owner of db. */
int lagd_run_prepare(struct lag_db *db, const struct lagd_run_from *from, struct lagd_run_config *config,
                     struct lag_dataset_row *ret_dataset, struct lagd_run_source *ret, struct lag_error *err);
