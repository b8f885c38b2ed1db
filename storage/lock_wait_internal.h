/* The file system that SQLite opens files by, so that lag_store_hurry_at holds. */
#pragma once

/* Its name, or NULL: there is no memory for it, and the system's own serves. Thread: any. */
const char *lag_lock_wait_vfs(void);
