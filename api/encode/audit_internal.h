/* What the audit of a growth's decision tells. Thread: owner of db. */
#pragma once
#include "json/schema_internal.h"

#include <lagd/daemon/audit.h>

#define LAGD_AUDIT_HELP "What its decision has lost, as its audit found; null: there is none, and none is wanted."
extern const struct lagd_schema lagd_audit_schema; /* "Audit", of lagd_audit */
int lagd_write_audit(struct lagd_json *json, const char *key, const struct lag_growth_row *growth, struct lag_db *db,
                     struct lag_error *err); /* or null */
