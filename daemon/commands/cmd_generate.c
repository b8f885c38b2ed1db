/* Text samples: a job on a services worker that loads a checkpoint, takes a compute slot and continues a prompt. A run
 * that trains and has no checkpoint yet lends a copy of its weights, at its next step; with it the command comes back
 * to the mailbox. */
#include "checkpoint/checkpoint_internal.h"
#include "commands/command_internal.h"
#include "commands/commands_internal.h"
#include "commands/loaded_internal.h"
#include "commands/tokens_internal.h"
#include "exec/pool_internal.h"
#include "exec/slots_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mailbox.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/state.h>
#include <lagd/engine/token.h>
#include <lagd/engine/train.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/runs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_NS (600 * INT64_C(1000000000)) /* a large model may take so long for its tokens */

struct sample_job {
    struct lagd_job job;
    struct lagd_deps *deps;
    struct lagd_loaded *loaded;
    struct lagd_command *command;
    char run_id[LAG_ROW_ID], run_state[LAG_ROW_STATE];
    char tokenizer[LAG_ROW_ID]; /* "": bytes */
    int rc;
};

/* What to wait for, or that there is nothing to wait for. */
static int lacks_checkpoint(const char *run_state, struct lag_error *err) {
    enum { PAUSED, QUEUED, ENDED, OTHER };
    static const char *const texts[] = {
        [PAUSED] = "the run has not trained yet: resume it, and ask again when it runs",
        [QUEUED] = "the run waits for its turn to train: ask again when it runs",
        [ENDED] = "the run ended before its first checkpoint: none of its weights are left",
        [OTHER] = "the run has no checkpoint yet: ask again in a moment",
    };
    int which = lagd_run_is(run_state, LAGD_RUN_PAUSED)                ? PAUSED
                : lagd_run_is(run_state, LAGD_RUN_QUEUED)              ? QUEUED
                : lagd_state_has_ended(LAGD_MACHINE_RUN, run_state) ? ENDED
                                                                       : OTHER;
    return lag_error_set(err, LAG_ESTATE, "%s", texts[which]);
}

static int load_state(struct sample_job *job, struct lag_state **ret, struct lag_error *err) {
    struct lag_checkpoint_row row;
    const char *id = job->command->u.generate->checkpoint;
    if (job->command->lent) {
        *ret = job->command->lent;
        job->command->lent = NULL;
        job->command->step = (*ret)->step;
        return 0;
    }
    int rc = id[0] ? lagd_checkpoint_load(job->deps, id, ret, &row, err)
                   : lagd_checkpoint_load_latest(job->deps, job->run_id, ret, &row, err);
    if (rc == LAG_ENOTFOUND && !id[0]) return lacks_checkpoint(job->run_state, err);
    if (rc < 0) return rc;
    job->command->step = row.step;
    (void)lag_copy(job->command->id, sizeof(job->command->id), row.id);
    return 0;
}

/* The prompt's ids; a text that is empty begins where texts begin. */
static int encode(const struct lag_tokenizer *tokenizer, const char *prompt, struct lag_ids *ret,
                  struct lag_error *err) {
    struct lag_tokenizer_look look;
    struct lag_coder *coder = NULL;
    lag_tokenizer_look(tokenizer, &look);
    const bool end = !prompt[0] && look.eos >= 0;
    int rc = lag_coder_create(tokenizer, &coder, err);
    if (rc == 0) rc = lag_encode(coder, end ? look.eos_text : prompt[0] ? prompt : "\n", end ? strlen(look.eos_text)
                                 : LAG_MAX(strlen(prompt), 1u), false, ret, err);
    lag_coder_destroy(coder);
    return rc;
}

/* What the ids stand for. A vocabulary may be larger than the tokenizer's: such ids are told as '?'. */
static int decode(struct sample_job *job, const struct lag_tokenizer *tokenizer, int32_t *ids, size_t n,
                  struct lag_error *err) {
    struct lag_strbuf text = LAG_STRBUF_INIT;
    struct lag_tokenizer_look look;
    lag_tokenizer_look(tokenizer, &look);
    int rc = 0;
    for (size_t i = 0, end; rc == 0 && i < n; i = end) {
        for (end = i; end < n && lag_tokenizer_knows(tokenizer, ids[end]); end++) continue;
        rc = lag_decode(tokenizer, ids + i, end - i, false, &text, err);
        for (; end < n && !lag_tokenizer_knows(tokenizer, ids[end]); end++) lag_strbuf_append(&text, "?");
    }
    job->command->n_text = text.length;
    if (rc == 0) job->command->text = lag_strbuf_take(&text);
    if (rc == 0 && !job->command->text) rc = lag_error_set(err, LAG_ENOMEM, "out of memory while sampling");
    lag_strbuf_deinit(&text);
    return rc;
}

static int continue_prompt(struct sample_job *job, const struct lag_state *state, struct lag_error *err) {
    const struct lagd_generate_request *request = job->command->u.generate;
    struct lag_sample_config config = {.n_tokens = (int)request->n_tokens, .temperature = request->temperature,
                                       .top_k = (int)request->top_k, .seed = (uint64_t)request->seed};
    const struct lag_tokenizer *tokenizer = NULL;
    LAG_CLEANUP(lag_free_p) int32_t *out = lag_calloc((size_t)config.n_tokens, sizeof(*out));
    struct lag_ids in = {0};
    int n_slots = 0;
    int rc = out ? lagd_loaded_take(job->loaded, job->tokenizer, &tokenizer, err)
                 : lag_error_set(err, LAG_ENOMEM, "out of memory while sampling");
    if (rc == 0) rc = encode(tokenizer, request->prompt, &in, err);
    if (rc == 0) {
        lagd_job_waits(&job->job);
        rc = lagd_slots_acquire(job->deps->slots, 1, &job->job.cancelled, &n_slots);
        lagd_job_beat(&job->job);
        if (rc < 0) rc = lag_error_set(err, rc, "lagd is stopping");
    }
    if (rc == 0) {
        rc = lag_generate(state, in.at, (int)in.n, &config, out, (const volatile bool *)&job->job.cancelled, NULL, err);
        lagd_slots_release(job->deps->slots, n_slots);
    }
    lag_ids_deinit(&in);
    if (rc == 0) rc = decode(job, tokenizer, out, (size_t)config.n_tokens, err);
    lagd_loaded_give(job->loaded, tokenizer);
    return rc;
}

static void run_sample(struct lagd_job *base) {
    struct sample_job *job = (struct sample_job *)base;
    struct lag_error *err = &job->command->err;
    LAG_CLEANUP(lag_state_destroy_p) struct lag_state *state = NULL;
    job->rc = load_state(job, &state, err);
    if (job->rc == 0) job->rc = continue_prompt(job, state, err);
}

static void end_sample(struct lagd_job *base) {
    struct sample_job *job = (struct sample_job *)base;
    struct lagd_command *command = job->command;
    int rc = base->ran ? job->rc : lag_error_set(&command->err, LAG_ECANCELED, "lagd is stopping");
    free(job);
    lagd_command_answer(command, rc);
}

/* The run whose checkpoint is sampled, and the tokenizer of its tokens. */
static int find_run(struct lagd_commands *c, struct lagd_command *command, struct lag_run_row *ret,
                    char ret_tokenizer[LAG_ROW_ID]) {
    struct lag_error *err = &command->err;
    const char *run = command->target;
    struct lag_checkpoint_row checkpoint;
    int rc = 0;
    if (command->u.generate->checkpoint[0]) {
        rc = lag_checkpoint_get(c->db, command->u.generate->checkpoint, &checkpoint, err);
        run = checkpoint.run_id;
    }
    if (rc == 0) rc = lag_run_get(c->db, run, ret, err);
    return rc == 0 ? lagd_tokens_of_run(c->db, ret, ret_tokenizer, err) : rc;
}

/* --- the weights of a run that has no checkpoint yet --- */

struct borrowing {
    struct lagd_copy_ask ask;
    struct lagd_command *command;
    struct lag_mailbox *mailbox; /* outlives every run's thread */
};

/* On the run's thread. */
static void on_lent(struct lagd_copy_ask *ask, struct lag_state *copy, const struct lag_error *why) {
    struct borrowing *borrowing = (struct borrowing *)ask;
    struct lagd_command *command = borrowing->command;
    command->lent = copy;
    int rc = why ? why->code : lag_mailbox_post(borrowing->mailbox, command);
    free(borrowing);
    if (rc == 0) return;
    if (why) command->err = *why;
    else (void)lag_error_set(&command->err, rc, rc == LAG_EBUSY ? "too many commands wait" : "lagd is stopping");
    lagd_command_answer(command, rc);
}

static int note_any(const struct lag_checkpoint_row *row, void *arg) {
    bool *any = arg;
    *any = *any || row->candidate_id[0] == '\0';
    return 0;
}

/* LAGD_LATER: the run lends its weights; 0: the checkpoints are to be looked at. */
static int borrow(struct lagd_commands *c, struct lagd_command *command, const char *run_id) {
    struct lag_error *err = &command->err;
    struct lagd_active *active = lagd_active_find(c->runs, run_id);
    bool any = false;
    int rc = active ? lag_checkpoint_list(c->db, run_id, note_any, &any, err) : 0;
    if (rc < 0 || !active || any) return rc;
    struct borrowing *borrowing = lag_calloc(1, sizeof(*borrowing));
    if (!borrowing) return lag_error_set(err, LAG_ENOMEM, "out of memory while sampling");
    *borrowing = (struct borrowing){.ask = {.done = on_lent}, .command = command, .mailbox = c->mailbox};
    rc = lagd_run_ask_copy(active->run, &borrowing->ask);
    if (rc == 0) return LAGD_LATER;
    free(borrowing);
    return rc == LAG_EBUSY ? lag_error_set(err, rc, "others wait for a sample of this run; try again in a moment") : 0;
}

int lagd_cmd_generate(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_error *err = &command->err;
    struct lag_run_row run;
    char tokenizer[LAG_ROW_ID];
    int rc = find_run(c, command, &run, tokenizer);
    if (rc == 0 && !command->lent && !command->u.generate->checkpoint[0]) rc = borrow(c, command, run.id);
    if (rc != 0) return rc;
    if (lagd_pool_waiting(c->deps->services) >= LAGD_SERVICES_WAITING_MAX) {
        return lag_error_set(err, LAG_EBUSY, "too many samples and files wait; try again in a moment");
    }
    struct sample_job *job = lag_calloc(1, sizeof(*job));
    if (!job) return lag_error_set(err, LAG_ENOMEM, "out of memory while sampling");
    (void)lag_copy(job->run_id, sizeof(job->run_id), run.id);
    (void)lag_copy(job->tokenizer, sizeof(job->tokenizer), tokenizer);
    (void)lag_copy(job->run_state, sizeof(job->run_state), run.state);
    job->deps = c->deps;
    job->loaded = c->loaded;
    job->command = command;
    job->job.run = run_sample;
    job->job.longest_ns = LONGEST_NS;
    job->job.done = end_sample;
    rc = lagd_pool_submit(c->deps->services, &job->job);
    if (rc == 0) return LAGD_LATER;
    free(job);
    return lag_error_set(err, LAG_ECANCELED, "lagd is stopping");
}
