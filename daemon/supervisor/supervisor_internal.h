/* What the supervisor's parts share. Everything here belongs to the main thread unless it says otherwise. */
#pragma once
#include "process/deps_internal.h"
#include "exec/pool_internal.h"
#include "records/release_internal.h"
#include "runs/run_internal.h"
#include "exec/slots_internal.h"
#include <lagd/base/mailbox.h>
#include <lagd/daemon/commands.h>
#include <lagd/daemon/supervisor.h>
#include <pthread.h>

#define LAGD_COMMANDS_MAX 256 /* waiting at once */
#define LAGD_ACTIVE_MAX 64    /* as train/max_runs */
#define LAGD_STOPS_MAX 4      /* commands of one run that wait for its end; more are answered at once */
#define LAGD_SERVICES 2       /* workers for scans and samples */
#define LAGD_SERVICES_WAITING_MAX 16

/* A run with a thread. */
struct lagd_active {
    struct lagd_supervisor *supervisor;
    struct lagd_run *run;
    char id[LAG_ROW_ID], name[LAG_ROW_NAME];
    _Atomic bool ended;          /* set on the run's thread, which is then joined here */
    struct lagd_stop { struct lagd_command *command; const char *wanted; int64_t due_ns; } stops[LAGD_STOPS_MAX];
    int n_stops;                 /* owned: pauses and cancellations, answered once the run's new state is stored */
    bool pausing;                /* asked to pause, not there yet */
    struct lagd_command *resume; /* owned: came meanwhile; carried out and answered after the pause, as it must be durable */
};

struct lagd_supervisor {
    pthread_mutex_t lock;        /* config, origins, reload_fn, and that deps.services is there */
    struct lagd_config config;
    struct lagd_config_origins origins;
    pthread_mutex_t events_lock; /* the four below; held while the listener is called, which may ask for the configuration */
    void (*events_fn)(void *arg, int64_t last_seq);
    void *events_arg;
    void (*points_fn)(void *arg, const struct lag_point *points, size_t n_points);
    void *points_arg;
    lagd_reload_fn *reload_fn;
    void *reload_arg;

    int lock_fd, signal_fd, wake_fd;
    struct lag_store *store;
    struct lag_db *db;           /* the main thread's reader */
    struct lag_mailbox *mailbox; /* of struct lagd_command */
    struct lagd_deps deps;
    struct lagd_active *active[LAGD_ACTIVE_MAX];
    int n_active;
    lagd_watch_fn *watch_fn;     /* of the HTTP server */
    void *watch_arg;
    char stuck[160];             /* who was, at the last tick; "": nobody */
    uint64_t status_sign;        /* of the status line told last */
    int64_t watchdog_ns, next_watchdog_ns, next_status_ns, next_prune_ns, next_schedule_ns;
    _Atomic bool ready, stop;
    _Atomic int64_t reserved_bytes; /* predicted peaks of all active runs and their growths */
    int64_t started_ms;
};

/* active.c: the runs that have a thread */
struct lagd_active *lagd_active_find(struct lagd_supervisor *s, const char *run_id);
/* Joins the threads that have ended. */
void lagd_active_reap(struct lagd_supervisor *s);
/* Keeps a command that was wished of the run's thread until the run is in state wanted (a literal), or has ended
 * otherwise; after ten seconds it is answered anyhow. LAGD_LATER, or 0: nobody waits. */
int lagd_active_wait(struct lagd_active *entry, struct lagd_command *command, const char *wanted);
void lagd_active_answer_late(struct lagd_supervisor *s, int64_t now_ns);
/* The same for a run whose stored state says that its thread is just ending: waits for that. */
void lagd_active_await(struct lagd_supervisor *s, const char *run_id);
/* Starts queued runs, oldest first, as far as places and memory go. */
void lagd_active_schedule(struct lagd_supervisor *s);
void lagd_active_stop_all(struct lagd_supervisor *s);

/* watch.c, on every tick: WATCHDOG=1 while every thread makes progress; STATUS= with prefix when it is due or changed */
void lagd_watch(struct lagd_supervisor *s, int64_t now_ns);
void lagd_say_status(struct lagd_supervisor *s, int64_t now_ns, const char *prefix);

/* admission.c */
int64_t lagd_admission_limit(struct lagd_supervisor *s);
/* What a stored run will need at its present shape, its growth included. */
int lagd_admission_need(struct lagd_supervisor *s, const struct lag_run_row *row, int64_t *ret_bytes, struct lag_error *err);
/* LAG_ENOMEM with the numbers when need_bytes are not there. alone: as if nothing else ran. */
int lagd_admission_check(struct lagd_supervisor *s, const char *what, int64_t need_bytes, bool alone, struct lag_error *err);
void lagd_admission_count(struct lagd_supervisor *s); /* brings reserved_bytes up to date */

/* recovery.c: what an earlier process left, before anything is served */
int lagd_recover(struct lagd_supervisor *s, struct lag_error *err);

/* supervisor.c: last_seq 0 = the configuration was reloaded. Thread: any */
void lagd_tell_listener(struct lagd_supervisor *s, int64_t last_seq);

/* reload.c */
int lagd_reload(struct lagd_supervisor *s, struct lag_error *err);

/* transitions.c: rows and events that go together, written at once. Thread: any but the storage thread. */
int lagd_put_run_state(struct lagd_deps *deps, const char *run_id, const char *state, const char *reason, struct lag_error *err);
/* The same inside a transaction that is under way. */
int lagd_tx_run_state(struct lag_db *db, const char *run_id, const char *state, const char *reason, struct lag_error *err);
int lagd_tx_growth_state(struct lag_db *db, const struct lag_growth_row *growth, const char *state, const char *reason,
                         struct lag_error *err);
/* The growth ends without effect, its candidates with it; run.growth_id is cleared. */
int lagd_tx_growth_end(struct lag_db *db, const struct lag_growth_row *growth, const char *state, const char *reason,
                       struct lagd_released *released, struct lag_error *err);
int lagd_tx_event(struct lag_db *db, const char *type, const char *run_id, const char *growth_id, const char *state,
                  const char *message, struct lag_error *err);

/* unlisted.c: the mark of a folder (below the state directory) that may be without a row. Marking makes the folder, too.
 * Thread: any. */
int lagd_unlisted_mark(const char *dir, struct lag_error *err);
void lagd_unlisted_unmark(const char *dir);
bool lagd_unlisted_is_marked(const char *dir);

/* commands.c: answers a command; it is the receiver's from then on. Thread: any. */
void lagd_command_answer(struct lagd_command *command, int status);
void lagd_commands_work(struct lagd_supervisor *s);   /* all that wait */
void lagd_commands_refuse(struct lagd_supervisor *s); /* all that wait, because the daemon stops */

/* cmd_patch.c: LAG_ESTATE with command->mismatch when the command's precondition does not allow this revision. Called in
 * the transaction that changes the row. */
int lagd_command_check_revision(struct lagd_command *command, int64_t revision, struct lag_error *err);

/* cmd_keys.c: lag_store_write, with the command's idempotency key in the same transaction. resource: id of what is made or
 * changed. Thread: any but the storage thread. */
int lagd_command_write(struct lag_store *store, struct lagd_command *command, const char *resource, lag_write_fn *fn, void *arg);

/* Handlers: 0 or a lag_code with command->err; LAGD_LATER: a job answers. */
enum { LAGD_LATER = 1 };
typedef int lagd_handler(struct lagd_supervisor *s, struct lagd_command *command);
lagd_handler lagd_cmd_run_create, lagd_cmd_run_pause, lagd_cmd_run_resume, lagd_cmd_run_cancel, lagd_cmd_run_checkpoint,
    lagd_cmd_run_patch, lagd_cmd_run_delete, lagd_cmd_growth_create, lagd_cmd_growth_cancel, lagd_cmd_growth_decide, lagd_cmd_dataset_add,
    lagd_cmd_dataset_delete, lagd_cmd_checkpoint_keep, lagd_cmd_checkpoint_delete, lagd_cmd_generate, lagd_cmd_key_answer;
