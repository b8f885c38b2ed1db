/* Where pair accuracy breaks into two levels, and whether it does. */
#include "stats/study_internal.h"
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <math.h>
#include <stdlib.h>

#define ROUNDING 1e-12   /* deviations that are no larger are none */
enum { LEAST = 2 };      /* evaluations on either side */

/* The times that a break is looked for in: first … first + n - 1 of the table. The horizon is none of them: there the
 * order is that of the finals by definition. */
struct window {
    const struct lag_study_table *table;
    int first, n;
    double *weights; /* [n] half of the way on log t from the one before to the one behind */
};
struct place { int before; double height, level_before, level_after; }; /* before: index in the window; -1: none */

static void fill_window(struct window *window, bool constant_only) {
    const struct lag_study_table *table = window->table;
    window->n = 0;
    for (int k = 0; k + 1 < table->n_times; k++) {
        const int64_t t = table->times[k];
        if (t < 1 || (constant_only && lag_study_phase(table, t) != LAG_PHASE_CONSTANT)) continue;
        if (window->n++ == 0) window->first = k;
    }
    const int64_t *t = table->times + window->first;
    for (int i = 0; i < window->n; i++) {
        const double from = log((double)t[i > 0 ? i - 1 : i]), to = log((double)t[i + 1 < window->n ? i + 1 : i]);
        window->weights[i] = (to - from) / 2;
    }
}

/* Weighted sums over the known ones of values[i * stride]. */
struct level { double weight, sum; int n; };

static void add_level(struct level *level, double weight, double value) {
    if (isnan(value)) return;
    level->weight += weight;
    level->sum += weight * value;
    level->n++;
}

static double mean_of(const struct level *level) { return level->n > 0 ? level->sum / level->weight : NAN; }

/* The break that leaves the least squares: they fall by W₁ W₂ / (W₁ + W₂) · height². ret_heights[n - 1] of every place,
 * NaN where a side has too few; NULL: not asked. */
static struct place find_place(const struct window *window, const double *values, size_t stride, double *ret_heights) {
    struct level all = {0}, left = {0};
    struct place best = {.before = -1, .height = NAN, .level_before = NAN, .level_after = NAN};
    double most = 0;
    for (int i = 0; i < window->n; i++) add_level(&all, window->weights[i], values[(size_t)i * stride]);
    for (int i = 0; i + 1 < window->n; i++) {
        add_level(&left, window->weights[i], values[(size_t)i * stride]);
        const struct level right = {all.weight - left.weight, all.sum - left.sum, all.n - left.n};
        const bool enough = left.n >= LEAST && right.n >= LEAST;
        const double before = mean_of(&left), after = mean_of(&right), height = after - before;
        const double gain = left.weight * right.weight / all.weight * height * height;
        if (ret_heights) ret_heights[i] = enough ? height : NAN;
        if (!enough || !(gain > most)) continue;
        most = gain;
        best = (struct place){i, height, before, after};
    }
    return best;
}

static enum lag_phase phase_into(const struct lag_study_table *table, int64_t before, int64_t t) {
    const enum lag_phase from = lag_study_phase(table, before), into = lag_study_phase(table, t);
    return from == into ? LAG_PHASE_WARM : into;
}

static void put_break(const struct window *window, const struct place *place, struct lag_study_break *ret) {
    const int64_t *t = window->table->times + window->first;
    *ret = (struct lag_study_break){.t = -1, .before = -1, .low = -1, .high = -1, .level_before = NAN,
                                    .level_after = NAN, .height = NAN, .height_low = NAN, .height_high = NAN};
    if (place->before < 0) return;
    ret->before = t[place->before];
    ret->t = t[place->before + 1];
    ret->height = place->height;
    ret->level_before = place->level_before;
    ret->level_after = place->level_after;
    ret->into = phase_into(window->table, ret->before, ret->t);
}

/* --- the bootstrap ----------------------------------------------------------------------------------------------- */

/* [n - 1][LAG_STUDY_DRAWS] heights, the places [LAG_STUDY_DRAWS], and room to sort. */
struct drawn { double *seen, *heights, *places, *sorted; };

static double deviation(const double *x, int n, double from) {
    double squares = 0;
    int known = 0;
    for (int i = 0; i < n; i++) {
        if (isnan(x[i])) continue;
        squares += (x[i] - from) * (x[i] - from);
        known++;
    }
    return known > 1 ? sqrt(squares / known) : NAN;
}

/* How far, in standard errors of its place, a height lies from what was seen: the largest over all places, of each
 * draw. Its 95 % quantile holds for all places at once, and so for the one that was chosen. */
static double critical(const struct window *window, const struct drawn *drawn) {
    for (int d = 0; d < LAG_STUDY_DRAWS; d++) drawn->sorted[d] = NAN;
    for (int i = 0; i + 1 < window->n; i++) {
        const double *heights = drawn->heights + (size_t)i * LAG_STUDY_DRAWS;
        const double error = deviation(heights, LAG_STUDY_DRAWS, drawn->seen[i]);
        if (!(error > ROUNDING)) continue;
        for (int d = 0; d < LAG_STUDY_DRAWS; d++)
            drawn->sorted[d] = fmax(drawn->sorted[d], fabs(heights[d] - drawn->seen[i]) / error);
    }
    return lag_study_quantile(drawn->sorted, LAG_STUDY_DRAWS, LAG_CONFIDENCE);
}

static void put_intervals(const struct window *window, const struct place *place, const struct drawn *drawn,
                          struct lag_study_break *ret) {
    const int64_t *t = window->table->times + window->first;
    const double error = deviation(drawn->heights + (size_t)place->before * LAG_STUDY_DRAWS, LAG_STUDY_DRAWS,
                                   place->height);
    const double half = error > ROUNDING ? critical(window, drawn) * error : 0;
    ret->height_low = place->height - half;
    ret->height_high = place->height + half;
    const double low = lag_study_quantile(drawn->places, LAG_STUDY_DRAWS, (1 - LAG_CONFIDENCE) / 2);
    const double high = lag_study_quantile(drawn->places, LAG_STUDY_DRAWS, (1 + LAG_CONFIDENCE) / 2);
    ret->low = isnan(low) ? ret->before : t[(int)floor(low)];
    ret->high = isnan(high) ? ret->t : t[(int)ceil(high) + 1];
}

static int find_transition(const struct window *window, const struct lag_study_point *points, const double *curves,
                           struct lag_study_break *ret) {
    const size_t n = (size_t)window->n;
    LAG_CLEANUP(lag_free_p) double *memory = lag_calloc(3 * n + (n + 2) * LAG_STUDY_DRAWS, sizeof(*memory));
    if (!memory) return LAG_ENOMEM;
    double *seen = memory, *one = seen + n, *values = one + n;
    const struct drawn drawn = {seen, values + n, values + n + n * LAG_STUDY_DRAWS,
                                values + n + (n + 1) * LAG_STUDY_DRAWS};
    for (size_t i = 0; i < n; i++) values[i] = points[(size_t)window->first + i].agreement.pair_accuracy;
    const struct place place = find_place(window, values, 1, seen);
    put_break(window, &place, ret);
    if (place.before < 0) return 0;
    for (size_t d = 0; d < LAG_STUDY_DRAWS; d++) {
        const double *curve = curves + (size_t)window->first * LAG_STUDY_DRAWS + d;
        const struct place there = find_place(window, curve, LAG_STUDY_DRAWS, one);
        drawn.places[d] = there.before < 0 ? NAN : there.before;
        for (size_t i = 0; i + 1 < n; i++) drawn.heights[i * LAG_STUDY_DRAWS + d] = one[i];
    }
    put_intervals(window, &place, &drawn, ret);
    if (!(ret->height_low > 0)) ret->t = ret->before = ret->low = ret->high = -1;
    return 0;
}

int lag_study_breaks(const struct lag_study_table *table, const double *curves, struct lag_study_report *report) {
    LAG_CLEANUP(lag_free_p) double *memory = lag_calloc(2 * (size_t)table->n_times, sizeof(*memory));
    if (!memory) return LAG_ENOMEM;
    struct window window = {.table = table, .weights = memory};
    double *values = memory + table->n_times;
    fill_window(&window, false);
    for (int i = 0; i < window.n; i++) values[i] = report->points[window.first + i].agreement.pair_accuracy;
    const struct place largest = find_place(&window, values, 1, NULL);
    put_break(&window, &largest, &report->largest);
    fill_window(&window, true);
    return find_transition(&window, report->points, curves, &report->transition);
}
