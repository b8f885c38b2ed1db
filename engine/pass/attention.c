/* Causal attention of one (batch, head) a tile, in blocks of query rows against all keys before them. The scores of
 * one block live in the member's scratch; the backward pass computes them again from the stored log-sum-exp (as
 * FlashAttention does, Dao et al., arXiv 2205.14135), so no T × T matrix is kept. Keys and values are packed once a
 * head, for all blocks. */
#include "pass/pass_internal.h"

#include <lagd/base/check.h>
#include <math.h>
#include <string.h>

struct head {
    int stride, A, T, d; /* of qkv rows; of the heads' outputs; context; head size */
    lag_real scale;
    lag_real *q, *k, *v;       /* [T] rows, stride 3A */
    lag_real *out, *dout;      /* [T] rows, stride A */
    lag_real *dq, *dk, *dv;
    lag_real *lse;             /* [T] */
    lag_real *p, *dp;          /* [LAG_ATT_ROWS][T] */
    lag_real *pack;
    const lag_real *mask;      /* [d] of the values, NULL: none */
    enum lag_precision precision;
    int member;
};

/* Operands of all blocks that may be packed: elements each needs in the scratch. */
enum { KEYS_T, VALUES, VALUES_T, KEYS, N_OPERANDS };

static size_t operand_elements(enum lag_precision precision, int T, int d) {
    if (!lag_products(precision)) return 0;
    return LAG_MAX(lag_packed_elements(precision, d, T), lag_packed_elements(precision, T, d));
}

uint64_t lag_attention_scratch(enum lag_precision precision, int context, int head) {
    return 2 * (uint64_t)LAG_ATT_ROWS * (uint64_t)context + N_OPERANDS * operand_elements(precision, context, head);
}

static struct head head_of(const struct lag_pass *pass, int tile, int member) {
    const struct lag_acts a = lag_pass_acts(pass, pass->layer);
    const int b = tile / pass->H, h = tile % pass->H, row = b * pass->context, A = pass->A;
    struct head head = {.stride = 3 * A, .A = A, .T = pass->context, .d = pass->head,
                        .scale = (lag_real)(1 / sqrt((double)pass->head))};
    const size_t column = (size_t)h * (size_t)pass->head;
    head.q = lag_row(a.qkv, row, 3 * A) + column;
    head.k = head.q + A;
    head.v = head.k + A;
    head.dq = lag_row(lag_slot(pass->work, LAG_SLOT_DQKV, 0), row, 3 * A) + column;
    head.dk = head.dq + A;
    head.dv = head.dk + A;
    head.out = lag_row(a.att, row, A) + column;
    head.dout = lag_row(lag_slot(pass->work, LAG_SLOT_DATT, 0), row, A) + column;
    head.lse = a.lse + (size_t)tile * (size_t)pass->context;
    head.pack = lag_pass_pack(pass, member);
    head.p = lag_slot(pass->work, LAG_SLOT_SCRATCH, member);
    head.dp = head.p + (size_t)LAG_ATT_ROWS * (size_t)pass->context;
    const struct lag_scales scales = lag_pass_scales(pass, pass->layer);
    head.mask = scales.masks ? scales.units[LAG_BRANCH_ATTENTION] + column : NULL;
    head.precision = pass->precision;
    head.member = member;
    return head;
}

/* Keys or values, packed where that pays: [d][T] when transposed, else [T][d]. */
static struct lag_matrix operand(const struct head *h, int which, const lag_real *rows, bool transposed) {
    const struct lag_matrix stored = {.data = rows, .stride = h->stride, .transposed = transposed};
    if (!lag_products(h->precision)) return stored;
    const int k = transposed ? h->d : h->T, n = transposed ? h->T : h->d;
    lag_real *to = h->dp + (size_t)LAG_ATT_ROWS * (size_t)h->T +
                   (size_t)which * operand_elements(h->precision, h->T, h->d);
    struct lag_packing packing = {.precision = h->precision, .b = stored, .k = k, .n = n, .to = to};
    for (int i = 0; i < lag_packing_tiles(&packing); i++) lag_packing_tile(&packing, i, h->member);
    return (struct lag_matrix){.data = to, .stride = k, .packed = true};
}

static void multiply(const struct head *h, int m, int n, int k, struct lag_matrix a, struct lag_matrix b, lag_real beta,
                     lag_real *c, int c_stride) {
    lag_gemm(h->precision, h->pack, m, n, k, 1, a, b, beta, c, c_stride);
}

void lag_attention_forward_tile(void *arg, int tile, int member) {
    const struct lag_pass *pass = arg;
    const struct lag_vec *vec = pass->vec;
    const struct head h = head_of(pass, tile, member);
    lag_part_begin(pass->parts, member, LAG_PART_ATTENTION);
    const struct lag_matrix keys_t = operand(&h, KEYS_T, h.k, true), values = operand(&h, VALUES, h.v, false);
    for (int begin = 0; begin < h.T; begin += LAG_ATT_ROWS) {
        const int n = LAG_MIN(LAG_ATT_ROWS, h.T - begin), keys = begin + n;
        lag_real *out = lag_row(h.out, begin, h.A);
        lag_real inverse[LAG_ATT_ROWS];
        const struct lag_matrix queries = {.data = lag_row(h.q, begin, h.stride), .stride = h.stride};
        multiply(&h, n, keys, h.d, queries, keys_t, 0, h.p, keys);
        for (int i = 0; i < n; i++) {
            lag_real *p = lag_row(h.p, i, keys);
            const size_t seen = (size_t)(begin + i + 1);
            const lag_real top = h.scale * vec->max(seen, p);
            const double sum = vec->exp_sum(seen, h.scale, top, p);
            memset(p + seen, 0, ((size_t)keys - seen) * sizeof(*p));
            h.lse[begin + i] = (lag_real)((double)top + log(sum));
            inverse[i] = (lag_real)(1 / sum);
        }
        multiply(&h, n, h.d, keys, (struct lag_matrix){.data = h.p, .stride = keys}, values, 0, out, h.A);
        for (int i = 0; i < n; i++) vec->scale((size_t)h.d, inverse[i], lag_row(out, i, h.A));
    }
}

/* Rows of p become probabilities, rows of dp the gradients of the scaled scores; zero where the future is. */
static void score_rows(const struct lag_pass *pass, const struct head *h, int begin, int n, int keys) {
    const struct lag_vec *vec = pass->vec;
    for (int i = 0; i < n; i++) {
        lag_real *p = lag_row(h->p, i, keys), *dp = lag_row(h->dp, i, keys);
        const size_t seen = (size_t)(begin + i + 1), rest = ((size_t)keys - seen) * sizeof(*p);
        const double delta = vec->dot((size_t)h->d, lag_row(h->out, begin + i, h->A),
                                      lag_row(h->dout, begin + i, h->A));
        vec->exp(seen, h->scale, h->lse[begin + i], p);
        vec->score_backward(seen, p, (lag_real)delta, h->scale, dp);
        memset(p + seen, 0, rest);
        memset(dp + seen, 0, rest);
    }
}

void lag_attention_backward_tile(void *arg, int tile, int member) {
    const struct lag_pass *pass = arg;
    const struct head h = head_of(pass, tile, member);
    lag_part_begin(pass->parts, member, LAG_PART_ATTENTION);
    const int last = (h.T - 1) / LAG_ATT_ROWS * LAG_ATT_ROWS;
    const struct lag_matrix keys_t = operand(&h, KEYS_T, h.k, true), values_t = operand(&h, VALUES_T, h.v, true);
    const struct lag_matrix all_keys = operand(&h, KEYS, h.k, false);
    /* From the last block down: it reaches all keys, so it sets dk and dv, and the others add to a part of them. */
    for (int begin = last; begin >= 0; begin -= LAG_ATT_ROWS) {
        const int n = LAG_MIN(LAG_ATT_ROWS, h.T - begin), keys = begin + n;
        const lag_real beta = begin == last ? 0 : 1;
        const struct lag_matrix q = {.data = lag_row(h.q, begin, h.stride), .stride = h.stride};
        const struct lag_matrix dout = {.data = lag_row(h.dout, begin, h.A), .stride = h.A};
        multiply(&h, n, keys, h.d, q, keys_t, 0, h.p, keys);
        multiply(&h, n, keys, h.d, dout, values_t, 0, h.dp, keys);
        score_rows(pass, &h, begin, n, keys);
        const struct lag_matrix p = {.data = h.p, .stride = keys, .transposed = true};
        const struct lag_matrix dp = {.data = h.dp, .stride = keys};
        const struct lag_matrix dp_t = {.data = h.dp, .stride = keys, .transposed = true};
        multiply(&h, keys, h.d, n, p, dout, beta, h.dv, h.stride);
        multiply(&h, keys, h.d, n, dp_t, q, beta, h.dk, h.stride);
        multiply(&h, n, h.d, keys, dp, all_keys, 0, lag_row(h.dq, begin, h.stride), h.stride);
    }
    for (int t = 0; h.mask && t < h.T; t++) lag_multiply((size_t)h.d, h.mask, lag_row(h.dv, t, h.stride));
}
