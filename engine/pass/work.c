/* The memory of passes on the CPU: one table of slots, one block. */
#include "pass/work_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>

#include <math.h>
#include <stdlib.h>

#define ALIGN 64
#define TARGET_ROW_TILES 12 /* divides well among 2, 3, 4 and 6 members */
#define OTHER_ROW_TILES 8
#define MIN_TILE_ROWS 32
#define MAX_TILE_ROWS 256
#define CHUNK_BYTES (UINT64_C(104) << 20) /* of logits: the embeddings are read three times a chunk */
#define MIN_CHUNK_ROWS 16
#define PARTIAL_WIDTHS 6 /* of C: biases of proj, fcproj; ln_1 and ln_2, weight and bias */

int lag_tile_rows(int n_tokens) {
    int rows = (n_tokens / TARGET_ROW_TILES + 15) / 16 * 16;
    if (n_tokens % (TARGET_ROW_TILES * 16) && n_tokens % (OTHER_ROW_TILES * 16) == 0) rows = n_tokens / OTHER_ROW_TILES;
    return LAG_MAX(MIN_TILE_ROWS, LAG_MIN(rows, MAX_TILE_ROWS));
}

int lag_chunk_rows(int n_tokens, int vocab_size) {
    const uint64_t fit = CHUNK_BYTES / ((uint64_t)vocab_size * sizeof(lag_real));
    const int most = (int)LAG_MIN((uint64_t)n_tokens, LAG_MAX(fit, MIN_CHUNK_ROWS));
    return lag_tile_split(n_tokens, most);
}

/* Elements of slot for one layer or member. */
static uint64_t slot_width(const struct lag_cpu_work *work, enum lag_slot slot, uint64_t n) {
    const struct lag_spec *spec = &work->spec;
    const uint64_t C = (uint64_t)spec->n_embd, A = (uint64_t)lag_spec_attention(spec), I = (uint64_t)spec->n_inner;
    const uint64_t rows = (uint64_t)lag_tile_rows((int)n);
    switch (slot) {
    case LAG_SLOT_QKV: case LAG_SLOT_DQKV: return n * 3 * A;
    case LAG_SLOT_ATT: return n * A;
    case LAG_SLOT_DATT: return n * LAG_MAX(A, C);
    case LAG_SLOT_FC: case LAG_SLOT_GELU: case LAG_SLOT_DFC: return n * I;
    case LAG_SLOT_STATS: return 4 * n;
    case LAG_SLOT_LSE: return n * (uint64_t)spec->n_head;
    case LAG_SLOT_LOGITS: return (uint64_t)lag_chunk_rows((int)n, spec->vocab_size) * (uint64_t)spec->vocab_size;
    case LAG_SLOT_SCRATCH:
        return LAG_MAX(lag_attention_scratch(work->common.shape.precision, work->common.shape.context,
                                             lag_spec_head_dim(spec)),
                       rows * C);
    case LAG_SLOT_PACKED: return lag_packed_slot(spec, work->common.shape.precision);
    case LAG_SLOT_PACK: return LAG_PACK_ELEMENTS;
    case LAG_SLOT_GRADS: return work->layout.n_elements;
    case LAG_SLOT_PARTIAL: return lag_ceil_div(n, rows) * (PARTIAL_WIDTHS * C + I + 3 * A + 2);
    case LAG_SLOT_SCALES: return LAG_SCALE_HEAD + A + I + 4 * C;
    case LAG_SLOT_ROW_LOSS: case LAG_SLOT_TOKENS: case LAG_SLOT_TARGETS: return n;
    case LAG_SLOT_PARTS: return 1;
    default: return n * C;
    }
}

static uint64_t slot_count(const struct lag_cpu_work *work, enum lag_slot slot) {
    const uint64_t n_layer = (uint64_t)work->spec.n_layer;
    if (slot == LAG_SLOT_SCALES) return n_layer;
    if (slot == LAG_SLOT_X || slot == LAG_SLOT_STATS) return n_layer + 1;
    if (slot <= LAG_SLOT_LSE)
        return !work->common.shape.recompute ? n_layer : slot == LAG_SLOT_LN1 ? LAG_MIN(n_layer, 2) : 1;
    const bool each = slot == LAG_SLOT_SCRATCH || slot == LAG_SLOT_PACK || slot == LAG_SLOT_PARTS;
    return each ? (uint64_t)work->common.shape.n_members : 1;
}

static uint64_t element_bytes(enum lag_slot slot) {
    if (slot == LAG_SLOT_ROW_LOSS || slot == LAG_SLOT_PARTIAL) return sizeof(double);
    if (slot == LAG_SLOT_PARTS) return sizeof(struct lag_parts);
    return slot == LAG_SLOT_TOKENS || slot == LAG_SLOT_TARGETS ? sizeof(int32_t) : sizeof(lag_real);
}

/* Fills offset, stride and bytes; false when the sum does not fit. */
static bool plan(struct lag_cpu_work *work) {
    uint64_t n, total = 0;
    if (!lag_mul_u64((uint64_t)work->common.shape.batch, (uint64_t)work->common.shape.context, &n) || n > INT32_MAX / 2)
        return false;
    for (int i = 0; i < LAG_N_SLOTS; i++) {
        const enum lag_slot slot = (enum lag_slot)i;
        uint64_t bytes;
        if (!lag_mul_u64(slot_width(work, slot, n), element_bytes(slot), &bytes))
            return false;
        bytes = lag_ceil_div(bytes, ALIGN) * ALIGN;
        work->offset[i] = total;
        work->stride[i] = bytes;
        if (!lag_mul_u64(bytes, slot_count(work, slot), &bytes) ||
            !lag_add_u64(total, bytes, &total) || total > PTRDIFF_MAX)
            return false;
    }
    work->bytes = total;
    return true;
}

static int prepare(struct lag_cpu_work *work, struct lag_error *err) {
    if (work->common.shape.batch < 1 || work->common.shape.context < 1 || work->common.shape.n_members < 1)
        return lag_error_set(err, LAG_EINVAL, "batch, context and threads must be at least 1");
    if (work->common.shape.context > work->spec.n_positions)
        return lag_error_set(err, LAG_EINVAL, "context %d is longer than the model's n_positions %d",
                             work->common.shape.context, work->spec.n_positions);
    const int rc = lag_layout_create(&work->spec, &work->layout, err);
    if (rc) return rc;
    if (!plan(work))
        return lag_error_set(err, LAG_ETOOBIG, "batch %d × context %d is too large for this model; make one smaller",
                             work->common.shape.batch, work->common.shape.context);
    return 0;
}

int lag_cpu_work_create(const struct lag_spec *spec, const struct lag_work_shape *shape, struct lag_work **ret,
                        struct lag_error *err) {
    int rc = lag_precision_check(shape->precision, err);
    if (rc) return rc;
    struct lag_cpu_work *work = lag_calloc(1, sizeof(*work));
    if (!work) return lag_error_set(err, LAG_ENOMEM, "no memory for activations");
    *work = (struct lag_cpu_work){.common = {.backend = &lag_cpu, .shape = *shape}, .spec = *spec};
    rc = prepare(work, err);
    if (!rc) {
        work->block = lag_block_alloc(work->bytes);
        if (!work->block)
            rc = lag_error_set(err, LAG_ENOMEM, "no memory for activations and gradients (%zu bytes)", work->bytes);
    }
    if (rc) {
        lag_cpu_work_destroy(&work->common);
        return rc;
    }
    work->common.tokens = (int32_t *)(void *)lag_slot(work, LAG_SLOT_TOKENS, 0);
    work->common.targets = (int32_t *)(void *)lag_slot(work, LAG_SLOT_TARGETS, 0);
    *ret = &work->common;
    return 0;
}

void lag_cpu_work_destroy(struct lag_work *common) {
    struct lag_cpu_work *work = lag_cpu_work_of(common);
    lag_block_free(work->block, work->bytes);
    lag_layout_deinit(&work->layout);
    free(work);
}

uint64_t lag_cpu_work_bytes(const struct lag_spec *spec, const struct lag_work_shape *shape) {
    struct lag_cpu_work work = {.common = {.shape = *shape}, .spec = *spec};
    uint64_t bytes = 0;
    if (!prepare(&work, NULL))
        bytes = lag_block_bytes(work.bytes) + sizeof(work) +
                (uint64_t)work.layout.n_tensors * sizeof(struct lag_tensor);
    lag_layout_deinit(&work.layout);
    return bytes;
}

lag_real *lag_slot(const struct lag_cpu_work *work, enum lag_slot slot, int index) {
    return (lag_real *)(void *)(work->block + work->offset[slot] + (size_t)index * work->stride[slot]);
}

const lag_real *lag_work_grads(const struct lag_work *work) {
    return lag_slot((const struct lag_cpu_work *)work, LAG_SLOT_GRADS, 0);
}

double lag_work_stream_rms(const struct lag_work *work, int layer, int n_tokens) {
    const struct lag_cpu_work *cpu = (const struct lag_cpu_work *)work;
    const lag_real *x = lag_slot(cpu, LAG_SLOT_X, layer);
    const size_t n = (size_t)n_tokens * (size_t)cpu->spec.n_embd;
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sqrt(sum / (double)n);
}

static struct lag_parts *parts_of(const struct lag_cpu_work *work) {
    return (struct lag_parts *)(void *)(work->block + work->offset[LAG_SLOT_PARTS]);
}

struct lag_parts *lag_work_clocks(const struct lag_cpu_work *work) {
    return work->measured ? parts_of(work) : NULL;
}

void lag_work_measure(struct lag_work *common, bool on) {
    struct lag_cpu_work *work = lag_cpu_work_of(common);
    const int64_t now_ns = lag_clock_mono_ns();
    for (int i = 0; i < work->common.shape.n_members; i++)
        parts_of(work)[i] = (struct lag_parts){.since_ns = now_ns, .part = LAG_PART_OTHER};
    work->measured = on;
}

void lag_work_parts(struct lag_work *common, double ret_seconds[LAG_N_PARTS]) {
    const struct lag_cpu_work *work = lag_cpu_work_of(common);
    for (int i = 0; i < LAG_N_PARTS; i++) ret_seconds[i] = 0;
    for (int member = 0; member < work->common.shape.n_members; member++) {
        lag_part_begin(lag_work_clocks(work), member, LAG_PART_OTHER);
        for (int i = 0; i < LAG_N_PARTS; i++)
            ret_seconds[i] += 1e-9 * (double)parts_of(work)[member].ns[i] / work->common.shape.n_members;
    }
}

const char *lag_part_name(enum lag_part part) {
    static const char *const NAMES[LAG_N_PARTS] = {"matmul", "attention", "norm", "activation", "loss", "other"};
    return NAMES[part];
}
