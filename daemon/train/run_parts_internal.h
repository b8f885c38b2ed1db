/* The inside of a run, shared by the files that make up its thread: run.c (body, wishes), run_open.c (loading),
 * run_steps.c (training), run_move.c (transitions), rollback.c and the growth round. Everything here is called on the
 * run's own thread unless it says otherwise. */
#pragma once
#include "train/record_internal.h"
#include "records/release_internal.h"
#include <lagd/engine/train.h>
#include <lagd/storage/rows.h>
struct lag_team;

struct lagd_run {
    struct lagd_deps *deps;
    char id[LAG_ROW_ID];
    lagd_run_ended_fn *ended;
    void *arg;
    pthread_t thread;
    /* between the threads */
    pthread_mutex_t lock;
    pthread_cond_t woken;         /* a wish came, or a probe of this run ended */
    unsigned wishes;              /* under lock */
    char reason[LAG_ROW_TEXT];    /* of the last wish, under lock */
    _Atomic bool interrupt;       /* PAUSE, CANCEL or STOP is wished: leave the queue for slots */
    _Atomic bool quit;            /* CANCEL or STOP is wished: growths and waits for the disk end, too */
    _Atomic bool stop;            /* STOP is wished: the thread ends even when that cannot be stored */
    struct lagd_progress progress;
    /* the thread's own */
    struct lag_run_row row;       /* as stored, but for what others write */
    struct lagd_run_config config;
    struct lag_dataset *dataset;
    struct lag_step_config step;
    struct lag_state *state;
    struct lag_work *work;
    struct lag_team *team;
    int n_members;
    struct lagd_recorder recorder;
    struct lag_checkpoint_meta origin; /* growth_text and parent_sha256 of the present shape */
    int64_t checkpoint_step;      /* of the newest checkpoint, -1 without one */
    bool evaluate_first;          /* at step 0, before the first update */
    bool lacks_dataset;           /* as lagd_run_lacks_dataset found it */
    bool has_growth;
    struct lag_growth_row growth; /* queued or under way, when has_growth */
    bool storage_fails;           /* it was waited for, and has not worked since */
    int64_t report_due_ns, step_ended_ns;
    int n_steps;                  /* made by this thread */
    int64_t team_ns;              /* of the last step, by all threads together */
};

/* --- run_move.c: transitions, each one transaction with its events --- */
struct lagd_move {
    struct lagd_run *run;
    const char *run_state;        /* NULL = stays */
    const char *growth_from;      /* the growth must be in this state, else LAG_ESTATE; NULL = any */
    const char *growth_state;     /* NULL = stays */
    const char *reason;           /* of what changes state; NULL = none */
    bool progress;                /* step, tokens and FLOPs of run->row */
    bool ends_growth;             /* the run has no growth any more; its candidates that have not ended are cancelled
                                   * and those of them with checkpoints give them up */
    lag_write_fn *extra;          /* last in the transaction; may be NULL */
    void *extra_arg;
    struct lagd_released released; /* removed by lagd_move_committed */
};
lag_write_fn lagd_move_write; /* arg: struct lagd_move; for use inside another transaction */
void lagd_move_committed(struct lagd_move *move); /* after its commit: run->row and run->growth follow. Frees */
void lagd_move_drop(struct lagd_move *move); /* after it was not committed */
/* All of it; waits while the disk refuses, unless the run quits (or until *cancel). */
int lagd_move_make(struct lagd_move *move, struct lag_error *err);
int lagd_move_make_until(struct lagd_move *move, const _Atomic bool *cancel, struct lag_error *err);

/* --- run_open.c --- */
int lagd_run_open(struct lagd_run *run, struct lag_error *err);
void lagd_run_close(struct lagd_run *run);
/* Asked after a failure: is its cause that the file is gone, or not what was registered? Once true it stays so until the
 * thread ends: all who ask about one failure must hear the same, though the file may come back meanwhile. */
bool lagd_run_lacks_dataset(struct lagd_run *run);
/* work and team for the present shape. */
int lagd_run_equip(struct lagd_run *run, struct lag_error *err);
/* work is there again: while candidates are probed the run itself computes nothing and has laid it down. */
int lagd_run_ready(struct lagd_run *run, struct lag_error *err);
void lagd_run_lay_down(struct lagd_run *run);
/* run->growth from the stored rows. */
int lagd_run_read_growth(struct lagd_run *run, struct lag_error *err);
/* The growth is past queued and stands at this step: training must not go on before it has ended. */
bool lagd_run_in_growth(const struct lagd_run *run);
/* Latest good checkpoint, or the initial state of the seed. *ret_step: -1 for the latter. */
int lagd_run_load_state(struct lagd_run *run, struct lag_state **ret, int64_t *ret_step, struct lag_error *err);

/* --- run_history.c --- */
/* A state from before a growth that was applied already (checkpoints were damaged) takes the first such growth back to
 * decided, so that the run reaches it again and rebuilds the same winner. After a load, and after each growth. */
int lagd_run_reopen_growth(struct lagd_run *run, struct lag_error *err);
/* The row goes back to the step of run->state: what was computed after it is computed again. */
int lagd_run_rewind(struct lagd_run *run, struct lag_error *err);

/* --- run_steps.c --- */
/* FLOPs of training and evaluation from step from to step to with n_layer layers. Pure. */
double lagd_run_flops(const struct lagd_run *run, int n_layer, int64_t from, int64_t to);
double lagd_run_first_flops(const struct lagd_run *run); /* of the validation at step 0. Pure */
int64_t lagd_run_step_tokens(const struct lagd_run *run);
/* The validation of step 0, before the first update. */
int lagd_run_evaluate_first(struct lagd_run *run, struct lag_error *err);
/* One update with all that belongs to it. LAG_ECANCELED: interrupted before it began. */
int lagd_run_step(struct lagd_run *run, struct lag_error *err);
/* Checkpoint of run->state with move (may be NULL) in its transaction. */
int lagd_run_checkpoint(struct lagd_run *run, const char *kind, struct lagd_move *move, struct lag_error *err);
/* The checkpoint of a state of this run with move in its transaction; request says kind, id, growth_text, parent_sha256
 * and keep, the rest is filled in. patiently: waits for room; LAG_ECANCELED when interrupted meanwhile. */
int lagd_run_keep(struct lagd_run *run, const struct lag_state *state, const struct lagd_checkpoint_request *request,
                  struct lagd_move *move, struct lag_error *err);
int lagd_run_keep_patiently(struct lagd_run *run, const struct lag_state *state,
                            const struct lagd_checkpoint_request *request, struct lagd_move *move,
                            struct lag_error *err);
/* Waits until the store takes writes again. LAG_ECANCELED: interrupted. */
int lagd_run_wait_for_storage(struct lagd_run *run, const char *why, struct lag_error *err);

/* --- rollback.c --- */
/* After a step that was not finite. LAG_ENONFINITE: given up, err says what to change. */
int lagd_run_rollback(struct lagd_run *run, const struct lag_step_result *result, struct lag_error *err);

/* --- run.c --- */
/* Takes those of the wishes in mask; ret_reason (LAG_ROW_TEXT bytes) may be NULL. Thread: any. */
unsigned lagd_run_take_wishes(struct lagd_run *run, unsigned mask, char *ret_reason);

/* --- growth_round.c --- */
/* The growth of run->growth from its stored state to its end. 0: the run goes on (grown or as before).
 * LAG_ECANCELED: CANCEL or STOP is wished. */
int lagd_growth_round(struct lagd_run *run, struct lag_error *err);
