/* What is done about an error, by its cause. */
#include "records/causes_internal.h"

#include <lagd/base/check.h>

static const struct lagd_judgement judgements[LAG_N_CAUSES] = {
    /*                       a run that met it      ends a growth | goes back | tries again */
    [LAG_CAUSE_NONE] = {LAGD_RUN_ON_HINDERED, true, false, false, ""},
    [LAG_CAUSE_PASSES] = {LAGD_RUN_ON_SHORT, false, false, true, "; it is tried again by itself"},
    [LAG_CAUSE_OUTSIDE] = {LAGD_RUN_ON_HINDERED, false, false, true, "; resume the run once that is mended"},
    /* A run meets it where there is nothing to go back to: its dataset, the database. */
    [LAG_CAUSE_DAMAGE] = {LAGD_RUN_ON_HINDERED, true, true, false, "; resume the run once that is mended"},
    [LAG_CAUSE_ASKED] = {LAGD_RUN_ON_HINDERED, true, false, false, "; resume the run once that is mended"},
    [LAG_CAUSE_OWN] = {LAGD_RUN_ON_FAILED, true, true, false, ""},
    [LAG_CAUSE_STOP] = {LAGD_RUN_ON_HINDERED, false, false, false, ""},
    [LAG_CAUSE_DEFECT] = {LAGD_RUN_ON_HINDERED, true, false, false, "; this is a defect of lagd, please report it"},
};

const struct lagd_judgement *lagd_judge(int code) {
    return &judgements[lag_code_cause(code)];
}

bool lagd_is_trouble(int code) {
    return code != 0 && lagd_judge(code)->tries_again;
}
