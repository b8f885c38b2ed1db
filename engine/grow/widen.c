/* Applies a width to one tensor: its weights, and its moments. */
#include "grow/widen_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/rng.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct lag_unit *unit_of(const struct lag_space_map *map, int i, struct lag_unit *same) {
    if (map->units) return &map->units[i];
    *same = (struct lag_unit){.source = i, .write = 1, .read = 1};
    return same;
}

/* Of a space in a source. */
static int size_from(const struct lag_width *width, enum lag_space space, int n, int source) {
    const struct lag_space_map *map = &width->maps[space];
    if (!map->units) return n;
    return width->n_parents ? map->n_of[source] : map->n_from;
}

/* The units of one part; at: where it begins in each source's axis. */
static void list_part(const struct lag_width *width, const struct lag_spec *to, struct lag_axis_part part,
                      const int at[LAG_PARENTS], struct lag_axis_unit *ret) {
    const struct lag_space_map *outer = &width->maps[part.outer], *inner = &width->maps[part.inner];
    const int n_outer = lag_space_size(to, part.outer), n_inner = lag_space_size(to, part.inner);
    for (int o = 0; o < n_outer; o++) {
        for (int i = 0; i < n_inner; i++) {
            struct lag_unit own, other;
            const struct lag_unit *a = unit_of(outer, o, &own), *b = unit_of(inner, i, &other);
            const struct lag_space_map *map = a->source < 0 ? outer : inner;
            const int copy = a->copy ? a->copy : b->copy, origin = width->n_parents ? copy : copy > 0;
            const int inner_from = size_from(width, part.inner, n_inner, origin);
            *ret++ = (struct lag_axis_unit){
                .source = a->source < 0 || b->source < 0 ? -1 : at[origin] + a->source * inner_from + b->source,
                .origin = origin,
                .write = a->write * b->write, .read = a->read * b->read, .copy = copy,
                .blend = b->blend, .noise = map->noise, .is_mean = map->is_mean && b->source < 0,
                .is_new = a->source < 0 || b->source < 0 || copy > 0 || a->write * b->write == 0,
                .written = map->written, .is_read = map->is_read, .next = -1,
                .group = part.inner == LAG_SPACE_QUERY && inner->units ? o : -1};
        }
    }
}

/* Links each unit to the next copy of its source; of queries, to the next one in its own head. */
static int link_copies(struct lag_units *units) {
    int *last = lag_calloc((size_t)units->n_from[0], sizeof(*last));
    if (!last) return LAG_ENOMEM;
    for (int i = 0; i < units->n; i++) {
        struct lag_axis_unit *unit = &units->unit[i];
        units->has_groups |= unit->group >= 0;
        if (unit->source < 0 || unit->write == 0) continue;
        const int before = last[unit->source] - 1;
        unit->is_first = before < 0 || units->unit[before].group != unit->group;
        if (!unit->is_first) units->unit[before].next = i;
        if (!unit->is_first) unit->is_copied = units->unit[before].is_copied = true;
        units->has_copies |= !unit->is_first || unit->copy > 0;
        last[unit->source] = i + 1;
    }
    free(last);
    return 0;
}

/* What is of different parents is linked to nothing. */
static int number_parents(struct lag_units *units) {
    for (int i = 0; i < units->n; i++) {
        units->unit[i].is_first = true;
        units->unit[i].next = -1;
        units->has_copies |= units->unit[i].copy > 0;
    }
    return 0;
}

int lag_units_list(const struct lag_width *width, const struct lag_spec *to, const struct lag_axis *axis,
                   struct lag_units *ret) {
    struct lag_units units = {0};
    for (int p = 0; p < axis->n_parts; p++)
        units.n += lag_space_size(to, axis->parts[p].outer) * lag_space_size(to, axis->parts[p].inner);
    units.unit = lag_calloc((size_t)units.n, sizeof(*units.unit));
    if (!units.unit) return LAG_ENOMEM;
    for (int p = 0, at = 0; p < axis->n_parts; p++) {
        const struct lag_axis_part part = axis->parts[p];
        const int n_outer = lag_space_size(to, part.outer), n_inner = lag_space_size(to, part.inner);
        list_part(width, to, part, units.n_from, units.unit + at);
        at += n_outer * n_inner;
        for (int s = 0; s < LAG_PARENTS; s++)
            units.n_from[s] += size_from(width, part.outer, n_outer, s) * size_from(width, part.inner, n_inner, s);
    }
    const int rc = width->n_parents ? number_parents(&units) : link_copies(&units);
    if (rc) lag_units_deinit(&units);
    else *ret = units;
    return rc;
}

void lag_units_deinit(struct lag_units *units) {
    free(units->unit);
    *units = (struct lag_units){0};
}

bool lag_units_are_apart(const struct lag_width *width, const struct lag_units *rows, const struct lag_axis_unit *row,
                         const struct lag_units *cols, const struct lag_axis_unit *col) {
    return width->n_parents && rows->has_copies && cols->has_copies && row->copy != col->copy;
}

/* --- weights ----------------------------------------------------------------------------------------------------- */

static bool is_normal(const struct lag_param_row *row) {
    return row->init == LAG_INIT_NORMAL || row->init == LAG_INIT_NORMAL_OUT;
}

static bool is_noisy(const struct lag_axis_unit *row, const struct lag_axis_unit *col) {
    if (row->source < 0 || col->source < 0) return false;
    return col->group < 0 ? row->is_copied : col->is_copied;
}

/* Even noise in what is noisy, as wide as the init rule's. Of one block of random bits come four numbers. */
static void draw_noise(const struct lag_widening *w, lag_real *noise) {
    const double scale = 2 * sqrt(3) * w->spread * 0x1p-32;
    const size_t n_cols = (size_t)w->cols->n;
    struct lag_rng_block block = {{0}};
    uint64_t held = UINT64_MAX;
    for (int i = 0; i < w->rows->n; i++) {
        const struct lag_axis_unit *row = &w->rows->unit[i];
        for (size_t o = 0; o < n_cols && row->source >= 0; o++) {
            const size_t at = (size_t)i * n_cols + o;
            if (!is_noisy(row, &w->cols->unit[o])) continue;
            if (at / 4 != held) block = lag_rng(w->seed, LAG_RNG_GROWTH, w->step, w->tensor << 40 | (held = at / 4));
            noise[at] = (lag_real)(scale * ((double)block.word[at % 4] + 0.5) - sqrt(3) * w->spread);
        }
    }
}

/* From the noise of copies that are read together their mean goes: rows of one source, or queries of one head. */
static int centre(const struct lag_widening *w, lag_real *noise) {
    const size_t n_cols = (size_t)w->cols->n;
    double *sums = lag_calloc(n_cols, sizeof(*sums));
    if (!sums) return LAG_ENOMEM;
    for (int first = 0; first < w->rows->n; first++) {
        int m = 0;
        if (!w->rows->unit[first].is_first || !w->rows->unit[first].is_copied) continue;
        memset(sums, 0, n_cols * sizeof(*sums));
        for (int i = first; i >= 0; i = w->rows->unit[i].next, m++)
            for (size_t o = 0; o < n_cols; o++) sums[o] += (double)noise[(size_t)i * n_cols + o];
        for (int i = first; i >= 0; i = w->rows->unit[i].next)
            for (size_t o = 0; o < n_cols; o++)
                if (w->cols->unit[o].group < 0 && w->cols->unit[o].source >= 0)
                    noise[(size_t)i * n_cols + o] -= (lag_real)(sums[o] / m);
    }
    free(sums);
    for (int i = 0; i < w->rows->n && w->cols->has_groups; i++) {
        for (int first = 0; first < w->cols->n && w->rows->unit[i].source >= 0; first++) {
            const struct lag_axis_unit *unit = &w->cols->unit[first];
            lag_real *row = noise + (size_t)i * n_cols;
            double sum = 0;
            int m = 0;
            if (unit->group < 0 || !unit->is_first || !unit->is_copied) continue;
            for (int o = first; o >= 0; o = w->cols->unit[o].next, m++) sum += (double)row[o];
            for (int o = first; o >= 0; o = w->cols->unit[o].next) row[o] -= (lag_real)(sum / m);
        }
    }
    return 0;
}

static double scale_of(const struct lag_widening *w, const struct lag_axis_unit *row, const struct lag_axis_unit *col) {
    const double gain = w->row->init == LAG_INIT_ONE ? w->width->gain : 1;
    if (w->width->diagonal && w->rows->has_copies && w->cols->has_copies)
        return row->copy == col->copy ? col->write : 0;
    return row->read * col->write * gain;
}

/* The mean over the parent's columns of what a row writes. */
static double mean_of(const struct lag_widening *w, const struct lag_axis_unit *row) {
    const int n = w->cols->n_from[0];
    const lag_real *from = w->from[0] + (size_t)row->source * (size_t)n;
    double sum = 0;
    for (int o = 0; o < n; o++) sum += (double)from[o];
    const bool whole = w->width->diagonal && w->rows->has_copies;
    return (whole ? 1 : row->read) * sum / n;
}

/* An element without source; fresh: what the init rule has there. */
static lag_real fill(const struct lag_axis_unit *row, const struct lag_axis_unit *col, double mean, lag_real fresh) {
    if (row->source < 0 && !row->is_read) return 0;
    if (col->source >= 0) return fresh; /* of a row without source */
    switch (col->written) {
    case LAG_FILL_ZERO:
        return 0;
    case LAG_FILL_MEAN:
        return row->source < 0 ? fresh : (lag_real)mean;
    case LAG_FILL_APART:
        return row->source < 0 ? fresh : 0;
    default:
        return fresh;
    }
}

bool lag_widen_needs_fresh(const struct lag_widening *w) {
    if (w->mix > 0 || w->width->mix > 0) return true;
    for (int i = 0; i < w->rows->n; i++) {
        const struct lag_axis_unit *row = &w->rows->unit[i];
        if (row->source < 0 && row->is_read && (!row->is_mean || row->noise > 0)) return true;
    }
    for (int o = 0; o < w->cols->n; o++) {
        const struct lag_axis_unit *unit = &w->cols->unit[o];
        if (unit->source < 0 && unit->written == LAG_FILL_INIT) return true;
    }
    return false;
}

/* Rows that are the mean of the parent's, once those are there. */
static int fill_means(const struct lag_widening *w, lag_real *weights) {
    const size_t n_cols = (size_t)w->cols->n;
    double *mean = NULL;
    for (int i = 0; i < w->rows->n; i++) {
        const struct lag_axis_unit *row = &w->rows->unit[i];
        lag_real *to = weights + (size_t)i * n_cols;
        if (!row->is_mean) continue;
        if (!mean) mean = lag_calloc(n_cols, sizeof(*mean));
        if (!mean) return LAG_ENOMEM;
        if (i == w->rows->n_from[0]) /* the first: those before it are the parent's */
            for (int r = 0; r < i; r++)
                for (size_t o = 0; o < n_cols; o++) mean[o] += (double)weights[(size_t)r * n_cols + o] / i;
        for (size_t o = 0; o < n_cols; o++)
            to[o] = (lag_real)(mean[o] + (row->noise > 0 ? row->noise * (double)to[o] : 0));
    }
    free(mean);
    return 0;
}

int lag_widen_weights(const struct lag_widening *w, lag_real *weights) {
    const bool normal = is_normal(w->row);
    const double noise = normal ? w->width->noise : 0;
    if (noise > 0 && (w->rows->has_copies || w->cols->has_groups)) {
        draw_noise(w, weights);
        const int rc = centre(w, weights);
        if (rc) return rc;
    }
    for (int i = 0; i < w->rows->n; i++) {
        const struct lag_axis_unit *row = &w->rows->unit[i];
        lag_real *to = weights + (size_t)i * (size_t)w->cols->n;
        if (row->is_mean) continue;
        const size_t source = (size_t)LAG_MAX(row->source, 0);
        const double mean = row->source < 0 || w->width->n_parents ? 0 : mean_of(w, row);
        for (int o = 0; o < w->cols->n; o++) {
            const struct lag_axis_unit *col = &w->cols->unit[o];
            const lag_real fresh = to[o];
            if (row->source < 0 || col->source < 0) {
                to[o] = fill(row, col, mean, fresh);
                continue;
            }
            if (lag_units_are_apart(w->width, w->rows, row, w->cols, col)) {
                to[o] = 0;
                continue;
            }
            const lag_real *from = w->from[col->origin] + source * (size_t)w->cols->n_from[col->origin];
            double value = (double)from[col->source];
            if (row->blend > 0)
                value += row->blend * ((double)from[w->cols->n_from[col->origin] + col->source] - value);
            value *= scale_of(w, row, col);
            const double mix = !normal ? 0 : w->mix > 0 ? w->mix : row->is_new || col->is_new ? w->width->mix : 0;
            if (noise > 0 && is_noisy(row, col)) value += noise * (double)fresh;
            if (mix > 0) value = (1 - mix) * value + mix * (double)fresh;
            to[o] = (lag_real)value;
        }
    }
    return fill_means(w, weights);
}

/* --- moments ----------------------------------------------------------------------------------------------------- */

void lag_widen_moments(const struct lag_widening *w, const struct lag_moments *from, bool only_old,
                       const struct lag_moments *to) {
    const double gain = w->row->init == LAG_INIT_ONE ? w->width->gain : 1;
    for (int i = 0; i < w->rows->n; i++) {
        const struct lag_axis_unit *row = &w->rows->unit[i];
        const size_t start = (size_t)i * (size_t)w->cols->n;
        if (row->source < 0 || row->write == 0 || (only_old && row->is_new)) continue; /* zero already */
        for (int o = 0; o < w->cols->n; o++) {
            const struct lag_axis_unit *col = &w->cols->unit[o];
            if (col->source < 0 || (only_old && col->is_new)) continue;
            if (lag_units_are_apart(w->width, w->rows, row, w->cols, col)) continue;
            const double s = row->write * col->read / gain;
            const struct lag_moments *source = &from[col->origin];
            const size_t at = (size_t)row->source * (size_t)w->cols->n_from[col->origin] + (size_t)col->source;
            to->m[start + (size_t)o] = (lag_real)(s * (double)source->m[at]);
            to->v[start + (size_t)o] = (lag_real)(s * s * (double)source->v[at]);
        }
    }
}
