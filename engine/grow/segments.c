/* Segments of a tensor that a growth in width divides: its ranges of rows and columns that come from one segment of the
 * parent each, and are old or new as a whole. */
#include "grow/segments_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdlib.h>
#include <string.h>

/* Begins of the ranges of an axis; the end of the last is n. */
struct ranges {
    int *begin;
    int n;
};

/* Which interval of the parent's axis each of its units is in, where its segments divide that. */
static int *find_intervals(const struct lag_cutting *c, int n_from, bool of_rows) {
    int *interval = lag_calloc((size_t)n_from, sizeof(*interval));
    const int tensors[] = {c->from, c->above};
    for (int t = 0; t < 2 && interval; t++) {
        for (int i = c->first[tensors[t]]; i < c->first[tensors[t] + 1]; i++) {
            const struct lag_segment *s = &c->parent->segments[i];
            const int begin = of_rows ? s->row_begin : s->col_begin;
            if (begin > 0) interval[begin] = 1;
        }
    }
    for (int i = 1; i < n_from && interval; i++) interval[i] += interval[i - 1];
    return interval;
}

static bool is_same(const struct lag_axis_unit *a, const struct lag_axis_unit *b, const int *interval) {
    if (a->is_new != b->is_new || (a->source < 0) != (b->source < 0)) return false;
    return a->source < 0 || ((a->copy > 0) == (b->copy > 0) && interval[a->source] == interval[b->source]);
}

static int find_ranges(const struct lag_cutting *c, const struct lag_units *units, bool of_rows, struct ranges *ret) {
    LAG_CLEANUP(lag_free_p) int *interval = find_intervals(c, units->n_from, of_rows);
    int *begin = lag_calloc((size_t)units->n, sizeof(*begin));
    int n = 0;
    if (!interval || !begin) {
        free(begin);
        return LAG_ENOMEM;
    }
    for (int i = 0; i < units->n; i++)
        if (i == 0 || !is_same(&units->unit[i - 1], &units->unit[i], interval)) begin[n++] = i;
    *ret = (struct ranges){begin, n};
    return 0;
}

static const struct lag_segment *parent_of(const struct lag_cutting *c, const struct lag_axis_unit *row,
                                           const struct lag_axis_unit *col) {
    const int tensor = col->copy > 0 ? c->above : c->from;
    for (int i = c->first[tensor]; i < c->first[tensor + 1]; i++) {
        const struct lag_segment *s = &c->parent->segments[i];
        if (row->source >= s->row_begin && row->source < s->row_end && col->source >= s->col_begin &&
            col->source < s->col_end)
            return s;
    }
    LAG_ASSERT(false); /* segments cover their tensor */
    return NULL;
}

static bool same_history(const struct lag_segment *a, const struct lag_segment *b) {
    return a->age == b->age && a->lr_factor == b->lr_factor && a->decay_factor == b->decay_factor &&
           a->eps_factor == b->eps_factor && a->rewarm_from == b->rewarm_from && a->rewarm_steps == b->rewarm_steps &&
           a->frozen_until == b->frozen_until;
}

int lag_segment_add(struct lag_segments *list, const struct lag_segment *segment) {
    if (list->n == list->capacity) {
        const int capacity = LAG_MAX(64, 2 * list->capacity);
        struct lag_segment *larger = lag_calloc((size_t)capacity, sizeof(*larger));
        if (!larger) return LAG_ENOMEM;
        if (list->n) memcpy(larger, list->segment, (size_t)list->n * sizeof(*larger));
        free(list->segment);
        list->segment = larger;
        list->capacity = capacity;
    }
    list->segment[list->n++] = *segment;
    return 0;
}

/* The band of rows from `band` on continues the one from `before` on: the same columns with the same history. */
static bool continues(const struct lag_segments *list, int before, int band) {
    if (before < 0 || band - before != list->n - band) return false;
    for (int i = 0; i < band - before; i++) {
        const struct lag_segment *a = &list->segment[before + i], *b = &list->segment[band + i];
        if (a->col_begin != b->col_begin || a->col_end != b->col_end || !same_history(a, b)) return false;
    }
    return true;
}

static int cut_band(const struct lag_cutting *c, const struct ranges *cols, struct lag_segment band,
                    struct lag_segments *list) {
    const struct lag_axis_unit *row = &c->rows->unit[band.row_begin];
    const int start = list->n;
    for (int j = 0; j < cols->n; j++) {
        const struct lag_axis_unit *col = &c->cols->unit[cols->begin[j]];
        struct lag_segment s = band;
        const bool fresh = row->source < 0 || col->source < 0;
        if (!fresh) s = *parent_of(c, row, col);
        s.tensor = band.tensor;
        s.row_begin = band.row_begin;
        s.row_end = band.row_end;
        s.col_begin = cols->begin[j];
        s.col_end = j + 1 < cols->n ? cols->begin[j + 1] : c->cols->n;
        c->settle(c->settles, &s, fresh, row->is_new || col->is_new);
        struct lag_segment *last = list->n > start ? &list->segment[list->n - 1] : NULL;
        if (last && same_history(last, &s)) last->col_end = s.col_end;
        else if (lag_segment_add(list, &s)) return LAG_ENOMEM;
    }
    return 0;
}

int lag_segments_cut(const struct lag_cutting *c, int tensor, struct lag_segments *list) {
    struct ranges rows = {0}, cols = {0};
    int before = -1, rc = find_ranges(c, c->rows, true, &rows);
    if (rc == 0) rc = find_ranges(c, c->cols, false, &cols);
    for (int i = 0; i < rows.n && rc == 0; i++) {
        const int band = list->n;
        const struct lag_segment fresh = {.tensor = tensor, .row_begin = rows.begin[i],
                                          .row_end = i + 1 < rows.n ? rows.begin[i + 1] : c->rows->n,
                                          .lr_factor = 1, .decay_factor = 1, .eps_factor = 1};
        rc = cut_band(c, &cols, fresh, list);
        if (rc) break;
        if (!continues(list, before, band)) {
            before = band;
            continue;
        }
        for (int s = before; s < band; s++) list->segment[s].row_end = fresh.row_end;
        list->n = band;
    }
    free(rows.begin);
    free(cols.begin);
    return rc;
}
