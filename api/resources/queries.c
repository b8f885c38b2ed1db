/* What a query may say, route by route. */
#include "resources/queries_internal.h"

#include "request/cursor_internal.h"
#include "resources/handlers_internal.h"
#include "stream/stream_text_internal.h"

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

static const char *const report_formats[] = {"json", "md", NULL};
static const char *const study_formats[] = {"json", "md", "svg", NULL};
static const char *const export_formats[] = {"jsonl", "csv", NULL};

const struct lagd_parameter lagd_dataset_add_query[] = {
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
const struct lagd_parameter lagd_tokenizer_add_query[] = {
    {"name", LAGD_PARAM_TEXT, false, false, 1, LAG_NAME_MAX, NULL, NULL, "Name of an uploaded tokenizer."}, END};
static const char *const archs[] = {"gpt2", NULL}; /* as model/arch of a run knows them */
static const char *const directions[] = {"asc", "desc", NULL};
static const char *const waits[] = {LAG_WAITS_APPROVAL, LAG_WAITS_SHORTAGE, LAG_WAITS_TURN, NULL};
const struct lagd_parameter lagd_runs_query[] = {
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
const struct lagd_parameter lagd_growths_query[] = {
    {"run", LAGD_PARAM_TEXT, false, false, 1, IDENTITY_MAX, NULL, NULL, "Only growths of this run."},
    {"limit", LAGD_PARAM_INT, false, false, 1, PAGE_MAX, "100", NULL, "Most growths of a page, oldest first."},
    CURSOR,
    END};
const struct lagd_parameter lagd_operators_query[] = {
    {"run", LAGD_PARAM_TEXT, false, false, 1, IDENTITY_MAX, NULL, NULL, "The run that target is for: id or name."},
    {"target", LAGD_PARAM_TEXT, false, false, 1, 200, NULL, NULL,
     "Say of each operator whether it takes the run there, and what it could reach if not: a number of layers, or axes "
     "of a growth's target as in n_layer=6,n_embd=256."},
    {"parents", LAGD_PARAM_TEXT, false, false, 1, 200, NULL, NULL,
     "Ids of 1 to 3 checkpoints, a comma between: what fuse reaches is told with their models beside the run's own. "
     "Without it with the run's own model itself, as often as leads to the target."},
    END};
const struct lagd_parameter lagd_run_growths_query[] = {
    {"limit", LAGD_PARAM_INT, false, false, 1, PAGE_MAX, "100", NULL, "Most growths of a page, oldest first."},
    CURSOR,
    END};
const struct lagd_parameter lagd_page_query[] = {
    {"limit", LAGD_PARAM_INT, false, false, 1, PAGE_MAX, LAG_TEXT_OF(PAGE_MAX), NULL,
     "Most items of a page, newest first."},
    CURSOR,
    END};
const struct lagd_parameter lagd_series_query[] = {
    {"key", LAGD_PARAM_TEXT, true, true, 1, IDENTITY_MAX, NULL, NULL,
     "Name of a series, such as val/loss; may be repeated."},
    {"from", LAGD_PARAM_INT, false, false, 0, LAG_FIELD_EXACT_MAX, "0", NULL, "First step."},
    {"to", LAGD_PARAM_INT, false, false, 0, LAG_FIELD_EXACT_MAX, "9007199254740991", NULL, "Last step."},
    {"max_points", LAGD_PARAM_INT, false, false, 1, 10000, "1000", NULL,
     "Most points; more are thinned to min, max and last of equal steps."},
    {"sum", LAGD_PARAM_BOOL, false, false, 0, 0, NULL, NULL,
     "Tell the sum of each bucket too; null ones count nothing."},
    END};
const struct lagd_parameter lagd_machine_query[] = {
    {"key", LAGD_PARAM_TEXT, true, true, 1, IDENTITY_MAX, NULL, NULL,
     "Name of a series, such as cpu/share; may be repeated."},
    {"from", LAGD_PARAM_INT, false, false, 0, LAG_FIELD_EXACT_MAX, "0", NULL, "First second since 1970."},
    {"to", LAGD_PARAM_INT, false, false, 0, LAG_FIELD_EXACT_MAX, "9007199254740991", NULL, "Last second since 1970."},
    {"max_points", LAGD_PARAM_INT, false, false, 1, 10000, "1000", NULL,
     "Most points; more are thinned to min, max and last of equal times."},
    END};
static const char *const log_formats[] = {"jsonl", "text", NULL};
const struct lagd_parameter lagd_logs_query[] = {
    {"tail", LAGD_PARAM_INT, false, false, 0, 10000, "200", NULL,
     "Most events that have happened, the last ones, oldest first."},
    {"follow", LAGD_PARAM_BOOL, false, false, 0, 0, NULL, NULL,
     "Keep the connection open and send each event as it happens."},
    {"format", LAGD_PARAM_CHOICE, false, false, 0, 0, "jsonl", log_formats,
     "jsonl: one JSON object an event; text, or Accept: text/plain: a line for people."},
    END};
static const char *const axes[] = {"step", "tokens", NULL};
const struct lagd_parameter lagd_compare_query[] = {
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
const struct lagd_parameter lagd_export_query[] = {
    {"format", LAGD_PARAM_CHOICE, false, false, 0, 0, "jsonl", export_formats,
     "jsonl: one JSON object a step; csv: one row a step."},
    {"from", LAGD_PARAM_INT, false, false, 0, LAG_FIELD_EXACT_MAX, "0", NULL, "First step."},
    END};
const struct lagd_parameter lagd_ranking_query[] = {{"at_step", LAGD_PARAM_INT, false, false, -1, LAG_FIELD_EXACT_MAX,
                                                       "-1", NULL,
                                                       "Probe step; the last evaluation at or before it is used. -1: "
                                                       "the latest that every living candidate has reached."},
                                                      END};
const struct lagd_parameter lagd_report_query[] = {
    {"format", LAGD_PARAM_CHOICE, false, false, 0, 0, "json", report_formats, "json, or md for Markdown."}, END};
const struct lagd_parameter lagd_study_report_query[] = {
    {"format", LAGD_PARAM_CHOICE, false, false, 0, 0, "json", study_formats,
     "json, md for Markdown, or svg for figures."},
    {"figure", LAGD_PARAM_TEXT, false, false, 1, 31, NULL, NULL,
     "Of svg: one figure alone: scatter, agreement, curves, regret or flops."},
    END};
const struct lagd_parameter lagd_events_query[] = {
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
const struct lagd_parameter lagd_hf_query[] = {
    {"dtype", LAGD_PARAM_CHOICE, false, false, 0, 0, "f32", dtypes,
     "What the weights are told in: f32, as they are trained; bf16 or f16, each rounded to the nearest."},
    END};

static const char *const gguf_dtypes[] = {"f32", "f16", NULL}; /* as lagd_gguf_open knows them */
const struct lagd_parameter lagd_gguf_query[] = {
    {"dtype", LAGD_PARAM_CHOICE, false, false, 0, 0, "f32", gguf_dtypes,
     "What the matrices are told in: f32, as they are trained, or f16, each number rounded to the nearest."}, END};
