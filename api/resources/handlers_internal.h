/* The functions of the route table's rows; each is in the h_*.c of its resource. The ones that end in …ed or _done go
 * into the column `answered`. Thread: the connection's worker. */
#pragma once
#include "request/answer_internal.h"

lagd_route_fn lagd_h_index, lagd_h_version, lagd_h_system, lagd_h_config, lagd_h_operators, lagd_h_problems,
    lagd_h_problem;
lagd_route_fn lagd_h_healthz, lagd_h_readyz, lagd_h_metrics;
lagd_route_fn lagd_h_front, lagd_h_static;
lagd_route_fn lagd_h_notify, lagd_h_notify_test;

lagd_route_fn lagd_h_datasets, lagd_h_dataset;
lagd_route_fn lagd_h_dataset_add, lagd_h_dataset_added;
lagd_route_fn lagd_h_dataset_delete;
lagd_route_fn lagd_h_tokenizers, lagd_h_tokenizer, lagd_h_tokenizer_add, lagd_h_tokenizer_added,
    lagd_h_tokenizer_extend, lagd_h_tokenizer_extended, lagd_h_tokenizer_delete, lagd_h_tokenizer_files,
    lagd_h_tokenizer_file, lagd_h_tokenizer_encode, lagd_h_tokenizer_encoded, lagd_h_tokenizer_decode,
    lagd_h_tokenizer_decoded;
lagd_route_fn lagd_h_models, lagd_h_model, lagd_h_model_add, lagd_h_model_added, lagd_h_model_delete;
/* What is left of a refusal by the daemon: where the state of a run forbids it, the answer tells that state. state "":
 * the run is looked up by the path's first parameter. verbs.c */
int lagd_refuse_run(struct lagd_request *request, int status, const char *state);

/* For what is deleted unless something still needs it: datasets, models and checkpoints. h_datasets.c */
lagd_route_fn lagd_h_unneeded_deleted;

lagd_route_fn lagd_h_runs, lagd_h_run, lagd_h_run_lineage, lagd_h_compare;
lagd_route_fn lagd_h_run_create, lagd_h_run_created;
lagd_route_fn lagd_h_run_patch, lagd_h_run_patched;
lagd_route_fn lagd_h_run_delete, lagd_h_run_deleted;
lagd_route_fn lagd_h_run_fork, lagd_h_run_forked, lagd_h_run_extend, lagd_h_run_extended;
lagd_route_fn lagd_h_run_pause, lagd_h_run_resume, lagd_h_run_cancel, lagd_h_run_checkpoint, lagd_h_run_verb_done;
lagd_route_fn lagd_h_run_metrics, lagd_h_run_series, lagd_h_system_series, lagd_h_run_export, lagd_h_run_tfevents,
    lagd_h_run_logs;

lagd_route_fn lagd_h_run_growths, lagd_h_growths, lagd_h_growth, lagd_h_growth_candidates, lagd_h_growth_ranking,
    lagd_h_growth_report;
lagd_route_fn lagd_h_growth_create, lagd_h_growth_created;
lagd_route_fn lagd_h_growth_cancel, lagd_h_growth_cancelled;
lagd_route_fn lagd_h_growth_audit, lagd_h_growth_audited;
lagd_route_fn lagd_h_decision, lagd_h_decide, lagd_h_decided;
lagd_route_fn lagd_h_candidate, lagd_h_candidate_series;

lagd_route_fn lagd_h_plan, lagd_h_plan_set, lagd_h_plan_remove, lagd_h_plan_done;

lagd_route_fn lagd_h_prior;

lagd_route_fn lagd_h_studies, lagd_h_study, lagd_h_study_report, lagd_h_study_tfevents;
lagd_route_fn lagd_h_study_create, lagd_h_study_created;
lagd_route_fn lagd_h_study_pause, lagd_h_study_resume, lagd_h_study_cancel, lagd_h_study_verb_done;
lagd_route_fn lagd_h_study_delete, lagd_h_study_deleted;

lagd_route_fn lagd_h_checkpoints, lagd_h_run_checkpoints, lagd_h_checkpoint, lagd_h_checkpoint_file,
    lagd_h_checkpoint_file_read, lagd_h_checkpoint_archive, lagd_h_checkpoint_archive_read, lagd_h_checkpoint_hf,
    lagd_h_checkpoint_hf_read, lagd_h_checkpoint_gguf, lagd_h_checkpoint_gguf_read;
lagd_route_fn lagd_h_checkpoint_patch, lagd_h_checkpoint_patched;
lagd_route_fn lagd_h_checkpoint_delete, lagd_h_run_checkpoint_delete;
lagd_route_fn lagd_h_run_generate, lagd_h_checkpoint_generate, lagd_h_generated;

lagd_route_fn lagd_h_events;

extern const char *const lagd_run_sorts[]; /* NULL-terminated, by enum lag_run_order. h_run_list.c */

lagd_route_fn lagd_h_run_bulk, lagd_h_run_bulk_done;
/* Has this verb nothing to do in this state of a run, and is that fine? h_runs.c */
bool lagd_run_verb_is_idle(enum lagd_command_type type, const char *state);

/* There is no such series (yet): 0 where it may come, else a failure that says what there is. series_key.c */
int lagd_no_series(struct lagd_request *request, const char *parameter, const char *key);
/* The same of names that key_of(0), key_of(1) … tell, until NULL. */
int lagd_no_series_of(struct lagd_request *request, const char *parameter, const char *key,
                      const char *(*key_of)(int i));

/* How much /compare takes at once. */
#define LAGD_COMPARE_RUNS 8   /* and groups */
#define LAGD_COMPARE_GROUP 16 /* runs of each */
#define LAGD_COMPARE_KEYS 4

/* Posts the command on what the path names, with the reason of the body, if it has one. verbs.c */
int lagd_post_verb(struct lagd_request *request, enum lagd_command_type type);
/* The run as the answer, with its tag; 304 to one who has it. h_runs.c */
int lagd_answer_run(struct lagd_request *request, const char *id, int success);
/* Is that what was written (0)? 1: it has to be read first, which the posted command does (LAGD_WAIT goes to the
 * caller). LAG_ECORRUPT: it is damaged. again: the command has been answered. h_checkpoints.c */
int lagd_checkpoint_file_check(struct lagd_request *request, const struct lag_checkpoint_file_row *file, int fd,
                               bool again);
/* The same of a file that is opened for an archive; *ret_fd is the caller's on 0. */
int lagd_checkpoint_file_open(struct lagd_request *request, const struct lag_checkpoint_row *checkpoint,
                              const struct lag_checkpoint_file_row *file, bool again, int *ret_fd);
int lagd_checkpoint_files_read(struct lagd_request *request, const char *checkpoint, const char *file);
/* A file of the checkpoint is not there: LAG_ENOTFOUND when it was retired meanwhile, else LAG_EAWAY, with the text.
 * h_checkpoints.c */
int lagd_checkpoint_file_away(struct lagd_request *request, const struct lag_checkpoint_row *checkpoint);
/* A growth whose body does not say whether its decision is to be audited leaves it to the configuration. h_growths.c */
void lagd_audit_by_default(const struct lagd_request *request, const json_t *body, struct lagd_growth_request *growth);
/* The response is the archive, which is taken; name: of its file, without ".tar". h_archive.c */
struct lagd_tar_stream;
void lagd_answer_tar(struct lagd_request *request, struct lagd_tar_stream *stream, const char *name);
/* The response follows feed; a HEAD opens none. h_events.c */
struct lagd_feed;
int lagd_answer_stream(struct lagd_request *request, struct lagd_feed *feed);
/* Which rows of the table the body gives: bit i for row i. h_patch.c */
uint32_t lagd_fields_given(const json_t *body, const struct lag_fields *table);
