/* Which file it is, and when it was last written to: what stat(2) tells. Thread: any. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
struct lag_error;

struct lag_stamp {
    int64_t device, inode, n_bytes;
    int64_t mtime_ns, ctime_ns; /* since 1970; file systems without the latter tell a constant */
};
/* LAG_EINVAL: not a regular file. */
int lag_stamp_of_fd(int fd, struct lag_stamp *ret, struct lag_error *err);
/* Of what lies at the path now; links are not followed. */
int lag_stamp_of_path(const char *path, struct lag_stamp *ret, struct lag_error *err);
bool lag_stamp_equal(const struct lag_stamp *a, const struct lag_stamp *b);
bool lag_stamp_same_file(const struct lag_stamp *a, const struct lag_stamp *b);
/* Clocks of file systems tick as coarsely as every two seconds: a write to a file that was changed within the last two
 * may leave its stamp as it is. now_ms: wall clock. Pure. */
#define LAG_STAMP_TICK_MS 2000
bool lag_stamp_is_fresh(const struct lag_stamp *stamp, int64_t now_ms);
