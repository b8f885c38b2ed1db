/* What a person asks for when a run is to go on beyond its last step, and what that would be. Thread: any. */
#pragma once
#include <lagd/daemon/run_config.h>
struct lag_db;

struct lagd_extension_request {
    struct lagd_run_config config; /* first; max_steps, and of the others only the given fields count */
    uint32_t given;                /* bit i: row i of lagd_extension_fields */
    char from[16];                 /* end, before_decay */
    char after[16];                /* stable, rewarm, minimum: what the schedule is from there on */
};
/* Rows of the JSON body; those of the configuration are read into config. */
extern const struct lag_fields lagd_extension_fields;

#define LAGD_EXTENSION_POINTS 33
struct lagd_extension {
    struct lag_run_row run;       /* as it will be */
    int64_t revision;             /* of the row that this was planned for */
    struct lag_checkpoint_row back_to; /* where it goes back to; id "" = it goes on from where it stands */
    int64_t from_step, n_dropped_steps; /* the latter are given up */
    double lr_before, lr_after;   /* of the last update made, NaN before the first; of the next one */
    struct lagd_extension_point { int64_t step; double lr; } points[LAGD_EXTENSION_POINTS]; /* up to the end */
    int64_t n_points;
    char note[400];               /* what becomes of the learning rate, in a sentence */
};
/* Reads rows, and the manifest of a checkpoint below state_dir. Errors carry pointers ("/max_steps", "/from",
 * "/schedule/after"); LAG_ESTATE: in this state it cannot be extended, or no checkpoint from before the decay is left.
 * Thread: owner of db. */
int lagd_extension_plan(struct lag_db *db, const char *state_dir, const struct lagd_extension_request *request,
                        const char *run, struct lagd_extension *ret, struct lag_error *err);
/* The extension that a growth asks for (extend/max_steps), which its errors point to. *ret_asked false: none, and *ret
 * holds the run's row as it is. */
struct lagd_growth_request;
int lagd_extension_for_growth(struct lag_db *db, const char *state_dir, const struct lagd_growth_request *request,
                              const char *run, bool *ret_asked, struct lagd_extension *ret, struct lag_error *err);
/* The same for a PATCH of a paused run's schedule/max_steps; asked: for other steps than it has. */
int lagd_extension_for_patch(struct lag_db *db, const char *state_dir, int64_t max_steps, const char *run,
                             bool *ret_asked, struct lagd_extension *ret, struct lag_error *err);
