/* A growth's report as JSON. */
#include "encode/report_internal.h"

#include <lagd/storage/growths.h>

static void write_curve(struct lagd_json *json, const struct lagd_report *report, int position) {
    const struct lagd_rank_table *ranks = report->ranks;
    const struct lag_candidate_row *row = (struct lag_candidate_row *)report->candidates.rows + position;
    char spark[LAGD_SPARK_SIZE];
    lagd_json_open_object(json, NULL);
    lagd_json_text(json, "candidate", row->id);
    lagd_json_text(json, "operator", row->op);
    lagd_json_text(json, "strategy", row->strategy);
    lagd_json_open_array(json, "mean");
    for (int k = 0; k < ranks->n_times; k++)
        lagd_json_real(json, NULL, ranks->means[k * ranks->n_candidates + position]);
    lagd_json_close_array(json);
    lagd_json_open_array(json, "rank");
    for (int k = 0; k < ranks->n_times; k++) {
        int rank = ranks->ranks[k * ranks->n_candidates + position];
        if (rank > 0)
            lagd_json_int(json, NULL, rank);
        else
            lagd_json_null(json, NULL);
    }
    lagd_json_close_array(json);
    lagd_sparkline(ranks, position, spark);
    lagd_json_text(json, "sparkline", spark);
    lagd_json_close_object(json);
}

static void write_origin(struct lagd_json *json, const struct lagd_report *report) {
    lagd_json_open_object(json, "origin");
    lagd_json_text(json, "run", report->run.id);
    lagd_json_text(json, "run_name", report->run.name);
    lagd_json_int(json, "seed", report->config.seed);
    lagd_json_text(json, "dataset", report->dataset.name);
    lagd_json_text(json, "dataset_sha256", report->dataset.sha256);
    lagd_json_text_or_null(json, "parent_checkpoint", report->growth.parent_checkpoint);
    lagd_json_open_object(json, "parent_sha256");
    for (size_t i = 0; i < report->files.n; i++) {
        const struct lag_checkpoint_file_row *file = (struct lag_checkpoint_file_row *)report->files.rows + i;
        lagd_json_text(json, file->name, file->sha256);
    }
    lagd_json_close_object(json);
    lagd_json_close_object(json);
}

int lagd_report_write_json(struct lagd_json *json, const struct lagd_report *report, struct lag_db *db,
                           struct lag_error *err) {
    char rule[512];
    double flops = 0;
    const struct lag_candidate_row *rows = report->candidates.rows;
    const struct lag_candidate_row *winner =
        report->has_decision ? lagd_report_find(report, report->decision.candidate) : NULL;
    for (size_t i = 0; i < report->candidates.n; i++) flops += rows[i].flops;
    lagd_report_rule(report, rule, sizeof(rule));
    lagd_json_open_object(json, NULL);
    int status = lagd_write_growth(json, "growth", &report->growth, db, err);
    write_origin(json, report);
    lagd_json_text(json, "rule", rule);
    lagd_json_text_or_null(json, "winner", winner ? winner->id : "");
    lagd_json_text_or_null(json, "winner_strategy", winner ? winner->strategy : "");
    lagd_json_real(json, "probe_flops", flops);
    lagd_json_real(json, "run_flops", report->run.flops);
    lagd_json_open_array(json, "times");
    for (int k = 0; k < report->ranks->n_times; k++) lagd_json_int(json, NULL, report->ranks->times[k]);
    lagd_json_close_array(json);
    lagd_json_open_array(json, "curves");
    for (size_t i = 0; i < report->candidates.n; i++) write_curve(json, report, (int)i);
    lagd_json_close_array(json);
    lagd_json_close_object(json);
    return status;
}
