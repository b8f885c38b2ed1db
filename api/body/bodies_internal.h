/* The JSON bodies that the api itself knows (those of runs, growths, datasets and samples are the daemon's). Thread:
 * any (const tables). */
#pragma once
#include <lagd/base/fields.h>
#include <lagd/daemon/commands.h>

/* A JSON body: fields by table, and further properties as JSON Schema text ("\"pool\":{…}"). */
struct lagd_body_spec {
    const char *schema;
    const struct lag_fields *table;
    const char *more;
    const char *example;
};

struct lagd_reason_body {
    char reason[LAGD_REASON_MAX + 1];
};
struct lagd_decide_body {
    char candidate[LAG_ROW_ID];
    bool approve, reject;
    char reason[LAGD_REASON_MAX + 1];
};
#define LAGD_BULK_RUNS 1000 /* that POST /runs/bulk takes at once */
struct lagd_bulk_body { /* runs is a list beside it */
    char verb[16], reason[LAGD_REASON_MAX + 1];
};
struct lagd_notify_body {
    char sink[16]; /* "" = all that are configured */
};
struct lagd_code_body { /* text or ids beside it */
    bool special, pieces;
};
struct lagd_keep_body {
    bool keep;
};

extern const struct lag_fields lagd_reason_fields, lagd_decide_fields, lagd_keep_fields, lagd_bulk_fields,
    lagd_code_fields, lagd_encode_fields,
    lagd_notify_fields;
extern const struct lagd_body_spec lagd_run_body, lagd_growth_body, lagd_plan_body, lagd_study_body, lagd_reason_spec,
    lagd_decide_spec, lagd_keep_spec, lagd_dataset_spec, lagd_generate_spec, lagd_patch_spec, lagd_fork_spec,
    lagd_extension_spec, lagd_bulk_spec, lagd_model_spec, lagd_notify_spec, lagd_tokenizer_spec,
    lagd_tokenizer_extend_spec, lagd_encode_spec, lagd_decode_spec;
