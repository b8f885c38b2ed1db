/* Texts to ids and back: a job on a services worker, since a tokenizer's file may be large. */
#include "commands/command_internal.h"
#include "commands/commands_internal.h"
#include "commands/tokens_internal.h"
#include "exec/pool_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/token.h>
#include <inttypes.h>
#include <stdlib.h>

#define LONGEST_NS (60 * INT64_C(1000000000))

struct coding_job {
    struct lagd_job job;
    struct lagd_deps *deps;
    struct lagd_command *command;
    char id[LAG_ROW_ID];
    int rc;
};

LAG_DEFINE_CLEANUP(struct lag_tokenizer, tokenizer_destroy_p, lag_tokenizer_destroy)

static int encode(const struct lag_tokenizer *tokenizer, const struct lagd_coding *coding, struct lag_strbuf *out,
                  struct lag_error *err) {
    struct lag_coder *coder = NULL;
    struct lag_ids ids = {0};
    int rc = lag_coder_create(tokenizer, &coder, err);
    if (rc == 0) rc = lag_encode(coder, coding->text, coding->n_text, coding->special, &ids, err);
    for (size_t i = 0; rc == 0 && i < ids.n; i++) lag_strbuf_printf(out, "%s%" PRId32, i > 0 ? "," : "", ids.at[i]);
    lag_ids_deinit(&ids);
    lag_coder_destroy(coder);
    return rc;
}

static int code(const struct coding_job *job, struct lag_error *err) {
    const struct lagd_coding *coding = job->command->u.coding;
    LAG_CLEANUP(tokenizer_destroy_p) struct lag_tokenizer *tokenizer = NULL;
    struct lag_strbuf out = LAG_STRBUF_INIT;
    int rc = lagd_tokens_load(job->deps, job->id, &tokenizer, err);
    if (rc == 0) rc = coding->decode ? lag_decode(tokenizer, coding->ids, coding->n_ids, !coding->special, &out, err)
                                     : encode(tokenizer, coding, &out, err);
    if (rc == 0) {
        job->command->n_text = out.length;
        job->command->text = lag_strbuf_take(&out);
        if (!job->command->text) rc = lag_error_set(err, LAG_ENOMEM, "out of memory for a text");
    }
    lag_strbuf_deinit(&out);
    return rc;
}

static void run_coding(struct lagd_job *base) {
    struct coding_job *job = (struct coding_job *)base;
    job->rc = code(job, &job->command->err);
}

static void end_coding(struct lagd_job *base) {
    struct coding_job *job = (struct coding_job *)base;
    struct lagd_command *command = job->command;
    int rc = base->ran ? job->rc : lag_error_set(&command->err, LAG_ECANCELED, "lagd is stopping");
    free(job);
    lagd_command_answer(command, rc);
}

int lagd_cmd_tokenizer_code(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_error *err = &command->err;
    char name[LAG_ROW_NAME];
    struct coding_job *job = lag_calloc(1, sizeof(*job));
    if (!job) return lag_error_set(err, LAG_ENOMEM, "out of memory while coding a text");
    int rc = lagd_tokens_find(c->db, command->target, "", job->id, name, err);
    if (rc == LAG_EINVAL) rc = err->code = LAG_ENOTFOUND;
    if (rc == 0 && lagd_pool_waiting(c->deps->services) >= LAGD_SERVICES_WAITING_MAX)
        rc = lag_error_set(err, LAG_EBUSY, "too many samples and files wait; try again in a moment");
    if (rc == 0) {
        job->job = (struct lagd_job){.run = run_coding, .done = end_coding, .longest_ns = LONGEST_NS};
        job->deps = c->deps;
        job->command = command;
        if (lagd_pool_submit(c->deps->services, &job->job) == 0) return LAGD_LATER;
        rc = lag_error_set(err, LAG_ECANCELED, "lagd is stopping");
    }
    free(job);
    return rc;
}
