/* The table of a run's configuration. */
#include <lagd/base/check.h>
#include <lagd/base/parse.h>
#include <lagd/base/team.h>
#include <lagd/daemon/extension.h>
#include <lagd/daemon/fork_request.h>
#include <lagd/daemon/run_config.h>
#include <lagd/engine/optim.h>
#include <lagd/engine/precision.h>
#include <lagd/engine/spec.h>

#define AT(member) LAG_FIELD_AT(struct lagd_run_config, member)

static const char *const optimizers[] = {"adamw", NULL};
static const char *const crash_rules[] = {"resume", "pause", NULL};

/* Rows of both tables: what a run is made with, and what of it may be changed later. */
#define NAME_ROW \
    {"name", LAG_FIELD_TEXT, AT(name), 1, LAG_NAME_MAX, NULL, NULL, 0, "", \
     "Name of the run, unique: letters, digits and . _ -; made from the id when left out."}
#define KEEP_ROWS \
    {"checkpoint/keep_last", LAG_FIELD_INT, AT(keep_last), 0, 1000, "0", NULL, 0, "checkpoints", \
     "Newest checkpoints kept; 0 for the daemon's storage/keep_checkpoints."}, \
    {"checkpoint/keep_best", LAG_FIELD_INT, AT(keep_best), 0, 1000, "0", NULL, 0, "checkpoints", \
     "Checkpoints with the lowest validation loss kept beside them."}, \
    {"checkpoint/keep_every", LAG_FIELD_INT, AT(keep_every), 0, 1e9, "0", NULL, 0, "steps", \
     "Checkpoints at multiples of so many steps are kept for good; 0 for none."}
#define LABEL_ROWS \
    {"on_crash", LAG_FIELD_CHOICE, AT(on_crash), 0, 0, "resume", crash_rules, 0, "", \
     "What happens after a crash of the daemon or the machine: resume at once, or stay paused."}, \
    {"tags", LAG_FIELD_LIST, AT(tags), 0, 0, NULL, NULL, 0, "", "Words to find the run by."}, \
    {"note", LAG_FIELD_TEXT, AT(note), 0, 511, NULL, NULL, 0, "", "Free text."}

#define LR_ROW \
    {"optim/lr", LAG_FIELD_REAL, AT(lr), 0, 10, "6e-4", NULL, LAG_FIELD_OPEN_MIN, "", \
     "Peak learning rate. A run that has failed may get another: it goes on with that when it is resumed."}

/* Each with its default: a fork has that of its origin. */
#define SEED_ROW(preset, help) \
    {"seed", LAG_FIELD_INT, AT(seed), 0, LAG_FIELD_EXACT_MAX, preset, NULL, 0, "", help}
#define START_ROW {"start", LAG_FIELD_BOOL, AT(start), 0, 0, "true", NULL, 0, "", "false creates the run paused."}
#define MAX_STEPS_ROW(path, flags, help) \
    {path, LAG_FIELD_INT, AT(max_steps), 1, 1e9, NULL, NULL, flags, "steps", help}
#define MAX_STEPS_HELP "Optimiser steps of the whole run, the winning probes' included."
#define SCHEDULE_ROWS(kind, none, decay) \
    {"schedule/kind", LAG_FIELD_CHOICE, AT(schedule), 0, 0, kind, lag_schedule_names, 0, "", \
     "Learning rate after warm-up: constant, cosine, or wsd (stable, then linear decay)."}, \
    {"schedule/warmup_steps", LAG_FIELD_INT, AT(warmup_steps), 0, 1e9, none, NULL, 0, "steps", "Linear warm-up."}, \
    {"schedule/min_lr", LAG_FIELD_REAL, AT(min_lr), 0, 10, none, NULL, 0, "", \
     "Learning rate at the end of the decay."}, \
    {"schedule/decay_fraction", LAG_FIELD_REAL, AT(decay_fraction), 0, 1, decay, NULL, 0, "", \
     "Share of the steps that wsd decays over."}

static const struct lag_field rows[] = {
    NAME_ROW,
    {"dataset", LAG_FIELD_TEXT, AT(dataset), 1, LAG_ROW_NAME - 1, NULL, NULL, LAG_FIELD_REQUIRED, "",
     "Id or name of the dataset."},
    SEED_ROW("1", "Seed of weights, data order and growth; equal seeds give bit-equal runs."),
    START_ROW,

    {"precision", LAG_FIELD_CHOICE, AT(precision), 0, 0, "fp32", lag_precision_names, 0, "",
     "Precision of matrix multiplications: fp32, or bf16 for bfloat16 operands with fp32 sums, about twice as "
     "fast on a CPU with AVX-512 BF16; one with AVX2 alone is no faster than in fp32. Weights, optimiser and "
     "checkpoints are fp32 in both."},
    {"recompute", LAG_FIELD_BOOL, AT(recompute), 0, 0, "false", NULL, 0, "",
     "true keeps only the input of each layer for the backward pass and computes the layer's other activations again: "
     "less memory, about a fifth more time, the same results to the last bit."},

    {"model/arch", LAG_FIELD_CHOICE, AT(arch), 0, 0, "gpt2", lag_arch_names, 0, "", "Model family."},
    {"model/n_layer", LAG_FIELD_INT, AT(shape.n_layer), 1, LAG_MAX_LAYERS, "4", NULL, 0, "layers",
     "Transformer blocks."},
    {"model/n_head", LAG_FIELD_INT, AT(shape.n_head), 1, LAG_MAX_HEADS, "4", NULL, 0, "heads",
     "Attention heads; must divide the width, unless head_dim is given."},
    {"model/n_embd", LAG_FIELD_INT, AT(shape.n_embd), 1, LAG_MAX_EMBD, "128", NULL, 0, "",
     "Width of the residual stream."},
    {"model/n_inner", LAG_FIELD_INT, AT(shape.n_inner), 0, LAG_MAX_INNER, "0", NULL, 0, "",
     "Width of the feed-forward layer; 0 for four times the width."},
    {"model/n_positions", LAG_FIELD_INT, AT(shape.n_positions), 1, LAG_MAX_POSITIONS, "128", NULL, 0, "tokens",
     "Longest context."},
    {"model/head_dim", LAG_FIELD_INT, AT(shape.head_dim), 1, LAG_MAX_ATTENTION, NULL, NULL, LAG_FIELD_SPARSE, "",
     "Numbers of a head; left out: n_embd / n_head. Another size is trained as well, but no config.json of Hugging "
     "Face's can say it."},
    {"model/vocab_size", LAG_FIELD_INT, AT(shape.vocab_size), 0, LAG_MAX_VOCAB, "0", NULL, 0, "tokens",
     "Vocabulary; 0 for that of the dataset."},
    {"model/gated", LAG_FIELD_BOOL, AT(gated), 0, 0, "false", NULL, 0, "",
     "true puts a gate before what each branch adds to the residual stream, x + g f(x): a trained number that begins "
     "at 0, so that layers open as they learn (SkipInit, ReZero)."},

    {"optim/name", LAG_FIELD_CHOICE, AT(optim_name), 0, 0, "adamw", optimizers, 0, "", "Optimiser."},
    LR_ROW,
    {"optim/betas/0", LAG_FIELD_REAL, AT(beta1), 0, 0.999999, "0.9", NULL, 0, "", "Decay of the first moment."},
    {"optim/betas/1", LAG_FIELD_REAL, AT(beta2), 0, 0.999999, "0.95", NULL, 0, "", "Decay of the second moment."},
    {"optim/eps", LAG_FIELD_REAL, AT(eps), 0, 1, "1e-8", NULL, LAG_FIELD_OPEN_MIN, "", "AdamW's epsilon."},
    {"optim/weight_decay", LAG_FIELD_REAL, AT(weight_decay), 0, 10, "0.1", NULL, 0, "", "Decoupled weight decay."},
    {"optim/grad_clip", LAG_FIELD_REAL, AT(grad_clip), 0, 1e6, "1", NULL, 0, "",
     "Largest global norm of the gradient; 0 for no clipping."},

    MAX_STEPS_ROW("schedule/max_steps", LAG_FIELD_REQUIRED, MAX_STEPS_HELP),
    SCHEDULE_ROWS("wsd", "0", "0.2"),

    {"batch/sequences", LAG_FIELD_INT, AT(sequences), 1, 65536, "8", NULL, 0, "sequences", "Sequences of one batch."},
    {"batch/tokens_per_sequence", LAG_FIELD_INT, AT(tokens_per_sequence), 0, LAG_MAX_POSITIONS, "0", NULL, 0, "tokens",
     "Length of a training sequence; 0 for the model's context."},
    {"batch/accumulate", LAG_FIELD_INT, AT(accumulate), 1, 4096, "1", NULL, 0, "batches",
     "Batches whose gradients are summed into one step."},

    {"eval/every_steps", LAG_FIELD_INT, AT(eval_every), 1, 1e9, "100", NULL, 0, "steps", "Steps between validations."},
    {"eval/batches", LAG_FIELD_INT, AT(eval_batches), 1, 4096, "8", NULL, 0, "batches", "Batches of one validation."},

    {"checkpoint/every_steps", LAG_FIELD_INT, AT(checkpoint_every), 1, 1e9, "500", NULL, 0, "steps",
     "Steps between checkpoints; after a crash the run goes on from the last one."},
    KEEP_ROWS,

    {"threads", LAG_FIELD_INT, AT(threads), 0, LAG_TEAM_MAX, "0", NULL, 0, "threads",
     "Compute threads that this run may use; 0 for no limit of its own. Results do not depend on it."},
    LABEL_ROWS,
};

const struct lag_fields lagd_run_fields = {rows, LAG_COUNT(rows)};

static const struct lag_field patch_rows[] = {
    NAME_ROW, LR_ROW,
    MAX_STEPS_ROW("schedule/max_steps", 0,
                  "Optimiser steps of the whole run; more than before, and of a paused run only. The learning rate is "
                  "from there on as that of a longer run; POST /runs/{run}/extend has other ways."),
    KEEP_ROWS, LABEL_ROWS,
};
const struct lag_fields lagd_run_patch_fields = {patch_rows, LAG_COUNT(patch_rows)};

/* The configuration of the request comes first, so that its rows fit here as well. */
_Static_assert(offsetof(struct lagd_fork_request, config) == 0, "rows of a run's configuration are read into it");
static const struct lag_field fork_rows[] = {
    {"checkpoint", LAG_FIELD_TEXT, LAG_FIELD_AT(struct lagd_fork_request, checkpoint), 1, LAG_ROW_ID - 1, NULL, NULL, 0,
     "", "Id of a checkpoint of this run; its newest one when left out."},
    NAME_ROW,
    SEED_ROW(NULL, "Seed of the data's order and of new random layers from here on; the run's own when left out, with "
                   "which it goes on exactly as that would."),
    MAX_STEPS_ROW("schedule/max_steps", 0, MAX_STEPS_HELP),
    SCHEDULE_ROWS(NULL, NULL, NULL),
    START_ROW,
};
const struct lag_fields lagd_fork_fields = {fork_rows, LAG_COUNT(fork_rows)};

static const char *const starts[] = {"end", "before_decay", NULL};
static const char *const ways_on[] = {"stable", "rewarm", "minimum", NULL};
_Static_assert(offsetof(struct lagd_extension_request, config) == 0, "rows of a run's configuration are read into it");
static const struct lag_field extension_rows[] = {
    MAX_STEPS_ROW("max_steps", LAG_FIELD_REQUIRED, "Optimiser steps of the whole run from now on."),
    {"from", LAG_FIELD_CHOICE, LAG_FIELD_AT(struct lagd_extension_request, from), 0, 0, "end", starts, 0, "",
     "end: the run goes on from where it stands; before_decay: it goes back to its last checkpoint from before wsd's "
     "decay, and gives up what came after it."},
    {"schedule/after", LAG_FIELD_CHOICE, LAG_FIELD_AT(struct lagd_extension_request, after), 0, 0, "stable", ways_on,
     0, "",
     "stable: the learning rate is as if the run had been made with so many steps, for wsd back in the stable phase; "
     "rewarm: the schedule begins anew with a warm-up, of 50 steps unless warmup_steps says else; minimum: the "
     "schedule ends where it would have, and the rate stays where that leaves it."},
    SCHEDULE_ROWS(NULL, NULL, NULL),
};
const struct lag_fields lagd_extension_fields = {extension_rows, LAG_COUNT(extension_rows)};
