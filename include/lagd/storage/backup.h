/* Copies of the database. Thread: owner of db; a copy is open to nobody else meanwhile. */
#pragma once
struct lag_db;
struct lag_error;
struct lag_fs_watch;

/* May the database be read as it lies there? For those who read while no lagd runs: as lag_store_open, but nothing is
 * changed. The caller holds the lock of the state directory. */
int lag_store_inspect(const char *dir, struct lag_error *err);
/* Copies what db sees now, or in its transaction (lag_reader_begin), into the new file path, and reads the copy
 * through. Writers go on meanwhile; their log is not cut before the end. watch may be NULL. LAG_ECORRUPT: the
 * database, or the copy, does not verify. */
int lag_db_copy(struct lag_db *db, const char *path, const struct lag_fs_watch *watch, struct lag_error *err);
int lag_copy_check(const char *path, struct lag_error *err);
/* Takes a checkpoint's row out of a copy. */
int lag_copy_leave_out(const char *path, const char *checkpoint_id, struct lag_error *err);
int lag_copy_sync(const char *path, struct lag_error *err); /* makes it durable, but for its name */
