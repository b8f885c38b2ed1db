/* Commands that wait for a run's thread to stop. */
#include "commands/waiting_internal.h"

#include "commands/command_internal.h"
#include "commands/commands_internal.h"

#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/runs.h>
#include <string.h>

#define STOP_NS (10 * INT64_C(1000000000)) /* a request waits so long for the run to reach a step boundary */

static struct lagd_waiting_run *find(struct lagd_waiting *waiting, const char *run_id) {
    for (int i = 0; i < waiting->n_runs; i++) {
        if (strcmp(waiting->runs[i].id, run_id) == 0) return &waiting->runs[i];
    }
    return NULL;
}

/* There are as many places as runs can have threads. NULL all the same: nobody waits. */
static struct lagd_waiting_run *find_or_add(struct lagd_waiting *waiting, const char *run_id) {
    struct lagd_waiting_run *run = find(waiting, run_id);
    if (run || waiting->n_runs == LAGD_RUNS_MAX) return run;
    run = &waiting->runs[waiting->n_runs++];
    *run = (struct lagd_waiting_run){0};
    (void)lag_copy(run->id, sizeof(run->id), run_id);
    return run;
}

int lagd_waiting_stop(struct lagd_commands *c, const char *run_id, struct lagd_command *command,
                      enum lagd_run_state wanted) {
    struct lagd_waiting_run *run = find_or_add(&c->waiting, run_id);
    if (!run || run->n_stops == LAGD_STOPS_MAX) return 0;
    run->stops[run->n_stops++] = (struct lagd_stop){command, wanted, lag_clock_mono_ns() + STOP_NS};
    return LAGD_LATER;
}

void lagd_waiting_pause(struct lagd_commands *c, const char *run_id) {
    struct lagd_waiting_run *run = find_or_add(&c->waiting, run_id);
    if (run) run->pausing = true;
}

bool lagd_waiting_resume(struct lagd_commands *c, const char *run_id, struct lagd_command *command) {
    struct lagd_waiting_run *run = find(&c->waiting, run_id);
    if (!run || !run->pausing || run->resume) return false;
    run->resume = command;
    run->resume_due_ns = lag_clock_mono_ns() + STOP_NS;
    return true;
}

static int judge_stop(struct lagd_commands *c, const char *run_id, const struct lagd_stop *stop) {
    struct lagd_command *command = stop->command;
    struct lag_run_row row;
    int rc = lag_run_get(c->db, run_id, &row, &command->err);
    if (rc < 0 || lagd_run_is(row.state, stop->wanted)) return rc;
    if (atomic_load(&c->deps->draining)) return lag_error_set(&command->err, LAG_ECANCELED, "lagd is stopping");
    (void)lag_copy(command->state, sizeof(command->state), row.state);
    return lag_error_set(&command->err, LAG_ESTATE, "run %s is %s now", row.name, row.state);
}

/* A pause and a resume that crossed: now that the run is paused, it can be resumed. */
static void resume_now(struct lagd_commands *c, struct lagd_command *command) {
    int rc = atomic_load(&c->deps->draining) ? lag_error_set(&command->err, LAG_ECANCELED, "lagd is stopping")
                                             : lagd_cmd_run_resume(c, command);
    lagd_command_answer(command, rc);
}

/* The run's state in the answer tells that it has not stopped yet. */
void lagd_waiting_answer_late(struct lagd_commands *c, int64_t now_ns) {
    for (int i = 0; i < c->waiting.n_runs; i++) {
        struct lagd_waiting_run *run = &c->waiting.runs[i];
        int n_left = 0;
        for (int j = 0; j < run->n_stops; j++) {
            struct lagd_stop stop = run->stops[j];
            if (now_ns < stop.due_ns) run->stops[n_left++] = stop;
            else lagd_command_answer(stop.command, 0);
        }
        run->n_stops = n_left;
        if (!run->resume || now_ns < run->resume_due_ns) continue;
        struct lagd_command *resume = run->resume;
        run->resume = NULL;
        int rc = lag_error_set(&resume->err, LAG_EBUSY, "run %s is still on its way to a pause: ask again", run->id);
        lagd_command_answer(resume, rc);
    }
}

static void refuse(struct lagd_command *command, const char *why) {
    if (command) lagd_command_answer(command, lag_error_set(&command->err, LAG_ECANCELED, "lagd is stopping: %s", why));
}

void lagd_waiting_refuse(struct lagd_commands *c, const char *why) {
    for (int i = 0; i < c->waiting.n_runs; i++) {
        struct lagd_waiting_run *run = &c->waiting.runs[i];
        for (int j = 0; j < run->n_stops; j++) refuse(run->stops[j].command, why);
        refuse(run->resume, why);
    }
    c->waiting.n_runs = 0;
}

void lagd_waiting_joined(void *arg, const char *run_id) {
    struct lagd_commands *c = arg;
    struct lagd_waiting_run *found = find(&c->waiting, run_id);
    if (!found) return;
    const struct lagd_waiting_run run = *found;
    *found = c->waiting.runs[--c->waiting.n_runs];
    for (int i = 0; i < run.n_stops; i++)
        lagd_command_answer(run.stops[i].command, judge_stop(c, run_id, &run.stops[i]));
    if (run.resume) resume_now(c, run.resume);
}
