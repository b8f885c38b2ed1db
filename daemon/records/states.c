/* The life cycles of runs, growths, candidates, datasets, studies, stages, models and
 * tokenizers as tables. Read each as: in this
 * state, this event leads there. */
#include <lagd/daemon/states.h>

#include <lagd/base/check.h>
#include <string.h>

#define TERMINAL true, false
#define LIVE false, true
#define WAITING false, false

/* --- runs --------------------------------------------------------------------------------------------------------- */

static const struct lagd_state run_states[LAGD_N_RUN_STATES] = {
    /* No thread. The step is that of the newest checkpoint, or 0. growth_id may name a growth in any state but an
     * end; others may wait behind it, all queued. */
    [LAGD_RUN_QUEUED] = {"queued", WAITING, "pause,cancel,grow,fork",
                         "waits for a place, memory, or the daemon's next look"},
    /* A thread trains; the row's step lags behind it. Newer points and checkpoints than the row tells may be on
     * disk. */
    [LAGD_RUN_RUNNING] = {"running", LIVE, "pause,cancel,checkpoint,grow,fork", "trains"},
    /* No thread. The row tells where the run stands; a checkpoint of that step is on disk unless the disk refused it,
     * or the run met what it cannot go on with, which its reason tells. Its growth, if it has one, stays where it was:
     * also in the middle of its probes. With waits in its row it lacks what may come back, and is tried again. */
    [LAGD_RUN_PAUSED] = {"paused", WAITING, "resume,cancel,grow,fork,extend,delete",
                         "stopped by a person, or for the reason that it tells; resume goes on"},
    /* A thread works on the growth that growth_id names. That has begun, and its parent's checkpoint is on disk: the
     * run stands at its step until the growth has ended. */
    [LAGD_RUN_GROWING] = {"growing", LIVE, "pause,cancel,grow,fork",
                          "a growth is under way: its candidates are probed, it waits for your decision, "
                          "or the winner is applied"},
    /* No thread, and no daemon: the next one queues it again before it serves anyone. */
    [LAGD_RUN_INTERRUPTED] = {"interrupted", WAITING, "fork",
                              "the daemon stopped or crashed; it goes on after the restart"},
    /* At max_steps, and a checkpoint of that step is on disk. No growth waits, as in all three ends. A person may
     * leave it to a later last step. */
    [LAGD_RUN_COMPLETED] = {"completed", TERMINAL, "fork,extend,delete", "reached max_steps"},
    /* The row tells the last step; the newest checkpoint may be older. */
    [LAGD_RUN_CANCELLED] = {"cancelled", TERMINAL, "fork,delete", "ended by a person"},
    /* As cancelled. The row's reason says why: its own numbers, and nothing outside. A person may leave it, too:
     * from the newest good checkpoint. */
    [LAGD_RUN_FAILED] = {"failed", TERMINAL, "resume,fork,delete",
                         "its numbers cannot go on, the reason says why; resume goes on from the newest checkpoint"},
};

static const char *const run_events[LAGD_N_RUN_EVENTS] = {
    [LAGD_RUN_ON_CREATED] = "created",                       /* commands/cmd_runs.c */
    [LAGD_RUN_ON_CREATED_PAUSED] = "created paused",         /* commands/cmd_runs.c: the request says so */
    [LAGD_RUN_ON_STARTED] = "started",                       /* train/run_open.c: its state is loaded */
    [LAGD_RUN_ON_STARTED_GROWING] = "started in its growth", /* train/run_open.c: at the step of a growth */
    [LAGD_RUN_ON_GROWTH_BEGUN] = "growth begun", /* growth/growth_round.c: its parent is kept, now or before */
    [LAGD_RUN_ON_GROWTH_ENDED] = "growth ended", /* growth/ and runs/run.c: with a winner or without */
    [LAGD_RUN_ON_PAUSE] = "pause asked",         /* commands/cmd_runs.c without a thread, else runs/run.c */
    [LAGD_RUN_ON_HINDERED] = "hindered", /* runs/ and supervisor/recovery.c: a person has to mend what it met */
    [LAGD_RUN_ON_SHORT] = "short",       /* runs/: it lacks what may come back by itself, as memory */
    [LAGD_RUN_ON_RESUME] = "resume asked",       /* commands/cmd_runs.c */
    [LAGD_RUN_ON_RETRIED] = "tried again",       /* runs/retry.c: after it was short */
    [LAGD_RUN_ON_COMPLETED] = "completed",       /* runs/run.c: the last step is made and kept */
    [LAGD_RUN_ON_CANCEL] = "cancel asked",       /* commands/cmd_runs.c without a thread, else runs/run.c */
    [LAGD_RUN_ON_STOPPED] = "daemon stopped",    /* runs/run.c: the thread ends in good order */
    [LAGD_RUN_ON_CRASHED] = "daemon crashed",    /* supervisor/recovery.c: the row says that a thread works on it */
    [LAGD_RUN_ON_RESTARTED] = "daemon restarted",   /* supervisor/recovery.c */
    [LAGD_RUN_ON_LEFT_PAUSED] = "left paused",      /* supervisor/recovery.c: after a crash, as on_crash asks */
    [LAGD_RUN_ON_EXTENDED] = "extended",            /* commands/cmd_extend.c: it has steps to go again */
    [LAGD_RUN_ON_FAILED] = "failed",                /* runs/run.c: its own numbers cannot go on */
};

static const struct lagd_transition run_transitions[] = {
    {LAGD_NOWHERE, LAGD_RUN_ON_CREATED, LAGD_RUN_QUEUED},
    {LAGD_NOWHERE, LAGD_RUN_ON_CREATED_PAUSED, LAGD_RUN_PAUSED},

    {LAGD_RUN_QUEUED, LAGD_RUN_ON_STARTED, LAGD_RUN_RUNNING},
    {LAGD_RUN_QUEUED, LAGD_RUN_ON_STARTED_GROWING, LAGD_RUN_GROWING},
    {LAGD_RUN_QUEUED, LAGD_RUN_ON_PAUSE, LAGD_RUN_PAUSED},
    {LAGD_RUN_QUEUED, LAGD_RUN_ON_HINDERED, LAGD_RUN_PAUSED},
    {LAGD_RUN_QUEUED, LAGD_RUN_ON_SHORT, LAGD_RUN_PAUSED},
    {LAGD_RUN_QUEUED, LAGD_RUN_ON_CANCEL, LAGD_RUN_CANCELLED},

    {LAGD_RUN_RUNNING, LAGD_RUN_ON_GROWTH_BEGUN, LAGD_RUN_GROWING},
    {LAGD_RUN_RUNNING, LAGD_RUN_ON_GROWTH_ENDED, LAGD_RUN_RUNNING}, /* before it began */
    {LAGD_RUN_RUNNING, LAGD_RUN_ON_PAUSE, LAGD_RUN_PAUSED},
    {LAGD_RUN_RUNNING, LAGD_RUN_ON_HINDERED, LAGD_RUN_PAUSED},
    {LAGD_RUN_RUNNING, LAGD_RUN_ON_SHORT, LAGD_RUN_PAUSED},
    {LAGD_RUN_RUNNING, LAGD_RUN_ON_COMPLETED, LAGD_RUN_COMPLETED},
    {LAGD_RUN_RUNNING, LAGD_RUN_ON_CANCEL, LAGD_RUN_CANCELLED},
    {LAGD_RUN_RUNNING, LAGD_RUN_ON_STOPPED, LAGD_RUN_INTERRUPTED},
    {LAGD_RUN_RUNNING, LAGD_RUN_ON_CRASHED, LAGD_RUN_INTERRUPTED},
    {LAGD_RUN_RUNNING, LAGD_RUN_ON_FAILED, LAGD_RUN_FAILED},

    {LAGD_RUN_GROWING, LAGD_RUN_ON_GROWTH_BEGUN, LAGD_RUN_GROWING}, /* it goes on after a restart */
    {LAGD_RUN_GROWING, LAGD_RUN_ON_GROWTH_ENDED, LAGD_RUN_RUNNING},
    {LAGD_RUN_GROWING, LAGD_RUN_ON_PAUSE, LAGD_RUN_PAUSED}, /* its growth waits where it is */
    {LAGD_RUN_GROWING, LAGD_RUN_ON_HINDERED, LAGD_RUN_PAUSED},
    {LAGD_RUN_GROWING, LAGD_RUN_ON_SHORT, LAGD_RUN_PAUSED},
    {LAGD_RUN_GROWING, LAGD_RUN_ON_CANCEL, LAGD_RUN_CANCELLED},
    {LAGD_RUN_GROWING, LAGD_RUN_ON_STOPPED, LAGD_RUN_INTERRUPTED},
    {LAGD_RUN_GROWING, LAGD_RUN_ON_CRASHED, LAGD_RUN_INTERRUPTED},

    {LAGD_RUN_PAUSED, LAGD_RUN_ON_RESUME, LAGD_RUN_QUEUED},
    {LAGD_RUN_PAUSED, LAGD_RUN_ON_RETRIED, LAGD_RUN_QUEUED},
    {LAGD_RUN_PAUSED, LAGD_RUN_ON_EXTENDED, LAGD_RUN_QUEUED},
    {LAGD_RUN_PAUSED, LAGD_RUN_ON_CANCEL, LAGD_RUN_CANCELLED},

    {LAGD_RUN_INTERRUPTED, LAGD_RUN_ON_RESTARTED, LAGD_RUN_QUEUED},
    {LAGD_RUN_INTERRUPTED, LAGD_RUN_ON_LEFT_PAUSED, LAGD_RUN_PAUSED},
    {LAGD_RUN_INTERRUPTED, LAGD_RUN_ON_HINDERED, LAGD_RUN_PAUSED}, /* its configuration cannot be read */

    {LAGD_RUN_COMPLETED, LAGD_RUN_ON_EXTENDED, LAGD_RUN_QUEUED},

    {LAGD_RUN_FAILED, LAGD_RUN_ON_RESUME, LAGD_RUN_QUEUED},
};

/* --- growths ------------------------------------------------------------------------------------------------------ */

static const struct lagd_state growth_states[LAGD_N_GROWTH_STATES] = {
    /* Its candidates' rows are there, all queued, for the parent that those before it lead to. It has none yet:
     * start_step is -1. The run names it once it is its turn. */
    [LAGD_GROWTH_QUEUED] = {"queued", WAITING, "cancel",
                            "waits for its step, for those before it, or for the run to be resumed"},
    /* The parent's checkpoint is on disk, start_step, n_batches and eval_sequences are fixed. parent_loss may be NaN.
     * Each candidate may be in any state; losses of those that have not ended are written again with equal values. */
    [LAGD_GROWTH_PROBING] = {"probing", LIVE, "cancel", "candidates train for the lag"},
    /* All candidates have ended, and the decision row proposes one. States of completed ones are on disk as far as
     * there was room. */
    [LAGD_GROWTH_AWAITING] = {"awaiting_approval", LIVE, "approve,reject,cancel",
                              "ranked; a person has to approve, override or reject"},
    /* The decision row names the winner, which has completed. Its state may be in memory or on disk, or is built again
     * from the parent. A growth that was applied and lost comes back to here. */
    [LAGD_GROWTH_DECIDED] = {"decided", LIVE, "", "the winner is known and stored, and is about to be applied"},
    /* As decided: nothing of the run has changed yet. */
    [LAGD_GROWTH_APPLYING] = {"applying", LIVE, "", "the winner's state becomes the run's"},
    /* The run has the winner's shape and history, and a checkpoint of kind growth is on disk. The run's growth_id names
     * it no more, as in all four ends. This end can be undone: by the loss of every checkpoint from there on. */
    [LAGD_GROWTH_APPLIED] = {"applied", TERMINAL, "audit", "the run goes on as the winner"},
    /* In these three the run is as it was. Candidates that had not ended are cancelled (by the run's thread, a moment
     * later, where it has one), and their checkpoints are given up. */
    [LAGD_GROWTH_REJECTED] = {"rejected", TERMINAL, "", "a person declined; the run goes on as it was"},
    [LAGD_GROWTH_CANCELLED] = {"cancelled", TERMINAL, "", "withdrawn; the run goes on as it was"},
    [LAGD_GROWTH_FAILED] = {"failed", TERMINAL, "", "no candidate could win; the run goes on as it was"},
};

static const char *const growth_events[LAGD_N_GROWTH_EVENTS] = {
    [LAGD_GROWTH_ON_CREATED] = "created",      /* commands/cmd_growths.c */
    [LAGD_GROWTH_ON_BEGUN] = "begun",          /* growth/growth_round.c: its step has come, the parent is kept */
    [LAGD_GROWTH_ON_DECIDED] = "decided",      /* growth/growth_decide.c: all probes ended, mode auto */
    [LAGD_GROWTH_ON_RANKED] = "ranked",        /* growth/growth_decide.c: all probes ended, mode manual */
    [LAGD_GROWTH_ON_APPROVED] = "approved",    /* commands/cmd_growths.c */
    [LAGD_GROWTH_ON_REJECTED] = "rejected",    /* commands/cmd_growths.c */
    [LAGD_GROWTH_ON_APPLYING] = "winner taken", /* growth/growth_apply.c: before its state is looked for */
    [LAGD_GROWTH_ON_APPLIED] = "applied",      /* growth/growth_apply.c: with the checkpoint of the grown run */
    [LAGD_GROWTH_ON_CANCEL] = "cancel asked",  /* commands/cmd_growths.c */
    [LAGD_GROWTH_ON_WITHDRAWN] = "withdrawn",  /* commands/, runs/run.c, supervisor/recovery.c: its run has ended;
                                                * train/run_history.c: its run went back before an earlier growth */
    [LAGD_GROWTH_ON_FAILED] = "failed",        /* growth/: no candidate may win, or it cannot go on; runs/run.c: nor can
                                                * its run */
    [LAGD_GROWTH_ON_LOST] = "lost",            /* train/run_history.c: its run went back before it, as checkpoints were
                                                * damaged */
};

static const struct lagd_transition growth_transitions[] = {
    {LAGD_NOWHERE, LAGD_GROWTH_ON_CREATED, LAGD_GROWTH_QUEUED},

    {LAGD_GROWTH_QUEUED, LAGD_GROWTH_ON_BEGUN, LAGD_GROWTH_PROBING},
    {LAGD_GROWTH_QUEUED, LAGD_GROWTH_ON_CANCEL, LAGD_GROWTH_CANCELLED},
    {LAGD_GROWTH_QUEUED, LAGD_GROWTH_ON_WITHDRAWN, LAGD_GROWTH_CANCELLED},
    {LAGD_GROWTH_QUEUED, LAGD_GROWTH_ON_FAILED, LAGD_GROWTH_FAILED},

    {LAGD_GROWTH_PROBING, LAGD_GROWTH_ON_DECIDED, LAGD_GROWTH_DECIDED},
    {LAGD_GROWTH_PROBING, LAGD_GROWTH_ON_RANKED, LAGD_GROWTH_AWAITING},
    {LAGD_GROWTH_PROBING, LAGD_GROWTH_ON_CANCEL, LAGD_GROWTH_CANCELLED},
    {LAGD_GROWTH_PROBING, LAGD_GROWTH_ON_WITHDRAWN, LAGD_GROWTH_CANCELLED},
    {LAGD_GROWTH_PROBING, LAGD_GROWTH_ON_FAILED, LAGD_GROWTH_FAILED},

    {LAGD_GROWTH_AWAITING, LAGD_GROWTH_ON_APPROVED, LAGD_GROWTH_DECIDED},
    {LAGD_GROWTH_AWAITING, LAGD_GROWTH_ON_REJECTED, LAGD_GROWTH_REJECTED},
    {LAGD_GROWTH_AWAITING, LAGD_GROWTH_ON_CANCEL, LAGD_GROWTH_CANCELLED},
    {LAGD_GROWTH_AWAITING, LAGD_GROWTH_ON_WITHDRAWN, LAGD_GROWTH_CANCELLED},
    {LAGD_GROWTH_AWAITING, LAGD_GROWTH_ON_FAILED, LAGD_GROWTH_FAILED},

    {LAGD_GROWTH_DECIDED, LAGD_GROWTH_ON_APPLYING, LAGD_GROWTH_APPLYING},
    {LAGD_GROWTH_DECIDED, LAGD_GROWTH_ON_WITHDRAWN, LAGD_GROWTH_CANCELLED},
    {LAGD_GROWTH_DECIDED, LAGD_GROWTH_ON_FAILED, LAGD_GROWTH_FAILED},

    {LAGD_GROWTH_APPLYING, LAGD_GROWTH_ON_APPLIED, LAGD_GROWTH_APPLIED},
    {LAGD_GROWTH_APPLYING, LAGD_GROWTH_ON_WITHDRAWN, LAGD_GROWTH_CANCELLED},
    {LAGD_GROWTH_APPLYING, LAGD_GROWTH_ON_FAILED, LAGD_GROWTH_FAILED},

    {LAGD_GROWTH_APPLIED, LAGD_GROWTH_ON_LOST, LAGD_GROWTH_DECIDED}, /* it is applied again when its step comes */
};

/* --- candidates --------------------------------------------------------------------------------------------------- */

static const struct lagd_state candidate_states[LAGD_N_CANDIDATE_STATES] = {
    /* Recipe, strategy and eligible are as planned; it has no losses. */
    [LAGD_CANDIDATE_QUEUED] = {"queued", WAITING, "", "waits for a worker"},
    /* t, FLOPs and losses lag behind its probe. Found so after a crash, it goes on from the last state that was kept of
     * it, or from the parent. */
    [LAGD_CANDIDATE_RUNNING] = {"running", LIVE, "", "trains for the lag"},
    /* t is the lag, all losses are stored. In mode manual its checkpoint may be on disk until its growth ends. */
    [LAGD_CANDIDATE_COMPLETED] = {"completed", TERMINAL, "", "reached the lag"},
    /* t is that of a rung, and its losses up to there are stored. It may not win. Its state is on disk as far as there
     * was room: an extension of the probe takes it up again from there, until its growth ends. */
    [LAGD_CANDIDATE_STOPPED] = {"stopped", TERMINAL, "", "its probe ended at a rung; the reason says why"},
    /* In these three t says how far it came; it may not win. */
    [LAGD_CANDIDATE_DIVERGED] = {"diverged", TERMINAL, "",
                                 "dropped: its loss was not finite, or stayed too far above the parent's"},
    [LAGD_CANDIDATE_CANCELLED] = {"cancelled", TERMINAL, "", "its growth was cancelled"},
    [LAGD_CANDIDATE_FAILED] = {"failed", TERMINAL, "", "could not be built or trained; the reason says why"},
};

static const char *const candidate_events[LAGD_N_CANDIDATE_EVENTS] = {
    [LAGD_CANDIDATE_ON_CREATED] = "created",      /* commands/cmd_growths.c, with its growth */
    [LAGD_CANDIDATE_ON_STARTED] = "started",      /* growth/growth_probe.c, as are the next three */
    [LAGD_CANDIDATE_ON_COMPLETED] = "completed",
    [LAGD_CANDIDATE_ON_DIVERGED] = "diverged",
    [LAGD_CANDIDATE_ON_FAILED] = "failed",
    [LAGD_CANDIDATE_ON_WITHDRAWN] = "withdrawn",  /* records/leftovers.c: its growth has ended */
    [LAGD_CANDIDATE_ON_DROPPED] = "dropped",      /* growth/growth_rungs.c: an allocator stops it, as is the next */
    [LAGD_CANDIDATE_ON_TAKEN_UP] = "taken up",
};

static const struct lagd_transition candidate_transitions[] = {
    {LAGD_NOWHERE, LAGD_CANDIDATE_ON_CREATED, LAGD_CANDIDATE_QUEUED},

    {LAGD_CANDIDATE_QUEUED, LAGD_CANDIDATE_ON_STARTED, LAGD_CANDIDATE_RUNNING},
    {LAGD_CANDIDATE_QUEUED, LAGD_CANDIDATE_ON_WITHDRAWN, LAGD_CANDIDATE_CANCELLED},

    {LAGD_CANDIDATE_RUNNING, LAGD_CANDIDATE_ON_COMPLETED, LAGD_CANDIDATE_COMPLETED},
    {LAGD_CANDIDATE_RUNNING, LAGD_CANDIDATE_ON_DIVERGED, LAGD_CANDIDATE_DIVERGED},
    {LAGD_CANDIDATE_RUNNING, LAGD_CANDIDATE_ON_FAILED, LAGD_CANDIDATE_FAILED},
    {LAGD_CANDIDATE_RUNNING, LAGD_CANDIDATE_ON_WITHDRAWN, LAGD_CANDIDATE_CANCELLED},
    {LAGD_CANDIDATE_RUNNING, LAGD_CANDIDATE_ON_DROPPED, LAGD_CANDIDATE_STOPPED},

    {LAGD_CANDIDATE_STOPPED, LAGD_CANDIDATE_ON_TAKEN_UP, LAGD_CANDIDATE_RUNNING},
};

/* --- datasets ----------------------------------------------------------------------------------------------------- */

static const struct lagd_state dataset_states[LAGD_N_DATASET_STATES] = {
    /* The file lies where it stays. Format and vocabulary are as asked for, n_bytes is the file's size; n_bytes_done
     * lags behind. Found so after a crash, it is read from its beginning again. */
    [LAGD_DATASET_REGISTERING] = {"registering", LIVE, "delete", "its file is being read; no run can use it yet"},
    /* The row tells what was found, and the file's stamp unless it was too young. */
    [LAGD_DATASET_READY] = {"ready", TERMINAL, "delete", "runs can be made of it"},
    /* The reason says why. An uploaded file is gone. Its name is free: who registers another takes its place. */
    [LAGD_DATASET_FAILED] = {"failed", TERMINAL, "delete", "could not be registered; the reason says why"},
};

static const char *const dataset_events[LAGD_N_DATASET_EVENTS] = {
    [LAGD_DATASET_ON_CREATED] = "created",  /* commands/cmd_datasets.c */
    [LAGD_DATASET_ON_READ] = "read",        /* commands/registering.c: to its end, and taken */
    [LAGD_DATASET_ON_REFUSED] = "refused",  /* commands/registering.c: it is no text or token file, or unreadable */
};

static const struct lagd_transition dataset_transitions[] = {
    {LAGD_NOWHERE, LAGD_DATASET_ON_CREATED, LAGD_DATASET_REGISTERING},

    {LAGD_DATASET_REGISTERING, LAGD_DATASET_ON_READ, LAGD_DATASET_READY},
    {LAGD_DATASET_REGISTERING, LAGD_DATASET_ON_REFUSED, LAGD_DATASET_FAILED},
};

/* --- models ------------------------------------------------------------------------------------------------------- */

static const struct lagd_state model_states[LAGD_N_MODEL_STATES] = {
    /* Its folder models/<id> has a part of the files at most, and nobody reads it. Found so after a crash, the folder
     * is made anew from where it comes from. */
    [LAGD_MODEL_IMPORTING] = {"importing", LIVE, "delete", "its files are being copied and checked; no run can use it "
                                                           "yet"},
    /* All files are in the folder, durably and checked; the row tells what they are. */
    [LAGD_MODEL_READY] = {"ready", TERMINAL, "delete", "runs can begin from it"},
    /* The reason says why. Its folder is gone, its name is free: who brings another takes its place. */
    [LAGD_MODEL_FAILED] = {"failed", TERMINAL, "delete", "could not be imported; the reason says why"},
};

static const char *const model_events[LAGD_N_MODEL_EVENTS] = {
    [LAGD_MODEL_ON_CREATED] = "created", /* commands/cmd_models.c */
    [LAGD_MODEL_ON_READ] = "read",       /* commands/importing.c: copied and checked to its end */
    [LAGD_MODEL_ON_REFUSED] = "refused", /* commands/importing.c: it is no model of lagd's, or unreadable */
};

static const struct lagd_transition model_transitions[] = {
    {LAGD_NOWHERE, LAGD_MODEL_ON_CREATED, LAGD_MODEL_IMPORTING},

    {LAGD_MODEL_IMPORTING, LAGD_MODEL_ON_READ, LAGD_MODEL_READY},
    {LAGD_MODEL_IMPORTING, LAGD_MODEL_ON_REFUSED, LAGD_MODEL_FAILED},
};

/* --- tokenizers --------------------------------------------------------------------------------------------------- */

static const struct lagd_state tokenizer_states[LAGD_N_TOKENIZER_STATES] = {
    /* Nobody reads its folder tokenizers/<id>. Found so after a crash, it is read or trained anew. */
    [LAGD_TOKENIZER_MAKING] = {"making", LIVE, "delete", "it is being read or trained; nothing can use it yet"},
    /* Its tokenizer.json is there, durably and checked; the row tells what it is. */
    [LAGD_TOKENIZER_READY] = {"ready", TERMINAL, "delete", "texts can be encoded with it"},
    /* The reason says why. Its folder is gone, its name is free: who makes another takes its place. */
    [LAGD_TOKENIZER_FAILED] = {"failed", TERMINAL, "delete", "could not be made; the reason says why"},
};

static const char *const tokenizer_events[LAGD_N_TOKENIZER_EVENTS] = {
    [LAGD_TOKENIZER_ON_CREATED] = "created", /* commands/cmd_tokenizers.c */
    [LAGD_TOKENIZER_ON_MADE] = "made",       /* commands/making.c: its file is whole */
    [LAGD_TOKENIZER_ON_REFUSED] = "refused", /* commands/making.c: it is none that lagd knows, or unreadable */
};

static const struct lagd_transition tokenizer_transitions[] = {
    {LAGD_NOWHERE, LAGD_TOKENIZER_ON_CREATED, LAGD_TOKENIZER_MAKING},

    {LAGD_TOKENIZER_MAKING, LAGD_TOKENIZER_ON_MADE, LAGD_TOKENIZER_READY},
    {LAGD_TOKENIZER_MAKING, LAGD_TOKENIZER_ON_REFUSED, LAGD_TOKENIZER_FAILED},
};

/* --- studies ------------------------------------------------------------------------------------------------------ */

static const struct lagd_state study_states[LAGD_N_STUDY_STATES] = {
    /* Its runs are planned; each one's stage tells how far it is. What is left is made and begun in order. */
    [LAGD_STUDY_RUNNING] = {"running", WAITING, "pause,cancel", "its runs are made, trained and awaited"},
    /* None of its runs is begun; those under way are paused. */
    [LAGD_STUDY_PAUSED] = {"paused", WAITING, "resume,cancel", "its runs are paused until it is resumed"},
    /* Some of its runs may still have to be cancelled. */
    [LAGD_STUDY_CANCELLING] = {"cancelling", WAITING, "", "its runs are being cancelled"},
    [LAGD_STUDY_FAILING] = {"failing", WAITING, "", "it cannot go on; its runs are being cancelled"},
    /* In all three ends each of its runs that was made has ended. */
    [LAGD_STUDY_COMPLETED] = {"completed", TERMINAL, "delete",
                              "its runs have ended; the report is of the seeds that came to the horizon"},
    [LAGD_STUDY_CANCELLED] = {"cancelled", TERMINAL, "delete", "ended by a person; what was found is reported"},
    [LAGD_STUDY_FAILED] = {"failed", TERMINAL, "delete", "it could not go on; the reason says why"},
};

static const char *const study_events[LAGD_N_STUDY_EVENTS] = {
    [LAGD_STUDY_ON_CREATED] = "created",        /* study/study_make.c, as are the next three */
    [LAGD_STUDY_ON_PAUSE] = "pause asked",
    [LAGD_STUDY_ON_RESUME] = "resume asked",
    [LAGD_STUDY_ON_CANCEL] = "cancel asked",
    [LAGD_STUDY_ON_HINDERED] = "hindered",      /* study/study_drive.c, as are the next two: a run cannot be made */
    [LAGD_STUDY_ON_COMPLETED] = "completed",
    [LAGD_STUDY_ON_STOPPED] = "runs have ended",
};

static const struct lagd_transition study_transitions[] = {
    {LAGD_NOWHERE, LAGD_STUDY_ON_CREATED, LAGD_STUDY_RUNNING},

    {LAGD_STUDY_RUNNING, LAGD_STUDY_ON_PAUSE, LAGD_STUDY_PAUSED},
    {LAGD_STUDY_RUNNING, LAGD_STUDY_ON_CANCEL, LAGD_STUDY_CANCELLING},
    {LAGD_STUDY_RUNNING, LAGD_STUDY_ON_HINDERED, LAGD_STUDY_FAILING},
    {LAGD_STUDY_RUNNING, LAGD_STUDY_ON_COMPLETED, LAGD_STUDY_COMPLETED},

    {LAGD_STUDY_PAUSED, LAGD_STUDY_ON_RESUME, LAGD_STUDY_RUNNING},
    {LAGD_STUDY_PAUSED, LAGD_STUDY_ON_CANCEL, LAGD_STUDY_CANCELLING},

    {LAGD_STUDY_CANCELLING, LAGD_STUDY_ON_STOPPED, LAGD_STUDY_CANCELLED},
    {LAGD_STUDY_FAILING, LAGD_STUDY_ON_STOPPED, LAGD_STUDY_FAILED},
};

/* --- stages of a run's growth plan -------------------------------------------------------------------------------- */

static const struct lagd_state stage_states[LAGD_N_STAGE_STATES] = {
    /* Its request, pool and trigger are there. It may be replaced or removed. */
    [LAGD_STAGE_PLANNED] = {"planned", WAITING, "", "waits for its trigger, and for the stages before it"},
    /* fired_step, the reason and its growth's row are there, all since the same commit. What becomes of it is told by
     * that growth. */
    [LAGD_STAGE_BEGUN] = {"begun", TERMINAL, "", "its trigger has fired, and its growth was asked for"},
    /* fired_step and the reason are there, and no growth. */
    [LAGD_STAGE_SKIPPED] = {"skipped", TERMINAL, "", "its trigger has fired, and the run could not grow so"},
};

static const char *const stage_events[LAGD_N_STAGE_EVENTS] = {
    [LAGD_STAGE_ON_CREATED] = "created",     /* commands/cmd_plan.c */
    [LAGD_STAGE_ON_FIRED] = "fired",         /* growth/next_stage.c, as is the next */
    [LAGD_STAGE_ON_PASSED] = "passed over",
};

static const struct lagd_transition stage_transitions[] = {
    {LAGD_NOWHERE, LAGD_STAGE_ON_CREATED, LAGD_STAGE_PLANNED},

    {LAGD_STAGE_PLANNED, LAGD_STAGE_ON_FIRED, LAGD_STAGE_BEGUN},
    {LAGD_STAGE_PLANNED, LAGD_STAGE_ON_PASSED, LAGD_STAGE_SKIPPED},
};

/* --- looking up --------------------------------------------------------------------------------------------------- */

static const struct {
    const struct lagd_state *states;
    size_t n_states;
    const char *const *events;
    int n_events;
    const struct lagd_transition *transitions;
    size_t n_transitions;
} machines[LAGD_N_MACHINES] = {
    [LAGD_MACHINE_RUN] = {run_states, LAG_COUNT(run_states), run_events, LAGD_N_RUN_EVENTS, run_transitions,
                          LAG_COUNT(run_transitions)},
    [LAGD_MACHINE_GROWTH] = {growth_states, LAG_COUNT(growth_states), growth_events, LAGD_N_GROWTH_EVENTS,
                             growth_transitions, LAG_COUNT(growth_transitions)},
    [LAGD_MACHINE_CANDIDATE] = {candidate_states, LAG_COUNT(candidate_states), candidate_events,
                                LAGD_N_CANDIDATE_EVENTS, candidate_transitions, LAG_COUNT(candidate_transitions)},
    [LAGD_MACHINE_DATASET] = {dataset_states, LAG_COUNT(dataset_states), dataset_events, LAGD_N_DATASET_EVENTS,
                              dataset_transitions, LAG_COUNT(dataset_transitions)},
    [LAGD_MACHINE_STUDY] = {study_states, LAG_COUNT(study_states), study_events, LAGD_N_STUDY_EVENTS,
                            study_transitions, LAG_COUNT(study_transitions)},
    [LAGD_MACHINE_STAGE] = {stage_states, LAG_COUNT(stage_states), stage_events, LAGD_N_STAGE_EVENTS,
                            stage_transitions, LAG_COUNT(stage_transitions)},
    [LAGD_MACHINE_MODEL] = {model_states, LAG_COUNT(model_states), model_events, LAGD_N_MODEL_EVENTS,
                            model_transitions, LAG_COUNT(model_transitions)},
    [LAGD_MACHINE_TOKENIZER] = {tokenizer_states, LAG_COUNT(tokenizer_states), tokenizer_events,
                                LAGD_N_TOKENIZER_EVENTS, tokenizer_transitions, LAG_COUNT(tokenizer_transitions)},
};

const struct lagd_state *lagd_states(enum lagd_machine machine, size_t *ret_n) {
    LAG_ASSERT(machine < LAGD_N_MACHINES);
    *ret_n = machines[machine].n_states;
    return machines[machine].states;
}

const char *lagd_state_name(enum lagd_machine machine, int state) {
    LAG_ASSERT(machine < LAGD_N_MACHINES && state >= 0 && (size_t)state < machines[machine].n_states);
    return machines[machine].states[state].name;
}

const char *lagd_machine_event_name(enum lagd_machine machine, int event) {
    LAG_ASSERT(machine < LAGD_N_MACHINES && event > 0 && event < machines[machine].n_events);
    return machines[machine].events[event];
}

int lagd_state_index(enum lagd_machine machine, const char *name) {
    size_t n;
    const struct lagd_state *states = lagd_states(machine, &n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(states[i].name, name) == 0) return (int)i;
    }
    return LAGD_NOWHERE;
}

const struct lagd_state *lagd_state_find(enum lagd_machine machine, const char *name) {
    int index = lagd_state_index(machine, name);
    return index == LAGD_NOWHERE ? NULL : &machines[machine].states[index];
}

bool lagd_state_has_ended(enum lagd_machine machine, const char *state) {
    const struct lagd_state *found = lagd_state_find(machine, state);
    return found && found->terminal;
}

bool lagd_run_is(const char *state, enum lagd_run_state is) {
    return lagd_state_index(LAGD_MACHINE_RUN, state) == (int)is;
}

bool lagd_growth_is(const char *state, enum lagd_growth_state is) {
    return lagd_state_index(LAGD_MACHINE_GROWTH, state) == (int)is;
}

bool lagd_candidate_is(const char *state, enum lagd_candidate_state is) {
    return lagd_state_index(LAGD_MACHINE_CANDIDATE, state) == (int)is;
}

bool lagd_dataset_is(const char *state, enum lagd_dataset_state is) {
    return lagd_state_index(LAGD_MACHINE_DATASET, state) == (int)is;
}

bool lagd_study_is(const char *state, enum lagd_study_state is) {
    return lagd_state_index(LAGD_MACHINE_STUDY, state) == (int)is;
}

bool lagd_stage_is(const char *state, enum lagd_stage_state is) {
    return lagd_state_index(LAGD_MACHINE_STAGE, state) == (int)is;
}

bool lagd_tokenizer_is(const char *state, enum lagd_tokenizer_state is) {
    return lagd_state_index(LAGD_MACHINE_TOKENIZER, state) == (int)is;
}

bool lagd_model_is(const char *state, enum lagd_model_state is) {
    return lagd_state_index(LAGD_MACHINE_MODEL, state) == (int)is;
}

const struct lagd_transition *lagd_transitions(enum lagd_machine machine, size_t *ret_n) {
    LAG_ASSERT(machine < LAGD_N_MACHINES);
    *ret_n = machines[machine].n_transitions;
    return machines[machine].transitions;
}

const struct lagd_transition *lagd_transition_find(enum lagd_machine machine, int from, int event) {
    size_t n;
    const struct lagd_transition *rows = lagd_transitions(machine, &n);
    for (size_t i = 0; i < n; i++) {
        if (rows[i].from == from && rows[i].event == event) return &rows[i];
    }
    return NULL;
}

bool lagd_state_allows(enum lagd_machine machine, const char *state, const char *action) {
    const struct lagd_state *found = lagd_state_find(machine, state);
    size_t length = strlen(action);
    if (!found || length == 0) return false;
    for (const char *p = found->actions; *p; p += strcspn(p, ","), p += *p == ',') {
        if (strncmp(p, action, length) == 0 && (p[length] == ',' || p[length] == '\0')) return true;
    }
    return false;
}
