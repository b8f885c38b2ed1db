/* Maps of spaces, one rule an operator.
 *
 * The residual stream of D units from d is k whole copies and r units that are filled with the mean, D = k d + r: then
 * LayerNorm's mean stays, its variance becomes k d / D of what it was, and gains and epsilon make up for that. A stream
 * whose units have unequal numbers of copies has other statistics, so only heads, their numbers and FFN units may be
 * copied at will. Sources: Chen et al. 2016 (Net2Net); Shen et al. 2022 (staged training); Wang et al., ICLR 2024
 * (LEMON); Gesmundo & Maile, arXiv 2308.06103; Samragh et al., arXiv 2409.12903 (HyperCloning). */
#include "grow/grow_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/rng.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum stream { STREAM_CLONED, STREAM_MEAN, STREAM_APART, STREAM_FRESH };
enum units { UNITS_COPIED, UNITS_DRAWN, UNITS_UNREAD, UNITS_APART, UNITS_FRESH };
struct width_rule {
    enum stream stream; /* what becomes of the residual stream */
    enum units units;   /* of heads, their numbers, FFN units */
    bool diagonal, next_layer, masked;
};
static const struct width_rule rules[LAG_N_OPS] = {
    [LAG_OP_CLONE_WIDTH] = {STREAM_CLONED, UNITS_COPIED, false, false},
    [LAG_OP_LEMON] = {STREAM_CLONED, UNITS_COPIED, false, false},
    [LAG_OP_FPI] = {STREAM_CLONED, UNITS_DRAWN, false, false},
    [LAG_OP_AKI] = {STREAM_CLONED, UNITS_DRAWN, false, true},
    [LAG_OP_CLONE_DIAGONAL] = {STREAM_CLONED, UNITS_COPIED, true, false},
    [LAG_OP_ZERO_FANOUT] = {STREAM_MEAN, UNITS_UNREAD, false, false},
    [LAG_OP_ZERO_BLOCK] = {STREAM_APART, UNITS_APART, false, false},
    [LAG_OP_RANDOM_WIDTH] = {STREAM_FRESH, UNITS_FRESH, false, false},
    [LAG_OP_LIGO_WIDTH] = {STREAM_CLONED, UNITS_COPIED, false, false},
    [LAG_OP_MASKED_WIDTH] = {STREAM_FRESH, UNITS_FRESH, false, false, true},
};

/* A width under construction. */
struct draft {
    const struct lag_spec *from, *to;
    const struct width_rule *rule;
    double split; /* share of the first of two copies */
    uint64_t seed;
    struct lag_width *width;
};

void lag_width_deinit(struct lag_width *width) {
    for (int i = 0; i < LAG_N_SPACES; i++) free(width->maps[i].units);
    *width = (struct lag_width){0};
}

static bool map_equal(const struct lag_space_map *a, const struct lag_space_map *b) {
    if (!a->units || !b->units) return !a->units && !b->units;
    if (a->n != b->n || a->n_from != b->n_from || a->written != b->written || a->is_read != b->is_read ||
        a->is_mean != b->is_mean || a->noise != b->noise)
        return false;
    for (int i = 0; i < a->n; i++) {
        const struct lag_unit *x = &a->units[i], *y = &b->units[i];
        if (x->source != y->source || x->copy != y->copy || x->write != y->write || x->read != y->read ||
            x->blend != y->blend)
            return false;
    }
    return true;
}

bool lag_width_equal(const struct lag_width *a, const struct lag_width *b) {
    for (int i = 0; i < LAG_N_SPACES; i++)
        if (!map_equal(&a->maps[i], &b->maps[i])) return false;
    return a->widens == b->widens && a->gain == b->gain && a->norm_eps == b->norm_eps && a->diagonal == b->diagonal &&
           a->next_layer == b->next_layer && a->noise == b->noise && a->mix == b->mix && a->n_parents == b->n_parents &&
           a->follow == b->follow && a->mask_steps == b->mask_steps;
}

bool lag_width_is_random(const struct lag_width *width) {
    if (!width->widens) return false;
    for (int i = 0; i < LAG_N_SPACES; i++)
        for (int u = 0; width->maps[i].units && u < width->maps[i].n; u++)
            if (width->maps[i].units[u].source < 0 && (!width->maps[i].is_mean || width->maps[i].noise > 0))
                return true;
    return width->noise > 0 || width->mix > 0;
}

static struct lag_space_map *open_map(const struct draft *draft, enum lag_space space) {
    struct lag_space_map *map = &draft->width->maps[space];
    map->n_from = lag_space_size(draft->from, space);
    map->n = lag_space_size(draft->to, space);
    map->units = lag_calloc((size_t)map->n, sizeof(*map->units));
    draft->width->widens = true;
    return map->units ? map : NULL;
}

/* Numbers the copies of each source; n_of counts them, from 0. */
static void number_copies(const struct lag_space_map *map, int *n_of) {
    for (int i = 0; i < map->n; i++)
        if (map->units[i].source >= 0) map->units[i].copy = n_of[map->units[i].source]++;
}

/* The share of copy c of m: each copy after the first has (1 - split) / split of the one before. */
static double share(double split, int c, int m) {
    const double ratio = (1 - split) / split;
    double sum = 0;
    if (split == 0.5) return 1.0 / m;
    for (int i = 0; i < m; i++) sum += pow(ratio, i);
    return pow(ratio, c) / sum;
}

/* Units [0, n_whole) are copies in turn, or drawn; those above have no source. Readers take shares of the copies. */
static int fill_map(const struct draft *draft, enum lag_space space, int n_whole, bool draws, double split) {
    struct lag_space_map *map = open_map(draft, space);
    const uint64_t draw = space == LAG_SPACE_KEY ? LAG_SPACE_QUERY : space; /* these two belong together */
    if (!map) return LAG_ENOMEM;
    LAG_CLEANUP(lag_free_p) int *n_of = lag_calloc((size_t)map->n_from, sizeof(*n_of));
    if (!n_of) return LAG_ENOMEM;
    for (int i = 0; i < map->n; i++) {
        struct lag_unit *unit = &map->units[i];
        *unit = (struct lag_unit){.source = i < n_whole ? i % map->n_from : -1, .write = 1};
        if (draws && i >= map->n_from && i < n_whole)
            unit->source = (int)lag_rng_below(draft->seed, LAG_RNG_GROWTH, draw, (uint64_t)i, (uint64_t)map->n_from);
    }
    number_copies(map, n_of);
    for (int i = 0; i < map->n; i++) {
        struct lag_unit *unit = &map->units[i];
        if (unit->source >= 0) unit->read = share(split, unit->copy, n_of[unit->source]);
    }
    return 0;
}

static bool stays(const struct draft *draft, enum lag_space space) {
    return lag_space_size(draft->from, space) == lag_space_size(draft->to, space);
}

/* --- the residual stream, what norms make of it, and what the head reads ----------------------------------------- */

static int map_stream(const struct draft *draft) {
    static const enum lag_fill written[] = {[STREAM_CLONED] = LAG_FILL_MEAN, [STREAM_MEAN] = LAG_FILL_MEAN,
                                            [STREAM_APART] = LAG_FILL_APART, [STREAM_FRESH] = LAG_FILL_INIT};
    const int d = draft->from->n_embd, D = draft->to->n_embd;
    const enum stream stream = draft->rule->stream;
    const int k = stream == STREAM_CLONED ? D / d : 1, n_whole = k * d;
    if (stays(draft, LAG_SPACE_RESIDUAL)) return 0;
    int rc = fill_map(draft, LAG_SPACE_RESIDUAL, n_whole, false, 0.5);
    if (rc == 0) rc = fill_map(draft, LAG_SPACE_NORMED, n_whole, false, draft->split);
    if (rc == 0) rc = fill_map(draft, LAG_SPACE_FINAL, n_whole, false, 0.5);
    if (rc) return rc;
    draft->width->maps[LAG_SPACE_RESIDUAL].written = written[stream];
    draft->width->maps[LAG_SPACE_NORMED].is_read = true;
    for (int i = 0; i < n_whole; i++) { /* the head's embeddings are whole copies, so the last norm has the share */
        struct lag_unit *unit = &draft->width->maps[LAG_SPACE_FINAL].units[i];
        unit->write = unit->read;
        unit->read = 1;
    }
    if (n_whole == D) return 0;
    draft->width->gain = sqrt((double)n_whole / D);
    draft->width->norm_eps = draft->from->norm_eps * n_whole / D;
    return 0;
}

/* --- heads, their numbers, and FFN units ------------------------------------------------------------------------- */

static int map_units(const struct draft *draft, enum lag_space space) {
    static const enum lag_fill written[] = {[UNITS_UNREAD] = LAG_FILL_INIT, [UNITS_APART] = LAG_FILL_APART,
                                            [UNITS_FRESH] = LAG_FILL_INIT};
    const enum units units = draft->rule->units;
    const bool copied = units == UNITS_COPIED || units == UNITS_DRAWN;
    if (stays(draft, space)) return 0;
    const int n_whole = lag_space_size(copied ? draft->to : draft->from, space);
    const int rc = fill_map(draft, space, n_whole, units == UNITS_DRAWN, draft->split);
    if (rc) return rc;
    draft->width->maps[space].written = copied ? LAG_FILL_INIT : written[units];
    draft->width->maps[space].is_read = units == UNITS_APART || units == UNITS_FRESH;
    return 0;
}

/* Scores are q k / √h: h' numbers from h need Σ write_q × write_k = √(h' / h) over the copies of a number. read is the
 * part of a score's gradient that comes back to a copy. */
static int map_scores(const struct draft *draft) {
    if (stays(draft, LAG_SPACE_QUERY)) return 0;
    int rc = map_units(draft, LAG_SPACE_QUERY);
    if (rc == 0) rc = map_units(draft, LAG_SPACE_KEY);
    if (rc) return rc;
    struct lag_space_map *query = &draft->width->maps[LAG_SPACE_QUERY], *key = &draft->width->maps[LAG_SPACE_KEY];
    const double root = sqrt((double)query->n / query->n_from);
    LAG_CLEANUP(lag_free_p) int *n_of = lag_calloc((size_t)query->n_from, sizeof(*n_of));
    if (!n_of) return LAG_ENOMEM;
    number_copies(query, n_of);
    const bool copied = draft->rule->units == UNITS_COPIED || draft->rule->units == UNITS_DRAWN;
    for (int i = 0; i < query->n; i++) {
        struct lag_unit *q = &query->units[i], *k = &key->units[i];
        if (q->source < 0) continue;
        const int m = n_of[q->source];
        q->write = copied ? sqrt(root / m) : 1;
        k->write = copied ? q->write : root;
        q->read = k->write / root;
        k->read = q->write / root;
    }
    if (draft->rule->units == UNITS_UNREAD) key->written = LAG_FILL_ZERO;
    return 0;
}

/* --- what can be reached ----------------------------------------------------------------------------------------- */

static const enum lag_space counted[] = {LAG_SPACE_RESIDUAL, LAG_SPACE_HEADS, LAG_SPACE_FFN, LAG_SPACE_VALUE};
static const char *const count_names[] = {"n_embd", "n_head", "n_inner", "head_dim"};

static int refuse(const char *axis, const char *text, int from, int to, struct lag_error *err) {
    char pointer[64];
    (void)snprintf(pointer, sizeof(pointer), "/target/%s", axis);
    return lag_error_at(err, LAG_EINVAL, pointer, text, axis, from, to);
}

/* A mask on the stream would have to weigh LayerNorm's mean and variance, one on the numbers of a head its scores. */
static int refuse_mask(enum lag_space space, const char *operator, int from, int to, struct lag_error *err) {
    if (space == LAG_SPACE_HEADS || space == LAG_SPACE_FFN) return 0;
    const bool stream = space == LAG_SPACE_RESIDUAL;
    return lag_error_at(err, LAG_EINVAL, stream ? "/target/n_embd" : "/target/head_dim",
                        "operator %s masks new heads and FFN units, and keeps %s: it would change from %d to %d, and a "
                        "mask would not hide that from %s; leave it, or take zero_fanout", operator,
                        stream ? "n_embd" : "head_dim", from, to, stream ? "LayerNorm" : "the scores of old heads");
}

static int check_reach(const struct draft *draft, const char *operator, struct lag_error *err) {
    int factor = 0;
    for (size_t i = 0; i < LAG_COUNT(counted); i++) {
        const int from = lag_space_size(draft->from, counted[i]), to = lag_space_size(draft->to, counted[i]);
        if (to < from && counted[i] == LAG_SPACE_VALUE && draft->to->head_dim == 0)
            return lag_error_at(err, LAG_EINVAL, "/target/n_head", "%d heads of n_embd %d have %d numbers each, fewer "
                                "than the model's %d: ask for at most %d, for a greater n_embd, or name head_dim too",
                                draft->to->n_head, draft->to->n_embd, to, from, draft->to->n_embd / from);
        if (to < from)
            return refuse(count_names[i], "%s would shrink from %d to %d: a growth only adds", from, to, err);
        if (to != from && draft->rule->masked && refuse_mask(counted[i], operator, from, to, err)) return LAG_EINVAL;
        if (!draft->rule->diagonal || (counted[i] == LAG_SPACE_VALUE && to == from)) continue;
        char pointer[64];
        (void)snprintf(pointer, sizeof(pointer), "/target/%s", count_names[i]);
        if (counted[i] == LAG_SPACE_VALUE)
            return lag_error_at(err, LAG_EINVAL, pointer, "operator %s keeps the size of a head, %d: raise n_head with "
                                "n_embd, to %d", operator, from, draft->to->n_embd / from);
        if (to % from != 0)
            return lag_error_at(err, LAG_EINVAL, pointer, "operator %s takes %s a whole number of times: %d can become "
                                "%d or %d, not %d", operator, count_names[i], from, to / from * from,
                                (to / from + 1) * from, to);
        if (factor == 0) factor = to / from;
        if (to != factor * from)
            return lag_error_at(err, LAG_EINVAL, pointer, "operator %s takes n_embd, n_head and n_inner the same "
                                "number of times: with n_embd times %d, %s must become %d, not %d", operator, factor,
                                count_names[i], factor * from, to);
    }
    return 0;
}

int lag_width_build(const struct lag_operator *op, const double *params, uint64_t seed, const struct lag_spec *from,
                    const struct lag_spec *to, struct lag_width *ret, struct lag_error *err) {
    struct lag_width width = {.gain = 1, .norm_eps = from->norm_eps};
    const double split = lag_operator_value(op, params, "split");
    const struct draft draft = {from, to, &rules[lag_op_index(op)], split > 0 ? split : 0.5, seed, &width};
    int rc = check_reach(&draft, op->name, err);
    if (rc) return rc;
    rc = map_stream(&draft);
    if (rc == 0) rc = map_units(&draft, LAG_SPACE_HEADS);
    if (rc == 0) rc = map_units(&draft, LAG_SPACE_FFN);
    if (rc == 0) rc = map_units(&draft, LAG_SPACE_VALUE);
    if (rc == 0) rc = map_scores(&draft);
    if (rc) {
        lag_width_deinit(&width);
        return lag_error_set(err, LAG_ENOMEM, "out of memory for a growth in width");
    }
    width.diagonal = width.widens && draft.rule->diagonal;
    width.next_layer = width.widens && draft.rule->next_layer;
    width.noise = width.widens ? lag_operator_value(op, params, "noise") : 0;
    width.mix = width.widens ? lag_operator_value(op, params, "mix") : 0;
    width.mask_steps = width.widens && draft.rule->masked ? (int64_t)lag_operator_value(op, params, "ramp_steps") : 0;
    width.follow = width.widens ? lag_operator_value(op, params, "follow") : 0;
    *ret = width;
    return 0;
}
