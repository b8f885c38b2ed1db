/* The table of a request for a study, all but its seeds and its pool. */
#include "plan/target_rows_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/names.h>
#include <lagd/daemon/study_request.h>
#include <string.h>

#define AT(member) LAG_FIELD_AT(struct lagd_study_request, member)

static const struct lag_field rows[] = {
    {"name", LAG_FIELD_TEXT, AT(name), 1, LAGD_STUDY_NAME_MAX, NULL, NULL, LAG_FIELD_REQUIRED, "",
     "Name of the study, unique: letters, digits and . _ -; its runs are named after it."},
    {"parent/run", LAG_FIELD_TEXT, AT(parent_run), 1, LAG_ROW_NAME - 1, NULL, NULL, LAG_FIELD_REQUIRED, "",
     "Id or name of the run whose checkpoint is grown. It is not touched."},
    {"parent/checkpoint", LAG_FIELD_TEXT, AT(parent_checkpoint), 0, LAG_ROW_ID - 1, NULL, NULL, 0, "",
     "Id of the checkpoint; the run's newest when left out."},
    LAGD_TARGET_ROWS("parent"),
    {"horizon", LAG_FIELD_INT, AT(horizon), LAGD_STUDY_HORIZON_MIN, LAGD_PROBE_STEPS_MAX, NULL, NULL,
     LAG_FIELD_REQUIRED, "steps",
     "Steps that every candidate trains after the growth; the learning rate's decay ends with them."},
    {"eval/every", LAG_FIELD_INT, AT(eval_every), 1, LAGD_PROBE_STEPS_MAX, "500", NULL, 0, "steps",
     "Steps between evaluations, beside those at 1, 2, 4, 8 and so on."},
    {"eval/batches", LAG_FIELD_INT, AT(eval_batches), 2, 1024, "64", NULL, 0, "batches",
     "Validation batches of every evaluation, the same for all candidates, seeds and baselines."},
    {"baselines", LAG_FIELD_LIST, AT(baselines), 0, 0, "none", NULL, 0, "",
     "What the candidates are compared with: none, the parent trained on, which every study has; scratch, a model of "
     "the target's shape trained from nothing for as many FLOPs, its learning rate decayed within them."},
    {"delta", LAG_FIELD_REAL, AT(delta), 0, 1000, "0.005", NULL, 0, "nats",
     "The difference that matters: a lag suffices from which the pick is no further from the best."},
    {"divergence_bound", LAG_FIELD_REAL, AT(divergence_bound), 0, 1000, "3", NULL, LAG_FIELD_OPEN_MIN, "nats",
     "A candidate whose validation loss stays this far above the parent's is dropped."},
    {"parallel", LAG_FIELD_INT, AT(parallel), 1, 16, "1", NULL, 0, "runs", "Runs of the study at once."},
    {"note", LAG_FIELD_TEXT, AT(note), 0, 511, NULL, NULL, 0, "", "Free text."},
};

const struct lag_fields lagd_study_fields = {rows, LAG_COUNT(rows)};

void lagd_study_request_defaults(struct lagd_study_request *request) {
    memset(request, 0, sizeof(*request));
    lag_fields_defaults(&lagd_study_fields, request);
    lagd_growth_request_defaults(&request->growth);
}

bool lagd_study_has_baseline(const struct lagd_study_request *request, const char *name) {
    const size_t length = strlen(name);
    for (const char *p = request->baselines; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == length && strncmp(p, name, length) == 0) return true;
    return false;
}
