/* The folders of the state directory at a start: what earlier processes left half made goes, what is whole is listed,
 * and what is not lagd's stays. Links are never followed. */
#include "checkpoint/asides_internal.h"
#include "checkpoint/take_in_internal.h"
#include "records/folders_internal.h"
#include "records/transact_internal.h"
#include "records/unlisted_internal.h"
#include "supervisor/supervisor_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/ids.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/checkpoint.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/models.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/tokenizers.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    struct lagd_supervisor *s;
    char path[LAGD_STATE_PATH];
    int fd; /* of path */
    const struct lag_run_row *run; /* whose folder it is, or NULL */
};

/* Calls each(place, name) for every entry of the folder; a missing one has none, and a link is not gone through. */
static void walk(struct place *place, void (*each)(const struct place *place, const char *name)) {
    place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = place->fd < 0 ? NULL : fdopendir(place->fd);
    if (!stream) {
        bool link = place->fd < 0 && (errno == ELOOP || errno == ENOTDIR);
        if (place->fd >= 0 || errno != ENOENT)
            lag_log(LAG_LOG_WARNING, "%s is not tidied: %s", place->path,
                    link ? "it is a link or no folder; mount (bind) what it names there instead" : strerror(errno));
        if (place->fd >= 0) (void)close(place->fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) each(place, entry->d_name);
    (void)closedir(stream);
}

static void walk_top(struct lagd_supervisor *s, const char *name,
                     void (*each)(const struct place *place, const char *name)) {
    struct place place = {.s = s};
    lagd_state_path(&s->deps, name, place.path);
    walk(&place, each);
}

/* --- uploads ----------------------------------------------------------------------------------------------------- */

/* "<id of a request>.part" is what lagd calls them. */
static bool is_upload(const char *name) {
    char id[LAG_ID_SIZE];
    const size_t length = strlen(name), n_end = strlen(LAGD_UPLOAD_END);
    if (length <= n_end || length - n_end >= sizeof(id) || strcmp(name + length - n_end, LAGD_UPLOAD_END) != 0)
        return false;
    memcpy(id, name, length - n_end);
    id[length - n_end] = '\0';
    return lag_id_is(id, "req");
}

/* What was being uploaded when an earlier process ended: a plain file of lagd's own name. */
static void tidy_upload(const struct place *place, const char *name) {
    struct stat info;
    bool own = is_upload(name) && fstatat(place->fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISREG(info.st_mode) && info.st_nlink == 1;
    if (!own) lag_log(LAG_LOG_WARNING, "%s/%s is no upload of lagd's; it is left alone", place->path, name);
    else if (unlinkat(place->fd, name, 0) == 0)
        lag_log(LAG_LOG_INFO, "removed %s/%s, which an earlier process left", place->path, name);
    else lag_log(LAG_LOG_WARNING, "%s/%s cannot be removed: %s", place->path, name, strerror(errno));
}

/* --- the state directory itself ---------------------------------------------------------------------------------- */

/* How fast runs were, half written when the power went, under the name that base/fs.c gives it. */
static void tidy_file(const struct place *place, const char *name) {
    static const char prefix[] = ".speeds.tmp";
    struct stat info;
    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0) return;
    bool own = fstatat(place->fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode);
    if (own && unlinkat(place->fd, name, 0) == 0)
        lag_log(LAG_LOG_INFO, "removed %s/%s, which an earlier process left", place->path, name);
}

/* --- what has rows ----------------------------------------------------------------------------------------------- */

/* rc: 0 or LAG_ENOTFOUND, whether the folder has a row. A marked one without was being uploaded or deleted when a
 * crash came; any other may belong to another copy of the database. */
static void tidy_folder(const struct place *place, const char *name, int rc) {
    struct lag_error err = {0};
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/%s", place->path, name);
    struct stat info;
    if (!path || fstatat(place->fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(info.st_mode)) return;
    bool marked = lagd_unlisted_is_marked(path);
    if (rc == 0 && marked) lagd_unlisted_unmark(path);
    if (rc != LAG_ENOTFOUND) return;
    if (!marked) lagd_warn(&place->s->deps, NULL, LAG_NO_STEP, "%s belongs to nothing in the database; lagd leaves it "
                           "alone", path);
    else if (lagd_unlisted_remove(path, &err) == 0)
        lag_log(LAG_LOG_INFO, "removed %s, which an earlier process left", path);
    else lag_log(LAG_LOG_WARNING, "%s cannot be removed: %s", path, err.text);
}

static void tidy_dataset(const struct place *place, const char *name) {
    struct lag_dataset_row row;
    if (lag_id_is(name, "ds")) tidy_folder(place, name, lag_dataset_get(place->s->db, name, &row, NULL));
}

static void tidy_model(const struct place *place, const char *name) {
    struct lag_model_row row;
    if (!lag_id_is(name, "md")) return;
    const int rc = lag_model_get(place->s->db, name, &row, NULL);
    /* One that is being imported is made anew, and keeps its mark until then. */
    if (rc != 0 || !lagd_model_is(row.state, LAGD_MODEL_IMPORTING)) tidy_folder(place, name, rc);
}

static void tidy_tokenizer(const struct place *place, const char *name) {
    struct lag_tokenizer_row row;
    if (!lag_id_is(name, "tok")) return;
    const int rc = lag_tokenizer_get(place->s->db, name, &row, NULL);
    if (rc != 0 || !lagd_tokenizer_is(row.state, LAGD_TOKENIZER_MAKING)) tidy_folder(place, name, rc);
}

/* --- a run's folder ---------------------------------------------------------------------------------------------- */

/* "probe-<id of a candidate>", also set aside: the id. */
static bool is_probe(const char *name, char ret_id[LAG_ID_SIZE]) {
    const size_t n_prefix = strlen(LAGD_PROBE_STATE_PREFIX);
    if (strncmp(name, LAGD_PROBE_STATE_PREFIX, n_prefix) != 0) return false;
    const char *end = strchr(name, '.');
    const size_t length = end ? (size_t)(end - name) - n_prefix : strlen(name) - n_prefix;
    if (length >= LAG_ID_SIZE || (end && strcmp(end, LAGD_ASIDE) != 0)) return false;
    memcpy(ret_id, name + n_prefix, length);
    ret_id[length] = '\0';
    return lag_id_is(ret_id, "cand");
}

/* The state of a probe: of no use once its growth has ended. One whose candidate has no row comes from a newer
 * database. */
static void tidy_probe(const struct place *place, const char *name) {
    const struct lagd_deps *deps = &place->s->deps;
    struct lag_candidate_row row;
    struct lag_growth_row growth;
    char id[LAG_ID_SIZE], relative[LAG_ROW_PATH];
    if (!is_probe(name, id)) return;
    bool is_aside = strchr(name, '.') != NULL;
    int rc = lag_candidate_get(place->s->db, id, &row, NULL);
    if (rc == LAG_ENOTFOUND && !is_aside)
        lagd_set_aside(deps, place->run->id, name, LAG_NO_STEP, "it is the state of a probe that the database does not "
                       "know");
    if (rc == 0) rc = lag_growth_get(place->s->db, row.growth_id, &growth, NULL);
    if (rc != 0) return;
    lagd_probe_state_path(place->run->id, id, relative);
    if (is_aside) lagd_give_name_back(deps, place->run->id, place->fd, strrchr(relative, '/') + 1);
    if (!lagd_state_has_ended(LAGD_MACHINE_GROWTH, growth.state)) return;
    lagd_folder_remove(deps, relative);
    lag_log(LAG_LOG_INFO, "removed %s, as its growth has ended", relative);
}

static void tidy_run_folder(struct lagd_supervisor *s, const struct lag_run_row *run) {
    struct place place = {.s = s, .run = run};
    struct lag_error err = {0};
    (void)snprintf(place.path, sizeof(place.path), "%s/runs/%s", s->deps.state_dir, run->id);
    int fd = open(place.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        lag_log(LAG_LOG_WARNING, "%s is not tidied: %s", place.path, strerror(errno));
        return;
    }
    int rc = lag_checkpoint_sweep(place.path, &err); /* half-written and half-replaced ones */
    if (rc < 0) lag_log(LAG_LOG_WARNING, "%s cannot be tidied: %s", place.path, err.text);
    else lagd_checkpoints_take_in(&s->deps, s->db, run, fd);
    (void)close(fd);
    if (rc == 0) lagd_asides_clear(&s->deps, s->db, run->id);
    if (rc == 0) walk(&place, tidy_probe);
}

static void tidy_run(const struct place *place, const char *name) {
    struct lag_run_row row;
    if (!lag_id_is(name, "run")) return;
    int rc = lag_run_get(place->s->db, name, &row, NULL);
    if (rc == 0) tidy_run_folder(place->s, &row);
    tidy_folder(place, name, rc);
}

void lagd_tidy(struct lagd_supervisor *s) {
    walk_top(s, ".", tidy_file);
    walk_top(s, "uploads", tidy_upload);
    walk_top(s, "runs", tidy_run);
    walk_top(s, "datasets", tidy_dataset);
    walk_top(s, "models", tidy_model);
    walk_top(s, "tokenizers", tidy_tokenizer);
}
