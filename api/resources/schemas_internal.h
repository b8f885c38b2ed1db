/* The schemas of answers that the route table names; those of rows are in encode/, those of streams in stream/. */
#pragma once
#include "door/problem_internal.h"
#include "encode/encode_internal.h"
#include "encode/plan_internal.h"
#include "encode/prior_internal.h"
#include "encode/report_internal.h"
#include "encode/study_internal.h"
#include "notify/notice_internal.h"
#include "stream/points_internal.h"
#include "stream/stream_text_internal.h"

extern const struct lagd_schema lagd_index_schema, lagd_version_schema, lagd_system_schema, lagd_config_schema,
    lagd_ready_schema, lagd_operator_list_schema, lagd_problem_type_schema, lagd_problem_type_list_schema;
extern const struct lagd_schema lagd_sink_list_schema, lagd_notify_outcome_list_schema;
extern const struct lagd_schema lagd_tokenizer_schema, lagd_tokenizer_list_schema, lagd_tokenizer_files_schema,
    lagd_encoding_schema, lagd_decoding_schema;
extern const struct lagd_schema lagd_model_list_schema, lagd_model_details_schema;
extern const struct lagd_schema lagd_dataset_list_schema, lagd_run_list_schema, lagd_bulk_schema,
    lagd_run_estimate_schema,
    lagd_checkpoint_list_schema, lagd_sample_schema, lagd_series_key_list_schema, lagd_series_schema,
    lagd_lineage_schema, lagd_comparison_schema, lagd_export_line_schema, lagd_extension_schema;
extern const struct lagd_schema lagd_growth_list_schema, lagd_growth_plan_schema, lagd_candidate_list_schema,
    lagd_ranking_schema;
extern const struct lagd_schema lagd_plan_estimate_schema;
extern const struct lagd_schema lagd_study_list_schema, lagd_study_plan_schema;
