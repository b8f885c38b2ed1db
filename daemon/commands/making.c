/* Tokenizers that are being made. */
#include "commands/making_internal.h"

#include "commands/tokens_internal.h"
#include "exec/listed_internal.h"
#include "records/folders_internal.h"
#include "records/post_internal.h"
#include "records/transact_internal.h"
#include "records/unlisted_internal.h"
#include "train/dataset_open_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/hash.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/tokenizer_request.h>
#include <lagd/engine/token.h>
#include <lagd/engine/token_train.h>
#include <lagd/storage/keys.h>
#include <lagd/storage/tokenizers.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPORT_NS (500 * INT64_C(1000000))    /* how far it is is stored not more often */
#define SILENCE_NS (60 * INT64_C(1000000000)) /* of a worker, expected at most */
enum { READ_BYTES = 4 << 20, SPECIALS_MAX = 256 };

struct making {
    struct lagd_listed listed; /* first: the list knows only this */
    struct lagd_makings *all;
    struct lag_tokenizer_row row;
    struct lag_dataset_row dataset; /* that it learns from */
    char root[LAGD_STATE_PATH], relative[LAG_ROW_PATH], dir[LAGD_STATE_PATH];
    int64_t report_due_ns;
    bool is_unknown; /* its row has gone */
};
struct lagd_makings {
    struct lagd_deps *deps;
    struct lagd_list list;
};

LAG_DEFINE_CLEANUP(struct lag_tokenizer, tokenizer_destroy_p, lag_tokenizer_destroy)
LAG_DEFINE_CLEANUP(struct lag_trainer, trainer_destroy_p, lag_trainer_destroy)

/* --- training, on a worker ---------------------------------------------------------------------------------------- */

static int write_done(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_tokenizer_row *row = arg;
    return lag_tokenizer_set_done(db, row->id, row->n_done, row->n_all, err);
}

/* How far it is costs one small write now and then; without it the job goes on. */
static bool goes_on(struct making *job, int64_t n_done) {
    lagd_job_beat(&job->listed.job);
    LAG_FP("tokenizer.part");
    job->row.n_done = n_done;
    if (lag_clock_mono_ns() >= job->report_due_ns) {
        (void)lag_store_write(job->all->deps->store, write_done, &job->row, NULL);
        job->report_due_ns = lag_clock_mono_ns() + REPORT_NS;
    }
    return !atomic_load(&job->listed.job.cancelled);
}

/* The text is read, and then its merges are learnt: each is half of it. */
static bool each_merge(void *arg, int n_done, int n_asked) {
    struct making *job = arg;
    const int64_t half = job->dataset.n_bytes;
    if (n_done % 64 != 0) return !atomic_load(&job->listed.job.cancelled);
    return goes_on(job, half + (int64_t)((double)half * n_done / LAG_MAX(n_asked, 1)));
}

/* Behind the last end of a line, or all of it. */
static size_t whole_lines(const char *text, size_t n) {
    const char *newline = memrchr(text, '\n', n);
    return newline ? (size_t)(newline - text) + 1 : n;
}

static int read_words(struct making *job, int fd, struct lag_trainer *trainer, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *text = malloc(READ_BYTES);
    int64_t offset = 0;
    if (!text) return lag_error_set(err, LAG_ENOMEM, "out of memory for a text");
    for (;;) {
        const ssize_t got = pread(fd, text, READ_BYTES, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return lag_error_errno(err, errno, "dataset %s cannot be read", job->dataset.name);
        if (got == 0) return 0;
        const size_t n = got == READ_BYTES ? whole_lines(text, (size_t)got) : (size_t)got;
        const int rc = lag_trainer_add(trainer, text, n, err);
        if (rc != 0) return rc;
        offset += (int64_t)n;
        if (!goes_on(job, offset)) return lag_error_set(err, LAG_ECANCELED, "cancelled");
    }
}

static int open_trainer(struct making *job, const struct lagd_tokenizer_add *add, struct lag_trainer **ret,
                        struct lag_error *err) {
    const char *specials[SPECIALS_MAX];
    size_t n = 0, n_base = 0;
    char dir[LAGD_STATE_PATH];
    LAG_CLEANUP(lag_free_p) char *copy = lag_strdup(add->specials);
    LAG_CLEANUP(lag_free_p) char *base = NULL;
    LAG_CLEANUP(tokenizer_destroy_p) struct lag_tokenizer *read = NULL;
    if (!copy) return lag_error_set(err, LAG_ENOMEM, "out of memory to train");
    char *rest = copy[0] ? copy : NULL;
    while (rest && n < SPECIALS_MAX) specials[n++] = strsep(&rest, ",");
    struct lag_train_plan plan = {.pattern = add->pattern, .specials = specials, .n_specials = n,
                                  .vocab_size = (int)add->vocab_size};
    if (job->row.base_id[0]) {
        lagd_tokenizer_path(job->all->deps, job->row.base_id, dir);
        const int rc = lagd_tokens_read(dir, "tokenizer.json", &read, &base, &n_base, err);
        if (rc != 0) return rc;
        plan.base = base;
        plan.n_base = n_base;
    }
    return lag_trainer_create(&plan, ret, err);
}

static int train(struct making *job, char **ret_text, size_t *ret_length, struct lag_error *err) {
    LAG_CLEANUP(trainer_destroy_p) struct lag_trainer *trainer = NULL;
    LAG_CLEANUP(lag_free_p) struct lagd_tokenizer_add *add = lag_calloc(1, sizeof(*add));
    LAG_CLEANUP(lag_close_p) int fd = -1;
    const struct lag_train_watch watch = {each_merge, job};
    struct lag_strbuf out = LAG_STRBUF_INIT;
    if (!add) return lag_error_set(err, LAG_ENOMEM, "out of memory to train");
    job->row.n_all = 2 * job->dataset.n_bytes;
    int rc = lag_fields_parse(&lagd_tokenizer_fields, add, job->row.request, err);
    if (rc == 0) rc = open_trainer(job, add, &trainer, err);
    if (rc == 0) rc = lagd_dataset_open_path(job->all->deps, &job->dataset, &fd, err);
    if (rc == 0) rc = read_words(job, fd, trainer, err);
    LAG_FP("tokenizer.counted");
    if (rc == 0) rc = lag_trainer_run(trainer, &watch, err);
    if (rc == 0) rc = lag_trainer_write(trainer, &out, err);
    if (rc == 0) {
        *ret_length = out.length;
        *ret_text = lag_strbuf_take(&out);
    }
    lag_strbuf_deinit(&out);
    return rc;
}

/* --- making, on a worker ------------------------------------------------------------------------------------------ */

static int make_text(struct making *job, struct lag_tokenizer **ret, char **ret_text, size_t *ret_length,
                     struct lag_error *err) {
    if (!job->row.request[0])
        return lagd_tokens_read(job->root, job->relative, ret, ret_text, ret_length, err);
    const int rc = train(job, ret_text, ret_length, err);
    return rc == 0 ? lag_tokenizer_read(*ret_text, *ret_length, ret, err) : rc;
}

/* From nothing on; but for what was uploaded, which lies in the folder. */
static int make(struct making *job, struct lag_error *err) {
    LAG_CLEANUP(tokenizer_destroy_p) struct lag_tokenizer *tokenizer = NULL;
    LAG_CLEANUP(lag_free_p) char *text = NULL;
    size_t length = 0;
    LAG_FP("tokenizer.make");
    if (LAG_FP_FAIL("tokenizer.no_memory")) return lag_error_set(err, LAG_ENOMEM, "out of memory: failpoint");
    int rc = make_text(job, &tokenizer, &text, &length, err);
    if (rc == 0) rc = lag_fs_mkdirs(job->dir, err);
    if (rc == 0) rc = lag_fs_write_file(job->dir, "tokenizer.json", text, length, err);
    LAG_FP("tokenizer.written");
    if (rc != 0) return rc;
    lagd_tokens_describe(tokenizer, &job->row);
    job->row.n_bytes = (int64_t)length;
    lag_sha256_bytes(text, length, job->row.sha256);
    return 0;
}

/* What comes back by itself, as memory, is waited for. */
static int make_patiently(struct making *job, struct lag_error *err) {
    for (int n_tries = 0;; n_tries++) {
        const int rc = make(job, err);
        if (lag_code_cause(rc) != LAG_CAUSE_PASSES) return rc;
        if (n_tries == 0) lag_log(LAG_LOG_WARNING, "tokenizer %s waits to be made: %s", job->row.name, err->text);
        lagd_job_waits(&job->listed.job);
        lagd_pause_ms(LAGD_STORAGE_RETRY_MS, &job->listed.job.cancelled);
        lagd_job_beat(&job->listed.job);
        if (atomic_load(&job->listed.job.cancelled)) return LAG_ECANCELED;
    }
}

static int write_ready(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct making *job = arg;
    const struct lagd_post post = {.machine = LAGD_MACHINE_TOKENIZER, .event = LAGD_TOKENIZER_ON_MADE,
                                   .id = job->row.id, .step = LAG_NO_STEP, .value = LAG_NO_VALUE};
    const int rc = lagd_tx_post(db, &post, NULL, err);
    return rc == 0 ? lag_tokenizer_set_found(db, &job->row, err) : rc;
}

static int make_it(struct making *job, struct lag_error *err) {
    int rc = make_patiently(job, err);
    if (rc != 0) return rc;
    lagd_job_waits(&job->listed.job); /* for the disk, as long as that is full */
    rc = lagd_write_patiently(job->all->deps, write_ready, job, &job->listed.job.cancelled, err);
    LAG_FP("tokenizer.ready");
    job->is_unknown = rc == LAG_ENOTFOUND;
    return rc == 0 ? 0 : LAG_ECANCELED; /* the next start makes it anew */
}

/* --- its end ------------------------------------------------------------------------------------------------------ */

static void remove_folder(struct lagd_deps *deps, const struct lag_tokenizer_row *row) {
    struct lag_error err = {0};
    char dir[LAGD_STATE_PATH];
    lagd_tokenizer_path(deps, row->id, dir);
    if (lagd_unlisted_remove(dir, &err) != 0)
        lag_log(LAG_LOG_WARNING, "the files of tokenizer %s could not be removed: %s", row->name, err.text);
}

struct refusing {
    const struct lag_tokenizer_row *row;
    const char *reason, *key;
};

static int write_refused(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct refusing *refusing = arg;
    const struct lagd_post post = {.machine = LAGD_MACHINE_TOKENIZER, .event = LAGD_TOKENIZER_ON_REFUSED,
                                   .id = refusing->row->id, .reason = refusing->reason, .step = LAG_NO_STEP,
                                   .value = LAG_NO_VALUE};
    return lagd_tx_post(db, &post, NULL, err);
}

void lagd_making_refuse(struct lagd_deps *deps, const struct lag_tokenizer_row *row, const char *reason) {
    struct refusing refusing = {.row = row, .reason = reason};
    struct lag_error err = {0};
    lag_log(LAG_LOG_WARNING, "tokenizer %s could not be made: %s", row->name, reason);
    if (lag_store_write(deps->store, write_refused, &refusing, &err) == 0) remove_folder(deps, row);
    else lag_log(LAG_LOG_WARNING, "and that could not be stored; the next start makes it again: %s", err.text);
}

static int write_withdrawn(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct refusing *withdrawing = arg;
    int rc = lag_tokenizer_delete(db, withdrawing->row->id, err);
    return rc == 0 && withdrawing->key[0] ? lag_key_forget(db, withdrawing->key, err) : rc;
}

void lagd_making_withdraw(struct lagd_deps *deps, const struct lag_tokenizer_row *row, const char *key) {
    struct refusing withdrawing = {.row = row, .key = key};
    struct lag_error err = {0};
    if (lag_store_write(deps->store, write_withdrawn, &withdrawing, &err) == 0) remove_folder(deps, row);
    else lag_log(LAG_LOG_WARNING, "tokenizer %s stays half made; the next start goes on: %s", row->name, err.text);
}

static void run_job(struct lagd_job *base) {
    struct making *job = (struct making *)base;
    struct lag_error err = {0};
    int rc = atomic_load(&base->cancelled) ? LAG_ECANCELED : make_it(job, &err);
    const bool gone = lagd_list_take_out(&job->all->list, &job->listed);
    if (gone || job->is_unknown) remove_folder(job->all->deps, &job->row);
    else if (rc != 0 && rc != LAG_ECANCELED) lagd_making_refuse(job->all->deps, &job->row, err.text);
}

static void end_job(struct lagd_job *base) {
    struct making *job = (struct making *)base;
    if (!base->ran && lagd_list_take_out(&job->all->list, &job->listed)) remove_folder(job->all->deps, &job->row);
    free(job);
}

/* --- the list ----------------------------------------------------------------------------------------------------- */

int lagd_makings_create(struct lagd_deps *deps, struct lagd_makings **ret, struct lag_error *err) {
    struct lagd_makings *all = lag_calloc(1, sizeof(*all));
    if (!all) return lag_error_set(err, LAG_ENOMEM, "out of memory for tokenizers");
    all->deps = deps;
    int rc = lagd_list_init(&all->list, "tokenizer", err);
    if (rc == 0) *ret = all;
    else lagd_makings_destroy(all);
    return rc;
}

void lagd_makings_stop(struct lagd_makings *all) {
    if (all) lagd_list_stop(&all->list);
}

void lagd_makings_destroy(struct lagd_makings *all) {
    if (!all) return;
    lagd_list_deinit(&all->list);
    free(all);
}

int lagd_makings_admit(struct lagd_makings *all, struct lag_error *err) {
    const int n = lagd_list_count(&all->list);
    if (n < LAGD_MAKINGS_MAX) return 0;
    return lag_error_set(err, LAG_EBUSY, "%d tokenizers are being made already; try again in a moment", n);
}

int lagd_makings_begin(struct lagd_makings *all, const struct lag_tokenizer_row *row, const char *root,
                       const char *relative, const struct lag_dataset_row *dataset, struct lag_error *err) {
    struct making *job = LAG_FP_FAIL("tokenizer.begin") ? NULL : lag_calloc(1, sizeof(*job));
    if (!job) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    job->listed.job = (struct lagd_job){.run = run_job, .done = end_job, .longest_ns = SILENCE_NS};
    job->all = all;
    job->row = *row;
    job->listed.id = job->row.id;
    if (dataset) job->dataset = *dataset;
    (void)lag_copy(job->root, sizeof(job->root), root);
    (void)lag_copy(job->relative, sizeof(job->relative), relative);
    lagd_tokenizer_path(all->deps, row->id, job->dir);
    const int rc = lagd_list_submit(&all->list, &job->listed, err);
    if (rc != 0) free(job);
    return rc;
}

bool lagd_makings_cancel(struct lagd_makings *all, const char *tokenizer_id) {
    return lagd_list_cancel(&all->list, tokenizer_id);
}

bool lagd_makings_stuck(struct lagd_makings *all, int64_t now_ns) { return lagd_pool_stuck(all->list.pool, now_ns); }

size_t lagd_makings_waiting(struct lagd_makings *all) { return lagd_pool_waiting(all->list.pool); }
