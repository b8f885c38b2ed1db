/* What an applied growth did to its run. Thread: owner of db. */
#pragma once
#include "json/schema_internal.h"

#include <lagd/daemon/effect.h>

#define LAGD_EFFECT_HELP \
    "What it did to the model and to the run's loss; null before it is applied, and where it did not grow."
extern const struct lagd_schema lagd_effect_schema; /* "Effect", of lagd_effect */
int lagd_write_effect(struct lagd_json *json, const char *key, const struct lag_growth_row *growth, struct lag_db *db,
                      struct lag_error *err); /* or null */
