/* What a crash left between a checkpoint's folder and its row, at the end of a growth: the start set it aside, and the
 * run has made the same state once more. Thread: main at a start, or the run's. */
#pragma once
struct lag_db;
struct lagd_deps;

/* Removes from runs/<id> the folder *.aside of which the run lists a whole twin: the same step, and the same files to
 * the last bit but for the manifest. Others stay, and all of them where one of a later step is beside them, as a newer
 * database may be put back that lists them. Costs no more than a look at the names where there are none. */
void lagd_asides_clear(const struct lagd_deps *deps, struct lag_db *db, const char *run_id);
/* The same from a reader of its own, once a growth has been applied. */
void lagd_asides_clear_now(const struct lagd_deps *deps, const char *run_id);
