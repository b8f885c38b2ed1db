/* Reading connections to the database. A few idle ones are kept, as opening one takes longer than most reads.
 * Thread: any. */
#pragma once
struct lag_db;
struct lag_error;
struct lagd_readers;

int lagd_readers_create(const char *state_dir, struct lagd_readers **ret); /* LAG_ENOMEM */
void lagd_readers_destroy(struct lagd_readers *readers);                   /* once every reader was given back */
int lagd_reader_take(struct lagd_readers *readers, struct lag_db **ret, struct lag_error *err);
/* Ends its transaction. db may be NULL. */
void lagd_reader_give(struct lagd_readers *readers, struct lag_db *db);
