/* The table of a growth request, all but its pool. */
#include "plan/target_rows_internal.h"

#include <lagd/base/check.h>
#include <lagd/daemon/growth_request.h>
#include <lagd/engine/allocate.h>
#include <string.h>

#define AT(member) LAG_FIELD_AT(struct lagd_growth_request, member)

static const char *const modes[] = {"auto", "manual", "study", NULL};

static const struct lag_field rows[] = {
    LAGD_TARGET_ROWS("run"),
    {"probe/steps", LAG_FIELD_INT, AT(probe_steps), 1, LAGD_PROBE_STEPS_MAX, "50", NULL, 0, "steps",
     "The lag: training steps of each candidate before they are ranked."},
    {"probe/eval_every", LAG_FIELD_INT, AT(eval_every), 1, LAGD_PROBE_STEPS_MAX, "10", NULL, 0, "steps",
     "Steps between small evaluations, beside those at 1, 2, 4, 8 and so on."},
    {"probe/eval_batches", LAG_FIELD_INT, AT(eval_batches), 2, 1024, "16", NULL, 0, "batches",
     "Most validation batches of a full evaluation, in multiples of the run's own eval/batches, and at least these."},
    {"probe/max_eval_share", LAG_FIELD_REAL, AT(max_eval_share), 0, 0.9, "0.33", NULL, LAG_FIELD_OPEN_MIN, "",
     "Most of a probe's FLOPs that validation may take."},
    {"probe/divergence_bound", LAG_FIELD_REAL, AT(divergence_bound), 0, 1000, "3", NULL, LAG_FIELD_OPEN_MIN, "nats",
     "A candidate whose validation loss stays this far above the parent's is dropped."},
    {"probe/delta", LAG_FIELD_REAL, AT(delta), 0, 1000, "0.005", NULL, 0, "nats",
     "The difference that matters: where all that cannot be told apart lie closer, their losses decide nothing."},
    {"probe/allocator", LAG_FIELD_CHOICE, AT(allocator), 0, 0, "all", lag_allocator_names, 0, "",
     "Who is probed for how long: all candidates to the lag; halving lets the worse half go at each rung (doubling "
     "steps up to the lag); race lets go who is behind in an order that this database's studies found to hold; auto "
     "races, decides early once the verdict is verified or there is nothing to decide, and extends the probe."},
    {"probe/max_steps", LAG_FIELD_INT, AT(max_steps), 0, LAGD_PROBE_STEPS_MAX, "0", NULL, 0, "steps",
     "How far the allocator auto may extend the probe while no candidate that grows is ahead of not growing; 0 for the "
     "lag."},
    {"probe/parallel", LAG_FIELD_INT, AT(parallel), 0, LAGD_STRATEGIES_MAX, "0", NULL, 0, "candidates",
     "Candidates probed at once; 0 for as many as there are compute threads."},
    {"mode", LAG_FIELD_CHOICE, AT(mode), 0, 0, "auto", modes, 0, "",
     "auto applies the winner; manual waits for a person's approval; study is auto with every evaluation on the run's "
     "own set and none left out, however much of the FLOPs they take."},
    {"allow_none", LAG_FIELD_BOOL, AT(allow_none), 0, 0, "false", NULL, 0, "",
     "Whether not growing, which is always probed as the reference, may win."},
    {"audit", LAG_FIELD_BOOL, AT(audit), 0, 0, "false", NULL, 0, "",
     "Whether, once it is applied, all its candidates are trained to the run's end while nothing else wants to "
     "compute, so that it becomes known what the decision lost; left out, growth/audit of the configuration decides."},
    {"reason", LAG_FIELD_TEXT, AT(reason), 0, 511, NULL, NULL, 0, "", "Why the growth was asked for."},
    /* A stage of a plan has none of these. */
    {"extend/max_steps", LAG_FIELD_INT, AT(extend_to), 1, 1e9, NULL, NULL, LAG_FIELD_SPARSE, "steps",
     "Of a run that is completed or paused: it is extended to so many steps, as POST /runs/{run}/extend does, and "
     "grows on its way; both or neither."},
    {"when/at_step", LAG_FIELD_INT, AT(at_step), -1, 1e9, "-1", NULL, 0, "steps",
     "Step at which the run stops for the probe; -1 for the next step boundary."},
};
enum { N_OF_GROWTHS_ONLY = 2 };

const struct lag_fields lagd_growth_fields = {rows, LAG_COUNT(rows)};
const struct lag_fields lagd_stage_fields = {rows, LAG_COUNT(rows) - N_OF_GROWTHS_ONLY};

void lagd_growth_request_defaults(struct lagd_growth_request *request) {
    memset(request, 0, sizeof(*request));
    lag_fields_defaults(&lagd_growth_fields, request);
    lagd_strategy_request_defaults(&request->rules);
    memcpy(request->pool, "default", sizeof("default"));
}

void lagd_strategy_request_defaults(struct lagd_strategy_request *request) {
    *request = (struct lagd_strategy_request){.rewarm_steps = -1, .freeze_old = LAGD_FREEZE_UNSAID, .seed = -1};
}
