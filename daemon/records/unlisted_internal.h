/* The mark of a folder below the state directory that may be without a row. Thread: any. */
#pragma once
#include <lagd/base/error.h>
#include <stdbool.h>

/* Marking makes the folder, too. */
int lagd_unlisted_mark(const char *dir, struct lag_error *err);
void lagd_unlisted_unmark(const char *dir);
bool lagd_unlisted_is_marked(const char *dir);
/* Removes the folder, its mark last: what a crash leaves of it is still marked. A missing one is no error. */
int lagd_unlisted_remove(const char *dir, struct lag_error *err);
