/* What names mean. Members that mean the same wherever they stand have one row here instead of many texts. */
#include "openapi/glossary_internal.h"

#include <lagd/base/check.h>
#include <stdio.h>
#include <string.h>

/* "Schema.member" goes before "member". */
static const struct {
    const char *name, *help;
} members[] = {
    {"id", "Its id."},
    {"name", "Its name."},
    {"title", "What it is, in a few words."},
    {"help", "What it is, in a sentence."},
    {"state", "The state that it is in."},
    {"reason", "Why it is in this state."},
    {"items", "The items of this page."},
    {"links", "Where more of it is."},
    {"created_at", "When it was made."},
    {"updated_at", "When it changed last."},
    {"decided_at", "When that was decided."},
    {"step", "Step of the run."},
    {"from_step", "The first step of it."},
    {"to_step", "The last step of it."},
    {"max_steps", "Steps of the whole run."},
    {"tokens", "Tokens trained on so far."},
    {"tags", "Tags of the run."},
    {"runs", "The runs, in the order that they were asked for."},
    {"flops", "Floating-point operations spent so far."},
    {"n_params", "Parameters of the model."},
    {"n_layer", "Layers of the model."},
    {"n_head", "Attention heads of each layer."},
    {"n_embd", "Width of the residual stream."},
    {"n_inner", "Width inside the feed-forward blocks."},
    {"n_positions", "Positions: the longest context."},
    {"vocab_size", "Tokens of the vocabulary."},
    {"n_layer_from", "Layers before the growth."},
    {"n_layer_to", "Layers after the growth."},
    {"from", "Shape before the growth."},
    {"to", "Shape after the growth."},
    {"shape", "Shape of the model."},
    {"layer_norm_epsilon", "Added to variances in layer norms."},
    {"n_bytes", "Size in bytes."},
    {"sha256", "SHA-256 of the content, in hexadecimal digits."},
    {"dtype", "Type of its numbers."},
    {"file", "File that it is in."},
    {"files", "Its files."},
    {"operator", "Name of the growth operator."},
    {"strategy", "Text of the strategy: operator, rules and parameters."},
    {"candidates", "Every strategy that is or would be probed."},
    {"rewarm_steps", "Steps over which the learning rate rises again after the growth."},
    {"growth", "Id of the growth."},
    {"decision", "What was decided, and why; null before."},
    {"progress", "How far its probes are."},
    {"tied", "The first cannot be told apart from the next."},
    {"seed", "Seed of the run."},
    {"seeds", "Seeds that each candidate is trained for."},
    {"run_name", "Name of the run."},
    {"run_state", "State of the run."},
    {"growth_state", "State of the run's growth."},
    {"label", "What it is called in texts."},
    {"kind", "Why it was written: periodic, growth, final and others."},
    {"high", "Upper end of the interval."},
    {"min", "The lowest value."},
    {"max", "The highest value."},
    {"last", "The last value; null when it is not finite."},
    {"version", "Version of lagd."},
    {"ts", "When it happened."},
    {"run", "Id of the run that it is about."},
    {"candidate", "Id of the candidate that it is about."},
    {"message", "What happened, for people; the type says what it holds."},
    {"preset", "Its value where none is given."},
    {"params", "Its parameters."},
    {"Version.api", "Version of the API, the first part of its paths."},
    {"Index.name", "lagd."},
    {"Ready.checks", "Each check with its result."},
    {"Check.ok", "It has passed."},
    {"System.cpu", "The processor."},
    {"System.memory", "Memory of the machine and of this process."},
    {"System.disk", "The disk of the state directory."},
    {"System.work", "What is under way."},
    {"System.ready", "The daemon serves."},
    {"System.started_at", "When the daemon was started."},
    {"SystemCpu.model", "Its name."},
    {"SystemMemory.total_bytes", "Of the machine, or of the daemon's cgroup."},
    {"SystemMemory.available_bytes", "That could be used now."},
    {"SystemWork.n_runs_active", "Runs that have a thread."},
    {"ConfigKey.help", "What it is for."},
    {"ProblemType.status", "HTTP status that it comes with."},
    {"OperatorParam.min", "The lowest value that is taken."},
    {"ModelIgnored.shape", "Its axes, as the file tells them."},
    {"Run.dataset_id", "Id of the dataset."},
    {"Run.from_model_id", "Id of that model."},
    {"Run.n_rollbacks", "How often it went back to a checkpoint as a step was not finite."},
    {"RunEstimate.flops_per_token", "Floating-point operations of training on one token."},
    {"RunEstimate.flops_per_step", "Floating-point operations of one step."},
    {"RunEstimate.tokens_per_step", "Tokens that one step trains on."},
    {"RunEstimate.tokens_total", "Tokens of the whole run."},
    {"RunEstimate.precision_note", "What its precision costs or gains on this machine; null: nothing to say."},
    {"LearningRate.lr", "The learning rate there."},
    {"SeriesKey.n_points", "Points that it has."},
    {"SeriesKey.first_step", "Step of the first point."},
    {"SeriesKey.last_step", "Step of the last point."},
    {"Series.x", "What the columns are aligned by."},
    {"Checkpoint.step", "Step that it is of."},
    {"Sample.prompt", "Text that it goes on from."},
    {"Sample.n_tokens", "Tokens that were written."},
    {"Decision.gain_flops_t", "Probe step of the pick that cost as much."},
    {"Audit.study_name", "Name of the study that audits it."},
    {"Audit.regret_high", "Upper end of the regret's interval."},
    {"PlanLengths.prop_alpha", "Exponent of the lengths."},
    {"PlanEstimate.stages", "Each stage, with when it begins and what it takes."},
    {"StageEstimate.position", "Its place in the plan, 1 for the first."},
    {"LineageGrowth.n_candidates", "Strategies that were probed."},
    {"LineageGrowth.lag_steps", "Steps that each was probed for."},
    {"LineageGrowth.parent_checkpoint", "Id of the checkpoint that they grew from."},
    {"LineageGrowth.parent_loss", "Validation loss of that checkpoint."},
    {"ComparedGroup.tag", "The tag that its runs have."},
    {"Study.parent", "The run and checkpoint that all of its runs grow from."},
    {"StudyPlan.n_seeds", "Seeds that each candidate is trained for."},
    {"GrowthReport.growth", "The growth, as GET /growths/{growth} tells it."},
    {"GrowthReport.curves", "Validation losses of each candidate over the probe."},
    {"ReportOrigin.dataset_sha256", "SHA-256 of the dataset's file."},
    {"StudyReport.study", "The study, as GET /studies/{study} tells it."},
    {"StudyReport.finals", "Losses of the candidates at the horizon."},
    {"StudyBreak.height_high", "Upper end of the height's interval."},
    {"StudyLag.steps", "The shortest lag that suffices."},
    {"Event.type", "What kind of event it is."},
    {"Event.growth", "Id of the growth that it is about."},
    {"Event.state", "The state since then, or the kind of a checkpoint."},
    {"Event.value", "A number that the type explains."},
    {"EventBatch.type", "run.metric or candidate.metric."},
    {"EventNotice.type", "What the stream tells of itself."},
};

static const struct {
    const char *name, *help;
} groups[] = {
    {"server", "The HTTP API."},
    {"auth", "Who may use it."},
    {"train", "What runs may take."},
    {"growth", "Growths that do not say it themselves."},
    {"storage", "Files and the database."},
    {"notify", "Who is told what happens."},
    {"log", "The log."},
    {"model", "Shape of the model."},
    {"optim", "The optimiser."},
    {"betas", "Decay of the moments: of the first, and of the second."},
    {"schedule", "Length of the run, and its learning rate over the steps."},
    {"batch", "What a step trains on."},
    {"eval", "Validation."},
    {"checkpoint", "When states are written, and which are kept."},
    {"target", "The shape to grow to; at least one axis."},
    {"probe", "How candidates are probed."},
    {"when", "When it begins."},
    {"extend", "Lets a run that is completed or paused go on."},
    {"parent", "The run to grow, and the checkpoint of it."},
    {"slope", "Begins when the validation loss falls more slowly than this."},
};

static const char *find(const char *name) {
    for (size_t i = 0; i < LAG_COUNT(members); i++)
        if (strcmp(members[i].name, name) == 0) return members[i].help;
    return NULL;
}

const char *lagd_glossary_member(const char *schema, const char *name) {
    char both[96];
    (void)snprintf(both, sizeof(both), "%s.%s", schema, name);
    const char *help = find(both);
    return help ? help : find(name);
}

const char *lagd_glossary_group(const char *name) {
    for (size_t i = 0; i < LAG_COUNT(groups); i++)
        if (strcmp(groups[i].name, name) == 0) return groups[i].help;
    return NULL;
}
