/* The report of a study in its three forms. Thread: any (of a result that its caller owns), unless a context with db is
 * asked for. */
#pragma once
#include "encode/encode_internal.h"

#include <lagd/base/strbuf.h>
#include <lagd/daemon/study_report.h>

extern const struct lagd_schema lagd_study_report_schema; /* of lagd_study_result; db, err */
extern const struct lagd_schema lagd_study_allocator_schema; /* of lagd_study_allocator; its lagd_study_result */
lagd_member_fn lagd_write_study_allocators;                  /* of lagd_study_result */
extern const struct lagd_schema lagd_study_said_schema;
lagd_member_fn lagd_write_study_said;                        /* of lagd_study_result */
/* What it shows, in sentences for people who have not read the paper: a line for each matter, none empty. */
void lagd_study_read_out(const struct lagd_study_result *result, struct lag_strbuf *out);
void lagd_study_write_markdown(const struct lagd_study_result *result, struct lag_strbuf *out);
/* One figure, or with NULL all of them below one another, as an SVG document. false: there is no figure of that name.
 * Colours come from the classes of web/study.css where the document stands in a page, else from its own attributes. */
bool lagd_study_write_svg(const struct lagd_study_result *result, const char *figure, struct lag_strbuf *out);
extern const char *const lagd_study_figures[]; /* NULL-terminated */
