/* Cross-entropy of the tied head, a chunk of token rows at a time, so that logits need bounded memory. */
#include "pass/pass_internal.h"

#include <lagd/base/check.h>
#include <math.h>

#define SOFTMAX_ROWS 16 /* rows a tile */
#define VOCAB_TILE 512
#define MIN_TILE 32
#define MANY_TILES 32 /* tiles of the vocabulary from which on tokens are not cut into small tiles too */
#define LARGE_ROWS 512
#define LARGE_INPUT_ROWS 256

struct chunk {
    struct lag_pass *pass;
    int begin, n;
    lag_real *logits;
    bool with_gradients;
};

/* Loss of each row; logits become the gradient of (mean loss × scale). */
static void softmax_tile(void *arg, int tile, int member) {
    const struct chunk *chunk = arg;
    const struct lag_pass *pass = chunk->pass;
    const size_t V = (size_t)pass->V;
    double *row_loss = (double *)(void *)lag_slot(pass->work, LAG_SLOT_ROW_LOSS, 0);
    const double weight = pass->scale / pass->n_tokens;
    const int end = LAG_MIN(chunk->n, (tile + 1) * SOFTMAX_ROWS);
    lag_part_begin(pass->parts, member, LAG_PART_LOSS);
    for (int i = tile * SOFTMAX_ROWS; i < end; i++) {
        lag_real *x = lag_row(chunk->logits, i, pass->V);
        const int32_t target = pass->targets[chunk->begin + i];
        const double wanted = (double)x[target];
        const lag_real top = pass->vec->max(V, x);
        const double sum = pass->vec->exp_sum(V, 1, top, x);
        row_loss[chunk->begin + i] = (double)top + log(sum) - wanted;
        if (!chunk->with_gradients) continue;
        pass->vec->scale(V, (lag_real)(weight / sum), x);
        x[target] -= (lag_real)weight;
    }
}

/* Rows a tile of logits. The embeddings are packed once a tile, so with a large vocabulary a tile has many rows. */
static int logit_rows(const struct lag_pass *pass, int n) {
    if (pass->V >= MANY_TILES * VOCAB_TILE) return LAG_MIN(n, LARGE_ROWS);
    return lag_tile_edge(n / 4, MIN_TILE, pass->tile_rows);
}

static void run_chunk(struct chunk *chunk, bool first) {
    struct lag_pass *pass = chunk->pass;
    const struct lag_layout *layout = &pass->state->layout;
    const int C = pass->C, V = pass->V, n = chunk->n;
    const lag_real *wte = lag_param(layout, pass->state->params, LAG_ROLE_WTE);
    const lag_real *lnf = lag_row(lag_slot(pass->work, LAG_SLOT_LNF, 0), chunk->begin, C);
    const int rows = logit_rows(pass, n), edge = LAG_MIN(V, VOCAB_TILE);
    lag_real *pack = lag_pass_pack(pass, 0);
    struct lag_gemm_job logits = {.precision = pass->precision,
                                  .pack = pack,
                                  .m = n,
                                  .n = V,
                                  .k = C,
                                  .alpha = 1,
                                  .a = {lnf, C, false},
                                  .b = {wte, C, true},
                                  .c = chunk->logits,
                                  .c_stride = V,
                                  .tile_rows = rows,
                                  .tile_cols = edge};
    struct lag_gemm_job input = {.precision = pass->precision,
                                 .pack = pack,
                                 .m = n,
                                 .n = C,
                                 .k = V,
                                 .alpha = 1,
                                 .a = {chunk->logits, V, false},
                                 .b = {wte, C, false},
                                 .c = lag_row(lag_slot(pass->work, LAG_SLOT_DATT, 0), chunk->begin, C),
                                 .c_stride = C,
                                 .tile_rows = LAG_MIN(rows, LARGE_INPUT_ROWS),
                                 .tile_cols = lag_tile_edge(C, 128, 512)};
    struct lag_gemm_job weight = {.precision = pass->precision,
                                  .pack = pack,
                                  .m = V,
                                  .n = C,
                                  .k = n,
                                  .alpha = 1,
                                  .beta = first ? pass->beta : 1,
                                  .a = {chunk->logits, V, true},
                                  .b = {lnf, C, false},
                                  .c = lag_param(layout, lag_slot(pass->work, LAG_SLOT_GRADS, 0), LAG_ROLE_WTE),
                                  .c_stride = C,
                                  .tile_rows = lag_tile_edge(V, 64, VOCAB_TILE),
                                  .tile_cols = lag_tile_edge(C, 64, 512)};
    struct lag_region region = {.parts = pass->parts};
    lag_region_add(&region, lag_gemm_job_tile, &logits, lag_gemm_job_tiles(&logits));
    lag_region_run(&region, pass->team);
    lag_region_add(&region, softmax_tile, chunk, (n + SOFTMAX_ROWS - 1) / SOFTMAX_ROWS);
    lag_region_run(&region, pass->team);
    if (!chunk->with_gradients) return;
    lag_region_add(&region, lag_gemm_job_tile, &input, lag_gemm_job_tiles(&input));
    lag_region_add(&region, lag_gemm_job_tile, &weight, lag_gemm_job_tiles(&weight));
    lag_region_run(&region, pass->team);
}

double lag_pass_loss(struct lag_pass *pass, bool with_gradients) {
    const int rows = lag_chunk_rows(pass->n_tokens, pass->V);
    struct chunk chunk = {.pass = pass, .logits = lag_slot(pass->work, LAG_SLOT_LOGITS, 0),
                          .with_gradients = with_gradients};
    for (int begin = 0; begin < pass->n_tokens; begin += rows) {
        chunk.begin = begin;
        chunk.n = LAG_MIN(rows, pass->n_tokens - begin);
        run_chunk(&chunk, begin == 0);
    }
    const double *row_loss = (const double *)(const void *)lag_slot(pass->work, LAG_SLOT_ROW_LOSS, 0);
    double sum = 0;
    for (int i = 0; i < pass->n_tokens; i++) sum += row_loss[i];
    return sum / pass->n_tokens;
}
