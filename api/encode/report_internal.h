/* The report of a growth: everything that it tells, and its two forms. Thread: owner of db. */
#pragma once
#include "encode/encode_internal.h"

#include <lagd/daemon/audit.h>
#include <lagd/daemon/effect.h>
#include <lagd/daemon/rank_table.h>
#include <lagd/storage/rows.h>

struct lagd_report {
    struct lag_growth_row growth;
    struct lag_run_row run;
    struct lag_dataset_row dataset;
    struct lagd_run_config config;
    struct lagd_growth_request request;
    struct lag_decision_row decision;
    struct lagd_audit audit;
    struct lagd_effect effect;
    bool has_decision, has_parent;      /* a parent's checkpoint may have been removed since */
    bool grew;                          /* as lagd_growth_grew tells */
    struct lagd_rows candidates, files; /* by position; of the parent's checkpoint */
    struct lagd_rows rungs;
    struct lagd_rank_table *ranks;
};
int lagd_report_create(struct lag_db *db, const char *growth, struct lagd_report **ret, struct lag_error *err);
void lagd_report_destroy(struct lagd_report *report);
/* A candidate's curve in eight heights. Their range is that of all finite losses of the growth, so that curves can be
 * compared. A step without a finite loss is a middle dot. More than 64 steps are thinned. */
#define LAGD_SPARK_SIZE 193
void lagd_sparkline(const struct lagd_rank_table *ranks, int position, char ret[LAGD_SPARK_SIZE]);
/* What decides, in one sentence. */
void lagd_report_rule(const struct lagd_report *report, char *ret, size_t size);
const struct lag_candidate_row *lagd_report_find(const struct lagd_report *report, const char *candidate_id);

extern const struct lagd_schema lagd_report_schema; /* of lagd_report; db, err */
void lagd_report_write_markdown(struct lag_strbuf *out, const struct lagd_report *report);
