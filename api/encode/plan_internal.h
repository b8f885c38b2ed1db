/* Growth plans as JSON. Thread: owner of db. */
#pragma once
#include "encode/encode_internal.h"

#include <lagd/storage/stages.h>

/* A run's plan with its stages. */
struct lagd_plan_view {
    struct lag_run_row run;
    struct lag_plan_row plan; /* zeros where there is none */
    struct lagd_rows stages;  /* of struct lag_stage_row */
};
extern const struct lagd_schema lagd_plan_schema; /* "Plan", of lagd_plan_view; db, err */
