/* The share of orders that are kept to the end, by what a probe can see of them. */
#include <lagd/base/check.h>
#include <lagd/engine/calibration.h>
#include <math.h>
#include <string.h>

#define NORMAL_97_5 1.959963984540054

const double lag_z_edges[] = {1, 2, 4, 8};
const double lag_share_edges[] = {0.03, 0.1, 0.3, 0.6};

/* What divides the cells, finest first. A level has a cell for each combination of what it looks at. */
enum { BY_SHARE = 1, BY_Z = 2, BY_NONE = 4, BY_PHASE = 8, BY_KINDS = 16 };
static const struct { int by, n_cells; } levels[] = {
    {BY_SHARE | BY_Z | BY_NONE | BY_PHASE | BY_KINDS, 300},
    {BY_SHARE | BY_Z | BY_NONE | BY_PHASE, 150},
    {BY_SHARE | BY_Z | BY_NONE, 50},
    {BY_SHARE | BY_Z, 25},
    {BY_SHARE, 5},
};
enum { N_LEVELS = LAG_COUNT(levels), BINS_LEVEL = 3 };

static int bin_of(double x, const double *edges, int n_edges) {
    int bin = 0;
    while (bin < n_edges && x >= edges[bin]) bin++;
    return bin;
}

static int cell_of(int level, const struct lag_order *order) {
    const struct { int by, n, at; } parts[] = {
        {BY_SHARE, LAG_SHARE_BINS, bin_of(order->share, lag_share_edges, LAG_SHARE_BINS - 1)},
        {BY_Z, LAG_Z_BINS, bin_of(order->z, lag_z_edges, LAG_Z_BINS - 1)},
        {BY_NONE, 2, order->beyond_none},
        {BY_PHASE, LAG_N_PHASES, (int)order->phase},
        {BY_KINDS, 2, order->kinds_differ},
    };
    int first = 0, at = 0, step = 1;
    for (int i = 0; i < level; i++) first += levels[i].n_cells;
    for (size_t i = 0; i < LAG_COUNT(parts); i++) {
        if (!(levels[level].by & parts[i].by)) continue;
        at += step * parts[i].at;
        step *= parts[i].n;
    }
    return first + at;
}

/* --- counting ---------------------------------------------------------------------------------------------------- */

/* One study's part of every cell. */
struct part { double n, kept; };

static void close_study(struct part *parts, struct lag_calibration *calibration) {
    for (int i = 0; i < LAG_KEPT_CELLS; i++) {
        if (parts[i].n == 0) continue;
        struct lag_kept_cell *cell = &calibration->cells[i];
        const double n = parts[i].n, kept = parts[i].kept;
        cell->n += n;
        cell->kept += kept;
        cell->n_n += n * n;
        cell->n_kept += n * kept;
        cell->kept_kept += kept * kept;
        cell->n_studies++;
    }
    memset(parts, 0, LAG_KEPT_CELLS * sizeof(*parts));
}

void lag_calibrate(const struct lag_kept_row *rows, size_t n, int skip, struct lag_calibration *ret) {
    struct part parts[LAG_KEPT_CELLS] = {0};
    memset(ret, 0, sizeof(*ret));
    for (size_t r = 0; r < n; r++) {
        if (r > 0 && rows[r].study != rows[r - 1].study) close_study(parts, ret);
        for (int level = 0; rows[r].study != skip && level < (int)N_LEVELS; level++) {
            struct part *part = &parts[cell_of(level, &rows[r].order)];
            part->n++;
            part->kept += rows[r].kept;
        }
    }
    close_study(parts, ret);
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

/* So many independent orders would leave the share as open as the differences between the studies do: p(1 - p)/V, of
 * the variance V of a ratio over clusters. At most the pairs, at least one; where all studies agree one a study. */
static double independent(const struct lag_kept_cell *cell) {
    const double p = cell->kept / cell->n, c = cell->n_studies;
    const double squares = cell->kept_kept - 2 * p * cell->n_kept + p * p * cell->n_n;
    const double variance = c > 1 ? c / (c - 1) * squares / (cell->n * cell->n) : INFINITY;
    if (!(variance > 1e-15)) return c;
    return fmin(cell->n, fmax(1, p * (1 - p) / variance));
}

static struct lag_kept kept_of(const struct lag_kept_cell *cell) {
    struct lag_kept kept = {NAN, NAN, NAN, cell->n_studies, cell->n};
    if (cell->n_studies < 1) return kept;
    const double p = cell->kept / cell->n, n = independent(cell), zz = NORMAL_97_5 * NORMAL_97_5;
    const double middle = (p + zz / (2 * n)) / (1 + zz / n);
    const double half = NORMAL_97_5 / (1 + zz / n) * sqrt(p * (1 - p) / n + zz / (4 * n * n));
    kept.p = p;
    kept.low = fmax(0, middle - half);
    kept.high = fmin(1, middle + half);
    return kept;
}

static struct lag_kept ask(const struct lag_calibration *calibration, const struct lag_order *order,
                           int least_studies) {
    for (int level = 0; level < (int)N_LEVELS; level++) {
        const struct lag_kept_cell *cell = &calibration->cells[cell_of(level, order)];
        if (cell->n_studies >= least_studies && cell->n >= LAG_KEPT_PAIRS) return kept_of(cell);
    }
    return (struct lag_kept){NAN, NAN, NAN, 0, 0};
}

struct lag_kept lag_p_end(const struct lag_calibration *calibration, const struct lag_order *order) {
    return ask(calibration, order, LAG_KEPT_STUDIES);
}

struct lag_kept lag_kept_bin(const struct lag_calibration *calibration, int z_bin, int share_bin) {
    const struct lag_order order = {.z = z_bin > 0 ? lag_z_edges[z_bin - 1] : 0,
                                    .share = share_bin > 0 ? lag_share_edges[share_bin - 1] : 0};
    return kept_of(&calibration->cells[cell_of(BINS_LEVEL, &order)]);
}

/* --- how good it is ---------------------------------------------------------------------------------------------- */

static double share_kept(const struct lag_calibration *calibration) {
    double n = 0, kept = 0;
    for (int i = LAG_KEPT_CELLS - LAG_SHARE_BINS; i < LAG_KEPT_CELLS; i++) {
        n += calibration->cells[i].n;
        kept += calibration->cells[i].kept;
    }
    return kept / n;
}

static size_t end_of_study(const struct lag_kept_row *rows, size_t n, size_t from) {
    size_t to = from;
    while (to < n && rows[to].study == rows[from].study) to++;
    return to;
}

struct lag_brier lag_brier_of(const struct lag_kept_row *rows, size_t n) {
    struct lag_brier brier = {0};
    int n_all = 0;
    for (size_t from = 0, to; from < n; from = to) {
        struct lag_calibration others;
        double sum = 0, of_share = 0, said = 0;
        to = end_of_study(rows, n, from);
        n_all++;
        lag_calibrate(rows, n, rows[from].study, &others);
        for (size_t r = from; r < to; r++) {
            const double p = ask(&others, &rows[r].order, LAG_KEPT_STUDIES - 1).p, kept = rows[r].kept;
            if (isnan(p)) continue;
            sum += (p - kept) * (p - kept);
            of_share += (share_kept(&others) - kept) * (share_kept(&others) - kept);
            said++;
        }
        if (said == 0) continue;
        brier.score += sum / said;
        brier.of_share += of_share / said;
        brier.n_studies++;
    }
    if (n_all < LAG_KEPT_STUDIES || brier.n_studies == 0) return (struct lag_brier){NAN, NAN, brier.n_studies};
    brier.score /= brier.n_studies;
    brier.of_share /= brier.n_studies;
    return brier;
}
