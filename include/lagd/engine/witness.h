/* Whether what was read of a dataset's file was what had been registered. Somebody who has hashed the whole file says
 * so, together with the file's stamp; from then on each window that is read is noted, until a look finds that stamp
 * again. Where the stamp is another one, the file is hashed again by the caller; is it as before, the windows that were
 * read since the last look are read once more and compared, as the file may have been another one for a while.
 *
 * Thread: any may look and read batches; one at a time does the rest meanwhile. */
#pragma once
#include <lagd/base/stamp.h>
#include <stdatomic.h>
struct lag_dataset;
struct lag_error;

/* The file is as registered at this stamp. fresh: the stamp is too young to tell of each write, so that windows stay
 * noted until an older one is trusted. */
void lag_dataset_trust(struct lag_dataset *dataset, const struct lag_stamp *stamp, bool fresh);

enum lag_sight {
    LAG_SIGHT_SAME,  /* all that was read so far was as registered */
    LAG_SIGHT_FRESH, /* the same stamp, but a fresh one: not known */
    LAG_SIGHT_OTHER, /* another stamp, or nothing is trusted */
};
int lag_dataset_look(const struct lag_dataset *dataset, enum lag_sight *ret, struct lag_error *err);
/* Reads the noted windows again. LAG_ECORRUPT: one of them was another when it was read first, or there were too many
 * to be noted. LAG_ECANCELED: *cancel (may be NULL). */
int lag_dataset_reread(struct lag_dataset *dataset, const _Atomic bool *cancel, struct lag_error *err);

int lag_dataset_fd(const struct lag_dataset *dataset); /* borrowed */
/* The same bytes by another descriptor, which is taken, on failure too. Readers find one or the other. */
int lag_dataset_replace(struct lag_dataset *dataset, int fd, struct lag_error *err);
