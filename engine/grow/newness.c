/* What is new in a grown model, element by element. */
#include "grow/grow_internal.h"
#include "grow/widen_internal.h"
#include <lagd/engine/newness.h>

struct sums { double all, fresh; };

static void add(struct sums *sums, lag_real value, bool is_new) {
    const double square = (double)value * (double)value;
    sums->all += square;
    if (is_new) sums->fresh += square;
}

static int add_tensor(const struct lag_recipe *recipe, const struct lag_layout *grown, const struct lag_tensor *tensor,
                      const lag_real *values, struct sums *sums) {
    const bool whole = tensor->layer >= 0 && recipe->layers[tensor->layer].is_new;
    struct lag_units rows = {0}, cols = {0};
    int rc = 0;
    if (recipe->width.widens && !whole) rc = lag_units_list(&recipe->width, &grown->spec, &tensor->row->rows, &rows);
    if (rc == 0 && rows.unit) rc = lag_units_list(&recipe->width, &grown->spec, &tensor->row->cols, &cols);
    const lag_real *value = values + tensor->offset;
    for (int r = 0; r < tensor->n_rows && rc == 0; r++)
        for (int c = 0; c < tensor->n_cols; c++)
            add(sums, *value++, whole || (rows.unit && (rows.unit[r].is_new || cols.unit[c].is_new)));
    lag_units_deinit(&rows);
    lag_units_deinit(&cols);
    return rc;
}

int lag_new_share(const struct lag_recipe *recipe, const struct lag_layout *grown, const lag_real *values,
                  double *ret_share) {
    struct sums sums = {0};
    int rc = 0;
    for (int t = 0; t < grown->n_tensors && rc == 0; t++)
        rc = add_tensor(recipe, grown, &grown->tensors[t], values, &sums);
    if (rc == 0) *ret_share = sums.all > 0 ? sums.fresh / sums.all : 0;
    return rc;
}
