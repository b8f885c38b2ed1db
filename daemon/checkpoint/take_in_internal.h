/* What lies in a run's folder at a start and the database does not list. Nothing that is sealed (a folder with a
 * manifest) is removed, unless it is marked for that. Thread: main, before anything is served. */
#pragma once
#include "process/deps_internal.h"

#include <lagd/storage/rows.h>
struct lag_db;

/* Goes through runs/<id>, which is open as dir_fd (borrowed; no link):
 * - marked for removal: removed; its mark goes where a row lists it all the same.
 * - without manifest: was never whole, removed.
 * - of this run, of the shape and growth that the database knows for its step, and whole: a row, with event.
 * - damaged: renamed *.damaged; any other: renamed *.aside. Both are told, and stay (but see asides_internal.h).
 * A folder that was set aside and is listed (by a newer database that was put back) gets its name back. */
void lagd_checkpoints_take_in(struct lagd_deps *deps, struct lag_db *db, const struct lag_run_row *run, int dir_fd);
/* "ckpt-<step>-<end of the id>", as lagd names them. */
bool lagd_is_checkpoint_name(const char *name);
#define LAGD_ASIDE ".aside"
/* What was set aside by that name in the run's folder (open as dir_fd) is known again, by a newer database that was put
 * back. Nothing happens where it is not there, or the name is taken. */
void lagd_give_name_back(const struct lagd_deps *deps, const char *run_id, int dir_fd, const char *name);
/* Renames runs/<run>/<name> to *.aside, and tells why. */
void lagd_set_aside(const struct lagd_deps *deps, const char *run_id, const char *name, int64_t step, const char *why);
