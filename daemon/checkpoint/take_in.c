/* Checkpoints on disk that the database does not list: after a crash between a folder and its row, or under an older
 * database that was put back. */
#include "checkpoint/take_in_internal.h"

#include "checkpoint/begin_internal.h"
#include "checkpoint/checkpoint_internal.h"
#include "checkpoint/lineage_internal.h"
#include "plan/shape_internal.h"
#include "process/tell_internal.h"
#include "records/folders_internal.h"
#include "records/transact_internal.h"
#include "records/unlisted_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/ids.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/notify.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/checkpoint.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SUFFIX = 10, PATIENCE_USEC = 600 * 1000000 };

struct names {
    char (*of)[256];
    size_t n, capacity;
};
struct taking {
    struct lagd_deps *deps;
    struct lag_db *db;
    const struct lag_run_row *run;
    int dir_fd;
    struct names listed, found; /* names of folders: those of rows, and those on disk */
    int64_t listed_step;        /* of the newest row before, -1 = there was none */
    struct lagd_lineage lineage;
    bool has_lineage;
    int64_t adopted_step;       /* the newest that was adopted; -1 = none */
};

/* --- lists ------------------------------------------------------------------------------------------------------- */

static int add_name(struct names *names, const char *name) {
    if (lag_grow_array((void **)&names->of, &names->capacity, names->n + 1, sizeof(*names->of)) != 0)
        return LAG_ENOMEM;
    return lag_copy(names->of[names->n++], sizeof(*names->of), name) < 0 ? LAG_ETOOBIG : 0;
}

static int add_listed(const struct lag_checkpoint_row *row, void *arg) {
    struct taking *taking = arg;
    const char *slash = strrchr(row->path, '/');
    if (row->candidate_id[0] == '\0') taking->listed_step = LAG_MAX(taking->listed_step, row->step);
    return add_name(&taking->listed, slash ? slash + 1 : row->path);
}

static bool is_listed(const struct taking *taking, const char *name) {
    for (size_t i = 0; i < taking->listed.n; i++)
        if (strcmp(taking->listed.of[i], name) == 0) return true;
    return false;
}

static int list_folder(struct taking *taking, struct lag_error *err) {
    int fd = fcntl(taking->dir_fd, F_DUPFD_CLOEXEC, 0);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int reason = errno;
        if (fd >= 0) (void)close(fd);
        return lag_error_errno(err, reason, "cannot list its files");
    }
    int rc = 0;
    rewinddir(dir);
    while (rc == 0) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            if (errno) rc = lag_error_errno(err, errno, "cannot list its files");
            break;
        }
        if (strncmp(entry->d_name, "ckpt-", 5) == 0) rc = add_name(&taking->found, entry->d_name);
    }
    (void)closedir(dir);
    return rc;
}

/* Anything else is not ours to remove. */
bool lagd_is_checkpoint_name(const char *name) {
    if (strncmp(name, "ckpt-", strlen("ckpt-")) != 0) return false;
    const char *step = name + strlen("ckpt-");
    const size_t n_digits = strspn(step, "0123456789");
    return n_digits >= 8 && step[n_digits] == '-' && strlen(step + n_digits + 1) == SUFFIX &&
           strspn(step + n_digits + 1, "0123456789abcdefghjkmnpqrstvwxyz") == SUFFIX;
}

static bool is_folder(int dir_fd, const char *name) {
    struct stat info;
    return fstatat(dir_fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

static void relative_of(const struct taking *taking, const char *name, char ret[LAG_ROW_PATH]) {
    (void)snprintf(ret, LAG_ROW_PATH, "runs/%s/%.255s", taking->run->id, name);
}

/* --- renaming ---------------------------------------------------------------------------------------------------- */

static int rename_in(const struct lagd_deps *deps, const char *run_id, const char *from, const char *to,
                     struct lag_error *err) {
    char old_name[LAGD_STATE_PATH], new_name[LAGD_STATE_PATH];
    (void)snprintf(old_name, sizeof(old_name), "%s/runs/%s/%.255s", deps->state_dir, run_id, from);
    (void)snprintf(new_name, sizeof(new_name), "%s/runs/%s/%.255s", deps->state_dir, run_id, to);
    if (lag_fs_exists(new_name)) return lag_error_set(err, LAG_EEXIST, "%s is there already", new_name);
    return lag_fs_rename_durable(old_name, new_name, err);
}

void lagd_set_aside(const struct lagd_deps *deps, const char *run_id, const char *name, int64_t step, const char *why) {
    struct lag_error err = {0};
    char to[272];
    (void)snprintf(to, sizeof(to), "%.255s" LAGD_ASIDE, name);
    if (rename_in(deps, run_id, name, to, &err) != 0)
        lagd_warn(deps, run_id, step, "runs/%s/%.200s is left alone: %.300s (%.100s)", run_id, name, why, err.text);
    else lagd_warn(deps, run_id, step, "runs/%s/%.200s was set aside as *" LAGD_ASIDE ": %.400s", run_id, name, why);
}

static int write_damaged(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_event_put(db, arg, err);
}

static void put_damaged(const struct taking *taking, const char *name, int64_t step, const char *why) {
    struct lag_error err = {0};
    char to[272], message[LAG_ROW_TEXT];
    (void)snprintf(to, sizeof(to), "%.255s.damaged", name);
    if (rename_in(taking->deps, taking->run->id, name, to, &err) != 0) {
        lag_log(LAG_LOG_WARNING, "%s is damaged (%s) and cannot be set aside: %s", name, why, err.text);
        return;
    }
    (void)snprintf(message, sizeof(message), "runs/%s/%.200s was not listed, and was set aside as *.damaged: %.400s",
                   taking->run->id, name, why);
    lag_log(LAG_LOG_WARNING, "%s", message);
    struct lag_event event = {.type = LAG_EVENT_CHECKPOINT_DAMAGED, .run_id = taking->run->id, .step = step,
                              .message = message};
    if (lag_store_write(taking->deps->store, write_damaged, &event, &err) != 0)
        lag_log(LAG_LOG_WARNING, "and that could not be stored: %s", err.text);
}

void lagd_give_name_back(const struct lagd_deps *deps, const char *run_id, int dir_fd, const char *name) {
    struct lag_error err = {0};
    char aside[272];
    (void)snprintf(aside, sizeof(aside), "%.255s" LAGD_ASIDE, name);
    if (is_folder(dir_fd, name) || !is_folder(dir_fd, aside)) return;
    if (rename_in(deps, run_id, aside, name, &err) == 0)
        lag_log(LAG_LOG_INFO, "runs/%s/%s is known again and has its name back", run_id, name);
    else lag_log(LAG_LOG_WARNING, "%s cannot be given its name back: %s", aside, err.text);
}

/* --- judging ----------------------------------------------------------------------------------------------------- */

enum verdict { ADOPT, ASIDE, REMOVE, LEAVE };

/* Of a candidate: it is given up with its growth, and otherwise of use for that only. */
static enum verdict judge_candidate(const struct taking *taking, const char *candidate_id, struct lag_error *why) {
    struct lag_candidate_row row;
    struct lag_growth_row growth;
    int rc = lag_candidate_get(taking->db, candidate_id, &row, NULL);
    if (rc == 0) rc = lag_growth_get(taking->db, row.growth_id, &growth, NULL);
    if (rc == 0 && lagd_state_has_ended(LAGD_MACHINE_GROWTH, growth.state)) return REMOVE;
    (void)lag_error_set(why, LAG_ESTATE, "it is the state of candidate %s, whose end the database does not know; "
                        "it will be probed again", candidate_id);
    return rc == 0 || rc == LAG_ENOTFOUND ? ASIDE : LEAVE;
}

static enum verdict judge_growths(const struct taking *taking, const struct lag_checkpoint_look *look,
                                  struct lag_error *why) {
    if (look->step > taking->lineage.limit) {
        (void)lag_error_set(why, LAG_ESTATE, "it is of step %" PRId64 ", behind the growth %s of step %" PRId64 ", "
                            "whose end the database does not know; the run goes through that again", look->step,
                            taking->lineage.pending, taking->lineage.limit);
        return ASIDE;
    }
    if (lagd_lineage_fits(&taking->lineage, look->step, &look->spec, look->meta.growth_text)) return ADOPT;
    (void)lag_error_set(why, LAG_ESTATE, "it comes from a growth that the database does not know (%d layers at step %"
                        PRId64 "); put the newer database back to go on from it", look->spec.n_layer, look->step);
    return ASIDE;
}

static enum verdict judge(struct taking *taking, const struct lag_checkpoint_look *look, struct lag_error *why) {
    struct lag_checkpoint_row row;
    if (strcmp(look->meta.run_id, taking->run->id) != 0) {
        (void)lag_error_set(why, LAG_ESTATE, "its manifest names the run %s", look->meta.run_id);
        return ASIDE;
    }
    if (look->meta.candidate_id[0] != '\0') return judge_candidate(taking, look->meta.candidate_id, why);
    if (look->meta.id[0] != '\0' && lag_checkpoint_get(taking->db, look->meta.id, &row, NULL) == 0) {
        (void)lag_error_set(why, LAG_EEXIST, "it is a copy of the checkpoint %s, which is listed", row.id);
        return ASIDE;
    }
    if (!taking->has_lineage && lagd_lineage_read(taking->db, taking->run, &taking->lineage, why) != 0) return LEAVE;
    taking->has_lineage = true;
    return judge_growths(taking, look, why);
}

/* --- adopting ---------------------------------------------------------------------------------------------------- */

struct adoption {
    double lr_scale; /* that the run goes on with, where its own is higher; 0: its own */
    struct lag_checkpoint_row row;
    struct lag_checkpoint_file_row files[LAG_CHECKPOINT_FILES];
};

/* Rollbacks that only a newer database knew of: the factor that they left is that of the steps since. What the run has
 * lowered itself stays. */
static int write_scale(struct lag_db *db, const struct adoption *adoption, struct lag_error *err) {
    struct lag_run_row run;
    if (adoption->lr_scale <= 0) return 0;
    int rc = lag_run_get(db, adoption->row.run_id, &run, err);
    if (rc != 0 || adoption->lr_scale >= run.lr_scale) return rc;
    return lag_run_set_rollback(db, run.id, adoption->lr_scale, run.n_rollbacks, run.rollback_step, err);
}

static int write_adopted(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct adoption *adoption = arg;
    const struct lag_checkpoint_row *row = &adoption->row;
    int rc = lag_checkpoint_insert(db, row, adoption->files, LAG_CHECKPOINT_FILES, err);
    if (rc == 0) rc = write_scale(db, adoption, err);
    const struct lag_event event = {.type = LAG_EVENT_CHECKPOINT_ADOPTED, .run_id = row->run_id, .state = row->kind,
                                    .step = row->step, .value = (double)row->n_bytes, .message = row->id};
    return rc == 0 ? lag_event_put(db, &event, err) : rc;
}

static void name_kind(const struct taking *taking, const struct lag_checkpoint_look *look,
                      struct lag_checkpoint_row *row) {
    static const char *const kinds[] = {"periodic", "pre_growth", "growth", "final", "pause", "manual", LAGD_KIND_FORK,
                                        LAGD_KIND_START, LAGD_KIND_PRE_DECAY};
    const char *kind = lagd_lineage_kind(&taking->lineage, look->step, taking->run->max_steps);
    for (size_t i = 0; i < LAG_COUNT(kinds); i++)
        if (strcmp(kinds[i], look->meta.kind) == 0) kind = kinds[i];
    (void)lag_copy(row->kind, sizeof(row->kind), kind);
    static const char *const kept[] = {"pre_growth", "growth", LAGD_KIND_FORK, LAGD_KIND_START, LAGD_KIND_PRE_DECAY};
    for (size_t i = 0; i < LAG_COUNT(kept); i++) row->keep = row->keep || strcmp(kind, kept[i]) == 0;
}

/* As it was when it was written, so far as that is known: ids end as their folders do. */
static void fill_row(const struct taking *taking, const char *name, const struct lag_checkpoint_look *look,
                     struct lag_checkpoint_row *row) {
    struct stat info;
    char manifest[300];
    if (lag_id_is(look->meta.id, "ckpt")) (void)lag_copy(row->id, sizeof(row->id), look->meta.id);
    else {
        lag_id_new("ckpt", row->id);
        memcpy(row->id + strlen(row->id) - SUFFIX, name + strlen(name) - SUFFIX, SUFFIX);
    }
    (void)lag_copy(row->run_id, sizeof(row->run_id), taking->run->id);
    (void)lag_copy(row->fingerprint, sizeof(row->fingerprint), look->meta.fingerprint);
    relative_of(taking, name, row->path);
    name_kind(taking, look, row);
    lagd_shape_of_spec(&look->spec, &row->shape);
    row->gated = look->spec.gated;
    row->masked_until = look->masked_until;
    row->step = look->step;
    row->n_bytes = (int64_t)look->files.n_bytes;
    (void)snprintf(manifest, sizeof(manifest), "%.255s/manifest.json", name);
    if (fstatat(taking->dir_fd, manifest, &info, AT_SYMLINK_NOFOLLOW) == 0)
        row->created_ms = (int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000;
}

static void adopt(struct taking *taking, const char *name, const struct lag_checkpoint_look *look) {
    struct adoption adoption = {0};
    struct lag_error err = {0};
    fill_row(taking, name, look, &adoption.row);
    if (look->step > taking->listed_step) adoption.lr_scale = look->meta.lr_scale;
    for (int i = 0; i < LAG_CHECKPOINT_FILES; i++) {
        const struct lag_checkpoint_file *file = &look->files.file[i];
        struct lag_checkpoint_file_row *row = &adoption.files[i];
        (void)lag_copy(row->checkpoint_id, sizeof(row->checkpoint_id), adoption.row.id);
        (void)lag_copy(row->name, sizeof(row->name), file->name);
        (void)lag_copy(row->sha256, sizeof(row->sha256), file->sha256);
        row->n_bytes = (int64_t)file->n_bytes;
    }
    LAG_FP("checkpoint.adopting");
    if (lag_store_write(taking->deps->store, write_adopted, &adoption, &err) != 0) {
        lag_log(LAG_LOG_WARNING, "%s is left alone, it cannot be listed: %s", adoption.row.path, err.text);
        return;
    }
    taking->adopted_step = LAG_MAX(taking->adopted_step, look->step);
    lag_log(LAG_LOG_INFO, "run %s: the checkpoint %s (%s) of step %lld was on disk and not listed; now it is",
            taking->run->id, adoption.row.id, adoption.row.kind, (long long)look->step);
}

/* --- one folder -------------------------------------------------------------------------------------------------- */

static void remove_folder(const struct taking *taking, const char *name, const char *why) {
    char relative[LAG_ROW_PATH];
    relative_of(taking, name, relative);
    lagd_folder_remove(taking->deps, relative);
    lag_log(LAG_LOG_INFO, "removed %s: %s", relative, why);
}

static void verify_and_adopt(struct taking *taking, const char *name, const char *dir,
                             const struct lag_checkpoint_look *look) {
    struct lag_error err = {0};
    lagd_notify("EXTEND_TIMEOUT_USEC=%d", PATIENCE_USEC); /* large files are read */
    int rc = lag_checkpoint_verify(dir, &err);
    if (rc == 0) adopt(taking, name, look);
    else if (rc == LAG_ECORRUPT || rc == LAG_ENOTFOUND) put_damaged(taking, name, look->step, err.text);
    else lag_log(LAG_LOG_WARNING, "%s is left alone, it cannot be read: %s", dir, err.text);
}

static void take_in(struct taking *taking, const char *name) {
    struct lag_checkpoint_look look;
    struct lag_error err = {0};
    char relative[LAG_ROW_PATH], dir[LAGD_STATE_PATH];
    relative_of(taking, name, relative);
    lagd_state_path(taking->deps, relative, dir);
    if (lagd_unlisted_is_marked(dir)) {
        remove_folder(taking, name, "its deletion had begun");
        return;
    }
    int rc = lag_checkpoint_look(dir, &look, &err);
    if (rc == LAG_ENOTFOUND) remove_folder(taking, name, "it was never whole, or its removal had begun");
    else if (rc == LAG_ECORRUPT) put_damaged(taking, name, LAG_NO_STEP, err.text);
    else if (rc != 0) lag_log(LAG_LOG_WARNING, "%s is left alone, it cannot be read: %s", dir, err.text);
    if (rc != 0) return;
    enum verdict verdict = judge(taking, &look, &err);
    if (verdict == ADOPT) verify_and_adopt(taking, name, dir, &look);
    if (verdict == ASIDE) lagd_set_aside(taking->deps, taking->run->id, name, look.step, err.text);
    if (verdict == REMOVE) remove_folder(taking, name, "its growth has ended");
    if (verdict == LEAVE) lag_log(LAG_LOG_WARNING, "%s is left alone: %s", dir, err.text);
}

static void look_at(struct taking *taking, const char *name) {
    char relative[LAG_ROW_PATH];
    relative_of(taking, name, relative);
    if (is_listed(taking, name)) lagd_folder_unmark(taking->deps, relative);
    else if (lagd_is_checkpoint_name(name) && is_folder(taking->dir_fd, name)) take_in(taking, name);
}

/* The numbers of the steps up to a checkpoint are stored before it. Those that are missing went with a database. */
static void tell_gap(const struct taking *taking) {
    struct lag_series_row series = {0};
    if (taking->adopted_step <= taking->listed_step) return;
    int rc = lag_series_find(taking->db, taking->run->id, "train/loss", &series, NULL);
    int64_t last = rc == 0 && series.n_points > 0 ? series.last_step : 0;
    if ((rc != 0 && rc != LAG_ENOTFOUND) || last >= taking->adopted_step) return;
    lagd_warn(taking->deps, taking->run->id, taking->adopted_step,
              "the run goes on from the checkpoint of step %" PRId64 ", which the database did not list; it has no "
              "losses of the steps %" PRId64 " to %" PRId64, taking->adopted_step, last + 1, taking->adopted_step);
}

void lagd_checkpoints_take_in(struct lagd_deps *deps, struct lag_db *db, const struct lag_run_row *run, int dir_fd) {
    struct taking taking = {.deps = deps, .db = db, .run = run, .dir_fd = dir_fd, .listed_step = -1,
                            .adopted_step = -1};
    struct lag_error err = {0};
    int rc = lag_checkpoint_list(db, run->id, add_listed, &taking, &err);
    for (size_t i = 0; rc == 0 && i < taking.listed.n; i++)
        lagd_give_name_back(deps, run->id, dir_fd, taking.listed.of[i]);
    if (rc == 0) rc = list_folder(&taking, &err);
    for (size_t i = 0; rc == 0 && i < taking.found.n; i++) look_at(&taking, taking.found.of[i]);
    if (rc == 0) tell_gap(&taking);
    else lag_log(LAG_LOG_WARNING, "the folder of run %s cannot be looked through: %s", run->id,
                 err.text[0] ? err.text : lag_code_name(rc));
    free(taking.listed.of);
    free(taking.found.of);
    if (taking.has_lineage) lagd_lineage_deinit(&taking.lineage);
}
