/* Weight matrices packed once for all tiles of rows, while the attention tiles before them are computed. */
#include "pass/pass_internal.h"

#include <lagd/base/check.h>

static const enum lag_role ROLES[LAG_N_MATRICES] = {
    [LAG_MATRIX_QKV] = LAG_ROLE_QKV_W,
    [LAG_MATRIX_PROJ] = LAG_ROLE_PROJ_W,
    [LAG_MATRIX_FC] = LAG_ROLE_FC_W,
    [LAG_MATRIX_FCPROJ] = LAG_ROLE_FCPROJ_W,
};

/* Elements that the matrix may need, either way round. */
static size_t room(enum lag_precision precision, int n_rows, int n_cols) {
    return LAG_MAX(lag_packed_elements(precision, n_rows, n_cols), lag_packed_elements(precision, n_cols, n_rows));
}

uint64_t lag_packed_slot(const struct lag_spec *spec, enum lag_precision precision) {
    if (!lag_products(precision)) return 0;
    const int C = spec->n_embd, A = lag_spec_attention(spec), I = spec->n_inner;
    return room(precision, C, 3 * A) + room(precision, A, C) + room(precision, C, I) + room(precision, I, C);
}

static const struct lag_tensor *tensor_of(const struct lag_pass *pass, int layer, enum lag_matrix_id id) {
    return lag_layout_tensor(&pass->state->layout, ROLES[id], layer);
}

static lag_real *place(const struct lag_pass *pass, enum lag_matrix_id id) {
    lag_real *to = lag_slot(pass->work, LAG_SLOT_PACKED, 0);
    for (int i = 0; i < (int)id; i++) {
        const struct lag_tensor *t = tensor_of(pass, 0, (enum lag_matrix_id)i);
        to += room(pass->precision, t->n_rows, t->n_cols);
    }
    return to;
}

struct lag_matrix lag_pass_matrix(const struct lag_pass *pass, int layer, enum lag_matrix_id id, bool transposed) {
    const struct lag_tensor *t = tensor_of(pass, layer, id);
    if (lag_products(pass->precision))
        return (struct lag_matrix){
            .data = place(pass, id), .stride = transposed ? t->n_cols : t->n_rows, .packed = true};
    return (struct lag_matrix){.data = pass->state->params + t->offset, .stride = t->n_cols, .transposed = transposed};
}

void lag_pass_pack_add(const struct lag_pass *pass, struct lag_region *region, int layer, enum lag_matrix_id id,
                       bool transposed, struct lag_packing *packing) {
    if (!lag_products(pass->precision)) return;
    const struct lag_tensor *t = tensor_of(pass, layer, id);
    *packing = (struct lag_packing){.precision = pass->precision,
                                    .b = {pass->state->params + t->offset, t->n_cols, transposed, false},
                                    .k = transposed ? t->n_cols : t->n_rows, .n = transposed ? t->n_rows : t->n_cols,
                                    .to = place(pass, id)};
    lag_region_add(region, lag_packing_tile, packing, lag_packing_tiles(packing));
}
