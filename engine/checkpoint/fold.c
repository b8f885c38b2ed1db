/* Gates and masks, folded on the way out. */
#include "checkpoint/fold_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdlib.h>
#include <string.h>

bool lag_fold_is_needed(const struct lag_manifest *manifest) {
    for (int i = 0; i < manifest->n_segments; i++)
        if (lag_mask_factor(&manifest->segments[i], manifest->step) < 1) return true;
    return manifest->layout.spec.gated;
}

static int load_gate(struct lag_fold *fold, const struct lag_st_file *file, int tensor, struct lag_error *err) {
    static const struct { enum lag_role gate, weight, bias; } branches[] = {
        {LAG_ROLE_PROJ_GATE, LAG_ROLE_PROJ_W, LAG_ROLE_PROJ_B},
        {LAG_ROLE_FCPROJ_GATE, LAG_ROLE_FCPROJ_W, LAG_ROLE_FCPROJ_B}};
    const struct lag_layout *layout = &fold->manifest->layout;
    const struct lag_tensor *gate = &layout->tensors[tensor];
    char name[96];
    lag_real value;
    lag_tensor_name(gate, name);
    const struct lag_st_entry *entry = lag_st_find(&file->header, name);
    if (!entry || entry->n_dims != 1 || entry->dims[0] != 1)
        return lag_error_set(err, LAG_ECORRUPT, "tensor %s is missing, or not one number", name);
    const int rc = lag_st_load(file, entry, &value, err);
    for (size_t b = 0; rc == 0 && b < sizeof(branches) / sizeof(*branches); b++) {
        if (gate->row->role != branches[b].gate) continue;
        fold->gates[lag_layout_tensor(layout, branches[b].weight, gate->layer) - layout->tensors] = (double)value;
        fold->gates[lag_layout_tensor(layout, branches[b].bias, gate->layer) - layout->tensors] = (double)value;
    }
    return rc;
}

/* Entries of gates go; those of what is scaled are remembered. */
static void sort_out(struct lag_fold *fold, struct lag_st_header *header) {
    const struct lag_layout *layout = &fold->manifest->layout;
    size_t n = 0;
    for (size_t i = 0; i < header->n_entries; i++) {
        int tensor = -1;
        for (int t = 0; t < layout->n_tensors && tensor < 0; t++) {
            char name[96];
            if (!layout->tensors[t].row->is_gate && !layout->tensors[t].row->writes_residual) continue;
            lag_tensor_name(&layout->tensors[t], name);
            if (strcmp(name, header->entries[i].name) == 0) tensor = t;
        }
        if (tensor >= 0 && layout->tensors[tensor].row->is_gate) continue;
        fold->tensors[n] = tensor;
        header->entries[n++] = header->entries[i];
    }
    header->n_entries = n;
}

int lag_fold_begin(void *arg, struct lag_st_file *file, struct lag_error *err) {
    struct lag_fold *fold = arg;
    const struct lag_layout *layout = &fold->manifest->layout;
    fold->gates = lag_calloc((size_t)layout->n_tensors, sizeof(*fold->gates));
    fold->tensors = lag_calloc(file->header.n_entries + 1, sizeof(*fold->tensors));
    if (!fold->gates || !fold->tensors) return lag_error_set(err, LAG_ENOMEM, "out of memory for gates");
    for (int t = 0; t < layout->n_tensors; t++) fold->gates[t] = 1;
    int rc = 0;
    for (int t = 0; t < layout->n_tensors && rc == 0; t++)
        if (layout->tensors[t].row->is_gate) rc = load_gate(fold, file, t, err);
    if (rc == 0) sort_out(fold, &file->header);
    return rc;
}

static double mask_at(const struct lag_fold *fold, int tensor, int row, int col) {
    const struct lag_manifest *manifest = fold->manifest;
    for (int i = 0; i < manifest->n_segments; i++) {
        const struct lag_segment *s = &manifest->segments[i];
        if (s->tensor == tensor && row >= s->row_begin && row < s->row_end && col >= s->col_begin && col < s->col_end)
            return lag_mask_factor(s, manifest->step);
    }
    return 1;
}

void lag_fold_adjust(const void *arg, size_t entry, uint64_t at, size_t n, float *values) {
    const struct lag_fold *fold = arg;
    if (fold->tensors[entry] >= 0) lag_fold_scale(fold, fold->tensors[entry], at, n, values);
}

void lag_fold_scale(const struct lag_fold *fold, int tensor, uint64_t at, size_t n, float *values) {
    const struct lag_tensor *t = &fold->manifest->layout.tensors[tensor];
    const uint64_t width = (uint64_t)t->n_cols;
    double factor = 1;
    for (size_t i = 0; i < n; i++) {
        const uint64_t row = (at + i) / width, col = (at + i) % width;
        if (i == 0 || col == 0 || t->n_rows == 1) /* a mask is of whole rows */
            factor = fold->gates[tensor] * mask_at(fold, tensor, (int)row, (int)col);
        values[i] = (float)(factor * (double)values[i]);
    }
}

void lag_fold_deinit(struct lag_fold *fold) {
    free(fold->gates);
    free(fold->tensors);
    *fold = (struct lag_fold){0};
}
