/* `lagd backup DIR`: a whole state directory, of one moment, beside a lagd that works. */
#include "offline/backup_internal.h"
#include "process/lock_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <lagd/daemon/offline.h>
#include <lagd/storage/backup.h>
#include <lagd/storage/store.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define UNFINISHED "BACKUP-NOT-FINISHED" /* a file in what grows; gone when the rest is whole */
enum { TRIES = 20, PAUSE_MS = 50 };

/* A handler has no argument to find its state by. */
static volatile sig_atomic_t stopped;

static void on_signal(int number) {
    (void)number;
    stopped = 1;
}

/* --- the place --------------------------------------------------------------------------------------------------- */

static bool is_empty_folder(const char *path) {
    DIR *dir = opendir(path);
    if (!dir) return false;
    int n = 0;
    for (struct dirent *entry; n == 0 && (entry = readdir(dir)) != NULL;)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    (void)closedir(dir);
    return n == 0;
}

static int check_place(const char *state_dir, const char *dir, struct lag_error *err) {
    struct stat info;
    size_t n = strlen(state_dir);
    if (stat(state_dir, &info) < 0 || !S_ISDIR(info.st_mode))
        return lag_error_at(err, LAG_ENOTFOUND, "storage/state_dir", "there is no state directory %s", state_dir);
    if (strncmp(dir, state_dir, n) == 0 && (dir[n] == '/' || dir[n] == '\0'))
        return lag_error_set(err, LAG_EINVAL, "%s lies in the state directory: choose a folder outside of it", dir);
    if (lag_fs_exists(dir) && !is_empty_folder(dir))
        return lag_error_set(err, LAG_EEXIST, "%s is not an empty folder: choose a name that is not taken yet", dir);
    return 0;
}

/* Only what an earlier backup left, which says so, and which none is at work on. */
static int remove_leftover(const char *staging, int fd, struct lag_error *err) {
    struct stat info;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return lag_error_set(err, LAG_EBUSY, "another backup is writing %s: wait for its end", staging);
    bool is_ours = fstatat(fd, UNFINISHED, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode);
    if (!is_ours && !is_empty_folder(staging))
        return lag_error_set(err, LAG_EEXIST, "%s is in the way, and no backup of lagd: move it away", staging);
    return lag_fs_remove_tree(staging, err);
}

/* The folder beside the name that it will get. *ret_fd: it, locked. */
static int make_staging(const char *staging, int *ret_fd, struct lag_error *err) {
    LAG_CLEANUP(lag_close_p) int old = open(staging, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = old >= 0 ? remove_leftover(staging, old, err) : 0;
    if (rc < 0) return rc;
    if (mkdir(staging, 0750) < 0) return lag_error_errno(err, errno, "cannot make %s", staging);
    LAG_CLEANUP(lag_close_p) int fd = open(staging, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) return lag_error_errno(err, errno, "cannot open %s", staging);
    rc = lag_fs_write_file(staging, UNFINISHED, "", 0, err);
    if (rc < 0) return rc;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

/* All folders below path, and path. */
static int sync_folders(const char *path, struct lag_error *err) {
    DIR *dir = opendir(path);
    if (!dir) return lag_error_errno(err, errno, "cannot list %s", path);
    int rc = 0;
    for (struct dirent *entry; rc == 0 && (entry = readdir(dir)) != NULL;) {
        if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        LAG_CLEANUP(lag_free_p) char *below = lag_asprintf("%s/%s", path, entry->d_name);
        rc = below ? sync_folders(below, err) : lag_error_set(err, LAG_ENOMEM, "out of memory while copying");
    }
    (void)closedir(dir);
    return rc < 0 ? rc : lag_fs_fsync_dir(path, err);
}

/* The last file but the mark is durable before the mark goes, and that before the folder gets its name. */
static int show(const char *staging, const char *dir, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *mark = lag_asprintf("%s/" UNFINISHED, staging);
    if (!mark) return lag_error_set(err, LAG_ENOMEM, "out of memory while copying");
    int rc = sync_folders(staging, err);
    if (rc < 0) return rc;
    if (unlink(mark) < 0) return lag_error_errno(err, errno, "cannot remove %s", mark);
    rc = lag_fs_fsync_dir(staging, err);
    return rc < 0 ? rc : lag_fs_rename_durable(staging, dir, err);
}

/* --- one moment -------------------------------------------------------------------------------------------------- */

/* What db sees from here on stays the same; the files that it lists are opened at once. Old checkpoints are deleted
 * while runs train: where one went in between, the next moment is taken. What is missing in the last, is missing. */
static int take_moment(struct lagd_backup *backup, struct lag_db *db, struct lag_error *err) {
    for (int i = 0;; i++) {
        int n_missing = 0;
        int rc = lag_reader_begin(db, err);
        if (rc == 0) rc = lagd_backup_pin(backup, db, &n_missing, err);
        if (rc < 0 || n_missing == 0 || i == TRIES) return rc;
        if (stopped) return lag_error_set(err, LAG_ECANCELED, "interrupted");
        lag_reader_end(db);
        lagd_backup_unpin(backup);
        (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
    }
}

static int copy_database(struct lagd_backup *backup, struct lag_error *err) {
    const struct lag_fs_watch watch = {lagd_backup_progress, backup};
    struct lag_db *db = NULL;
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/lagd.db", backup->staging);
    if (!path) return lag_error_set(err, LAG_ENOMEM, "out of memory while copying");
    int rc = lag_reader_open(backup->state_dir, &db, err);
    if (rc == 0) rc = take_moment(backup, db, err);
    int64_t files_bytes = backup->total_bytes;
    backup->doing = "copying the database";
    backup->total_bytes = (int64_t)lag_store_db_bytes(backup->state_dir);
    if (rc == 0) rc = lag_db_copy(db, path, &watch, err);
    if (rc == 0) rc = lag_copy_sync(path, err);
    lag_reader_end(db);
    lag_reader_close(db);
    backup->doing = "copying checkpoints and uploads";
    backup->total_bytes = files_bytes;
    backup->n_bytes = 0;
    return rc;
}

/* Without a lagd nobody keeps the log from being read wrongly, or another start from changing it. */
static int copy_all(struct lagd_backup *backup, struct lag_error *err) {
    struct lagd_lock lock = LAGD_LOCK_INIT;
    int rc = lagd_lock_take(backup->state_dir, &lock, err);
    if (rc == 0) rc = lag_store_inspect(backup->state_dir, err);
    else if (rc == LAG_EBUSY) rc = 0; /* a lagd is at work, and watches over the files */
    if (rc == 0) rc = copy_database(backup, err);
    lagd_lock_give(&lock);
    return rc < 0 ? rc : lagd_backup_copy(backup, err);
}

static void say_done(const struct lagd_backup *backup, const char *dir, int64_t began_ns) {
    char size[16];
    lag_bytes_text((uint64_t)backup->n_bytes, size);
    fprintf(backup->out, "lagd: %s is a whole state directory: the database, %d checkpoints, %d uploads; %s in "
            "%.1f s\n", dir, backup->n_checkpoints, backup->n_uploads, size,
            (double)(lag_clock_mono_ns() - began_ns) / 1e9);
    if (backup->n_outside > 0)
        fprintf(backup->out, "lagd: %d datasets lie outside of the state directory and are not part of it\n",
                backup->n_outside);
}

int lagd_backup(const struct lagd_config *config, const char *dir, FILE *out, struct lag_error *err) {
    const struct sigaction action = {.sa_handler = on_signal};
    const int64_t began_ns = lag_clock_mono_ns();
    struct lagd_backup backup = {.state_dir = config->state_dir, .out = out, .stop = &stopped};
    int n = snprintf(backup.staging, sizeof(backup.staging), "%s", dir);
    while (n > 1 && backup.staging[n - 1] == '/') backup.staging[--n] = '\0';
    LAG_CLEANUP(lag_free_p) char *target = lag_strdup(backup.staging);
    if (!target) return lag_error_set(err, LAG_ENOMEM, "out of memory while copying");
    (void)snprintf(backup.staging + n, sizeof(backup.staging) - (size_t)n, ".unfinished");
    int rc = check_place(config->state_dir, target, err);
    LAG_CLEANUP(lag_close_p) int fd = -1;
    if (rc == 0) rc = make_staging(backup.staging, &fd, err);
    if (rc < 0) return rc;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    rc = copy_all(&backup, err);
    lagd_backup_unpin(&backup);
    if (rc == 0) rc = show(backup.staging, target, err);
    if (rc < 0) {
        (void)lag_fs_remove_tree(backup.staging, NULL);
        return rc;
    }
    say_done(&backup, target, began_ns);
    return backup.n_left_out > 0 ? LAGD_BACKUP_PARTS : 0;
}
