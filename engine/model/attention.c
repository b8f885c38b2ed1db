/* Causal attention of one (batch, head) a tile, in blocks of query rows against all keys before them. The scores of
 * one block live in the member's scratch; the backward pass computes them again from the stored log-sum-exp (as
 * FlashAttention does, Dao et al., arXiv 2205.14135), so no T × T matrix is kept. */
#include "work_internal.h"

#include <lagd/base/check.h>
#include <math.h>
#include <string.h>

struct head {
    int stride, T, d; /* of qkv rows; context; head size */
    lag_real scale;
    lag_real *q, *k, *v;       /* [T] rows, stride 3C */
    lag_real *out, *dout;      /* [T] rows, stride C */
    lag_real *dq, *dk, *dv;
    lag_real *lse;             /* [T] */
    lag_real *p, *dp;          /* [LAG_ATT_ROWS][T] */
    lag_real *pack;
};

static struct head head_of(const struct lag_pass *pass, int tile, int member) {
    const struct lag_acts a = lag_pass_acts(pass, pass->layer);
    const int b = tile / pass->H, h = tile % pass->H, row = b * pass->context, C = pass->C;
    struct head head = {.stride = 3 * C, .T = pass->context, .d = pass->head,
                        .scale = (lag_real)(1 / sqrt((double)pass->head))};
    const size_t column = (size_t)h * (size_t)pass->head;
    head.q = lag_row(a.qkv, row, 3 * C) + column;
    head.k = head.q + C;
    head.v = head.k + C;
    head.dq = lag_row(lag_slot(pass->work, LAG_SLOT_DQKV, 0), row, 3 * C) + column;
    head.dk = head.dq + C;
    head.dv = head.dk + C;
    head.out = lag_row(a.att, row, C) + column;
    head.dout = lag_row(lag_slot(pass->work, LAG_SLOT_DATT, 0), row, C) + column;
    head.lse = a.lse + (size_t)tile * (size_t)pass->context;
    head.pack = lag_pass_pack(pass, member);
    head.p = lag_slot(pass->work, LAG_SLOT_SCRATCH, member);
    head.dp = head.p + (size_t)LAG_ATT_ROWS * (size_t)pass->context;
    return head;
}

/* c[n][keys] = a[n][d] b[keys][d]^T: rows of strides sa, sb. */
static void scores(const struct head *h, int n, int keys, const lag_real *a, int sa, const lag_real *b, int sb,
                   lag_real *c) {
    lag_gemm(h->pack, n, keys, h->d, 1, (struct lag_matrix){a, sa, false}, (struct lag_matrix){b, sb, true}, 0, c,
             keys);
}

void lag_attention_forward_tile(void *arg, int tile, int member) {
    const struct lag_pass *pass = arg;
    const struct lag_vec *vec = pass->vec;
    const struct head h = head_of(pass, tile, member);
    lag_part_begin(pass->parts, member, LAG_PART_ATTENTION);
    for (int begin = 0; begin < h.T; begin += LAG_ATT_ROWS) {
        const int n = LAG_MIN(LAG_ATT_ROWS, h.T - begin), keys = begin + n;
        lag_real *out = lag_row(h.out, begin, pass->C);
        lag_real inverse[LAG_ATT_ROWS];
        scores(&h, n, keys, lag_row(h.q, begin, h.stride), h.stride, h.k, h.stride, h.p);
        for (int i = 0; i < n; i++) {
            lag_real *p = lag_row(h.p, i, keys);
            const size_t seen = (size_t)(begin + i + 1);
            const lag_real top = h.scale * vec->max(seen, p);
            const double sum = vec->exp_sum(seen, h.scale, top, p);
            memset(p + seen, 0, ((size_t)keys - seen) * sizeof(*p));
            h.lse[begin + i] = (lag_real)((double)top + log(sum));
            inverse[i] = (lag_real)(1 / sum);
        }
        lag_gemm(h.pack, n, h.d, keys, 1, (struct lag_matrix){h.p, keys, false},
                 (struct lag_matrix){h.v, h.stride, false}, 0, out, pass->C);
        for (int i = 0; i < n; i++) vec->scale((size_t)h.d, inverse[i], lag_row(out, i, pass->C));
    }
}

/* Rows of p become probabilities, rows of dp the gradients of the scaled scores; zero where the future is. */
static void score_rows(const struct lag_pass *pass, const struct head *h, int begin, int n, int keys) {
    const struct lag_vec *vec = pass->vec;
    for (int i = 0; i < n; i++) {
        lag_real *p = lag_row(h->p, i, keys), *dp = lag_row(h->dp, i, keys);
        const size_t seen = (size_t)(begin + i + 1), rest = ((size_t)keys - seen) * sizeof(*p);
        const double delta = vec->dot((size_t)h->d, lag_row(h->out, begin + i, pass->C),
                                      lag_row(h->dout, begin + i, pass->C));
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
    const int C = pass->C, last = (h.T - 1) / LAG_ATT_ROWS * LAG_ATT_ROWS;
    /* From the last block down: it reaches all keys, so it sets dk and dv, and the others add to a part of them. */
    for (int begin = last; begin >= 0; begin -= LAG_ATT_ROWS) {
        const int n = LAG_MIN(LAG_ATT_ROWS, h.T - begin), keys = begin + n;
        const lag_real beta = begin == last ? 0 : 1;
        const lag_real *q = lag_row(h.q, begin, h.stride), *dout = lag_row(h.dout, begin, C);
        scores(&h, n, keys, q, h.stride, h.k, h.stride, h.p);
        scores(&h, n, keys, dout, C, h.v, h.stride, h.dp);
        score_rows(pass, &h, begin, n, keys);
        lag_gemm(h.pack, keys, h.d, n, 1, (struct lag_matrix){h.p, keys, true}, (struct lag_matrix){dout, C, false},
                 beta, h.dv, h.stride);
        lag_gemm(h.pack, keys, h.d, n, 1, (struct lag_matrix){h.dp, keys, true},
                 (struct lag_matrix){q, h.stride, false}, beta, h.dk, h.stride);
        lag_gemm(h.pack, n, h.d, keys, 1, (struct lag_matrix){h.dp, keys, false},
                 (struct lag_matrix){h.k, h.stride, false}, 0, lag_row(h.dq, begin, h.stride), h.stride);
    }
}
