/* Tables of the parameters that a query may have, each ended by one without a name. */
#pragma once
#include "door/route_internal.h"

extern const struct lagd_parameter lagd_dataset_add_query[], lagd_tokenizer_add_query[], lagd_runs_query[],
    lagd_growths_query[], lagd_operators_query[], lagd_run_growths_query[], lagd_page_query[], lagd_series_query[],
    lagd_machine_query[], lagd_logs_query[], lagd_compare_query[], lagd_export_query[], lagd_ranking_query[],
    lagd_report_query[], lagd_study_report_query[], lagd_events_query[], lagd_hf_query[], lagd_gguf_query[];
