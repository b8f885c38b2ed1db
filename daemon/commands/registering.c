/* Registrations of datasets under way. */
#include "commands/registering_internal.h"

#include "commands/command_internal.h"
#include "commands/tokens_internal.h"
#include "exec/pool_internal.h"
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
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/base/names.h>
#include <lagd/engine/data.h>
#include <lagd/engine/tokenize.h>
#include <lagd/storage/events.h>
#include <lagd/storage/keys.h>
#include <lagd/storage/runs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPORT_NS (500 * INT64_C(1000000))     /* how far it is is stored not more often */
#define SILENCE_NS (60 * INT64_C(1000000000))  /* of a worker, expected at most; the watchdog allows five times that */
LAG_DEFINE_CLEANUP(struct lag_tokenizer, tokenizer_destroy_p, lag_tokenizer_destroy)

enum { SMALL, LARGE, N_SIZES, WORKERS = 2 };

struct registration {
    struct lagd_job job; /* first: the pool knows only this */
    struct lagd_registrations *all;
    struct registration *next;
    struct lag_dataset_row row;
    struct lag_stamp stamp;
    int fd;
    bool is_tokenized; /* fd is of the token file */
    int64_t report_due_ns;
    /* under the lock of all: */
    struct lagd_command *command; /* owned while it waits */
    int64_t due_ns;
    bool gone; /* a person has deleted it */
};
struct lagd_registrations {
    struct lagd_deps *deps;
    pthread_mutex_t lock;
    struct registration *first;
    struct lagd_pool *pools[N_SIZES];
};

static int size_of(int64_t n_bytes) { return n_bytes > LAGD_SMALL_SCAN_BYTES ? LARGE : SMALL; }

/* --- reading, on a worker ---------------------------------------------------------------------------------------- */

static int write_done(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_dataset_row *row = arg;
    return lag_dataset_set_done(db, row->id, row->n_bytes_done, err);
}

/* How far it is costs one small write now and then; without it the scan goes on. */
static bool goes_on(void *arg, uint64_t n_bytes) {
    struct registration *job = arg;
    lagd_job_beat(&job->job);
    LAG_FP("dataset.chunk");
    int64_t now_ns = lag_clock_mono_ns();
    if (now_ns >= job->report_due_ns && n_bytes > 0) {
        job->row.n_bytes_done = (int64_t)n_bytes;
        (void)lag_store_write(job->all->deps->store, write_done, &job->row, NULL);
        job->report_due_ns = lag_clock_mono_ns() + REPORT_NS;
    }
    return !atomic_load(&job->job.cancelled);
}

/* A large file whose stamp is too young to be trusted is waited for, so that it need not be read twice. */
static void let_it_age(struct registration *job) {
    if (size_of(job->row.n_bytes) == SMALL) return;
    while (lag_stamp_is_fresh(&job->stamp, lag_clock_wall_ms()) && !atomic_load(&job->job.cancelled)) {
        lagd_job_beat(&job->job);
        lagd_pause_ms(100, &job->job.cancelled);
    }
}

/* The text becomes a token file of lagd's own, from nothing on, which takes its place. */
static int tokenize(struct registration *job, struct lag_error *err) {
    struct lag_dataset_row *row = &job->row;
    struct lagd_deps *deps = job->all->deps;
    const struct lag_tokenize_watch watch = {goes_on, job};
    LAG_CLEANUP(tokenizer_destroy_p) struct lag_tokenizer *tokenizer = NULL;
    const char *slash = strrchr(row->text_path, '/'), *file_name = slash ? slash + 1 : row->text_path;
    char dir[LAGD_STATE_PATH];
    struct lag_tokenized done;
    struct lag_stamp before, after;
    int documents = lag_names_find(lag_documents_names, row->documents);
    int rc = lagd_tokens_load(deps, row->tokenizer_id, &tokenizer, err);
    if (rc != 0) return rc;
    const struct lag_tokenize_plan plan = {tokenizer,
                                           documents < 0 ? LAG_DOCUMENTS_NONE : (enum lag_documents)documents,
                                           row->document_field};
    (void)snprintf(dir, sizeof(dir), "%s/datasets/%s", deps->state_dir, row->id);
    rc = lag_fs_mkdirs(dir, err);
    if (rc == 0) rc = lag_stamp_of_fd(job->fd, &before, err);
    LAG_FP("dataset.tokenize");
    if (rc == 0) rc = lag_tokenize_file(&plan, job->fd, file_name, dir, LAGD_TOKENS_NAME, &watch, &done, err);
    if (rc == 0) rc = lag_stamp_of_fd(job->fd, &after, err);
    if (rc != 0) return rc;
    if (!lag_stamp_equal(&before, &after))
        return lag_error_set(err, LAG_EINVAL, "%s: the file changed while it was read: register it when nothing writes "
                             "to it", file_name);
    struct lag_tokenizer_look look;
    lag_tokenizer_look(tokenizer, &look);
    row->vocab_size = look.size;
    row->text_bytes = (int64_t)done.n_text_bytes;
    (void)lag_copy(row->text_sha256, sizeof(row->text_sha256), done.text_sha256);
    (void)lag_copy(row->format, sizeof(row->format), lag_token_format_name(done.width_bytes == 2 ? LAG_TOKENS_LLMC_U16
                                                                                                : LAG_TOKENS_LLMC_U32));
    return 0;
}

static int open_tokens(struct registration *job, struct lag_error *err) {
    struct lag_stamp stamp;
    int fd = -1;
    int rc = lagd_dataset_open_path(job->all->deps, &job->row, &fd, err);
    if (rc == 0) rc = lag_stamp_of_fd(fd, &stamp, err);
    if (rc != 0) {
        if (fd >= 0) (void)close(fd);
        return rc;
    }
    job->row.n_bytes = stamp.n_bytes;
    (void)close(job->fd);
    job->fd = fd;
    job->is_tokenized = true;
    return 0;
}

static int scan(struct registration *job, struct lag_error *err) {
    struct lag_dataset_row *row = &job->row;
    const struct lag_scan_watch watch = {goes_on, job};
    struct lag_dataset_info info;
    struct lag_stamp before, after;
    LAG_FP("dataset.scan");
    if (LAG_FP_FAIL("dataset.no_memory")) return lag_error_set(err, LAG_ENOMEM, "out of memory: failpoint");
    const char *slash = strrchr(row->path, '/'), *file_name = slash ? slash + 1 : row->path;
    int rc = 0;
    if (row->tokenizer_id[0] && !job->is_tokenized) {
        rc = tokenize(job, err);
        if (rc == 0) rc = open_tokens(job, err);
    }
    if (rc == 0) rc = lag_stamp_of_fd(job->fd, &before, err);
    if (rc != 0) return rc;
    let_it_age(job);
    const bool fresh = lag_stamp_is_fresh(&before, lag_clock_wall_ms());
    rc = lag_dataset_inspect(job->fd, file_name, row->format, (int)row->vocab_size, &watch, &info, err);
    if (rc == 0) rc = lag_stamp_of_fd(job->fd, &after, err);
    if (rc != 0) return rc;
    if (!lag_stamp_equal(&before, &after) || before.n_bytes != row->n_bytes)
        return lag_error_set(err, LAG_EINVAL, "%s: the file changed while it was read: register it when nothing writes "
                             "to it", file_name);
    (void)lag_copy(row->format, sizeof(row->format), lag_token_format_name(info.format));
    (void)lag_copy(row->sha256, sizeof(row->sha256), info.sha256);
    row->n_tokens = (int64_t)info.n_tokens;
    row->max_id = (int64_t)info.max_id;
    row->vocab_size = info.vocab_size;
    if (fresh) return 0;
    row->device = before.device;
    row->inode = before.inode;
    row->mtime_ns = before.mtime_ns;
    row->ctime_ns = before.ctime_ns;
    return 0;
}

static int write_ready(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_dataset_row *row = arg;
    const struct lagd_post post = {.machine = LAGD_MACHINE_DATASET, .event = LAGD_DATASET_ON_READ, .id = row->id,
                                   .step = LAG_NO_STEP, .value = LAG_NO_VALUE};
    const struct lag_event added = {.type = LAG_EVENT_DATASET_ADDED, .message = row->name};
    int rc = lagd_tx_post(db, &post, NULL, err);
    if (rc == 0 && row->tokenizer_id[0]) rc = lag_dataset_set_tokenized(db, row, err);
    if (rc == 0) rc = lag_dataset_set_found(db, row, err);
    return rc == 0 ? lag_event_put(db, &added, err) : rc;
}

/* What was taken is not given up for want of what comes back by itself, as memory: an upload would go with it. */
static int scan_patiently(struct registration *job, struct lag_error *err) {
    for (int n_tries = 0;; n_tries++) {
        int rc = scan(job, err);
        if (lag_code_cause(rc) != LAG_CAUSE_PASSES) return rc;
        if (n_tries == 0) lag_log(LAG_LOG_WARNING, "dataset %s waits to be read: %s", job->row.name, err->text);
        lagd_job_waits(&job->job);
        lagd_pause_ms(LAGD_STORAGE_RETRY_MS, &job->job.cancelled);
        lagd_job_beat(&job->job);
        if (atomic_load(&job->job.cancelled)) return LAG_ECANCELED;
    }
}

static int register_it(struct registration *job, struct lag_error *err) {
    int rc = scan_patiently(job, err);
    LAG_FP("dataset.scanned");
    if (rc != 0) return rc;
    lagd_job_waits(&job->job); /* for the disk, as long as that is full */
    rc = lagd_write_patiently(job->all->deps, write_ready, &job->row, &job->job.cancelled, err);
    return rc == 0 || rc == LAG_ENOTFOUND ? rc : LAG_ECANCELED; /* the next start reads it again */
}

/* --- its end ----------------------------------------------------------------------------------------------------- */

static void remove_upload(struct lagd_deps *deps, const struct lag_dataset_row *row) {
    struct lag_error err = {0};
    if (strcmp(row->origin, "file") == 0) return;
    LAG_CLEANUP(lag_free_p) char *dir = lag_asprintf("%s/datasets/%s", deps->state_dir, row->id);
    if (!dir || lagd_unlisted_remove(dir, &err) != 0)
        lag_log(LAG_LOG_WARNING, "the file of dataset %s could not be removed: %s", row->name, err.text);
}

struct refusing {
    const struct lag_dataset_row *row;
    const char *reason;
    const char *key; /* of the request that is told, "" without one */
};

static int write_refused(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct refusing *refusing = arg;
    const struct lagd_post post = {.machine = LAGD_MACHINE_DATASET, .event = LAGD_DATASET_ON_REFUSED,
                                   .id = refusing->row->id, .reason = refusing->reason, .step = LAG_NO_STEP,
                                   .value = LAG_NO_VALUE};
    return lagd_tx_post(db, &post, NULL, err);
}

void lagd_registration_refuse(struct lagd_deps *deps, const struct lag_dataset_row *row, const char *reason) {
    struct refusing refusing = {.row = row, .reason = reason};
    struct lag_error err = {0};
    lag_log(LAG_LOG_WARNING, "dataset %s could not be registered: %s", row->name, reason);
    int rc = lag_store_write(deps->store, write_refused, &refusing, &err);
    if (rc == 0) remove_upload(deps, row);
    else lag_log(LAG_LOG_WARNING, "and that could not be stored; the next start reads it again: %s", err.text);
}

/* Who waits is told by the answer: it is as if the request had not been made. */
static int write_withdrawn(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct refusing *refusing = arg;
    int rc = lag_dataset_delete(db, refusing->row->id, err);
    return rc == 0 && refusing->key[0] ? lag_key_forget(db, refusing->key, err) : rc;
}

void lagd_registration_withdraw(struct lagd_deps *deps, const struct lag_dataset_row *row, const char *key) {
    struct refusing refusing = {.row = row, .key = key};
    struct lag_error err = {0};
    const bool uploaded = strcmp(row->origin, "file") != 0;
    LAG_CLEANUP(lag_free_p) char *dir = lag_asprintf("%s/datasets/%s", deps->state_dir, row->id);
    if (uploaded && dir) (void)lagd_unlisted_mark(dir, NULL);
    int rc = lag_store_write(deps->store, write_withdrawn, &refusing, &err);
    if (rc == 0) {
        remove_upload(deps, row);
        return;
    }
    if (uploaded && dir && lagd_is_undone(rc)) lagd_unlisted_unmark(dir);
    lag_log(LAG_LOG_WARNING, "dataset %s stays half registered: %s", row->name, err.text);
}

/* Out of the list; its command, if that still waits, is the caller's. */
static struct lagd_command *take_out(struct registration *job, bool *ret_gone) {
    struct lagd_registrations *all = job->all;
    (void)pthread_mutex_lock(&all->lock);
    struct registration **link = &all->first;
    while (*link != job) link = &(*link)->next;
    *link = job->next;
    struct lagd_command *command = job->command;
    job->command = NULL;
    *ret_gone = job->gone;
    (void)pthread_mutex_unlock(&all->lock);
    return command;
}

static void run_job(struct lagd_job *base) {
    struct registration *job = (struct registration *)base;
    struct lag_error err = {0};
    bool gone = false;
    int rc = atomic_load(&base->cancelled) ? LAG_ECANCELED : register_it(job, &err);
    struct lagd_command *command = take_out(job, &gone);
    if (rc == LAG_ENOTFOUND || gone) { /* its row was deleted, and its files with it */
        if (command)
            rc = lag_error_set(&command->err, LAG_ESTATE, "dataset %s was deleted while it was being registered",
                               job->row.name);
    } else if (rc == LAG_ECANCELED || rc == 0) {
        rc = 0; /* where lagd stops, the next start goes on: it is under way, and the row says so */
    } else if (command) {
        command->err = err;
        lagd_registration_withdraw(job->all->deps, &job->row, command->key);
    } else {
        lagd_registration_refuse(job->all->deps, &job->row, err.text);
    }
    if (command) lagd_command_answer(command, rc);
}

/* The pool's last touch. One that never ran ends with the daemon: its row stays. */
static void end_job(struct lagd_job *base) {
    struct registration *job = (struct registration *)base;
    bool gone = false;
    struct lagd_command *command = base->ran ? NULL : take_out(job, &gone);
    (void)close(job->fd);
    free(job);
    if (command) lagd_command_answer(command, 0);
}

/* --- the list ---------------------------------------------------------------------------------------------------- */

int lagd_registrations_create(struct lagd_deps *deps, struct lagd_registrations **ret, struct lag_error *err) {
    struct lagd_registrations *all = lag_calloc(1, sizeof(*all));
    if (!all) return lag_error_set(err, LAG_ENOMEM, "out of memory for registrations of datasets");
    (void)pthread_mutex_init(&all->lock, NULL);
    all->deps = deps;
    int rc = lagd_pool_create("scan", WORKERS, &all->pools[SMALL], err);
    if (rc == 0) rc = lagd_pool_create("big-scan", WORKERS, &all->pools[LARGE], err);
    if (rc == 0) *ret = all;
    else lagd_registrations_destroy(all);
    return rc;
}

void lagd_registrations_stop(struct lagd_registrations *all) {
    for (int i = 0; all && i < N_SIZES; i++) {
        lagd_pool_destroy(all->pools[i]);
        all->pools[i] = NULL;
    }
}

void lagd_registrations_destroy(struct lagd_registrations *all) {
    if (!all) return;
    lagd_registrations_stop(all);
    (void)pthread_mutex_destroy(&all->lock);
    free(all);
}

int lagd_registrations_admit(struct lagd_registrations *all, int64_t n_bytes, struct lag_error *err) {
    int n = 0;
    (void)pthread_mutex_lock(&all->lock);
    for (const struct registration *job = all->first; job; job = job->next)
        n += size_of(job->row.n_bytes) == size_of(n_bytes);
    (void)pthread_mutex_unlock(&all->lock);
    if (n < LAGD_SCANS_MAX) return 0;
    return lag_error_set(err, LAG_EBUSY, "%d datasets are being registered already; try again in a moment", n);
}

bool lagd_registrations_find_file(struct lagd_registrations *all, const struct lag_stamp *stamp,
                                  char ret[LAG_ROW_NAME]) {
    bool found = false;
    (void)pthread_mutex_lock(&all->lock);
    for (const struct registration *job = all->first; job && !found; job = job->next) {
        found = lag_stamp_same_file(&job->stamp, stamp) && !job->gone;
        if (found) (void)lag_copy(ret, LAG_ROW_NAME, job->row.name);
    }
    (void)pthread_mutex_unlock(&all->lock);
    return found;
}

int lagd_registrations_begin(struct lagd_registrations *all, const struct lag_dataset_row *row, int fd,
                             struct lagd_command *command, int64_t due_ns, struct lag_error *err) {
    struct registration *job = LAG_FP_FAIL("dataset.begin") ? NULL : lag_calloc(1, sizeof(*job));
    int rc = job ? lag_stamp_of_fd(fd, &job->stamp, err) : lag_error_set(err, LAG_ENOMEM, "out of memory");
    if (rc != 0) {
        free(job);
        (void)close(fd);
        return rc;
    }
    job->job = (struct lagd_job){.run = run_job, .done = end_job, .longest_ns = SILENCE_NS};
    job->all = all;
    job->row = *row;
    job->fd = fd;
    job->command = command;
    job->due_ns = due_ns;
    (void)pthread_mutex_lock(&all->lock);
    job->next = all->first;
    all->first = job;
    (void)pthread_mutex_unlock(&all->lock);
    if (lagd_pool_submit(all->pools[size_of(row->n_bytes)], &job->job) == 0) return 0;
    bool gone;
    (void)take_out(job, &gone);
    (void)close(fd);
    free(job);
    return lag_error_set(err, LAG_ECANCELED, "lagd is stopping");
}

/* One that waits for a worker leaves the queue when its turn comes: it has nothing to do by then. */
void lagd_registrations_cancel(struct lagd_registrations *all, const char *dataset_id) {
    (void)pthread_mutex_lock(&all->lock);
    for (struct registration *job = all->first; job; job = job->next) {
        if (strcmp(job->row.id, dataset_id) != 0) continue;
        job->gone = true;
        atomic_store(&job->job.cancelled, true);
    }
    (void)pthread_mutex_unlock(&all->lock);
}

static struct lagd_command *take_due(struct lagd_registrations *all, int64_t now_ns) {
    struct lagd_command *command = NULL;
    (void)pthread_mutex_lock(&all->lock);
    for (struct registration *job = all->first; job && !command; job = job->next) {
        if (!job->command || now_ns < job->due_ns) continue;
        command = job->command;
        job->command = NULL;
    }
    (void)pthread_mutex_unlock(&all->lock);
    return command;
}

void lagd_registrations_answer_late(struct lagd_registrations *all, int64_t now_ns) {
    for (struct lagd_command *command; (command = take_due(all, now_ns)) != NULL;) lagd_command_answer(command, 0);
}

bool lagd_registrations_stuck(struct lagd_registrations *all, int64_t now_ns) {
    bool small = lagd_pool_stuck(all->pools[SMALL], now_ns);
    return lagd_pool_stuck(all->pools[LARGE], now_ns) || small;
}

size_t lagd_registrations_waiting(struct lagd_registrations *all) {
    return lagd_pool_waiting(all->pools[SMALL]) + lagd_pool_waiting(all->pools[LARGE]);
}
