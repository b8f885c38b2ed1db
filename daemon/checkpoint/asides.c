/* Folders that were set aside, and that the run has made once more. */
#include "checkpoint/asides_internal.h"

#include "checkpoint/take_in_internal.h"
#include "records/folders_internal.h"
#include "records/transact_internal.h"
#include "records/unlisted_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/engine/checkpoint.h>
#include <lagd/storage/checkpoints.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST 16 /* of one step; more are left to the next time */

struct asides {
    const struct lagd_deps *deps;
    struct lag_db *db;
    const char *run_id;
    int64_t step; /* the latest; -1 = there are none */
    int n;
    char names[MOST][64]; /* of that step */
};
struct twin {
    const struct lag_checkpoint_look *look; /* of what was set aside */
    bool found;                             /* a row of the same step; its id and path: */
    char id[LAG_ROW_ID], path[LAG_ROW_PATH];
    int n_same;
};

/* "ckpt-<step>-<end of the id>.aside": the step, else -1. */
static int64_t step_of(const char *name) {
    char own[64];
    const char *end = strrchr(name, '.');
    if (!end || strcmp(end, LAGD_ASIDE) != 0 || (size_t)(end - name) >= sizeof(own)) return -1;
    memcpy(own, name, (size_t)(end - name));
    own[end - name] = '\0';
    return lagd_is_checkpoint_name(own) ? strtoll(own + strlen("ckpt-"), NULL, 10) : -1;
}

static void find(struct asides *asides, int fd, DIR *stream) {
    struct stat info;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        int64_t step = step_of(entry->d_name);
        if (step < LAG_MAX(asides->step, 0) || fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISDIR(info.st_mode))
            continue;
        if (step > asides->step) asides->n = 0;
        asides->step = step;
        if (asides->n < MOST && lag_copy(asides->names[asides->n], sizeof(asides->names[0]), entry->d_name) >= 0)
            asides->n++;
    }
}

/* One that was made in the same way and is listed by its own id is a copy of somebody's, and stays. */
static int match_row(const struct lag_checkpoint_row *row, void *arg) {
    struct twin *twin = arg;
    if (row->step != twin->look->step || row->candidate_id[0] != '\0' || strcmp(row->id, twin->look->meta.id) == 0)
        return 0;
    twin->found = true;
    (void)lag_copy(twin->id, sizeof(twin->id), row->id);
    (void)lag_copy(twin->path, sizeof(twin->path), row->path);
    return 0;
}

static int match_file(const struct lag_checkpoint_file_row *row, void *arg) {
    struct twin *twin = arg;
    for (int i = 0; i < LAG_CHECKPOINT_FILES - 1; i++) { /* all but the manifest */
        const struct lag_checkpoint_file *file = &twin->look->files.file[i];
        twin->n_same += strcmp(row->name, file->name) == 0 && strcmp(row->sha256, file->sha256) == 0;
    }
    return 0;
}

static bool has_twin(const struct asides *asides, const struct lag_checkpoint_look *look, struct twin *twin) {
    char dir[LAGD_STATE_PATH];
    struct lag_checkpoint_row own;
    *twin = (struct twin){.look = look};
    if (strcmp(look->meta.run_id, asides->run_id) != 0 || look->meta.id[0] == '\0' ||
        look->meta.candidate_id[0] != '\0' ||
        lag_checkpoint_get(asides->db, look->meta.id, &own, NULL) != LAG_ENOTFOUND)
        return false;
    if (lag_checkpoint_list(asides->db, asides->run_id, match_row, twin, NULL) != 0 || !twin->found ||
        lag_checkpoint_files(asides->db, twin->id, match_file, twin, NULL) != 0 ||
        twin->n_same != LAG_CHECKPOINT_FILES - 1)
        return false;
    lagd_state_path(asides->deps, twin->path, dir);
    return lag_checkpoint_verify(dir, NULL) == 0;
}

static void consider(const struct asides *asides, const char *name) {
    struct lag_checkpoint_look look;
    struct twin twin = {0};
    char relative[LAG_ROW_PATH], dir[LAGD_STATE_PATH];
    (void)snprintf(relative, sizeof(relative), "runs/%s/%s", asides->run_id, name);
    lagd_state_path(asides->deps, relative, dir);
    bool marked = lagd_unlisted_is_marked(dir);
    if (!marked && (lag_checkpoint_look(dir, &look, NULL) != 0 || !has_twin(asides, &look, &twin))) return;
    lagd_folder_mark(asides->deps, relative);
    LAG_FP("aside.marked");
    lagd_folder_remove(asides->deps, relative);
    lag_log(LAG_LOG_INFO, "removed %s: %s", relative,
            marked ? "its deletion had begun" : "the run has come to the same state again");
}

void lagd_asides_clear(const struct lagd_deps *deps, struct lag_db *db, const char *run_id) {
    struct asides asides = {.deps = deps, .db = db, .run_id = run_id, .step = -1};
    char relative[LAG_ROW_PATH], dir[LAGD_STATE_PATH];
    (void)snprintf(relative, sizeof(relative), "runs/%s", run_id);
    lagd_state_path(deps, relative, dir);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (stream) find(&asides, fd, stream);
    if (stream) (void)closedir(stream);
    else if (fd >= 0) (void)close(fd);
    for (int i = 0; i < asides.n; i++) consider(&asides, asides.names[i]);
}

struct clearing {
    const struct lagd_deps *deps;
    const char *run_id;
};

static int clear(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct clearing *clearing = arg;
    lagd_asides_clear(clearing->deps, db, clearing->run_id);
    return 0;
}

void lagd_asides_clear_now(const struct lagd_deps *deps, const char *run_id) {
    struct clearing clearing = {deps, run_id};
    (void)lagd_read(deps, clear, &clearing, NULL); /* else the next start does it */
}
