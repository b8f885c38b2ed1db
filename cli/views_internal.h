/* The views of the table of commands: what each answer looks like for people. Thread: any (const). */
#pragma once
#include "print_internal.h"

extern const struct ctl_view ctl_status_view, ctl_runs_view, ctl_active_view, ctl_run_view, ctl_run_said,
    ctl_growths_view, ctl_growth_view, ctl_growth_said, ctl_plan_view, ctl_studies_view, ctl_study_view,
    ctl_study_said, ctl_operators_view, ctl_prior_view, ctl_ranking_view, ctl_checkpoints_view, ctl_checkpoint_said,
    ctl_datasets_view, ctl_dataset_view, ctl_dataset_said, ctl_models_view, ctl_model_view, ctl_model_said,
    ctl_tokenizers_view, ctl_tokenizer_view, ctl_tokenizer_said, ctl_encoding_said, ctl_decoding_said,
    ctl_events_view, ctl_series_keys_view, ctl_sample_view, ctl_doctor_view, ctl_config_view, ctl_version_view,
    ctl_comparison_view, ctl_lineage_view, ctl_notify_view, ctl_notify_test_view, ctl_deleted_view;
