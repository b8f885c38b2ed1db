/* What answers look like. */
#include "openapi/schema_internal.h"

#include <lagd/base/check.h>
#include <stdio.h>
#include <string.h>

static const struct lagd_schema schemas[] = {
    {"Index", "name:s version:s links:{s}"},
    {"Version", "version:s api:s schema:i fingerprint:s libraries:{s}"},
    {"System", "cpu:o memory:o disk:o work:o fingerprint:s ready:b draining:b started_at:t?"},
    {"Config", "server:o auth:o train:o storage:o log:o items:[@ConfigKey] next_cursor:s?"},
    {"ConfigKey", "key:s value:s source:s where:s? reloadable:b waiting:b help:s"},
    {"Ready", "checks:{@Check} status:s"},
    {"Check", "ok:b detail~:s"},
    {"ProblemType", "type:s slug:s status:i title:s help:s"},
    {"ProblemTypeList", "items:[@ProblemType] next_cursor:s?"},
    {"Problem",
     "type:s title:s status:i detail:s instance~:s request_id:s errors~:[@Fault] state~:s allowed_actions~:[s] "
     "revision~:i"},
    {"Fault", "detail:s pointer:s"},
    {"OperatorParam", "name:s help:s min:n max:n? preset:n"},
    {"Operator", "name:s title:s help:s reference:s function_preserving:b optimizer:s lr:s params:[@OperatorParam]"},
    {"OperatorList", "items:[@Operator] optimizer_rules:[s] lr_rules:[s] next_cursor:s?"},
    {"Dataset",
     "id:s name:s origin:s format:s n_bytes:i n_tokens:i max_id:i vocab_size:i sha256:s created_at:t? links:{s}"},
    {"DatasetList", "items:[@Dataset] next_cursor:s?"},
    {"Run",
     "id:s name:s state:s reason:s? step:i max_steps:i tokens:i flops:n n_params:i dataset:s dataset_id:s latest:{n?} "
     "model:o optim:o schedule:o batch:o eval:o checkpoint:o precision:s recompute:b "
     "seed:i threads:i on_crash:s tags:[s] note:s growth:s? "
     "lr_scale:n "
     "n_rollbacks:i allowed_actions:[s] links:{s} revision:i created_at:t? updated_at:t?"},
    {"RunList", "items:[@Run] next_cursor:s?"},
    {"RunEstimate",
     "n_params:i flops_per_token:n flops_per_step:n flops_total:n tokens_per_step:i tokens_total:i memory_bytes:i "
     "state_bytes:i activation_bytes:i checkpoint_bytes:i memory_available_bytes:i fits:b step_seconds:n? "
     "total_seconds:n? precision_note:s? config:o"},
    {"SeriesKey", "key:s exact:b n_points:i first_step:i last_step:i last:n? finite:b"},
    {"SeriesKeyList", "items:[@SeriesKey] next_cursor:s?"},
    {"Column", "last:[n?] min:[n?] max:[n?] sum~:[n?] points_total:i not_finite:i"},
    {"Shape", "n_layer:i n_head:i n_embd:i n_inner:i n_positions:i vocab_size:i"},
    {"Annotation", "type:s id:s step:i steps:i n_layer_from:i n_layer_to:i from:@Shape to:@Shape"},
    {"Series", "run~:s candidate~:s x:s bucket:s points_total:i points_returned:i step:[i] series:{@Column} "
               "annotations:[@Annotation]"},
    {"ComparedMetric", "last:n? last_step:i at~:n? at_step~:i"},
    {"ComparedRun",
     "id:s name:s state:s step:i max_steps:i tokens:i flops:n? n_layer:i n_params:i metrics:{@ComparedMetric}"},
    {"Difference", "key:s values:[s]"},
    {"Comparison", "x:s runs:[@ComparedRun] differences:[@Difference] series:{[[n?]]}"},
    {"LineageCheckpoint", "id:s kind:s step:i n_bytes:i keep:b"},
    {"LineageStage",
     "from_step:i to_step:i n_layer:i shape:@Shape n_params:i growth:s? operator:s? strategy:s? recipe:s? verdict:s? "
     "decided_by:s? checkpoints:[@LineageCheckpoint]"},
    {"LineageGrowth",
     "id:s state:s step:i? n_layer_from:i n_layer_to:i from:@Shape to:@Shape n_candidates:i lag_steps:i "
     "parent_checkpoint:s? parent_loss:n? loss_at_lag:n? tied:b operator:s? strategy:s? recipe:s? verdict:s? "
     "decided_by:s? reason:s?"},
    {"Lineage", "run:s name:s step:i stages:[@LineageStage] growths:[@LineageGrowth]"},
    {"CheckpointFile", "name:s n_bytes:i sha256:s href:s"},
    {"Checkpoint", "id:s run:s candidate:s? kind:s step:i n_layer:i n_bytes:i fingerprint:s keep:b created_at:t? "
                   "files:[@CheckpointFile] links:{s}"},
    {"CheckpointList", "items:[@Checkpoint] next_cursor:s?"},
    {"Sample", "prompt:s text:s n_tokens:i checkpoint:s? step:i"},
    {"Strategy", "operator:s params:{n} optimizer:s lr:s rewarm_steps:i? seed:i text:s"},
    {"Candidate", "id:s growth:s position:i operator:s strategy:@Strategy? names:[s] recipe:s eligible:b state:s "
                  "reason:s? t:i n_params:i "
                  "rewarm_steps:i loss_at_0:n? loss_at_lag:n? rank_at_0:i? rank:i? flops:n? checkpoint:s? links:{s}"},
    {"CandidateList", "items:[@Candidate] next_cursor:s?"},
    {"Decision", "growth:s candidate:s? pick_at_0:s? pick_at_lag:s? runner_up:s? margin:n? margin_interval:[n?] tau:n? "
                 "tau_0:n? flops:n? "
                 "tied:b lag_short:b verdict:s decided_by:s reason:s? decided_at:t?"},
    {"Progress", "done_steps:i total_steps:i"},
    {"Growth", "id:s run:s state:s reason:s? mode:s target:o when:o probe:o allow_none:b n_layer_from:i n_layer_to:i "
               "from:@Shape to:@Shape start_step:i? "
               "parent_checkpoint:s? parent_loss:n? n_batches:i eval_sequences:i progress:@Progress "
               "candidates:[@Candidate] decision:@Decision? "
               "allowed_actions:[s] links:{s} revision:i created_at:t? updated_at:t?"},
    {"GrowthList", "items:[@Growth] next_cursor:s?"},
    {"CandidatePlan", "operator:s strategy:@Strategy? names:s recipe:s n_params:i rewarm_steps:i flops:n? eligible:b "
                      "function_preserving:b connection_rate:n?"},
    {"GrowthPlan", "candidates:[@CandidatePlan] from:@Shape to:@Shape n_times:i n_batches:i eval_sequences:i "
                   "eval_share:n? flops_total:n? n_workers:i seconds_guess:n? time_basis:s memory_bytes:i "
                   "memory_peak_bytes:i "
                   "memory_available_bytes:i"},
    {"RankingEntry",
     "candidate:s operator:s eligible:b rank:i? rank_at_0:i? mean:n? finite:b margin_to_best:n? margin_interval:[n?]"},
    {"Ranking", "growth:s at_step:i items:[@RankingEntry] tau_0:n? tau_half:n? tied:b times:[i]"},
    {"ReportOrigin", "run:s run_name:s seed:i dataset:s dataset_sha256:s parent_checkpoint:s? parent_sha256:{s}"},
    {"ReportCurve", "candidate:s operator:s strategy:s mean:[n?] rank:[i?] sparkline:s"},
    {"GrowthReport",
     "growth:@Growth origin:@ReportOrigin rule:s winner:s? winner_strategy:s? probe_flops:n? run_flops:n? "
     "times:[i] curves:[@ReportCurve]"},
    {"Event", "seq:i ts:t? type:s run~:s growth~:s candidate~:s state~:s step~:i value~:n message~:s"},
    {"EventBatch", "ts:t type:s run:s growth~:s candidate~:s number:i step:[i] series:{[n?]}"},
    {"EventNotice", "type:s ts~:t cursor~:i"},
    {"ExportLine", "step:i tokens:i finite~:b"},
};

const struct lagd_schema *lagd_schemas(size_t *ret_n) {
    *ret_n = LAG_COUNT(schemas);
    return schemas;
}

static const char *simple_type(char letter) {
    switch (letter) {
    case 's':
    case 't': return "string";
    case 'i': return "integer";
    case 'n': return "number";
    case 'b': return "boolean";
    default: return "object";
    }
}

/* Writes the schema of one type and returns what follows it. */
static const char *write_type(struct lagd_json *json, const char *key, const char *type) {
    char reference[96] = "#/components/schemas/";
    const char *inner = type + 1, *after = type + 1;
    bool container = *type == '[' || *type == '{';
    if (*type == '@') after = type + strcspn(type, " ]}?");
    if (container) { /* where it ends: brackets nest */
        int depth = 1;
        for (after = inner; depth > 0 && *after; after++)
            depth += *after == '[' || *after == '{' ? 1 : *after == ']' || *after == '}' ? -1 : 0;
    }
    bool nullable = *after == '?';
    lagd_json_open_object(json, key);
    if (*type == '@') {
        (void)snprintf(reference + strlen(reference), sizeof(reference) - strlen(reference), "%.*s",
                       (int)(after - inner), inner);
        if (nullable) {
            lagd_json_open_array(json, "oneOf");
            lagd_json_open_object(json, NULL);
        }
        lagd_json_text(json, "$ref", reference);
        if (nullable) {
            lagd_json_close_object(json);
            lagd_json_open_object(json, NULL);
            lagd_json_text(json, "type", "null");
            lagd_json_close_object(json);
            lagd_json_close_array(json);
        }
    } else if (*type != 'x') {
        const char *name = *type == '[' ? "array" : simple_type(*type);
        if (nullable) {
            lagd_json_open_array(json, "type");
            lagd_json_text(json, NULL, name);
            lagd_json_text(json, NULL, "null");
            lagd_json_close_array(json);
        } else {
            lagd_json_text(json, "type", name);
        }
        if (*type == 't') lagd_json_text(json, "format", "date-time");
        if (container) (void)write_type(json, *type == '[' ? "items" : "additionalProperties", inner);
    }
    lagd_json_close_object(json);
    return nullable ? after + 1 : after;
}

static void write_schema(struct lagd_json *json, const struct lagd_schema *schema) {
    char name[64];
    lagd_json_open_object(json, schema->name);
    lagd_json_text(json, "type", "object");
    lagd_json_open_object(json, "properties");
    for (const char *p = schema->members; *p;) {
        size_t n = strcspn(p, ":~");
        (void)snprintf(name, sizeof(name), "%.*s", (int)n, p);
        p += n + (p[n] == '~') + 1;
        p = write_type(json, name, p);
        p += *p == ' ';
    }
    lagd_json_close_object(json);
    lagd_json_open_array(json, "required");
    for (const char *p = schema->members; *p;) {
        size_t n = strcspn(p, ":~");
        if (p[n] == ':') lagd_json_text_n(json, NULL, p, n);
        p += strcspn(p, " ");
        p += *p == ' ';
    }
    lagd_json_close_array(json);
    lagd_json_close_object(json);
}

void lagd_schemas_write(struct lagd_json *json) {
    for (size_t i = 0; i < LAG_COUNT(schemas); i++) write_schema(json, &schemas[i]);
}
