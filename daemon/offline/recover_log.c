/* `lagd recover`: nobody else may work in the state directory meanwhile. */
#include "process/lock_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/daemon/offline.h>
#include <lagd/storage/store.h>

int lagd_recover_log(const struct lagd_config *config, char **ret_text, struct lag_error *err) {
    struct lagd_lock lock = LAGD_LOCK_INIT;
    if (!lag_fs_exists(config->state_dir))
        return lag_error_at(err, LAG_ENOTFOUND, "storage/state_dir", "there is no state directory %s",
                            config->state_dir);
    int rc = lagd_lock_take(config->state_dir, &lock, err);
    if (rc == 0) rc = lag_store_recover(config->state_dir, ret_text, err);
    lagd_lock_give(&lock);
    return rc;
}
