/* A growth's report as JSON. */
#include "encode/report_internal.h"

#include <lagd/base/check.h>
#include <lagd/storage/growths.h>

/* --- curves ------------------------------------------------------------------------------------------------------ */

struct curve {
    const struct lagd_report *report;
    int position;
    const char *candidate, *op, *strategy;
    char spark[LAGD_SPARK_SIZE];
};

static int write_means(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct curve *curve = object;
    const struct lagd_rank_table *ranks = curve->report->ranks;
    lagd_json_open_array(json, key);
    for (int k = 0; k < ranks->n_times; k++)
        lagd_json_real(json, NULL, ranks->means[k * ranks->n_candidates + curve->position]);
    lagd_json_close_array(json);
    return 0;
}

static int write_ranks(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct curve *curve = object;
    const struct lagd_rank_table *ranks = curve->report->ranks;
    lagd_json_open_array(json, key);
    for (int k = 0; k < ranks->n_times; k++) {
        int rank = ranks->ranks[k * ranks->n_candidates + curve->position];
        if (rank > 0)
            lagd_json_int(json, NULL, rank);
        else
            lagd_json_null(json, NULL);
    }
    lagd_json_close_array(json);
    return 0;
}

static const struct lagd_member curve_members[] = {
    LAGD_POINTED(struct curve, "candidate", "s", candidate, "Its id."),
    LAGD_POINTED(struct curve, "operator", "s", op, NULL),
    LAGD_POINTED(struct curve, "strategy", "s", strategy, "Its text."),
    LAGD_WRITTEN("mean", "[n?]", write_means, "Mean validation loss at each of times."),
    LAGD_WRITTEN("rank", "[c?]", write_ranks, "Among the eligible ones at each of times; 1 is best."),
    LAGD_MEMBER(struct curve, "sparkline", "s", spark, "The curve in eight heights, on a scale that all curves share."),
};
static const struct lagd_schema curve_schema = LAGD_SCHEMA("ReportCurve", curve_members);

static int write_curves(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_report *report = object;
    const struct lag_candidate_row *rows = report->candidates.rows;
    lagd_json_open_array(json, key);
    for (size_t i = 0; i < report->candidates.n; i++) {
        struct curve curve = {report, (int)i, rows[i].id, rows[i].op, rows[i].strategy, ""};
        lagd_sparkline(report->ranks, (int)i, curve.spark);
        (void)lagd_write_object(json, NULL, &curve_schema, &curve, NULL);
    }
    lagd_json_close_array(json);
    return 0;
}

/* --- origin ------------------------------------------------------------------------------------------------------ */

static int write_sums(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_report *report = object;
    const struct lag_checkpoint_file_row *files = report->files.rows;
    lagd_json_open_object(json, key);
    for (size_t i = 0; i < report->files.n; i++) lagd_json_text(json, files[i].name, files[i].sha256);
    lagd_json_close_object(json);
    return 0;
}

#define REPORT(name, type, member, help) LAGD_MEMBER(struct lagd_report, name, type, member, help)
static const struct lagd_member origin_members[] = {
    REPORT("run", "s", run.id, "Its id."),
    REPORT("run_name", "s", run.name, NULL),
    REPORT("seed", "i", config.seed, NULL),
    REPORT("dataset", "s", dataset.name, "Its name."),
    REPORT("dataset_sha256", "s", dataset.sha256, NULL),
    REPORT("parent_checkpoint", "s?", growth.parent_checkpoint, "Id of the state that the candidates are made of."),
    LAGD_WRITTEN("parent_sha256", "{s}", write_sums, "Of its files, while it is there."),
};
static const struct lagd_schema origin_schema = LAGD_SCHEMA("ReportOrigin", origin_members);

/* --- the report -------------------------------------------------------------------------------------------------- */

static int write_report_growth(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    return lagd_write_growth(json, key, &((const struct lagd_report *)object)->growth, NULL, encoding->db,
                             encoding->err);
}

static int write_origin(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_object(json, key, &origin_schema, object, NULL);
}

static int write_rule(struct lagd_json *json, const char *key, const void *object, void *context) {
    char rule[512];
    lagd_report_rule(object, rule, sizeof(rule));
    lagd_json_text(json, key, rule);
    return 0;
}

static const struct lag_candidate_row *winner_of(const struct lagd_report *report) {
    return report->has_decision ? lagd_report_find(report, report->decision.candidate) : NULL;
}

static int write_winner(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_candidate_row *winner = winner_of(object);
    lagd_json_text_or_null(json, key, winner ? winner->id : "");
    return 0;
}

static int write_winner_strategy(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_candidate_row *winner = winner_of(object);
    lagd_json_text_or_null(json, key, winner ? winner->strategy : "");
    return 0;
}

static int write_probe_flops(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_report *report = object;
    const struct lag_candidate_row *rows = report->candidates.rows;
    double flops = 0;
    for (size_t i = 0; i < report->candidates.n; i++) flops += rows[i].flops;
    lagd_json_real(json, key, flops);
    return 0;
}

static int write_times(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_rank_table *ranks = ((const struct lagd_report *)object)->ranks;
    lagd_json_open_array(json, key);
    for (int k = 0; k < ranks->n_times; k++) lagd_json_int(json, NULL, ranks->times[k]);
    lagd_json_close_array(json);
    return 0;
}

static const struct lagd_member report_members[] = {
    LAGD_WRITTEN_OF("growth", "@", &lagd_growth_schema, write_report_growth, NULL),
    LAGD_WRITTEN_OF("origin", "@", &origin_schema, write_origin, "What the growth can be repeated from."),
    LAGD_WRITTEN("rule", "s", write_rule, "What decides, in one sentence."),
    LAGD_WRITTEN("winner", "s?", write_winner, "Id of the candidate that was decided on."),
    LAGD_WRITTEN("winner_strategy", "s?", write_winner_strategy, "Its strategy's text."),
    LAGD_WRITTEN("probe_flops", "n?", write_probe_flops, "Spent by all candidates."),
    REPORT("run_flops", "n?", run.flops, "Spent by the run itself."),
    LAGD_WRITTEN("times", "[i]", write_times, "Probe steps with an evaluation."),
    LAGD_WRITTEN_OF("curves", "[@]", &curve_schema, write_curves, NULL),
};
const struct lagd_schema lagd_report_schema = LAGD_SCHEMA("GrowthReport", report_members);
