/* Folders of the state directory that rows name: where they lie, and their removal once no row names them. */
#include "records/folders_internal.h"
#include "records/unlisted_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <stdio.h>
#include <unistd.h>

void lagd_state_path(const struct lagd_deps *deps, const char *relative, char ret[LAGD_STATE_PATH]) {
    (void)snprintf(ret, LAGD_STATE_PATH, "%s/%s", deps->state_dir, relative);
}

void lagd_model_path(const struct lagd_deps *deps, const char *model_id, char ret[LAGD_STATE_PATH]) {
    (void)snprintf(ret, LAGD_STATE_PATH, "%s/models/%s", deps->state_dir, model_id);
}

void lagd_tokenizer_path(const struct lagd_deps *deps, const char *tokenizer_id, char ret[LAGD_STATE_PATH]) {
    (void)snprintf(ret, LAGD_STATE_PATH, "%s/tokenizers/%s", deps->state_dir, tokenizer_id);
}

void lagd_dataset_path(const struct lagd_deps *deps, const struct lag_dataset_row *row, char ret[LAGD_STATE_PATH]) {
    if (row->path[0] == '/') (void)lag_copy(ret, LAGD_STATE_PATH, row->path);
    else lagd_state_path(deps, row->path, ret);
}

void lagd_probe_state_path(const char *run_id, const char *candidate_id, char ret[LAG_ROW_PATH]) {
    (void)snprintf(ret, LAG_ROW_PATH, "runs/%s/" LAGD_PROBE_STATE_PREFIX "%s", run_id, candidate_id);
}

void lagd_folder_mark(const struct lagd_deps *deps, const char *relative) {
    char path[LAGD_STATE_PATH];
    struct lag_error err = {0};
    lagd_state_path(deps, relative, path);
    if (lag_fs_exists(path) && lagd_unlisted_mark(path, &err) != 0)
        lag_log(LAG_LOG_WARNING, "%s is not marked before its removal: %s", relative, err.text);
}

void lagd_folder_unmark(const struct lagd_deps *deps, const char *relative) {
    char path[LAGD_STATE_PATH];
    lagd_state_path(deps, relative, path);
    lagd_unlisted_unmark(path);
}

void lagd_folder_remove(const struct lagd_deps *deps, const char *relative) {
    char path[LAGD_STATE_PATH], manifest[LAGD_STATE_PATH + 16];
    struct lag_error err = {0};
    lagd_state_path(deps, relative, path);
    (void)snprintf(manifest, sizeof(manifest), "%s/manifest.json", path);
    (void)unlink(manifest); /* what a crash leaves from here on is no checkpoint */
    LAG_FP("folder.unsealed");
    if (lagd_unlisted_remove(path, &err) != 0)
        lag_log(LAG_LOG_WARNING, "an old checkpoint stays behind: %s", err.text);
}
