/* Segments of a tensor that a growth in width divides: its ranges of rows and columns that come from one segment of the
 * parent each, and are old or new as a whole. */
#include "grow/segments_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Begins of the ranges of an axis; the end of the last is n. */
struct ranges {
    int *begin;
    int n;
};

/* Which interval of the parent's axis each of its units is in, where its segments divide that. */
static void mark_intervals(const struct lag_source *source, bool of_rows, int *interval) {
    for (int i = source->first[source->tensor]; i < source->first[source->tensor + 1]; i++) {
        const struct lag_segment *s = &source->state->segments[i];
        const int begin = of_rows ? s->row_begin : s->col_begin;
        if (begin > 0) interval[begin] = 1;
    }
}

/* Those of each source, one behind the other; the sources of one model have the same. */
static int *find_intervals(const struct lag_cutting *c, const struct lag_units *units, bool of_rows) {
    const int n_sources = LAG_MAX(c->width->n_parents, 1);
    size_t n = 0;
    for (int s = 0; s < n_sources; s++) n += (size_t)units->n_from[s];
    int *intervals = lag_calloc(n, sizeof(*intervals));
    for (int s = 0, at = 0; s < n_sources && intervals; at += units->n_from[s++]) {
        int *interval = intervals + at;
        mark_intervals(&c->sources[s], of_rows, interval);
        if (!c->width->n_parents) mark_intervals(&c->sources[1], of_rows, interval);
        for (int i = 1; i < units->n_from[s]; i++) interval[i] += interval[i - 1];
    }
    return intervals;
}

static bool is_same(const struct lag_cutting *c, const struct lag_axis_unit *a, const struct lag_axis_unit *b,
                    const int *interval) {
    if (c->width->follow > 0 && (a->write != b->write || a->read != b->read)) return false;
    if (a->is_new != b->is_new || (a->source < 0) != (b->source < 0)) return false;
    return a->source < 0 || (a->origin == b->origin && interval[a->source] == interval[b->source]);
}

static int find_ranges(const struct lag_cutting *c, const struct lag_units *units, bool of_rows, struct ranges *ret) {
    LAG_CLEANUP(lag_free_p) int *intervals = find_intervals(c, units, of_rows);
    int *begin = lag_calloc((size_t)units->n, sizeof(*begin));
    int n = 0;
    if (!intervals || !begin) {
        free(begin);
        return LAG_ENOMEM;
    }
    const int *of_source[LAG_PARENTS] = {intervals, intervals};
    for (int s = 1; s < c->width->n_parents; s++) of_source[s] = of_source[s - 1] + units->n_from[s - 1];
    for (int i = 0; i < units->n; i++)
        if (i == 0 || !is_same(c, &units->unit[i - 1], &units->unit[i], of_source[units->unit[i].origin]))
            begin[n++] = i;
    *ret = (struct ranges){begin, n};
    return 0;
}

static const struct lag_segment *parent_of(const struct lag_cutting *c, const struct lag_axis_unit *row,
                                           const struct lag_axis_unit *col) {
    const struct lag_source *source = &c->sources[col->origin];
    for (int i = source->first[source->tensor]; i < source->first[source->tensor + 1]; i++) {
        const struct lag_segment *s = &source->state->segments[i];
        if (row->source >= s->row_begin && row->source < s->row_end && col->source >= s->col_begin &&
            col->source < s->col_end)
            return s;
    }
    LAG_ASSERT(false); /* segments cover their tensor */
    return NULL;
}

/* A ramp of another parent in steps of the run: it ends as many steps ahead as there. */
static void count_from(const struct lag_cutting *c, const struct lag_axis_unit *col, struct lag_segment *segment) {
    const int64_t before = c->sources[col->origin].state->step, ahead = c->step - before;
    if (ahead == 0) return;
    if (segment->rewarm_steps > 0 && before - segment->rewarm_from >= segment->rewarm_steps) segment->rewarm_steps = 0;
    segment->rewarm_from = segment->rewarm_steps > 0 ? LAG_MAX(0, segment->rewarm_from + ahead) : 0;
    if (segment->mask_steps > 0) segment->mask_from += ahead;
}

/* A weight is w times its source, its gradient g times the source's. AdamW keeps it so where it takes w of the steps,
 * decays by 1 / w as much, and has an epsilon of g. */
static void follow_source(const struct lag_cutting *c, const struct lag_axis_unit *row, const struct lag_axis_unit *col,
                          struct lag_segment *segment) {
    const double w = row->read * col->write * c->gain, g = row->write * col->read / c->gain;
    segment->lr_factor *= pow(w, c->width->follow);
    segment->decay_factor /= pow(w, c->width->follow);
    segment->eps_factor *= pow(g, c->width->follow);
}

static bool same_history(const struct lag_segment *a, const struct lag_segment *b) {
    return a->age == b->age && a->lr_factor == b->lr_factor && a->decay_factor == b->decay_factor &&
           a->eps_factor == b->eps_factor && a->rewarm_from == b->rewarm_from && a->rewarm_steps == b->rewarm_steps &&
           a->frozen_until == b->frozen_until && a->mask_from == b->mask_from && a->mask_steps == b->mask_steps;
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

/* Masks are of whole rows: a row has that of its source, and a bias without a source that of the first. */
static void keep_mask(const struct lag_cutting *c, const struct lag_axis_unit *row, bool fresh,
                      struct lag_segment *segment) {
    const bool bias = c->rows->n == 1;
    if (bias && !fresh) return;
    segment->mask_from = segment->mask_steps = 0;
    if (!c->is_masked || row->source < 0) return;
    const struct lag_source *source = &c->sources[row->origin];
    for (int i = source->first[source->tensor]; i < source->first[source->tensor + 1]; i++) {
        const struct lag_segment *s = &source->state->segments[i];
        if (s->mask_steps == 0 || row->source < s->row_begin || row->source >= s->row_end) continue;
        segment->mask_from = s->mask_from + c->step - source->state->step;
        segment->mask_steps = s->mask_steps;
        return;
    }
}

static int cut_band(const struct lag_cutting *c, const struct ranges *cols, struct lag_segment band,
                    struct lag_segments *list) {
    const struct lag_axis_unit *row = &c->rows->unit[band.row_begin];
    const int start = list->n;
    for (int j = 0; j < cols->n; j++) {
        const struct lag_axis_unit *col = &c->cols->unit[cols->begin[j]];
        struct lag_segment s = band;
        /* What has a gradient of nothing has gathered nothing. */
        const bool fresh = row->source < 0 || col->source < 0 || row->write * col->read == 0 ||
                           lag_units_are_apart(c->width, c->rows, row, c->cols, col);
        if (!fresh) s = *parent_of(c, row, col);
        if (!fresh && c->width->n_parents) count_from(c, col, &s);
        if (!fresh && c->width->follow > 0) follow_source(c, row, col, &s);
        s.tensor = band.tensor;
        s.row_begin = band.row_begin;
        s.row_end = band.row_end;
        s.col_begin = cols->begin[j];
        s.col_end = j + 1 < cols->n ? cols->begin[j + 1] : c->cols->n;
        keep_mask(c, row, fresh, &s);
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
