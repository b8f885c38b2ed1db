/* Commands that wait for a run's thread to stop: pauses and cancellations, answered once the run's new state is stored,
 * and a resume that crossed a pause. Thread: main. */
#pragma once
#include "runs/runs_internal.h"

#include <lagd/daemon/states.h>
struct lagd_command;
struct lagd_commands;

#define LAGD_STOPS_MAX 4  /* of one run; more are answered at once */
enum { LAGD_LATER = 1 };  /* the answer of a command that waits */

struct lagd_waiting {
    struct lagd_waiting_run {
        char id[LAG_ROW_ID];
        struct lagd_stop {
            struct lagd_command *command; /* owned */
            enum lagd_run_state wanted;
            int64_t due_ns;
        } stops[LAGD_STOPS_MAX];
        int n_stops;
        bool pausing;                /* asked to pause, not there yet */
        struct lagd_command *resume; /* owned: came meanwhile; carried out after the pause, as that must be durable */
        int64_t resume_due_ns;
    } runs[LAGD_RUNS_MAX];
    int n_runs;
};
/* Keeps a command that was wished of the run's thread until the run is in the state wanted, or has ended
 * otherwise; after ten seconds it is answered anyhow. LAGD_LATER, or 0: nobody waits. */
int lagd_waiting_stop(struct lagd_commands *c, const char *run_id, struct lagd_command *command,
                      enum lagd_run_state wanted);
/* From now on the run is on its way to a pause. */
void lagd_waiting_pause(struct lagd_commands *c, const char *run_id);
/* Takes a resume of a run that is on its way to a pause; false: it is on none, or another resume waits already. */
bool lagd_waiting_resume(struct lagd_commands *c, const char *run_id, struct lagd_command *command);
void lagd_waiting_answer_late(struct lagd_commands *c, int64_t now_ns);
/* All that wait are answered: the daemon ends without order, and their runs stay as they are stored. */
void lagd_waiting_refuse(struct lagd_commands *c, const char *why);
/* The run's thread has ended: all that wait for it are answered. arg: struct lagd_commands */
void lagd_waiting_joined(void *arg, const char *run_id);
