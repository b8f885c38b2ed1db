/* The parameter table of GPT-2 and the layout made from it. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/params.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN_ELEMENTS 16

#define AXIS_OF(space) {1, {{LAG_SPACE_ONE, LAG_SPACE_##space}}}
#define ONE AXIS_OF(ONE)
#define RES AXIS_OF(RESIDUAL)
#define NORMED AXIS_OF(NORMED)
#define FINAL AXIS_OF(FINAL)
#define HEADS {1, {{LAG_SPACE_HEADS, LAG_SPACE_VALUE}}}
#define QKV \
    {3, {{LAG_SPACE_HEADS, LAG_SPACE_QUERY}, {LAG_SPACE_HEADS, LAG_SPACE_KEY}, {LAG_SPACE_HEADS, LAG_SPACE_VALUE}}}
#define FFN AXIS_OF(FFN)
#define VOCAB AXIS_OF(VOCAB)
#define CTX AXIS_OF(CONTEXT)
#define GLOBAL(name) "transformer." name
#define LAYER(name) "transformer.h.{i}." name

/* role, name, per layer, decays, writes residual, init, rows, cols, gate. As in nanoGPT, two-dimensional weights decay,
 * vectors do not. A gate is one number a branch (SkipInit, De & Smith 2020; ReZero, Bachlechner et al. 2020), not one a
 * layer: so it is exactly a factor of the branch's output projection, and each branch opens at its own pace. */
static const struct lag_param_row GPT2[] = {
    {LAG_ROLE_WTE, GLOBAL("wte.weight"), false, true, false, LAG_INIT_NORMAL, VOCAB, RES},
    {LAG_ROLE_WPE, GLOBAL("wpe.weight"), false, true, false, LAG_INIT_NORMAL, CTX, RES},
    {LAG_ROLE_LN1_W, LAYER("ln_1.weight"), true, false, false, LAG_INIT_ONE, ONE, NORMED},
    {LAG_ROLE_LN1_B, LAYER("ln_1.bias"), true, false, false, LAG_INIT_ZERO, ONE, NORMED},
    {LAG_ROLE_QKV_W, LAYER("attn.c_attn.weight"), true, true, false, LAG_INIT_NORMAL, NORMED, QKV},
    {LAG_ROLE_QKV_B, LAYER("attn.c_attn.bias"), true, false, false, LAG_INIT_ZERO, ONE, QKV},
    {LAG_ROLE_PROJ_W, LAYER("attn.c_proj.weight"), true, true, true, LAG_INIT_NORMAL_OUT, HEADS, RES},
    {LAG_ROLE_PROJ_B, LAYER("attn.c_proj.bias"), true, false, true, LAG_INIT_ZERO, ONE, RES},
    {LAG_ROLE_LN2_W, LAYER("ln_2.weight"), true, false, false, LAG_INIT_ONE, ONE, NORMED},
    {LAG_ROLE_LN2_B, LAYER("ln_2.bias"), true, false, false, LAG_INIT_ZERO, ONE, NORMED},
    {LAG_ROLE_FC_W, LAYER("mlp.c_fc.weight"), true, true, false, LAG_INIT_NORMAL, NORMED, FFN},
    {LAG_ROLE_FC_B, LAYER("mlp.c_fc.bias"), true, false, false, LAG_INIT_ZERO, ONE, FFN},
    {LAG_ROLE_FCPROJ_W, LAYER("mlp.c_proj.weight"), true, true, true, LAG_INIT_NORMAL_OUT, FFN, RES},
    {LAG_ROLE_FCPROJ_B, LAYER("mlp.c_proj.bias"), true, false, true, LAG_INIT_ZERO, ONE, RES},
    {LAG_ROLE_PROJ_GATE, LAYER("attn.gate"), true, false, false, LAG_INIT_OPEN, ONE, ONE, true},
    {LAG_ROLE_FCPROJ_GATE, LAYER("mlp.gate"), true, false, false, LAG_INIT_OPEN, ONE, ONE, true},
    {LAG_ROLE_LNF_W, GLOBAL("ln_f.weight"), false, false, false, LAG_INIT_ONE, ONE, FINAL},
    {LAG_ROLE_LNF_B, GLOBAL("ln_f.bias"), false, false, false, LAG_INIT_ZERO, ONE, FINAL},
};

static const struct {
    const struct lag_param_row *rows;
    size_t n_rows;
} TABLES[LAG_N_ARCHS] = {[LAG_ARCH_GPT2] = {GPT2, LAG_COUNT(GPT2)}};

const struct lag_param_row *lag_param_rows(enum lag_arch arch, size_t *ret_n_rows) {
    *ret_n_rows = TABLES[arch].n_rows;
    return TABLES[arch].rows;
}

int lag_space_size(const struct lag_spec *spec, enum lag_space space) {
    const int head = lag_spec_head_dim(spec);
    const int sizes[LAG_N_SPACES] = {
        [LAG_SPACE_ONE] = 1,
        [LAG_SPACE_RESIDUAL] = spec->n_embd, [LAG_SPACE_NORMED] = spec->n_embd, [LAG_SPACE_FINAL] = spec->n_embd,
        [LAG_SPACE_HEADS] = spec->n_head,
        [LAG_SPACE_QUERY] = head, [LAG_SPACE_KEY] = head, [LAG_SPACE_VALUE] = head,
        [LAG_SPACE_FFN] = spec->n_inner,
        [LAG_SPACE_VOCAB] = spec->vocab_size,
        [LAG_SPACE_CONTEXT] = spec->n_positions,
    };
    return sizes[space];
}

static int axis_size(const struct lag_spec *spec, const struct lag_axis *axis) {
    int size = 0;
    for (int i = 0; i < axis->n_parts; i++)
        size += lag_space_size(spec, axis->parts[i].outer) * lag_space_size(spec, axis->parts[i].inner);
    return size;
}

/* Whether a model of the spec has it. */
static bool is_there(const struct lag_spec *spec, const struct lag_param_row *row) {
    return spec->gated || !row->is_gate;
}

bool lag_param_is_vector(const struct lag_param_row *row) {
    return row->rows.parts[0].inner == LAG_SPACE_ONE;
}

static void place(struct lag_layout *layout, const struct lag_param_row *row, int layer) {
    struct lag_tensor *tensor = &layout->tensors[layout->n_tensors];
    *tensor = (struct lag_tensor){.row = row, .layer = layer, .offset = layout->n_elements};
    tensor->n_rows = axis_size(&layout->spec, &row->rows);
    tensor->n_cols = axis_size(&layout->spec, &row->cols);
    const size_t n = (size_t)tensor->n_rows * (size_t)tensor->n_cols;
    layout->n_elements += (n + ALIGN_ELEMENTS - 1) / ALIGN_ELEMENTS * ALIGN_ELEMENTS;
    if (layer <= 0) layout->first[row->role] = layout->n_tensors;
    layout->n_tensors++;
}

/* Places rows [begin, end), which are all global or all per layer, and returns end. */
static size_t place_group(struct lag_layout *layout, const struct lag_param_row *rows, size_t n_rows, size_t begin) {
    size_t end = begin;
    while (end < n_rows && rows[end].per_layer == rows[begin].per_layer) end++;
    const int n_layers = rows[begin].per_layer ? layout->spec.n_layer : 1, first = layout->n_tensors;
    for (int layer = 0; layer < n_layers; layer++)
        for (size_t i = begin; i < end; i++)
            if (is_there(&layout->spec, &rows[i])) place(layout, &rows[i], rows[i].per_layer ? layer : -1);
    if (rows[begin].per_layer) layout->per_layer = (layout->n_tensors - first) / n_layers;
    return end;
}

int lag_layout_create(const struct lag_spec *spec, struct lag_layout *ret, struct lag_error *err) {
    const int rc = lag_spec_check(spec, err);
    if (rc) return rc;
    size_t n_rows;
    const struct lag_param_row *rows = lag_param_rows(spec->arch, &n_rows);
    struct lag_layout layout = {.spec = *spec};
    for (int role = 0; role < LAG_N_ROLES; role++) layout.first[role] = -1;
    layout.tensors = lag_calloc(n_rows * (size_t)spec->n_layer, sizeof(*layout.tensors));
    if (!layout.tensors) return lag_error_set(err, LAG_ENOMEM, "no memory for the layout of %d layers", spec->n_layer);
    for (size_t i = 0; i < n_rows;) i = place_group(&layout, rows, n_rows, i);
    *ret = layout;
    return 0;
}

void lag_layout_deinit(struct lag_layout *layout) {
    free(layout->tensors);
    *layout = (struct lag_layout){0};
}

const struct lag_tensor *lag_layout_tensor(const struct lag_layout *layout, enum lag_role role, int layer) {
    return &layout->tensors[layout->first[role] + (layer > 0 ? layer * layout->per_layer : 0)];
}

void lag_tensor_name(const struct lag_tensor *tensor, char ret[96]) {
    const char *name = tensor->row->name, *mark = strstr(name, "{i}");
    if (mark)
        snprintf(ret, 96, "%.*s%d%s", (int)(mark - name), name, tensor->layer, mark + strlen("{i}"));
    else
        snprintf(ret, 96, "%s", name);
}

uint64_t lag_spec_params(const struct lag_spec *spec) {
    size_t n_rows;
    const struct lag_param_row *rows = lag_param_rows(spec->arch, &n_rows);
    uint64_t n = 0;
    for (size_t i = 0; i < n_rows; i++)
        if (is_there(spec, &rows[i]))
            n += (uint64_t)axis_size(spec, &rows[i].rows) * (uint64_t)axis_size(spec, &rows[i].cols) *
                 (rows[i].per_layer ? (uint64_t)spec->n_layer : 1);
    return n;
}
