/* The table of commands. One row is a command: how it is called, what it asks for, how its answer is shown. */
#include "ctl_internal.h"
#include "views_internal.h"

#include <lagd/base/check.h>

const struct ctl_option ctl_global_options[] = {
    {0, "socket", "FILE", NULL, "unix socket of the daemon (environment: LAGD_SOCKET)", false},
    {'H', "host", "URL", NULL, "address of the daemon, such as 127.0.0.1:7437 (environment: LAGD_HOST)", false},
    {0, "token-file", "FILE", NULL, "file with the bearer token (environment: LAGD_TOKEN_FILE)", false},
    {'o', "output", "table|json|jsonl|tsv|name", NULL, "form of the output, default table", false},
    {'q', "quiet", NULL, NULL, "say nothing but what was asked for", false},
    {0, "no-color", NULL, NULL, "no colours (environment: NO_COLOR)", false},
    {'h', "help", NULL, NULL, "explain the command", false},
    CTL_OPTION_END};

#define REASON \
    { 'r', "reason", "TEXT", "/reason", "why; kept with the event", false }
#define LIMIT \
    { 'n', "limit", "N", NULL, "most items, default all", false }
#define END CTL_OPTION_END

static const struct ctl_option ps_options[] = {{'a', "all", NULL, NULL, "runs that have ended, too", false}, END};
static const struct ctl_option top_options[] = {
    {'n', "frames", "N", NULL, "end after so many pictures, default 1 when the output is no terminal", false},
    {'d', "delay", "DURATION", NULL, "time between two pictures, default 1s", false},
    END};
static const struct ctl_option create_options[] = {
    {'f', "file", "FILE", NULL, "the run as JSON; - reads standard input", false},
    {0, "name", "NAME", "/name", "name of the run", false},
    {0, "dataset", "DATASET", "/dataset", "what it trains on", false},
    {0, "steps", "N", "/schedule/max_steps", "steps of the whole run", false},
    {0, "from-model", "MODEL", "/from/model", "begin from a model that was brought, not from random weights", false},
    {0, "from-checkpoint", "CHECKPOINT", "/from/checkpoint", "begin from a checkpoint's weights, at step 0", false},
    {0, "moments", NULL, "/from/moments=true", "with the moments of the checkpoint's optimiser", false},
    {0, "paused", NULL, "/start=false", "create it paused", false},
    {0, "dry-run", NULL, "?dry_run=true", "only say what the run would take", false},
    END};
static const struct ctl_option runs_options[] = {
    {0, "state", "LIST", "?state", "only runs in these states, ',' between", false},
    {'s', "search", "TEXT", "?q", "only runs with these words in id, name, tags or note", false},
    {0, "tag", "TAG", "?tag", "only runs with this tag", false},
    {0, "waiting-for", "approval|shortage|turn", "?waiting_for", "only runs that wait for this", false},
    {0, "sort", "created|name|step|tokens|flops|params|best|latest", "?sort", "by what, default created", false},
    {0, "order", "asc|desc", "?order", "default: name, best and latest rise, the others fall", false},
    LIMIT, END};
static const struct ctl_option edit_options[] = {
    {0, "name", "NAME", "/name", "another name", false},
    {0, "tag", "WORDS", "/tags", "all tags that it is to have, ',' between; '' for none", false},
    {0, "note", "TEXT", "/note", "another note", false},
    {0, "keep-last", "N", "/checkpoint/keep_last", "newest checkpoints kept; 0 for the daemon's number", false},
    {0, "keep-best", "N", "/checkpoint/keep_best", "those with the lowest validation loss kept beside them", false},
    {0, "keep-every", "STEPS", "/checkpoint/keep_every", "those at multiples of so many steps kept for good", false},
    END};
static const struct ctl_option reason_options[] = {REASON, END};
static const struct ctl_option fork_options[] = {
    {'c', "checkpoint", "CHECKPOINT", "/checkpoint", "id of the run's checkpoint to go on from, default the newest",
     false},
    {0, "name", "NAME", "/name", "name of the new run", false},
    {0, "seed", "N", "/seed", "seed of the data's order from there on, default the run's", false},
    {0, "steps", "N", "/schedule/max_steps", "steps of the whole run, default the run's", false},
    {0, "schedule", "constant|cosine|wsd", "/schedule/kind", "learning-rate schedule, default the run's", false},
    {0, "to", "N", "/growth/target/n_layer", "begin it with a growth to so many layers", false},
    {0, "lag", "STEPS", "/growth/probe/steps", "steps that every candidate of that growth trains first", false},
    {0, "paused", NULL, "/start=false", "create it paused", false},
    END};
static const struct ctl_option extend_options[] = {
    {0, "steps", "N", "/max_steps", "steps of the whole run from now on; needed", false},
    {0, "from", "end|before_decay", "/from", "go back behind the decay of the learning rate, default end", false},
    {0, "after", "stable|rewarm|minimum", "/schedule/after", "learning rate from there on, default stable", false},
    {0, "warmup", "STEPS", "/schedule/warmup_steps", "of a re-warm, default 50", false},
    {0, "schedule", "constant|cosine|wsd", "/schedule/kind", "learning-rate schedule, default the run's", false},
    {0, "dry-run", NULL, "?dry_run=true", "only tell the learning rate that it would have", false},
    END};
static const struct ctl_option grow_options[] = {
    {'f', "file", "FILE", NULL, "the growth as JSON; - reads standard input", false},
    {0, "to", "SHAPE", "/target", "layers after the growth, or axes: n_layer=6,n_embd=256", false},
    {0, "extend", "STEPS", "/extend/max_steps", "let a completed or paused run go on to so many steps", false},
    {0, "at", "STEP", "/when/at_step", "step to grow at, default the next", false},
    {0, "sequence", "N", "/batch/tokens_per_sequence", "tokens of a training sequence after the growth", false},
    {0, "lag", "STEPS", "/probe/steps", "steps that every candidate trains before the choice", false},
    {0, "eval-every", "STEPS", "/probe/eval_every", "steps between two validations of a candidate", false},
    {0, "allocator", "all|halving|race|auto", "/probe/allocator", "who is probed for how long, default all", false},
    {0, "max-steps", "STEPS", "/probe/max_steps", "how far auto may extend the probe", false},
    {0, "pool", "LIST", "/pool", "operators or recipes to try, ',' between; or a pool's name", false},
    {0, "optimizer", "RULE", "/pool/optimizer", "the rule for the optimiser's state of all of them", false},
    {0, "lr", "RULE", "/pool/lr", "the rule for the learning rate of all of them", false},
    {0, "freeze-old", "STEPS-OR-KEEP", "/pool/freeze_old", "train only the new layers, so long or for good", false},
    {0, "manual", NULL, "/mode=manual", "wait for a person's decision", false},
    {0, "allow-none", NULL, "/allow_none=true", "let not growing win", false},
    {0, "audit", NULL, "/audit=true", "find out what the decision lost, while nothing else computes", false},
    REASON,
    {0, "dry-run", NULL, "?dry_run=true", "only list the candidates and their cost", false},
    {'w', "wait", NULL, NULL, "stay until it is decided, and show the candidates' progress", false},
    END};
static const struct ctl_option operators_options[] = {
    {0, "to", "SHAPE", "?target", "layers after the growth, or axes: n_layer=6,n_embd=256", false},
    {0, "parents", "IDS", "?parents", "checkpoints of any run that fuse may take, ',' between", false},
    END};
static const struct ctl_option plan_options[] = {
    {'f', "file", "FILE", NULL, "the plan as JSON, as plan show -o json writes it; - reads standard input", false},
    {0, "stages", "STAGES", NULL, "LAYERS@STEP, ',' between, as in 4@400,6@1200; with --steps only LAYERS", false},
    {0, "steps", "STEPS", NULL, "Prop-alpha lengths of so many steps in place of the stages' own", false},
    {0, "prop-alpha", "X", NULL, "their exponent, default 1", false},
    {0, "lag", "STEPS", NULL, "steps that every candidate of each stage trains before the choice", false},
    {0, "pool", "LIST", NULL, "operators or recipes of each stage, ',' between; or default; or published", false},
    {0, "manual", NULL, NULL, "let each stage wait for a person's decision", false},
    {0, "dry-run", NULL, "?dry_run=true", "only tell when each stage begins, and what it takes", false},
    END};
static const struct ctl_option rank_options[] = {
    {0, "at-step", "STEP", "?at_step", "rank by the losses at this step of the probe", false}, END};
static const struct ctl_option report_options[] = {
    {0, "format", "md|json", NULL, "Markdown (the default) or JSON", false}, END};
static const struct ctl_option approve_options[] = {
    {'c', "candidate", "CANDIDATE", NULL, "apply this one instead: id, or name of its operator", false}, REASON, END};
static const struct ctl_option reject_options[] = {REASON, END};
static const struct ctl_option audit_options[] = {
    {0, "dry-run", NULL, "?dry_run=true", "only list the candidates and what it would take", false}, END};
static const struct ctl_option study_options[] = {
    {'f', "file", "FILE", NULL, "the study as JSON; - reads standard input", false},
    {0, "name", "NAME", "/name", "name of the study", false},
    {0, "parent", "RUN", "/parent/run", "the run to grow; it is not touched", false},
    {'c', "checkpoint", "CHECKPOINT", "/parent/checkpoint", "id of its checkpoint to go on from, default the newest",
     false},
    {0, "to", "SHAPE", "/target", "layers after the growth, or axes: n_layer=6,n_embd=256", false},
    {0, "horizon", "STEPS", "/horizon", "steps that every candidate trains after the growth", false},
    {0, "seeds", "SEEDS", "/seeds", "whole numbers, ',' between; all candidates are trained once for each", false},
    {0, "pool", "LIST", "/pool", "operators to try, ',' between; or default", false},
    {0, "baselines", "LIST", "/baselines", "none,scratch also trains the target's shape from scratch", false},
    {0, "delta", "X", "/delta", "the difference that matters, in nats", false},
    {0, "eval-every", "STEPS", "/eval/every", "steps between two validations of a candidate", false},
    {0, "note", "TEXT", "/note", "free text", false},
    {0, "dry-run", NULL, "?dry_run=true", "only list the candidates and what it would take", false},
    END};
static const struct ctl_option study_show_options[] = {
    {'f', "follow", NULL, NULL, "stay until it has ended, and show how far it is and the time left", false}, END};
static const struct ctl_option study_report_options[] = {
    {0, "format", "md|json|svg", NULL, "Markdown (the default), JSON, or figures", false},
    {0, "figure", "scatter|agreement|curves|regret|flops", NULL, "of svg: one figure alone", false},
    END};
static const struct ctl_option metrics_options[] = {
    {'k', "key", "KEY", NULL, "a series, such as val/loss; may be given several times", true},
    {0, "plot", NULL, NULL, "draw the series, default train/loss and val/loss", false},
    {0, "from", "STEP", NULL, "first step", false},
    {0, "to", "STEP", NULL, "last step", false},
    {0, "points", "N", NULL, "most points of a series, default 200", false},
    END};
static const struct ctl_option logs_options[] = {
    {'f', "follow", NULL, NULL, "stay and show what comes", false},
    {'n', "tail", "N", NULL, "of the old ones only the last so many", false},
    END};
static const struct ctl_option events_options[] = {
    {'f', "follow", NULL, NULL, "stay and show what comes", false},
    {'n', "tail", "N", NULL, "of the old ones only the last so many", false},
    {0, "after", "SEQ", NULL, "begin behind the event with this number", false},
    {0, "run", "RUN", NULL, "only events of this run", false},
    END};
static const struct ctl_option pull_options[] = {
    {'d', "dir", "DIR", NULL, "folder to write to, default the checkpoint's id", false}, END};
static const struct ctl_option take_options[] = {
    {0, "format", "hf|gguf", NULL, "an archive for Hugging Face's libraries (the default), or a file for llama.cpp",
     false},
    {0, "dtype", "f32|bf16|f16", "?dtype", "what the weights are told in, default f32; gguf has no bf16", false}, END};
static const struct ctl_option keep_options[] = {
    {0, "off", NULL, "/keep=false", "leave the checkpoint to retention again", false}, END};
static const struct ctl_option export_options[] = {
    {0, "format", "jsonl|csv", "?format", "one JSON object a step (the default), or one row", false},
    {0, "csv", NULL, "?format=csv", "the same as --format csv", false},
    {0, "from", "STEP", "?from", "first step", false},
    END};
static const struct ctl_option generate_options[] = {
    {'n', "tokens", "N", "/n_tokens", "tokens to write, default 100", false},
    {'t', "temperature", "X", "/temperature", "0 always takes the likeliest token, default 0.8", false},
    {0, "top-k", "N", "/top_k", "draw from the likeliest tokens only", false},
    {0, "seed", "N", "/seed", "the same seed gives the same text", false},
    END};
static const struct ctl_option dataset_options[] = {
    {0, "name", "NAME", NULL, "name of the dataset, default the file's", false},
    {0, "path", "PATH", NULL, "register this file below the daemon's dataset roots instead of uploading one", false},
    {0, "format", "auto|text|nanogpt|u32|llmc_u16|llmc_u32", NULL, "how the file is read, default auto", false},
    {0, "vocab-size", "N", NULL, "vocabulary of a token file", false},
    {0, "tokenizer", "TOKENIZER", NULL, "make tokens of the text by this tokenizer", false},
    {0, "documents", "none|line|blank_line|separator|jsonl", NULL, "what a document of the text is, default none",
     false},
    {0, "field", "TEXT", NULL, "the separator between documents, or the member of jsonl", false},
    {0, "no-wait", NULL, NULL, "do not stay until the daemon has read the file", false},
    END};
static const struct ctl_option tokenizer_options[] = {
    {0, "name", "NAME", NULL, "name of the tokenizer; needed", false},
    {0, "path", "PATH", NULL, "read this file or folder below the daemon's dataset roots instead of uploading one",
     false},
    {0, "no-wait", NULL, NULL, "do not stay until it is ready", false},
    END};
static const struct ctl_option train_options[] = {
    {0, "name", "NAME", NULL, "name of the tokenizer; needed", false},
    {0, "vocab-size", "N", NULL, "tokens that it is to have, default 8192", false},
    {0, "pattern", "PATTERN", NULL, "gpt2, llama3, qwen2 or a regular expression, default gpt2", false},
    {0, "extend", "TOKENIZER", NULL, "go on from this one, whose ids stay", false},
    {0, "no-wait", NULL, NULL, "do not stay until it is ready", false},
    END};
static const struct ctl_option model_options[] = {
    {0, "name", "NAME", NULL, "name of the model, default the folder's", false},
    {0, "no-wait", NULL, NULL, "do not stay until the daemon has copied and checked it", false},
    END};
static const struct ctl_option wait_options[] = {
    {0, "for", "CONDITION", NULL, "state=NAME[,NAME] or step=N, default state=completed (of a growth: applied)", false},
    {0, "timeout", "DURATION", NULL, "give up after this time, with status 7", false},
    END};
static const struct ctl_option api_options[] = {
    {'d', "data", "TEXT", NULL, "JSON body; @FILE reads a file, @- standard input", false}, END};
static const struct ctl_option compare_options[] = {
    {0, "tag", "LIST", NULL, "the newest runs with these tags too, ',' between", false},
    {0, "at", "N", NULL, "losses at this place of the axis, in place of the last ones", false},
    {0, "x", "step|tokens", NULL, "the axis, default step", false},
    END};
static const struct ctl_option no_options[] = {END};

static const struct ctl_command commands[] = {
    {"status", "", no_options, "GET", "/system", "Show what the daemon does, on one screen.", NULL, &ctl_status_view,
     ctl_cmd_status},
    {"ps", "", ps_options, "GET", "/runs", "List the runs that have not ended.", NULL, &ctl_active_view, ctl_cmd_ps},
    {"top", "", top_options, "GET", "/runs", "Watch runs and machine live; q quits.", NULL, &ctl_runs_view,
     ctl_cmd_top},

    {"run create", "", create_options, "POST", "/runs",
     "Create a run from a JSON file, or from a model that was brought.", NULL, &ctl_run_said,
     ctl_cmd_run_create},
    {"run list", "", runs_options, "GET", "/runs", "Find runs; without options all, newest first.", NULL,
     &ctl_runs_view,
     NULL},
    {"run show", "RUN", no_options, "GET", "/runs/{RUN}", "Show one run.", NULL, &ctl_run_view, NULL},
    {"run edit", "RUN", edit_options, "PATCH", "/runs/{RUN}", "Change a run's name, tags or note, or what is kept.",
     NULL, &ctl_run_said, NULL},
    {"run pause", "RUN", reason_options, "POST", "/runs/{RUN}/pause", "Pause a run at its next step.", NULL,
     &ctl_run_said,
     NULL},
    {"run resume", "RUN", reason_options, "POST", "/runs/{RUN}/resume",
     "Go on with a run that is paused or has failed.", NULL, &ctl_run_said, NULL},
    {"run cancel", "RUN", reason_options, "POST", "/runs/{RUN}/cancel", "End a run for good.", NULL, &ctl_run_said,
     NULL},
    {"run checkpoint", "RUN", reason_options, "POST", "/runs/{RUN}/checkpoint",
     "Write a checkpoint at the run's next step.", NULL, &ctl_run_said, NULL},
    {"run fork", "RUN", fork_options, "POST", "/runs/{RUN}/fork",
     "Make a run that goes on from a checkpoint of this one.",
     "The new run has a copy of the checkpoint, so it does not need this one any more. With the same seed and schedule "
     "it takes the same steps.",
     &ctl_run_said, NULL},
    {"run extend", "RUN", extend_options, "POST", "/runs/{RUN}/extend",
     "Let a run that is completed or paused go on to a later last step.",
     "stable goes on as if the run had been made with so many steps, rewarm begins the schedule anew, and minimum "
     "stays at the rate that the schedule ends with.",
     &ctl_run_said, ctl_cmd_run_extend},
    {"run rm", "RUN", no_options, "DELETE", "/runs/{RUN}",
     "Delete a run that has ended, with its points, growths and checkpoints.", NULL, &ctl_deleted_view, NULL},

    {"grow", "RUN", grow_options, "POST", "/runs/{RUN}/growths",
     "Ask for a growth: try every operator of the pool for some steps, and take the best.",
     "Give a JSON file, or flags, or both: flags override the file. With --wait the exit status is 0 when the growth "
     "was applied or waits for approval, 1 when it was not.",
     &ctl_growth_said, ctl_cmd_grow},
    {"grow list", "[RUN]", no_options, "GET", "/growths?run={RUN}", "List growths.", NULL, &ctl_growths_view, NULL},
    {"grow show", "GROWTH", no_options, "GET", "/growths/{GROWTH}", "Show a growth with its candidates and verdict.",
     NULL, &ctl_growth_view, NULL},
    {"grow rank", "GROWTH", rank_options, "GET", "/growths/{GROWTH}/ranking",
     "Rank the candidates as they were at any step of the probe.", NULL, &ctl_ranking_view, NULL},
    {"grow report", "GROWTH", report_options, "GET", "/growths/{GROWTH}/report",
     "Write a growth's report, to keep: what was tried, curves, rule, winner and cost.", NULL, NULL, ctl_cmd_report},
    {"grow approve", "GROWTH", approve_options, "POST", "/growths/{GROWTH}/decision",
     "Apply the picked candidate, or another one.", NULL, &ctl_growth_said, ctl_cmd_approve},
    {"grow reject", "GROWTH", reject_options, "POST", "/growths/{GROWTH}/decision",
     "Apply no candidate; the run goes on as it was.", NULL, &ctl_growth_said, ctl_cmd_reject},
    {"grow audit", "GROWTH", audit_options, "POST", "/growths/{GROWTH}/audit",
     "Find out what a decision that was applied has lost: a study of low priority.",
     "All its candidates are trained to the run's end, while no other run or study wants to compute; grow show tells "
     "the regret then.",
     &ctl_study_said, ctl_cmd_audit},
    {"grow cancel", "GROWTH", reason_options, "POST", "/growths/{GROWTH}/cancel",
     "Withdraw a growth; the run goes on as it was.", NULL, &ctl_growth_said, NULL},

    {"operators", "[RUN]", operators_options, "GET", "/operators?run={RUN}",
     "List the growth operators: what each grows, when it keeps the function, its parameters.",
     "With RUN and --to, which of them take that run there, and what the others could reach; with --parents, fuse with "
     "those models.", &ctl_operators_view,
     NULL},
    {"prior", "", no_options, "GET", "/prior",
     "Show how operators have done in the growths and studies here, by growth factor and share of training done.",
     "Only ranks at the horizon of completed studies are of the end; those at a lag may mislead as a short lag does.",
     &ctl_prior_view, NULL},

    {"plan show", "RUN", no_options, "GET", "/runs/{RUN}/plan",
     "Show a run's growth plan, and what became of each of its stages.", NULL, &ctl_plan_view, NULL},
    {"plan set", "RUN", plan_options, "PUT", "/runs/{RUN}/plan",
     "Give a run a growth plan, or replace the stages that have not begun.",
     "Those that have begun must be given as they were asked for; plan show -o json writes them so.", &ctl_plan_view,
     ctl_cmd_plan_set},
    {"plan rm", "RUN", no_options, "DELETE", "/runs/{RUN}/plan", "Remove the stages that have not begun.", NULL,
     &ctl_plan_view, NULL},

    {"study create", "", study_options, "POST", "/studies",
     "Train every candidate of a pool to a horizon, to see how long a lag has to be.",
     "Give a JSON file, or flags, or both: flags override the file.", &ctl_study_said, ctl_cmd_study_create},
    {"study list", "", no_options, "GET", "/studies", "List studies, newest first.", NULL, &ctl_studies_view, NULL},
    {"study show", "STUDY", study_show_options, "GET", "/studies/{STUDY}",
     "Show how far a study is, its runs, and what it shows.",
     "With --follow the exit status is 0 when it was completed, 1 when it ended otherwise.", &ctl_study_view,
     ctl_cmd_study_show},
    {"study report", "STUDY", study_report_options, "GET", "/studies/{STUDY}/report",
     "Write a study's report, to keep: sentences, tables and figures.", NULL, NULL, ctl_cmd_study_report},
    {"study pause", "STUDY", reason_options, "POST", "/studies/{STUDY}/pause", "Pause a study and its runs.", NULL,
     &ctl_study_said, NULL},
    {"study resume", "STUDY", reason_options, "POST", "/studies/{STUDY}/resume", "Go on with a paused study.", NULL,
     &ctl_study_said, NULL},
    {"study cancel", "STUDY", reason_options, "POST", "/studies/{STUDY}/cancel",
     "End a study for good; what it has found stays.", NULL, &ctl_study_said, NULL},
    {"study rm", "STUDY", no_options, "DELETE", "/studies/{STUDY}",
     "Delete the record of a study that has ended; its runs stay.", NULL, &ctl_deleted_view, NULL},

    {"compare", "[RUN] [RUN] [RUN] [RUN]", compare_options, "GET", "/compare",
     "Show runs side by side: their losses, and what is different in their configurations.",
     "Each RUN may be several, ',' between.", &ctl_comparison_view, ctl_cmd_compare},
    {"lineage", "RUN", no_options, "GET", "/runs/{RUN}/lineage",
     "Show how a run came about: the shapes that it had, and every growth that was tried.", NULL, &ctl_lineage_view,
     NULL},

    {"metrics", "RUN", metrics_options, "GET", "/runs/{RUN}/metrics", "List a run's series, or show and plot them.",
     NULL, &ctl_series_keys_view, ctl_cmd_metrics},
    {"logs", "RUN", logs_options, "GET", "/events", "Tell what happened to a run, one line an event.", NULL,
     &ctl_events_view, ctl_cmd_logs},
    {"events", "", events_options, "GET", "/events", "Show events, oldest first.",
     "With --follow a lost connection is taken up again where it broke off.", &ctl_events_view, ctl_cmd_events},

    {"ckpt list", "[RUN]", no_options, "GET", "/checkpoints", "List checkpoints, newest first.", NULL,
     &ctl_checkpoints_view, ctl_cmd_ckpt_list},
    {"ckpt pull", "CHECKPOINT", pull_options, "GET", "/checkpoints/{CHECKPOINT}",
     "Copy a checkpoint's files here, each verified by its SHA-256.", NULL, &ctl_checkpoint_said, ctl_cmd_ckpt_pull},
    {"ckpt export", "CHECKPOINT", take_options, "GET", "/checkpoints/{CHECKPOINT}/hf.tar",
     "Write a checkpoint's model to standard output, as an archive that tar unpacks, or as one GGUF file.",
     "The archive's folder is named after the checkpoint and has no optimiser: transformers and vLLM load it as it is. "
     "llama.cpp and ollama load the GGUF file.", NULL,
     ctl_cmd_ckpt_export},
    {"ckpt keep", "CHECKPOINT", keep_options, "PATCH", "/checkpoints/{CHECKPOINT}",
     "Keep a checkpoint from retention.", NULL, &ctl_checkpoint_said, ctl_cmd_ckpt_keep},
    {"ckpt rm", "CHECKPOINT", no_options, "DELETE", "/checkpoints/{CHECKPOINT}",
     "Delete a checkpoint that nothing goes on from.", "A kept one is to be left to retention first: ckpt keep --off.",
     &ctl_deleted_view, NULL},

    {"export", "RUN", export_options, "GET", "/runs/{RUN}/export", "Write all points of a run to standard output.",
     NULL, NULL, ctl_cmd_export},
    {"generate", "RUN PROMPT", generate_options, "POST", "/runs/{RUN}/generate",
     "Let a run's latest state go on from a text.", NULL, &ctl_sample_view, ctl_cmd_generate},

    {"dataset add", "[FILE]", dataset_options, "POST", "/datasets",
     "Upload a text or token file, or register one that the daemon can read.", NULL, &ctl_dataset_said,
     ctl_cmd_dataset_add},
    {"dataset list", "", no_options, "GET", "/datasets", "List datasets.", NULL, &ctl_datasets_view, NULL},
    {"dataset show", "DATASET", no_options, "GET", "/datasets/{DATASET}", "Show one dataset.", NULL, &ctl_dataset_view,
     NULL},
    {"dataset rm", "DATASET", no_options, "DELETE", "/datasets/{DATASET}",
     "Delete a dataset that no run uses, or end its registration.", NULL,
     &ctl_deleted_view, NULL},

    {"model add", "PATH", model_options, "POST", "/models",
     "Bring a Hugging Face GPT-2: a folder below the daemon's dataset roots is copied and checked.", NULL,
     &ctl_model_said,
     ctl_cmd_model_add},
    {"model list", "", no_options, "GET", "/models", "List models that were brought.", NULL, &ctl_models_view, NULL},
    {"model show", "MODEL", no_options, "GET", "/models/{MODEL}", "Show one model.",
     "-o json shows its configuration, files with their hashes, and tensors that are not read.", &ctl_model_view, NULL},
    {"model rm", "MODEL", no_options, "DELETE", "/models/{MODEL}",
     "Delete a model that no run is of, or end its import.", NULL, &ctl_deleted_view, NULL},

    {"tokenizer add", "[FILE]", tokenizer_options, "POST", "/tokenizers",
     "Upload a tokenizer.json, or read a tokenizer's files that the daemon can reach.", NULL, &ctl_tokenizer_said,
     ctl_cmd_tokenizer_add},
    {"tokenizer train", "DATASET", train_options, "POST", "/tokenizers", "Train a tokenizer on a dataset of text.",
     NULL,
     &ctl_tokenizer_said, ctl_cmd_tokenizer_train},
    {"tokenizer list", "", no_options, "GET", "/tokenizers", "List tokenizers.", NULL, &ctl_tokenizers_view, NULL},
    {"tokenizer show", "TOKENIZER", no_options, "GET", "/tokenizers/{TOKENIZER}", "Show one tokenizer.", NULL,
     &ctl_tokenizer_view, NULL},
    {"tokenizer encode", "TOKENIZER TEXT", no_options, "POST", "/tokenizers/{TOKENIZER}/encode",
     "Show a text as ids.", "TOKENIZER may be a model that came with one.", &ctl_encoding_said,
     ctl_cmd_tokenizer_encode},
    {"tokenizer decode", "TOKENIZER IDS", no_options, "POST", "/tokenizers/{TOKENIZER}/decode",
     "Show ids as a text.", NULL, &ctl_decoding_said, ctl_cmd_tokenizer_decode},
    {"tokenizer rm", "TOKENIZER", no_options, "DELETE", "/tokenizers/{TOKENIZER}",
     "Delete a tokenizer that no dataset has its tokens from, or end its making.", NULL, &ctl_deleted_view, NULL},

    {"notify", "", no_options, "GET", "/notify", "Show who is told what happens, and how each sink gets on.",
     "WAITING counts notifications that it has not taken yet; nothing is passed over.", &ctl_notify_view, NULL},
    {"notify test", "[SINK]", no_options, "POST", "/notify/test",
     "Bring a test notification to a sink, or to all, and tell what came of it.",
     "SINK is webhook, command or journal. The exit status is 1 where one has not taken it.", &ctl_notify_test_view,
     ctl_cmd_notify_test},

    {"wait", "RUN", wait_options, "GET", "/runs/{RUN}", "Wait until a run or growth is in a state, or a run at a step.",
     "RUN may be the id of a growth. The exit status is 0 when the condition holds, 1 when it cannot hold any more, 7 "
     "when the time is up.",
     &ctl_run_said, ctl_cmd_wait},
    {"doctor", "", no_options, "GET", "/readyz", "Check daemon and machine, and say how to mend what is wrong.", NULL,
     &ctl_doctor_view, ctl_cmd_doctor},
    {"config", "", no_options, "GET", "/config", "List the daemon's configuration and where each value comes from.",
     "WAITS says that a reload read another value, which a restart will take.", &ctl_config_view, NULL},
    {"api", "METHOD PATH", api_options, NULL, NULL, "Send any request, and print the answer as it is.",
     "PATH begins behind /api/v1, as in /runs?limit=5.", NULL, ctl_cmd_api},
    {"completion", "bash|zsh", no_options, NULL, NULL, "Print the shell's completion of lagctl.", NULL, NULL,
     ctl_cmd_completion},
    {"version", "", no_options, "GET", "/version", "Print the versions of lagctl and of the daemon.", NULL,
     &ctl_version_view, ctl_cmd_version},
    {"help", "[COMMAND] [WORD]", no_options, NULL, NULL, "Explain lagctl, or a group of commands.", NULL, NULL,
     ctl_cmd_help},
};

const struct ctl_command *ctl_commands(size_t *ret_n) {
    *ret_n = LAG_COUNT(commands);
    return commands;
}
