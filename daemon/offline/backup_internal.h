/* Inside a backup: what is copied, and how far it is. Thread: main. */
#pragma once
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/hash.h>
#include <lagd/storage/rows.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
struct lag_db;

/* A file that the database lists. Open from the moment on that the database is read: what is deleted meanwhile (old
 * checkpoints are) can still be read to its end. */
struct lagd_backup_file {
    char path[LAG_ROW_PATH];        /* relative to the state directory */
    char folder[LAG_ROW_PATH];      /* of its checkpoint or upload, relative as well */
    char checkpoint_id[LAG_ROW_ID]; /* "": an upload */
    char what[LAG_ROW_NAME + 32];   /* for people: checkpoint ckpt_… or dataset name */
    char sha256[LAG_SHA256_HEX];    /* "": not known */
    int fd;                         /* -1: it is not there */
};
struct lagd_backup {
    const char *state_dir;
    char staging[4200];             /* where it grows */
    FILE *out;
    volatile sig_atomic_t *stop;    /* a signal came */
    struct lagd_backup_file *files;
    size_t n_files, capacity;
    int n_checkpoints, n_uploads, n_outside, n_left_out;
    int64_t n_bytes, total_bytes;   /* read so far, of all files */
    int64_t next_ns;                /* when progress is told next */
    const char *doing;
};

/* Lists the files of all checkpoints and uploads that db sees, and opens them. *ret_missing: how many are not there. */
int lagd_backup_pin(struct lagd_backup *backup, struct lag_db *db, int *ret_missing, struct lag_error *err);
void lagd_backup_unpin(struct lagd_backup *backup);
/* Copies them; what is missing or differs from its hash is told, and left out of the copied database. */
int lagd_backup_copy(struct lagd_backup *backup, struct lag_error *err);
/* Counts bytes and tells of them now and then; its form is that of struct lag_fs_watch. */
int lagd_backup_progress(void *backup, size_t n_bytes);
