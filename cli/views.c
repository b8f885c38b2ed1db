/* How answers are shown: columns, and sentences of what was done. */
#include "views_internal.h"

#include "ctl_internal.h"

static const struct ctl_column run_columns[] = {
    {"NAME", "name", CTL_TEXT},        {"STATE", "state", CTL_STATE},
    {"STEP", "step", CTL_INT},         {"OF", "max_steps", CTL_INT},
    {"LAYERS", "model.n_layer", CTL_INT}, {"PARAMS", "n_params", CTL_COUNT},
    {"TRAIN", "latest.train/loss", CTL_LOSS}, {"VAL", "latest.val/loss", CTL_LOSS},
    {"BEST", "best.value", CTL_LOSS}, {"HEALTH", "health", CTL_STATE},
    {"TOKENS/S", "latest.perf/tokens_per_s", CTL_COUNT}, {"WAITS FOR", "waiting_for", CTL_TEXT},
    {"UPDATED", "updated_at", CTL_TIME},
    {NULL, NULL, 0}};
static const struct ctl_column run_show_columns[] = {
    {"id", "id", CTL_TEXT}, {"name", "name", CTL_TEXT}, {"state", "state", CTL_STATE}, {"reason", "reason", CTL_TEXT},
    {"waits for", "waiting_for", CTL_TEXT}, {"goes on by itself", "waits", CTL_TEXT}, {"step", "step", CTL_INT},
    {"of", "max_steps", CTL_INT},
    {"tokens", "tokens", CTL_COUNT},
    {"flops", "flops", CTL_COUNT}, {"params", "n_params", CTL_COUNT},
    {"gates", "gated", CTL_TEXT}, {"masked until", "masked_until", CTL_INT}, {"dataset", "dataset", CTL_TEXT},
    {"from model", "from_model", CTL_TEXT},
    {"layers", "model.n_layer", CTL_INT}, {"heads", "model.n_head", CTL_INT}, {"width", "model.n_embd", CTL_INT},
    {"context", "model.n_positions", CTL_INT}, {"train/loss", "latest.train/loss", CTL_LOSS},
    {"val/loss", "latest.val/loss", CTL_LOSS}, {"best val/loss", "best.value", CTL_LOSS},
    {"at best step", "best.step", CTL_INT},
    {"health", "health", CTL_STATE}, {"tokens/s", "latest.perf/tokens_per_s", CTL_COUNT},
    {"time left", "seconds_left", CTL_SECONDS},
    {"forked from", "origin.run_name", CTL_TEXT}, {"at step", "origin.step", CTL_INT},
    {"learning rate", "optim.lr", CTL_NUMBER}, {"schedule", "schedule.kind", CTL_TEXT},
    {"precision", "precision", CTL_TEXT}, {"recompute", "recompute", CTL_TEXT}, {"growth", "growth", CTL_TEXT},
    {"tags", "tags", CTL_LIST}, {"note", "note", CTL_TEXT}, {"possible now", "allowed_actions", CTL_LIST},
    {"created", "created_at", CTL_TIME}, {"updated", "updated_at", CTL_TIME}, {NULL, NULL, 0}};
static const struct ctl_column estimate_columns[] = {
    {"parameters", "n_params", CTL_COUNT}, {"tokens a step", "tokens_per_step", CTL_INT},
    {"tokens", "tokens_total", CTL_COUNT}, {"FLOPs", "flops_total", CTL_COUNT}, {"memory", "memory_bytes", CTL_BYTES},
    {"memory available", "memory_available_bytes", CTL_BYTES}, {"fits", "fits", CTL_TEXT},
    {"a checkpoint", "checkpoint_bytes", CTL_BYTES}, {"time", "total_seconds", CTL_SECONDS},
    {"precision", "precision_note", CTL_TEXT}, {NULL, NULL, 0}};
static const struct ctl_column extension_columns[] = {
    {"goes on at step", "from_step", CTL_INT}, {"to step", "max_steps", CTL_INT},
    {"steps given up", "n_dropped_steps", CTL_INT}, {"learning rate now", "lr_now", CTL_NUMBER},
    {"then", "lr_next", CTL_NUMBER}, {"note", "note", CTL_TEXT}, {NULL, NULL, 0}};
static const struct ctl_column growth_columns[] = {
    {"ID", "id", CTL_TEXT}, {"STATE", "state", CTL_STATE}, {"RUN", "run", CTL_TEXT}, {"CHANGE", "change", CTL_TEXT},
    {"GREW", "grew", CTL_TEXT}, {"PLANNED", "when.at_step", CTL_STEP}, {"AT", "start_step", CTL_INT},
    {"DONE", "progress.done_steps", CTL_INT}, {"OF", "progress.total_steps", CTL_INT}, {"MODE", "mode", CTL_TEXT},
    {"CREATED", "created_at", CTL_TIME}, {NULL, NULL, 0}};
static const struct ctl_column study_columns[] = {
    {"NAME", "name", CTL_TEXT}, {"STATE", "state", CTL_STATE}, {"DONE", "done", CTL_NUMBER},
    {"PARENT", "parent.name", CTL_TEXT}, {"AT", "parent.step", CTL_INT}, {"TO", "grows_to", CTL_TEXT},
    {"HORIZON", "horizon", CTL_INT}, {"SEEDS", "seeds", CTL_LIST}, {"CREATED", "created_at", CTL_TIME},
    {"ID", "id", CTL_TEXT}, {NULL, NULL, 0}};
static const struct ctl_column candidate_columns[] = {
    {"RANK", "rank", CTL_INT}, {"CANDIDATE", "label", CTL_TEXT}, {"LOSS", "mean", CTL_LOSS},
    {"BEHIND", "margin_to_best", CTL_LOSS}, {"RANK AT 0", "rank_at_0", CTL_INT}, {"ID", "candidate", CTL_TEXT},
    {NULL, NULL, 0}};
static const struct ctl_column series_key_columns[] = {
    {"KEY", "key", CTL_TEXT}, {"LAST", "last", CTL_NUMBER}, {"AT STEP", "last_step", CTL_INT},
    {"POINTS", "n_points", CTL_INT}, {"FROM", "first_step", CTL_INT}, {NULL, NULL, 0}};
static const struct ctl_column event_columns[] = {
    {"SEQ", "seq", CTL_INT}, {"TIME", "ts", CTL_TEXT}, {"TYPE", "type", CTL_TEXT}, {"RUN", "run", CTL_TEXT},
    {"GROWTH", "growth", CTL_TEXT}, {"CANDIDATE", "candidate", CTL_TEXT}, {"STATE", "state", CTL_STATE},
    {"STEP", "step", CTL_INT}, {"VALUE", "value", CTL_NUMBER}, {"MESSAGE", "message", CTL_TEXT}, {NULL, NULL, 0}};
static const struct ctl_column checkpoint_columns[] = {
    {"ID", "id", CTL_TEXT}, {"KIND", "kind", CTL_TEXT}, {"STEP", "step", CTL_INT}, {"LAYERS", "n_layer", CTL_INT},
    {"SIZE", "n_bytes", CTL_BYTES}, {"KEPT", "keep", CTL_TEXT}, {"CREATED", "created_at", CTL_TIME}, {NULL, NULL, 0}};
static const struct ctl_column dataset_columns[] = {
    {"NAME", "name", CTL_TEXT}, {"STATE", "state", CTL_STATE}, {"FORMAT", "format", CTL_TEXT},
    {"TOKENS", "n_tokens", CTL_COUNT},
    {"VOCABULARY", "vocab_size", CTL_INT}, {"SIZE", "n_bytes", CTL_BYTES}, {"ORIGIN", "origin", CTL_TEXT},
    {"CREATED", "created_at", CTL_TIME}, {"ID", "id", CTL_TEXT}, {NULL, NULL, 0}};
static const struct ctl_column sample_columns[] = {
    {"TEXT", "text", CTL_TEXT}, {"STEP", "step", CTL_INT}, {"CHECKPOINT", "checkpoint", CTL_TEXT}, {NULL, NULL, 0}};
static const struct ctl_column doctor_columns[] = {
    {"CHECK", "check", CTL_TEXT}, {"RESULT", "state", CTL_STATE}, {"FOUND", "found", CTL_TEXT},
    {"FIX", "fix", CTL_TEXT}, {NULL, NULL, 0}};
static const struct ctl_column config_columns[] = {
    {"KEY", "key", CTL_TEXT}, {"VALUE", "value", CTL_TEXT}, {"FROM", "source", CTL_TEXT}, {"WHERE", "where", CTL_TEXT},
    {"RELOADABLE", "reloadable", CTL_TEXT}, {"WAITS", "waiting", CTL_TEXT}, {NULL, NULL, 0}};
static const struct ctl_column version_columns[] = {
    {"lagctl", "lagctl", CTL_TEXT}, {"lagd", "lagd", CTL_TEXT}, {NULL, NULL, 0}};
static const struct ctl_column status_columns[] = {
    {"daemon", "version", CTL_TEXT}, {"address", "address", CTL_TEXT},
    {"dashboard", "system.dashboard", CTL_TEXT}, {"up since", "system.started_at", CTL_TIME},
    {"state", "state", CTL_STATE}, {"processors", "system.cpu.n_cpus", CTL_INT},
    {"compute threads", "system.work.n_threads", CTL_INT}, {"runs training", "system.work.n_runs_active", CTL_INT},
    {"probes", "system.work.n_probes_active", CTL_INT}, {"jobs waiting", "system.work.n_jobs_waiting", CTL_INT},
    {"memory used", "system.memory.rss_bytes", CTL_BYTES}, {"memory free", "system.memory.available_bytes", CTL_BYTES},
    {"disk free", "system.disk.free_bytes", CTL_BYTES}, {"database", "system.disk.db_bytes", CTL_BYTES},
    {NULL, NULL, 0}};

const struct ctl_view ctl_status_view = {status_columns, NULL, NULL, NULL};
const struct ctl_view ctl_runs_view = {
    run_columns, NULL, "no runs; create one by: lagctl run create -f run.json", NULL};
const struct ctl_view ctl_active_view = {
    run_columns, NULL, "no run goes on or waits; those that have ended: lagctl run list", NULL};
const struct ctl_view ctl_run_view = {run_show_columns, NULL, NULL, NULL};
const struct ctl_view ctl_run_said = {run_columns, "{name}: {state}, step {step} of {max_steps}", NULL, NULL};
const struct ctl_view ctl_growths_view = {
    growth_columns, NULL, "no growths; ask for one by: lagctl grow RUN --to N", NULL};
const struct ctl_view ctl_growth_view = {growth_columns, NULL, NULL, ctl_print_growth};
const struct ctl_view ctl_growth_said = {growth_columns, "{id}: {state}", NULL, NULL};
static const struct ctl_column plan_columns[] = {
    {"RUN", "run", CTL_TEXT}, {"STAGES", "stages", CTL_LIST}, {"REVISION", "revision", CTL_INT}, {NULL, NULL, 0}};
const struct ctl_view ctl_plan_view = {plan_columns, NULL, NULL, ctl_print_plan};
const struct ctl_view ctl_studies_view = {
    study_columns, NULL, "no studies; ask for one by: lagctl study create", NULL};
const struct ctl_view ctl_study_view = {study_columns, NULL, NULL, ctl_print_study};
const struct ctl_view ctl_study_said = {study_columns, "{name}: {state}", NULL, NULL};
static const struct ctl_column prior_columns[] = {
    {"OPERATOR", "operator", CTL_TEXT}, {"LAGS", "lags.cases", CTL_INT}, {"LAGS WON", "lags.wins", CTL_INT},
    {"LAGS PLACE", "lags.place", CTL_NUMBER}, {"FINALS", "finals.cases", CTL_INT},
    {"FINALS WON", "finals.wins", CTL_INT}, {"FINALS PLACE", "finals.place", CTL_NUMBER},
    {"REGRET", "finals.regret", CTL_LOSS}, {NULL, NULL, 0}};
static const struct ctl_column operator_columns[] = {
    {"OPERATOR", "name", CTL_TEXT}, {"GROWS", "grows", CTL_TEXT}, {"AXES", "axes", CTL_LIST},
    {"SAME FUNCTION", "preserves", CTL_TEXT}, {"HUGGING FACE", "hugging_face", CTL_TEXT},
    {"REACHES", "reach.reaches", CTL_TEXT}, {"BESIDE", "reach.beside", CTL_TEXT}, {"WHY NOT", "reach.reason", CTL_TEXT},
    {NULL, NULL, 0}};
const struct ctl_view ctl_operators_view = {operator_columns, NULL, NULL, ctl_print_operators};
const struct ctl_view ctl_prior_view = {prior_columns, NULL, NULL, ctl_print_prior};
const struct ctl_view ctl_ranking_view = {candidate_columns, NULL, NULL, ctl_print_ranking};
const struct ctl_view ctl_checkpoints_view = {checkpoint_columns, NULL, "no checkpoints", NULL};
const struct ctl_view ctl_checkpoint_said = {checkpoint_columns, "{id}: kept {keep}", NULL, NULL};
const struct ctl_view ctl_datasets_view = {
    dataset_columns, NULL, "no datasets; add one by: lagctl dataset add FILE", NULL};
static const struct ctl_column dataset_show_columns[] = {
    {"id", "id", CTL_TEXT}, {"name", "name", CTL_TEXT}, {"state", "state", CTL_STATE}, {"reason", "reason", CTL_TEXT},
    {"format", "format", CTL_TEXT}, {"tokens", "n_tokens", CTL_COUNT}, {"vocabulary", "vocab_size", CTL_INT},
    {"size", "n_bytes", CTL_BYTES}, {"read", "n_bytes_done", CTL_BYTES}, {"origin", "origin", CTL_TEXT},
    {"SHA-256", "sha256", CTL_TEXT}, {"created", "created_at", CTL_TIME}, {NULL, NULL, 0}};
const struct ctl_view ctl_dataset_view = {dataset_show_columns, NULL, NULL, NULL};
const struct ctl_view ctl_dataset_said = {
    dataset_columns, "{name}: {n_tokens} tokens, vocabulary {vocab_size}, format {format}", NULL, NULL};
static const struct ctl_column model_columns[] = {
    {"NAME", "name", CTL_TEXT}, {"STATE", "state", CTL_STATE}, {"LAYERS", "shape.n_layer", CTL_INT},
    {"WIDTH", "shape.n_embd", CTL_INT}, {"PARAMS", "n_params", CTL_COUNT}, {"DTYPE", "dtype", CTL_TEXT},
    {"TOKENIZER", "tokenizer", CTL_TEXT}, {"SIZE", "n_bytes", CTL_BYTES}, {NULL, NULL, 0}};
static const struct ctl_column model_show_columns[] = {
    {"id", "id", CTL_TEXT}, {"name", "name", CTL_TEXT}, {"state", "state", CTL_STATE}, {"reason", "reason", CTL_TEXT},
    {"layers", "shape.n_layer", CTL_INT}, {"heads", "shape.n_head", CTL_INT}, {"width", "shape.n_embd", CTL_INT},
    {"inner", "shape.n_inner", CTL_INT}, {"context", "shape.n_positions", CTL_INT},
    {"vocabulary", "shape.vocab_size", CTL_INT}, {"params", "n_params", CTL_COUNT}, {"dtype", "dtype", CTL_TEXT},
    {"tokenizer", "tokenizer", CTL_TEXT}, {"its tokens", "tokenizer_size", CTL_INT}, {"size", "n_bytes", CTL_BYTES},
    {"from", "path", CTL_TEXT}, {"created", "created_at", CTL_TIME}, {NULL, NULL, 0}};
const struct ctl_view ctl_models_view = {
    model_columns, NULL, "no models; bring one by: lagctl model add PATH", NULL};
const struct ctl_view ctl_model_view = {model_show_columns, NULL, NULL, NULL};
const struct ctl_view ctl_model_said = {
    model_columns, "{name}: {n_params} parameters, {dtype}, tokenizer {tokenizer}", NULL, NULL};
static const struct ctl_column comparison_columns[] = {
    {"RUNS", "runs", CTL_LIST}, {"X", "x", CTL_TEXT}, {NULL, NULL, 0}};
static const struct ctl_column lineage_columns[] = {
    {"RUN", "run", CTL_TEXT}, {"STAGES", "stages", CTL_LIST}, {NULL, NULL, 0}};
const struct ctl_view ctl_comparison_view = {comparison_columns, NULL, NULL, ctl_print_comparison};
const struct ctl_view ctl_lineage_view = {lineage_columns, NULL, NULL, ctl_print_lineage};
static const struct ctl_column tokenizer_columns[] = {
    {"NAME", "name", CTL_TEXT}, {"STATE", "state", CTL_STATE}, {"KIND", "kind", CTL_TEXT},
    {"TOKENS", "vocab_size", CTL_INT}, {"PATTERN", "pattern", CTL_TEXT}, {"END", "eos_token", CTL_TEXT},
    {"WHY NOT", "reason", CTL_TEXT}, {NULL, NULL, 0}};
static const struct ctl_column tokenizer_show_columns[] = {
    {"name", "name", CTL_TEXT}, {"id", "id", CTL_TEXT}, {"state", "state", CTL_STATE}, {"reason", "reason", CTL_TEXT},
    {"origin", "origin", CTL_TEXT}, {"kind", "kind", CTL_TEXT}, {"pattern", "pattern", CTL_TEXT},
    {"tokens", "vocab_size", CTL_INT}, {"merges", "n_merges", CTL_INT}, {"end of a text", "eos_token", CTL_TEXT},
    {"sha256", "sha256", CTL_TEXT}, {NULL, NULL, 0}};
const struct ctl_view ctl_tokenizers_view = {
    tokenizer_columns, NULL, "no tokenizers; train one by: lagctl tokenizer train DATASET --name NAME", NULL};
const struct ctl_view ctl_tokenizer_view = {tokenizer_show_columns, NULL, NULL, NULL};
const struct ctl_view ctl_tokenizer_said = {tokenizer_columns, "{name}: {kind} of {vocab_size} tokens", NULL, NULL};
static const struct ctl_column encoding_columns[] = {{"IDS", "ids", CTL_LIST}, {NULL, NULL, 0}};
const struct ctl_view ctl_encoding_said = {encoding_columns, "{ids}", NULL, NULL};
static const struct ctl_column decoding_columns[] = {{"TEXT", "text", CTL_TEXT}, {NULL, NULL, 0}};
const struct ctl_view ctl_decoding_said = {decoding_columns, "{text}", NULL, NULL};
static const struct ctl_column notify_columns[] = {
    {"SINK", "sink", CTL_TEXT}, {"STATE", "state", CTL_STATE}, {"WAITING", "waiting", CTL_INT},
    {"DELIVERED", "delivered", CTL_INT}, {"FAILURES", "failures", CTL_INT}, {"LAST ERROR", "last_error", CTL_TEXT},
    {"NEXT TRY", "next_try_at", CTL_TIME}, {"RULES", "rules", CTL_LIST}, {NULL, NULL, 0}};
static const struct ctl_column notify_test_columns[] = {
    {"SINK", "sink", CTL_TEXT}, {"DELIVERED", "delivered", CTL_TEXT}, {"TOOK", "seconds", CTL_SECONDS},
    {"WHY NOT", "detail", CTL_TEXT}, {NULL, NULL, 0}};
const struct ctl_view ctl_notify_view = {notify_columns, NULL, NULL, NULL};
const struct ctl_view ctl_notify_test_view = {notify_test_columns, NULL, NULL, NULL};
const struct ctl_view ctl_events_view = {event_columns, NULL, NULL, NULL};
const struct ctl_view ctl_series_keys_view = {series_key_columns, NULL, "no points yet", NULL};
const struct ctl_view ctl_sample_view = {sample_columns, NULL, NULL, NULL};
const struct ctl_view ctl_doctor_view = {doctor_columns, NULL, NULL, NULL};
const struct ctl_view ctl_config_view = {config_columns, NULL, NULL, NULL};
const struct ctl_view ctl_version_view = {version_columns, NULL, NULL, NULL};
const struct ctl_view ctl_deleted_view = {NULL, "deleted", NULL, NULL};

const struct ctl_view ctl_estimate_view = {estimate_columns, NULL, NULL, NULL};
const struct ctl_view ctl_extension_view = {extension_columns, NULL, NULL, ctl_print_extension};
const struct ctl_view ctl_growth_plan_view = {growth_columns, NULL, NULL, ctl_print_growth_plan};
const struct ctl_view ctl_plan_estimate_view = {plan_columns, NULL, NULL, ctl_print_plan_estimate};
const struct ctl_view ctl_study_plan_view = {study_columns, NULL, NULL, ctl_print_study_plan};
