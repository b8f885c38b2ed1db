/* What several forms of a study's report look up in its result. Thread: any, of a result that its caller owns. */
#pragma once
#include <lagd/daemon/study_report.h>

int lagd_study_time_index(const struct lagd_study_result *result, int64_t t);            /* of times; -1 */
const struct lagd_study_point *lagd_study_point(const struct lagd_study_result *result, int64_t t); /* NULL */
/* The lag that figures and sentences are about: the sufficient one, else the transition, else the evaluation nearest
 * to an eighth of the horizon; -1: there is no report. ret_what: "the lag that suffices". */
int64_t lagd_study_lag(const struct lagd_study_result *result, const char **ret_what);
double lagd_study_loss(const struct lagd_study_result *result, int seed, int candidate, int64_t t); /* NaN */
/* Loss at the horizon of a ranked candidate or the reference; NaN: it has diverged, or is not known. */
double lagd_study_final(const struct lagd_study_result *result, int seed, int candidate);
double lagd_study_final_mean(const struct lagd_study_result *result, int candidate); /* over the seeds that know it */
bool lagd_study_ranked(const struct lagd_study_result *result, int candidate);      /* it may be picked */
int lagd_study_best(const struct lagd_study_result *result);      /* ranked, with the lowest of these means; -1 */
int lagd_study_reference(const struct lagd_study_result *result); /* `none`; -1 */
/* Whether the transition is known from more than one seed, so that its interval says something. */
bool lagd_study_has_transition(const struct lagd_study_result *result);
