/* The inside of a run, shared by the files of its thread (train/, growth/ and runs/run.c). Everything here belongs to
 * the run's own thread unless it says otherwise. */
#pragma once
#include "exec/progress_internal.h"
#include "plan/schedules_internal.h"
#include "process/deps_internal.h"
#include "train/record_internal.h"
#include "train/wishes_internal.h"

#include <lagd/daemon/run_config.h>
#include <lagd/engine/checkpoint.h>
#include <lagd/engine/health.h>
#include <lagd/engine/train.h>
#include <lagd/storage/rows.h>
struct lag_team;
struct lagd_next_stage;

/* What computes. */
struct lagd_trainer {
    struct lag_dataset *dataset;
    struct lag_step_config step;
    struct lag_state *state;
    struct lag_work *work;        /* NULL while it is laid down */
    struct lag_team *team;
    int n_members;
};
/* What is stored of the run, as this thread knows it. */
struct lagd_book {
    struct lag_run_row row;       /* as stored, but for what others write */
    struct lagd_run_config config;
    struct lagd_schedules schedules;
    bool has_growth;
    struct lag_growth_row growth; /* queued or under way, when has_growth */
    struct lagd_recorder recorder;
    struct lag_losses losses;     /* validations since its present shape */
    struct lag_checkpoint_meta origin; /* growth_text and parent_sha256 of the present shape */
    int64_t checkpoint_step;      /* of the newest checkpoint, -1 without one */
    bool has_final;               /* and it is of kind final */
};
/* How fast it goes. */
struct lagd_pace {
    int64_t report_due_ns, step_ended_ns;
    int n_steps;                  /* made by this thread */
    int64_t team_ns;              /* of the last step, by all threads together */
};

enum lagd_dataset_trouble {
    LAGD_DATASET_GOOD,
    LAGD_DATASET_AWAY,    /* what lies at its path is not what was registered; what was read was */
    LAGD_DATASET_CHANGED, /* what was read since the last checkpoint may have been something else */
};

struct lagd_run {
    struct lagd_deps *deps;
    char id[LAG_ROW_ID];
    void (*ended)(void *arg, const char *run_id); /* called by the thread as it ends */
    void *arg;
    pthread_t thread;
    struct lagd_wishes wishes;     /* thread: any */
    struct lagd_progress progress; /* readers: any */
    struct lagd_trainer trainer;
    struct lagd_book book;
    struct lagd_pace pace;
    bool evaluate_first;           /* at step 0, before the first update */
    bool is_open;                  /* its row tells where its state is */
    enum lagd_dataset_trouble dataset_trouble; /* as train/run_dataset.c found it */
    struct lagd_next_stage *next_stage; /* of its growth plan, as growth/next_stage.c knows it; or NULL */
    bool storage_fails;            /* it was waited for, and has not worked since */
};
