/* The route table: all that the API can do, and who does it. */
#include <lagd/api/server.h>

#include "body/bodies_internal.h"
#include "openapi/openapi_internal.h"
#include "request/cursor_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/parse.h>
#include <lagd/storage/find.h>

#define PAGE_MAX 1000
#define IDENTITY_MAX (LAG_ROW_NAME - 1) /* ids and names of runs, names of series */

#define END \
    { NULL, 0, false, false, 0, 0, NULL, NULL, NULL }
#define LIMIT                                                                                                       \
    {                                                                                                               \
        "limit", LAGD_PARAM_INT, false, false, 1, PAGE_MAX, "50", NULL,                                             \
            "Most items of a page; more than " LAG_TEXT_OF(PAGE_MAX) " is taken as " LAG_TEXT_OF(PAGE_MAX) "."      \
    }
#define CURSOR \
    { "cursor", LAGD_PARAM_TEXT, false, false, 0, 120, NULL, NULL, "next_cursor of the page before." }
#define A "/api/v1"

static const char *const report_formats[] = {"json", "md", NULL};
static const char *const study_formats[] = {"json", "md", "svg", NULL};
static const char *const export_formats[] = {"jsonl", "csv", NULL};

static const struct lagd_parameter dataset_add_query[] = {
    {"name", LAGD_PARAM_TEXT, false, false, 1, LAG_NAME_MAX, NULL, NULL, "Name of an uploaded dataset."},
    {"format", LAGD_PARAM_TEXT, false, false, 1, 15, "auto", NULL,
     "Format of an upload, one of those of a DatasetRequest."},
    {"vocab_size", LAGD_PARAM_INT, false, false, 0, LAG_FIELD_EXACT_MAX, "0", NULL,
     "Vocabulary of an uploaded token file."},
    {"tokenizer", LAGD_PARAM_TEXT, false, false, 1, LAG_ROW_NAME - 1, NULL, NULL,
     "Tokenizer that makes tokens of an uploaded text, as in a DatasetRequest."},
    {"documents", LAGD_PARAM_TEXT, false, false, 1, 15, "none", NULL, "documents/kind of a DatasetRequest."},
    {"field", LAGD_PARAM_TEXT, false, false, 1, 63, NULL, NULL, "documents/field of a DatasetRequest."},
    {"file_name", LAGD_PARAM_TEXT, false, false, 1, 127, NULL, NULL, "File name that the format is guessed from."},
    {"wait", LAGD_PARAM_INT, false, false, -1, 60, "-1", NULL,
     "Seconds to wait for the end of the registration, before the answer is 202; -1: 60 for a file of at most 64 MiB, "
     "else 0."},
    END};
static const struct lagd_parameter tokenizer_add_query[] = {
    {"name", LAGD_PARAM_TEXT, false, false, 1, LAG_NAME_MAX, NULL, NULL, "Name of an uploaded tokenizer."}, END};
static const char *const archs[] = {"gpt2", NULL}; /* as model/arch of a run knows them */
static const char *const directions[] = {"asc", "desc", NULL};
static const char *const waits[] = {LAG_WAITS_APPROVAL, LAG_WAITS_SHORTAGE, LAG_WAITS_TURN, NULL};
static const struct lagd_parameter runs_query[] = {
    {"q", LAGD_PARAM_TEXT, false, false, 0, 200, NULL, NULL,
     "Only runs with all of these words, a space between, in id, name, tags or note; a part of a word will do, and the "
     "case of letters does not count."},
    {"tag", LAGD_PARAM_TEXT, false, false, 1, 200, NULL, NULL, "Only runs with this tag."},
    {"state", LAGD_PARAM_TEXT, false, false, 1, 120, NULL, NULL, "Only runs in these states, ',' between."},
    {"waiting_for", LAGD_PARAM_CHOICE, false, false, 0, 0, NULL, waits, "Only runs that wait for this."},
    {"arch", LAGD_PARAM_CHOICE, false, false, 0, 0, NULL, archs, "Only runs of this model family."},
    {"sort", LAGD_PARAM_CHOICE, false, false, 0, 0, "created", lagd_run_sorts,
     "By what; best and latest are validation losses, params parameters, flops those of training. Runs without such a "
     "value are last, of equals the newest is first. A run whose value changes between two pages may be told twice or "
     "not at all."},
    {"order", LAGD_PARAM_CHOICE, false, false, 0, 0, NULL, directions,
     "Without it: name, best and latest rise, the others fall."},
    LIMIT,
    {"cursor", LAGD_PARAM_TEXT, false, false, 0, LAGD_PLACE_CURSOR_SIZE, NULL, NULL, "next_cursor of the page before."},
    END};
static const struct lagd_parameter growths_query[] = {
    {"run", LAGD_PARAM_TEXT, false, false, 1, IDENTITY_MAX, NULL, NULL, "Only growths of this run."},
    {"limit", LAGD_PARAM_INT, false, false, 1, PAGE_MAX, "100", NULL, "Most growths of a page, oldest first."},
    CURSOR,
    END};
static const struct lagd_parameter operators_query[] = {
    {"run", LAGD_PARAM_TEXT, false, false, 1, IDENTITY_MAX, NULL, NULL, "The run that target is for: id or name."},
    {"target", LAGD_PARAM_TEXT, false, false, 1, 200, NULL, NULL,
     "Say of each operator whether it takes the run there, and what it could reach if not: a number of layers, or axes "
     "of a growth's target as in n_layer=6,n_embd=256."},
    {"parents", LAGD_PARAM_TEXT, false, false, 1, 200, NULL, NULL,
     "Ids of 1 to 3 checkpoints, a comma between: what fuse reaches is told with their models beside the run's own. "
     "Without it with the run's own model itself, as often as leads to the target."},
    END};
static const struct lagd_parameter run_growths_query[] = {
    {"limit", LAGD_PARAM_INT, false, false, 1, PAGE_MAX, "100", NULL, "Most growths of a page, oldest first."},
    CURSOR,
    END};
static const struct lagd_parameter page_query[] = {
    {"limit", LAGD_PARAM_INT, false, false, 1, PAGE_MAX, LAG_TEXT_OF(PAGE_MAX), NULL,
     "Most items of a page, newest first."},
    CURSOR,
    END};
static const struct lagd_parameter series_query[] = {
    {"key", LAGD_PARAM_TEXT, true, true, 1, IDENTITY_MAX, NULL, NULL,
     "Name of a series, such as val/loss; may be repeated."},
    {"from", LAGD_PARAM_INT, false, false, 0, LAG_FIELD_EXACT_MAX, "0", NULL, "First step."},
    {"to", LAGD_PARAM_INT, false, false, 0, LAG_FIELD_EXACT_MAX, "9007199254740991", NULL, "Last step."},
    {"max_points", LAGD_PARAM_INT, false, false, 1, 10000, "1000", NULL,
     "Most points; more are thinned to min, max and last of equal steps."},
    {"sum", LAGD_PARAM_BOOL, false, false, 0, 0, NULL, NULL,
     "Tell the sum of each bucket too; null ones count nothing."},
    END};
static const struct lagd_parameter machine_query[] = {
    {"key", LAGD_PARAM_TEXT, true, true, 1, IDENTITY_MAX, NULL, NULL,
     "Name of a series, such as cpu/share; may be repeated."},
    {"from", LAGD_PARAM_INT, false, false, 0, LAG_FIELD_EXACT_MAX, "0", NULL, "First second since 1970."},
    {"to", LAGD_PARAM_INT, false, false, 0, LAG_FIELD_EXACT_MAX, "9007199254740991", NULL, "Last second since 1970."},
    {"max_points", LAGD_PARAM_INT, false, false, 1, 10000, "1000", NULL,
     "Most points; more are thinned to min, max and last of equal times."},
    END};
static const char *const log_formats[] = {"jsonl", "text", NULL};
static const struct lagd_parameter logs_query[] = {
    {"tail", LAGD_PARAM_INT, false, false, 0, 10000, "200", NULL,
     "Most events that have happened, the last ones, oldest first."},
    {"follow", LAGD_PARAM_BOOL, false, false, 0, 0, NULL, NULL,
     "Keep the connection open and send each event as it happens."},
    {"format", LAGD_PARAM_CHOICE, false, false, 0, 0, "jsonl", log_formats,
     "jsonl: one JSON object an event; text, or Accept: text/plain: a line for people."},
    END};
static const char *const axes[] = {"step", "tokens", NULL};
static const struct lagd_parameter compare_query[] = {
    {"runs", LAGD_PARAM_TEXT, false, false, 0, 600, NULL, NULL,
     "Ids or names of runs, ',' between; runs and tags together are up to " LAG_TEXT_OF(LAGD_COMPARE_RUNS) "."},
    {"tags", LAGD_PARAM_TEXT, false, false, 0, 600, NULL, NULL,
     "Tags, ',' between: the newest " LAG_TEXT_OF(LAGD_COMPARE_GROUP) " runs of each are compared too."},
    {"series", LAGD_PARAM_TEXT, false, false, 0, 200, "train/loss,val/loss", NULL,
     "Up to " LAG_TEXT_OF(LAGD_COMPARE_KEYS) " series, ',' between; none where it is empty."},
    {"x", LAGD_PARAM_CHOICE, false, false, 0, 0, "step", axes,
     "What the runs are aligned by: step, or tokens trained on."},
    {"at", LAGD_PARAM_INT, false, false, -1, LAG_FIELD_EXACT_MAX, "-1", NULL,
     "Tell each metric at this place of the axis too: its last value at or before it."},
    {"max_points", LAGD_PARAM_INT, false, false, 1, 5000, "500", NULL,
     "Most points of each run and series; more are thinned."},
    END};
static const struct lagd_parameter export_query[] = {
    {"format", LAGD_PARAM_CHOICE, false, false, 0, 0, "jsonl", export_formats,
     "jsonl: one JSON object a step; csv: one row a step."},
    {"from", LAGD_PARAM_INT, false, false, 0, LAG_FIELD_EXACT_MAX, "0", NULL, "First step."},
    END};
static const struct lagd_parameter ranking_query[] = {{"at_step", LAGD_PARAM_INT, false, false, -1, LAG_FIELD_EXACT_MAX,
                                                       "-1", NULL,
                                                       "Probe step; the last evaluation at or before it is used. -1: "
                                                       "the latest that every living candidate has reached."},
                                                      END};
static const struct lagd_parameter report_query[] = {
    {"format", LAGD_PARAM_CHOICE, false, false, 0, 0, "json", report_formats, "json, or md for Markdown."}, END};
static const struct lagd_parameter study_report_query[] = {
    {"format", LAGD_PARAM_CHOICE, false, false, 0, 0, "json", study_formats,
     "json, md for Markdown, or svg for figures."},
    {"figure", LAGD_PARAM_TEXT, false, false, 1, 31, NULL, NULL,
     "Of svg: one figure alone: scatter, agreement, curves, regret or flops."},
    END};
static const struct lagd_parameter events_query[] = {
    {"after", LAGD_PARAM_INT, false, false, 0, LAG_FIELD_EXACT_MAX, "0", NULL,
     "seq of the last event already seen. Absent, a stream begins with what happens from now on; Last-Event-ID goes "
     "before it."},
    {"run", LAGD_PARAM_TEXT, false, false, 1, IDENTITY_MAX, NULL, NULL, "Only events of this run (id or name)."},
    {"topics", LAGD_PARAM_TEXT, false, false, 1, 120, NULL, NULL,
     "Only these, ',' between: " LAGD_TOPIC_NAMES "."},
    {"follow", LAGD_PARAM_BOOL, false, false, 0, 0, NULL, NULL,
     "Keep the connection open and send each event as it happens, as a line; Accept: text/event-stream does so too."},
    {"limit", LAGD_PARAM_INT, false, false, 1, PAGE_MAX, "100", NULL, "Most events; a stream has no limit."},
    {"wait", LAGD_PARAM_INT, false, false, 0, 60, "0", NULL,
     "Seconds to wait for the first event when there is none yet."},
    END};

static const char *const dtypes[] = {"f32", "bf16", "f16", NULL}; /* as lagd_hf_open knows them */
static const struct lagd_parameter hf_query[] = {
    {"dtype", LAGD_PARAM_CHOICE, false, false, 0, 0, "f32", dtypes,
     "What the weights are told in: f32, as they are trained; bf16 or f16, each rounded to the nearest."},
    END};

static const char *const gguf_dtypes[] = {"f32", "f16", NULL}; /* as lagd_gguf_open knows them */
static const struct lagd_parameter gguf_query[] = {
    {"dtype", LAGD_PARAM_CHOICE, false, false, 0, 0, "f32", gguf_dtypes,
     "What the matrices are told in: f32, as they are trained, or f16, each number rounded to the nearest."}, END};

static const struct lagd_route routes[] = {
    {"GET", "/", "front", lagd_h_front, .flags = LAGD_OPEN, .status = 200, .response = &lagd_index_schema,
     .summary = "The dashboard for a browser (Accept: text/html), the index of the API for others."},
    {"GET", "/ui/{name}", "ui_file", lagd_h_static, .flags = LAGD_OPEN | LAGD_UNLISTED, .status = 200,
     .content_type = "application/octet-stream",
     .summary = "A file of the dashboard."},
    {"GET", "/ui/{folder}/{name}", "ui_folder_file", lagd_h_static, .flags = LAGD_OPEN | LAGD_UNLISTED, .status = 200,
     .content_type = "application/octet-stream",
     .summary = "A file of the dashboard."},
    {"GET", "/healthz", "healthz", lagd_h_healthz, .flags = LAGD_OPEN, .status = 200, .content_type = "text/plain",
     .summary = "Is the process alive?"},
    {"GET", "/livez", "livez", lagd_h_healthz, .flags = LAGD_OPEN, .status = 200, .content_type = "text/plain",
     .summary = "Is the process alive?"},
    {"GET", "/readyz", "readyz", lagd_h_readyz, .flags = LAGD_OPEN, .status = 200, .response = &lagd_ready_schema,
     .summary = "Can it serve? Check by check."},
    {"GET", "/metrics", "metrics", lagd_h_metrics, .status = 200, .content_type = "text/plain",
     .summary = "Metrics for Prometheus."},

    {"GET", A, "index", lagd_h_index, .status = 200, .response = &lagd_index_schema,
     .summary = "Where everything is."},
    {"GET", A "/version", "version", lagd_h_version, .status = 200, .response = &lagd_version_schema,
     .summary = "Version of the daemon and its libraries."},
    {"GET", A "/system", "system", lagd_h_system, .status = 200, .response = &lagd_system_schema,
     .summary = "Processors, memory, disk and what is under way."},
    {"GET", A "/system/series", "system_series", lagd_h_system_series, .query = machine_query, .status = 200,
     .response = &lagd_series_schema,
     .summary = "What the machine did, as columns: cpu/share (0 to 1), cpu/lagd (processors), memory/used_bytes, "
                "memory/lagd_bytes, disk/free_bytes, disk/read_bytes_per_s, disk/written_bytes_per_s and "
                "temperature/celsius by seconds since 1970. Each look for two hours, means of a minute for two days, "
                "of a quarter of an hour for sixty."},
    {"GET", A "/config", "config", lagd_h_config, .status = 200, .response = &lagd_config_schema,
     .summary = "The configuration in force, by section, and key by key with where it comes from and whether a "
                "reload changes it."},
    {"GET", A "/openapi.json", "openapi", lagd_h_openapi, .status = 200,
     .summary = "This description."},
    {"GET", A "/problems", "problems", lagd_h_problems, .status = 200, .response = &lagd_problem_type_list_schema,
     .summary = "The problem types."},
    {"GET", A "/problems/{slug}", "problem", lagd_h_problem, .status = 200, .response = &lagd_problem_type_schema,
     .summary = "One problem type."},
    {"GET", A "/operators", "operators", lagd_h_operators, .query = operators_query, .status = 200,
     .response = &lagd_operator_list_schema,
     .summary = "Growth operators and their parameters, and which of them take a run to a target."},

    {"GET", A "/prior", "prior", lagd_h_prior, .status = 200, .response = &lagd_prior_list_schema,
     .summary = "Wins, ranks and regrets of operators, by growth factor and share of training done, in the growths "
                "that were decided here and in completed studies."},

    {"GET", A "/datasets", "datasets", lagd_h_datasets, .query = page_query, .status = 200,
     .response = &lagd_dataset_list_schema,
     .summary = "List datasets."},
    {"POST", A "/datasets", "dataset_add", lagd_h_dataset_add, .answered = lagd_h_dataset_added, .flags = LAGD_KEYED,
     .body = LAGD_BODY_UPLOAD, .request = &lagd_dataset_spec, .query = dataset_add_query, .status = 201, .later = 202,
     .response = &lagd_dataset_schema,
     .summary = "Upload a text or token file (?name=), or register a file below the roots (JSON). 201: it is ready; "
                "202: its file is still being read, and Location tells how far that is."},
    {"GET", A "/datasets/{dataset}", "dataset", lagd_h_dataset, .status = 200, .response = &lagd_dataset_schema,
     .summary = "One dataset."},
    {"DELETE", A "/datasets/{dataset}", "dataset_delete", lagd_h_dataset_delete, .answered = lagd_h_unneeded_deleted,
     .status = 204,
     .summary = "Delete a dataset that no run uses; a registration under way is ended."},

    {"GET", A "/models", "models", lagd_h_models, .query = page_query, .status = 200,
     .response = &lagd_model_list_schema,
     .summary = "List models that were brought."},
    {"POST", A "/models", "model_add", lagd_h_model_add, .answered = lagd_h_model_added, .flags = LAGD_KEYED,
     .body = LAGD_BODY_JSON, .request = &lagd_model_spec, .status = 202, .response = &lagd_model_details_schema,
     .summary = "Bring a Hugging Face GPT-2: its folder below the roots is copied and checked. Location tells how far "
                "that is, and what is wrong with it."},
    {"GET", A "/models/{model}", "model", lagd_h_model, .status = 200, .response = &lagd_model_details_schema,
     .summary = "One model, with its configuration, files and ignored tensors."},
    {"DELETE", A "/models/{model}", "model_delete", lagd_h_model_delete, .answered = lagd_h_unneeded_deleted,
     .status = 204,
     .summary = "Delete a model that no run is of; an import under way is ended."},

    {"GET", A "/tokenizers", "tokenizers", lagd_h_tokenizers, .query = page_query, .status = 200,
     .response = &lagd_tokenizer_list_schema,
     .summary = "List tokenizers."},
    {"POST", A "/tokenizers", "tokenizer_add", lagd_h_tokenizer_add, .answered = lagd_h_tokenizer_added,
     .flags = LAGD_KEYED, .body = LAGD_BODY_UPLOAD, .request = &lagd_tokenizer_spec, .query = tokenizer_add_query,
     .status = 202, .response = &lagd_tokenizer_schema,
     .summary = "Upload a tokenizer.json (?name=), read a tokenizer's files below the roots, or train one on a dataset "
                "of text. Location tells how far that is, and what is wrong."},
    {"GET", A "/tokenizers/{tokenizer}", "tokenizer", lagd_h_tokenizer, .status = 200,
     .response = &lagd_tokenizer_schema,
     .summary = "One tokenizer."},
    {"DELETE", A "/tokenizers/{tokenizer}", "tokenizer_delete", lagd_h_tokenizer_delete,
     .answered = lagd_h_unneeded_deleted, .status = 204,
     .summary = "Delete a tokenizer that no dataset has its tokens from; one that is being made is ended."},
    {"POST", A "/tokenizers/{tokenizer}/extend", "tokenizer_extend", lagd_h_tokenizer_extend,
     .answered = lagd_h_tokenizer_extended, .flags = LAGD_KEYED, .body = LAGD_BODY_JSON,
     .request = &lagd_tokenizer_extend_spec, .status = 202, .response = &lagd_tokenizer_schema,
     .summary = "Make a tokenizer that goes on from this byte-level one with more merges; all its ids stay."},
    {"POST", A "/tokenizers/{tokenizer}/encode", "tokenizer_encode", lagd_h_tokenizer_encode,
     .answered = lagd_h_tokenizer_encoded, .body = LAGD_BODY_JSON, .request = &lagd_encode_spec, .status = 200,
     .response = &lagd_encoding_schema,
     .summary = "A text as ids, by a tokenizer or by that of a model."},
    {"POST", A "/tokenizers/{tokenizer}/decode", "tokenizer_decode", lagd_h_tokenizer_decode,
     .answered = lagd_h_tokenizer_decoded, .body = LAGD_BODY_JSON, .request = &lagd_decode_spec, .status = 200,
     .response = &lagd_decoding_schema,
     .summary = "Ids as a text."},
    {"GET", A "/tokenizers/{tokenizer}/files", "tokenizer_files", lagd_h_tokenizer_files, .status = 200,
     .response = &lagd_tokenizer_files_schema,
     .summary = "The files of a tokenizer."},
    {"GET", A "/tokenizers/{tokenizer}/files/{name}", "tokenizer_file", lagd_h_tokenizer_file, .status = 200,
     .content_type = "application/json",
     .summary = "A file of a tokenizer, as Hugging Face's libraries load it."},

    {"GET", A "/runs", "runs", lagd_h_runs, .flags = LAGD_KEPT, .query = runs_query, .status = 200,
     .response = &lagd_run_list_schema,
     .summary = "Find runs; without parameters all, newest first."},
    {"POST", A "/runs", "run_create", lagd_h_run_create, .answered = lagd_h_run_created,
     .flags = LAGD_DRY_RUN | LAGD_KEYED, .body = LAGD_BODY_JSON, .request = &lagd_run_body, .status = 201,
     .response = &lagd_run_schema, .estimate = &lagd_run_estimate_schema,
     .summary = "Create a run and start it, unless start is false: from random weights, a model or a checkpoint."},
    {"POST", A "/runs/bulk", "run_bulk", lagd_h_run_bulk, .answered = lagd_h_run_bulk_done, .body = LAGD_BODY_JSON,
     .request = &lagd_bulk_spec, .status = 200, .response = &lagd_bulk_schema,
     .summary = "Pause, resume, cancel, checkpoint or delete many runs, one after the other. 200 says what became of "
                "each; one that is refused keeps none of the others back."},
    {"GET", A "/runs/{run}", "run", lagd_h_run, .status = 200, .response = &lagd_run_schema,
     .summary = "One run."},
    {"PATCH", A "/runs/{run}", "run_patch", lagd_h_run_patch, .answered = lagd_h_run_patched, .body = LAGD_BODY_JSON,
     .request = &lagd_patch_spec, .status = 200, .response = &lagd_run_schema,
     .summary = "Change a run's name, note, tags and how its checkpoints are kept; If-Match is obeyed."},
    {"DELETE", A "/runs/{run}", "run_delete", lagd_h_run_delete, .answered = lagd_h_run_deleted, .status = 204,
     .summary = "Delete a run that has ended, with its points, growths and checkpoints."},
    {"POST", A "/runs/{run}/pause", "run_pause", lagd_h_run_pause, .answered = lagd_h_run_verb_done,
     .flags = LAGD_KEYED, .body = LAGD_BODY_JSON_OPTIONAL, .request = &lagd_reason_spec, .status = 200,
     .response = &lagd_run_schema,
     .summary = "Pause at the next step boundary; answers when that is stored, after 10 s at the latest."},
    {"POST", A "/runs/{run}/resume", "run_resume", lagd_h_run_resume, .answered = lagd_h_run_verb_done,
     .flags = LAGD_KEYED, .body = LAGD_BODY_JSON_OPTIONAL, .request = &lagd_reason_spec, .status = 200,
     .response = &lagd_run_schema,
     .summary = "Go on with a paused run."},
    {"POST", A "/runs/{run}/cancel", "run_cancel", lagd_h_run_cancel, .answered = lagd_h_run_verb_done,
     .flags = LAGD_KEYED, .body = LAGD_BODY_JSON_OPTIONAL, .request = &lagd_reason_spec, .status = 200,
     .response = &lagd_run_schema,
     .summary = "End a run for good; answers as pause does."},
    {"POST", A "/runs/{run}/checkpoint", "run_checkpoint", lagd_h_run_checkpoint, .answered = lagd_h_run_verb_done,
     .flags = LAGD_KEYED, .body = LAGD_BODY_JSON_OPTIONAL, .request = &lagd_reason_spec, .status = 200,
     .response = &lagd_run_schema,
     .summary = "Write a checkpoint at the next step boundary."},
    {"POST", A "/runs/{run}/fork", "run_fork", lagd_h_run_fork, .answered = lagd_h_run_forked, .flags = LAGD_KEYED,
     .body = LAGD_BODY_JSON_OPTIONAL, .request = &lagd_fork_spec, .status = 201, .response = &lagd_run_schema,
     .summary = "Make a run that goes on from a checkpoint of this one, with its configuration but for what is "
                "given. Its first checkpoint is a copy of that one."},
    {"POST", A "/runs/{run}/extend", "run_extend", lagd_h_run_extend, .answered = lagd_h_run_extended,
     .flags = LAGD_DRY_RUN | LAGD_KEYED, .body = LAGD_BODY_JSON, .request = &lagd_extension_spec, .status = 200,
     .response = &lagd_run_schema, .estimate = &lagd_extension_schema,
     .summary = "Let a run that is completed or paused go on to a later last step; a dry run tells the learning rate "
                "that it will have."},
    {"GET", A "/runs/{run}/metrics", "run_metrics", lagd_h_run_metrics, .status = 200,
     .response = &lagd_series_key_list_schema,
     .summary = "Names of a run's series with count and last value."},
    {"GET", A "/runs/{run}/series", "run_series", lagd_h_run_series, .query = series_query, .status = 200,
     .response = &lagd_series_schema,
     .summary = "Points of series as columns, thinned."},
    {"GET", A "/runs/{run}/export", "run_export", lagd_h_run_export, .query = export_query, .status = 200,
     .content_type = "application/x-ndjson",
     .summary = "All points of a run, one line a step."},
    {"GET", A "/runs/{run}/tfevents", "run_tfevents", lagd_h_run_tfevents, .status = 200,
     .content_type = "application/octet-stream",
     .summary = "All points of a run as an event file of TensorBoard, which wants it in a folder of its own."},
    {"GET", A "/runs/{run}/checkpoints", "run_checkpoints", lagd_h_run_checkpoints, .query = page_query, .status = 200,
     .response = &lagd_checkpoint_list_schema,
     .summary = "Checkpoints of a run, newest first."},
    {"DELETE", A "/runs/{run}/checkpoints/{checkpoint}", "run_checkpoint_delete", lagd_h_run_checkpoint_delete,
     .answered = lagd_h_unneeded_deleted, .status = 204,
     .summary = "Delete a checkpoint of a run, as by its own address."},
    {"POST", A "/runs/{run}/generate", "run_generate", lagd_h_run_generate, .answered = lagd_h_generated,
     .body = LAGD_BODY_JSON_OPTIONAL, .request = &lagd_generate_spec, .status = 200, .response = &lagd_sample_schema,
     .summary = "Let a run's newest checkpoint write text, or, before the first one, the weights that it has now."},
    {"GET", A "/runs/{run}/growths", "run_growths", lagd_h_run_growths, .query = run_growths_query, .status = 200,
     .response = &lagd_growth_list_schema,
     .summary = "Growths of a run."},
    {"POST", A "/runs/{run}/growths", "growth_create", lagd_h_growth_create, .answered = lagd_h_growth_created,
     .flags = LAGD_DRY_RUN | LAGD_KEYED, .body = LAGD_BODY_JSON, .request = &lagd_growth_body, .status = 202,
     .response = &lagd_growth_schema, .estimate = &lagd_growth_plan_schema,
     .summary = "Ask for a growth: probe every strategy of the pool, and take the best."},

    {"GET", A "/runs/{run}/plan", "plan", lagd_h_plan, .status = 200, .response = &lagd_plan_schema,
     .summary = "The growth plan of a run, and what became of each of its stages."},
    {"PUT", A "/runs/{run}/plan", "plan_set", lagd_h_plan_set, .answered = lagd_h_plan_done,
     .flags = LAGD_DRY_RUN | LAGD_KEYED, .body = LAGD_BODY_JSON, .request = &lagd_plan_body, .status = 200,
     .response = &lagd_plan_schema, .estimate = &lagd_plan_estimate_schema,
     .summary = "Set the growth plan of a run, or replace the stages that have not begun; those that have stay as they "
                "are. A dry run tells when each begins, and what it takes."},
    {"DELETE", A "/runs/{run}/plan", "plan_remove", lagd_h_plan_remove, .answered = lagd_h_plan_done,
     .flags = LAGD_KEYED, .status = 200, .response = &lagd_plan_schema,
     .summary = "Remove the stages that have not begun."},

    {"GET", A "/runs/{run}/logs", "run_logs", lagd_h_run_logs, .query = logs_query, .status = 200,
     .content_type = "application/x-ndjson",
     .summary = "The last events of a run, as /events gives them or as lines of text; with follow, or with Accept: "
                "text/event-stream, as a live stream that goes on with what comes."},
    {"GET", A "/runs/{run}/lineage", "run_lineage", lagd_h_run_lineage, .status = 200, .response = &lagd_lineage_schema,
     .summary = "The sizes that the model had, how each came about, its checkpoints, and every growth that was "
                "tried."},
    {"GET", A "/compare", "compare", lagd_h_compare, .query = compare_query, .status = 200,
     .response = &lagd_comparison_schema,
     .summary = "Runs side by side: what differs, and their series on one axis."},

    {"GET", A "/growths", "growths", lagd_h_growths, .query = growths_query, .status = 200,
     .response = &lagd_growth_list_schema,
     .summary = "List growths."},
    {"GET", A "/growths/{growth}", "growth", lagd_h_growth, .status = 200, .response = &lagd_growth_schema,
     .summary = "One growth with its candidates and decision."},
    {"POST", A "/growths/{growth}/cancel", "growth_cancel", lagd_h_growth_cancel, .answered = lagd_h_growth_cancelled,
     .flags = LAGD_KEYED, .body = LAGD_BODY_JSON_OPTIONAL, .request = &lagd_reason_spec, .status = 200,
     .response = &lagd_growth_schema,
     .summary = "Withdraw a growth; the run goes on as it was."},
    {"POST", A "/growths/{growth}/audit", "growth_audit", lagd_h_growth_audit, .answered = lagd_h_growth_audited,
     .flags = LAGD_DRY_RUN | LAGD_KEYED, .body = LAGD_BODY_JSON_OPTIONAL, .request = &lagd_reason_spec, .status = 202,
     .response = &lagd_study_schema, .estimate = &lagd_study_plan_schema,
     .summary = "Audit the decision of a growth that was applied: a study of low priority trains all its candidates to "
                "the run's end, and what the decision lost becomes known."},
    {"GET", A "/growths/{growth}/candidates", "growth_candidates", lagd_h_growth_candidates, .status = 200,
     .response = &lagd_candidate_list_schema,
     .summary = "Candidates of a growth in the order of its pool."},
    {"GET", A "/growths/{growth}/ranking", "growth_ranking", lagd_h_growth_ranking, .query = ranking_query,
     .status = 200, .response = &lagd_ranking_schema,
     .summary = "Who would win at any step of the probe, from the stored losses."},
    {"GET", A "/growths/{growth}/report", "growth_report", lagd_h_growth_report, .query = report_query, .status = 200,
     .response = &lagd_report_schema,
     .summary = "What was tried, the curves, the rule, the winner and the cost, to keep."},
    {"GET", A "/growths/{growth}/decision", "decision", lagd_h_decision, .status = 200,
     .response = &lagd_decision_schema,
     .summary = "What was decided, and why."},
    {"POST", A "/growths/{growth}/decision", "decide", lagd_h_decide, .answered = lagd_h_decided, .flags = LAGD_KEYED,
     .body = LAGD_BODY_JSON, .request = &lagd_decide_spec, .status = 200, .response = &lagd_growth_schema,
     .summary = "Approve, override or reject what waits for approval."},

    {"GET", A "/candidates/{candidate}", "candidate", lagd_h_candidate, .status = 200,
     .response = &lagd_candidate_schema,
     .summary = "One candidate."},
    {"GET", A "/candidates/{candidate}/series", "candidate_series", lagd_h_candidate_series, .query = series_query,
     .status = 200, .response = &lagd_series_schema,
     .summary = "Points of a candidate's series as columns."},

    {"GET", A "/studies", "studies", lagd_h_studies, .query = page_query, .status = 200,
     .response = &lagd_study_list_schema,
     .summary = "List studies, newest first."},
    {"POST", A "/studies", "study_create", lagd_h_study_create, .answered = lagd_h_study_created,
     .flags = LAGD_DRY_RUN | LAGD_KEYED, .body = LAGD_BODY_JSON, .request = &lagd_study_body, .status = 202,
     .response = &lagd_study_schema, .estimate = &lagd_study_plan_schema,
     .summary = "Train every candidate of a pool to a horizon, for each seed, to see what any lag would have picked."},
    {"GET", A "/studies/{study}", "study", lagd_h_study, .status = 200, .response = &lagd_study_schema,
     .summary = "One study with its runs."},
    {"DELETE", A "/studies/{study}", "study_delete", lagd_h_study_delete, .answered = lagd_h_study_deleted,
     .status = 204,
     .summary = "Delete a study that has ended. Its runs stay, and can be deleted as any other."},
    {"POST", A "/studies/{study}/pause", "study_pause", lagd_h_study_pause, .answered = lagd_h_study_verb_done,
     .flags = LAGD_KEYED, .body = LAGD_BODY_JSON_OPTIONAL, .request = &lagd_reason_spec, .status = 200,
     .response = &lagd_study_schema,
     .summary = "Pause its runs, and begin no more."},
    {"POST", A "/studies/{study}/resume", "study_resume", lagd_h_study_resume, .answered = lagd_h_study_verb_done,
     .flags = LAGD_KEYED, .body = LAGD_BODY_JSON_OPTIONAL, .request = &lagd_reason_spec, .status = 200,
     .response = &lagd_study_schema,
     .summary = "Go on, from where each run stands."},
    {"POST", A "/studies/{study}/cancel", "study_cancel", lagd_h_study_cancel, .answered = lagd_h_study_verb_done,
     .flags = LAGD_KEYED, .body = LAGD_BODY_JSON_OPTIONAL, .request = &lagd_reason_spec, .status = 200,
     .response = &lagd_study_schema,
     .summary = "Cancel its runs. Seeds that have come to the horizon are still reported."},
    {"GET", A "/studies/{study}/report", "study_report", lagd_h_study_report, .query = study_report_query,
     .status = 200, .response = &lagd_study_report_schema,
     .summary = "What it shows: correlation, regret and transition over t, finals, baselines; or figures."},
    {"GET", A "/studies/{study}/tfevents", "study_tfevents", lagd_h_study_tfevents, .status = 200,
     .content_type = "application/x-tar",
     .summary = "The validation loss of every candidate and baseline of a study, by seed, as an archive of folders "
                "with event files of TensorBoard."},

    {"GET", A "/checkpoints", "checkpoints", lagd_h_checkpoints, .query = page_query, .status = 200,
     .response = &lagd_checkpoint_list_schema,
     .summary = "All checkpoints, newest first."},
    {"GET", A "/checkpoints/{checkpoint}", "checkpoint", lagd_h_checkpoint, .status = 200,
     .response = &lagd_checkpoint_schema,
     .summary = "One checkpoint with its files."},
    {"PATCH", A "/checkpoints/{checkpoint}", "checkpoint_patch", lagd_h_checkpoint_patch,
     .answered = lagd_h_checkpoint_patched, .body = LAGD_BODY_JSON, .request = &lagd_keep_spec, .status = 200,
     .response = &lagd_checkpoint_schema,
     .summary = "Keep a checkpoint, or leave it to retention."},
    {"DELETE", A "/checkpoints/{checkpoint}", "checkpoint_delete", lagd_h_checkpoint_delete,
     .answered = lagd_h_unneeded_deleted, .status = 204,
     .summary = "Delete a checkpoint that nothing goes on from; a kept one must be left to retention first."},
    {"GET", A "/checkpoints/{checkpoint}/files/{name}", "checkpoint_file", lagd_h_checkpoint_file,
     .answered = lagd_h_checkpoint_file_read, .status = 200,
     .content_type = "application/octet-stream",
     .summary = "A file of a checkpoint; Range is understood."},
    {"GET", A "/checkpoints/{checkpoint}/archive.tar", "checkpoint_archive", lagd_h_checkpoint_archive,
     .answered = lagd_h_checkpoint_archive_read, .status = 200,
     .content_type = "application/x-tar",
     .summary = "All files of a checkpoint as one archive."},
    {"GET", A "/checkpoints/{checkpoint}/hf.tar", "checkpoint_hf", lagd_h_checkpoint_hf,
     .answered = lagd_h_checkpoint_hf_read, .query = hf_query, .status = 200, .content_type = "application/x-tar",
     .summary = "A checkpoint's model as an archive of a folder that transformers and vLLM load: config.json, "
                "model.safetensors, generation_config.json, the tokenizer's files where lagd knows it, "
                "lagd_lineage.json and README.md."},
    {"GET", A "/checkpoints/{checkpoint}/model.gguf", "checkpoint_gguf", lagd_h_checkpoint_gguf,
     .answered = lagd_h_checkpoint_gguf_read, .query = gguf_query, .status = 200,
     .content_type = "application/octet-stream",
     .summary = "A checkpoint's model as the one file that llama.cpp and ollama load, with its tokenizer inside."},
    {"POST", A "/checkpoints/{checkpoint}/generate", "checkpoint_generate", lagd_h_checkpoint_generate,
     .answered = lagd_h_generated, .body = LAGD_BODY_JSON_OPTIONAL, .request = &lagd_generate_spec, .status = 200,
     .response = &lagd_sample_schema,
     .summary = "Let a checkpoint write text."},

    {"GET", A "/notify", "notify", lagd_h_notify, .status = 200, .response = &lagd_sink_list_schema,
     .summary = "Who is told what happens: the sinks of notifications, and how each gets on."},
    {"POST", A "/notify/test", "notify_test", lagd_h_notify_test, .body = LAGD_BODY_JSON_OPTIONAL,
     .request = &lagd_notify_spec, .status = 200, .response = &lagd_notify_outcome_list_schema,
     .summary = "Bring a test notification to a sink, or to all, and wait for what comes of it."},

    {"GET", A "/events", "events", lagd_h_events, .query = events_query, .status = 200,
     .content_type = "application/x-ndjson",
     .summary = "What happened, one JSON object a line; the last line's seq is the cursor. A live stream with "
                "follow, or with Accept: text/event-stream."},
};

const struct lagd_route_table lagd_routes = {
    .rows = routes,
    .n = LAG_COUNT(routes),
    .problem = &lagd_problem_schema,
    .event = &lagd_event_schema,
    .batch = &lagd_batch_schema,
    .notice = &lagd_notice_schema,
    .notification = &lagd_notification_schema,
    .export_line = &lagd_export_line_schema,
};
