/* The figures of a study, each a function of its result. They draw into a document that is open, from y = 0 on. */
#pragma once
#include "encode/study_internal.h"
#include "encode/study_look_internal.h"
#include "encode/svg_internal.h"

enum { LAGD_FIGURE_CANDIDATES = LAGD_STRATEGIES_MAX + 1 };
void lagd_figure_scatter(const struct lagd_study_result *result, struct lag_strbuf *out);
void lagd_figure_agreement(const struct lagd_study_result *result, struct lag_strbuf *out);
void lagd_figure_curves(const struct lagd_study_result *result, struct lag_strbuf *out);
void lagd_figure_regret(const struct lagd_study_result *result, struct lag_strbuf *out);
void lagd_figure_flops(const struct lagd_study_result *result, struct lag_strbuf *out);
/* The style of a candidate: -1 of the reference. */
int lagd_figure_style(const struct lagd_study_result *result, int candidate);
/* Those that may be picked, as a legend; returns how many: labels[LAGD_FIGURE_CANDIDATES]. */
int lagd_figure_legend(const struct lagd_study_result *result, struct lagd_svg_label *labels);
struct lagd_range { double low, high; };
#define LAGD_RANGE_INIT {NAN, NAN}
void lagd_range_add(struct lagd_range *range, double value); /* NaN changes nothing */
/* The axis of t: logarithmic, with 0. */
struct lagd_svg_axis lagd_figure_steps(const struct lagd_study_result *result, const char *name);
