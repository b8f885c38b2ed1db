/* Texts to ids and back: a job on a services worker, since texts, and a tokenizer's file that has to be read, may be
 * large. */
#include "commands/command_internal.h"
#include "commands/commands_internal.h"
#include "commands/loaded_internal.h"
#include "commands/tokens_internal.h"
#include "exec/pool_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/token.h>
#include <stdlib.h>

#define LONGEST_NS (60 * INT64_C(1000000000))

struct coding_job {
    struct lagd_job job;
    struct lagd_loaded *loaded;
    struct lagd_command *command;
    char id[LAG_ROW_ID];
    int rc;
};

/* What each of the ids stands for by itself, one behind the other. */
static int find_pieces(const struct lag_tokenizer *tokenizer, struct lagd_coding *coding, struct lag_strbuf *out,
                       struct lag_error *err) {
    int rc = 0;
    coding->ends = lag_calloc(coding->n_ids + 1, sizeof(*coding->ends));
    if (!coding->ends) return lag_error_set(err, LAG_ENOMEM, "out of memory for a text");
    for (size_t i = 0; rc == 0 && i < coding->n_ids; i++) {
        rc = lag_decode(tokenizer, coding->ids + i, 1, false, out, err);
        coding->ends[i] = out->length;
    }
    return rc;
}

static int encode(const struct lag_tokenizer *tokenizer, struct lagd_coding *coding, struct lag_strbuf *out,
                  struct lag_error *err) {
    struct lag_coder *coder = NULL;
    struct lag_ids ids = {0};
    int rc = lag_coder_create(tokenizer, &coder, err);
    if (rc == 0) rc = lag_encode(coder, coding->text, coding->n_text, coding->special, &ids, err);
    if (rc != 0) lag_ids_deinit(&ids);
    lag_coder_destroy(coder);
    if (rc != 0) return rc;
    coding->ids = ids.at;
    coding->n_ids = ids.n;
    return coding->pieces ? find_pieces(tokenizer, coding, out, err) : 0;
}

static int code(const struct coding_job *job, struct lag_error *err) {
    struct lagd_coding *coding = job->command->u.coding;
    const struct lag_tokenizer *tokenizer = NULL;
    struct lag_strbuf out = LAG_STRBUF_INIT;
    int rc = lagd_loaded_take(job->loaded, job->id, &tokenizer, err);
    if (rc == 0) rc = coding->decode ? lag_decode(tokenizer, coding->ids, coding->n_ids, !coding->special, &out, err)
                                     : encode(tokenizer, coding, &out, err);
    if (rc == 0) {
        job->command->n_text = out.length;
        job->command->text = lag_strbuf_take(&out);
        if (!job->command->text) rc = lag_error_set(err, LAG_ENOMEM, "out of memory for a text");
    }
    lag_strbuf_deinit(&out);
    lagd_loaded_give(job->loaded, tokenizer);
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
        job->loaded = c->loaded;
        job->command = command;
        if (lagd_pool_submit(c->deps->services, &job->job) == 0) return LAGD_LATER;
        rc = lag_error_set(err, LAG_ECANCELED, "lagd is stopping");
    }
    free(job);
    return rc;
}
