/* What of a grown model its parent does not have. Thread: any (pure). */
#pragma once
#include <lagd/engine/grow.h>

/* Of the sum of the squares of values, which lie as the grown state's weights do, the part that falls on new layers and
 * on units of old ones that are new, copies of old units among them. 0 where all are zero. LAG_ENOMEM. */
int lag_new_share(const struct lag_recipe *recipe, const struct lag_layout *grown, const lag_real *values,
                  double *ret_share);
