/* Tables of the small request bodies, and the bodies' schema names and examples. */
#include "body/bodies_internal.h"

#include <lagd/base/check.h>

static const struct lag_field reason_rows[] = {
    {"reason", LAG_FIELD_TEXT, LAG_FIELD_AT(struct lagd_reason_body, reason), 0, 511, NULL, NULL, 0, "",
     "Why; kept with the event."},
};
const struct lag_fields lagd_reason_fields = {reason_rows, LAG_COUNT(reason_rows)};

static const struct lag_field decide_rows[] = {
    {"candidate", LAG_FIELD_TEXT, LAG_FIELD_AT(struct lagd_decide_body, candidate), 0, LAG_ROW_ID - 1, NULL, NULL, 0,
     "", "Id of the candidate to apply instead of the picked one."},
    {"approve", LAG_FIELD_BOOL, LAG_FIELD_AT(struct lagd_decide_body, approve), 0, 0, "false", NULL, 0, "",
     "Apply the picked candidate."},
    {"reject", LAG_FIELD_BOOL, LAG_FIELD_AT(struct lagd_decide_body, reject), 0, 0, "false", NULL, 0, "",
     "Apply none; the run goes on as it was."},
    {"reason", LAG_FIELD_TEXT, LAG_FIELD_AT(struct lagd_decide_body, reason), 0, 511, NULL, NULL, 0, "",
     "Why; kept with the decision."},
};
const struct lag_fields lagd_decide_fields = {decide_rows, LAG_COUNT(decide_rows)};

static const struct lag_field keep_rows[] = {
    {"keep", LAG_FIELD_BOOL, LAG_FIELD_AT(struct lagd_keep_body, keep), 0, 0, NULL, NULL, LAG_FIELD_REQUIRED, "",
     "Whether retention leaves the checkpoint alone."},
};
const struct lag_fields lagd_keep_fields = {keep_rows, LAG_COUNT(keep_rows)};

static const char *const formats[] = {"auto", "text", "nanogpt", "llmc_u16", "llmc_u32", NULL};
static const struct lag_field dataset_rows[] = {
    {"name", LAG_FIELD_TEXT, LAG_FIELD_AT(struct lagd_dataset_add, name), 1, 64, NULL, NULL, LAG_FIELD_REQUIRED, "",
     "Name of the dataset: letters, digits, '.', '_' and '-'."},
    {"path", LAG_FIELD_TEXT, LAG_FIELD_AT(struct lagd_dataset_add, path), 1, LAG_ROW_PATH - 1, NULL, NULL,
     LAG_FIELD_REQUIRED, "", "File below one of storage/dataset_roots; relative to it, or absolute."},
    {"format", LAG_FIELD_CHOICE, LAG_FIELD_AT(struct lagd_dataset_add, format), 0, 0, "auto", formats, 0, "",
     "How the file is read; auto recognises it."},
    {"vocab_size", LAG_FIELD_INT, LAG_FIELD_AT(struct lagd_dataset_add, vocab_size), 0, 1048576, "0", NULL, 0, "tokens",
     "Vocabulary of a token file; 0 for the largest token found, plus one."},
};
const struct lag_fields lagd_dataset_fields = {dataset_rows, LAG_COUNT(dataset_rows)};

#define GENERATE(member) LAG_FIELD_AT(struct lagd_generate_request, member)
static const struct lag_field generate_rows[] = {
    {"n_tokens", LAG_FIELD_INT, GENERATE(n_tokens), 1, 4096, "100", NULL, 0, "tokens", "Tokens to write."},
    {"temperature", LAG_FIELD_REAL, GENERATE(temperature), 0, 10, "0.8", NULL, 0, "",
     "0 always takes the likeliest token."},
    {"top_k", LAG_FIELD_INT, GENERATE(top_k), 0, 1048576, "0", NULL, 0, "tokens",
     "Draw from the k likeliest tokens only; 0 for all."},
    {"seed", LAG_FIELD_INT, GENERATE(seed), 0, 9007199254740991.0, "0", NULL, 0, "",
     "The same seed gives the same text."},
};
const struct lag_fields lagd_generate_fields = {generate_rows, LAG_COUNT(generate_rows)};

const struct lagd_body_spec lagd_reason_spec = {"ReasonRequest", &lagd_reason_fields, NULL,
                                                "{\"reason\": \"disk is needed\"}"};
const struct lagd_body_spec lagd_decide_spec = {"DecideRequest", &lagd_decide_fields, NULL, "{\"approve\": true}"};
const struct lagd_body_spec lagd_keep_spec = {"KeepRequest", &lagd_keep_fields, NULL, "{\"keep\": true}"};
const struct lagd_body_spec lagd_patch_spec = {"RunPatch", &lagd_run_patch_fields, NULL,
                                               "{\"note\": \"the good one\", \"tags\": [\"sweep\"]}"};
const struct lagd_body_spec lagd_dataset_spec = {"DatasetRequest", &lagd_dataset_fields, NULL,
                                                 "{\"name\": \"words\", \"path\": \"words.txt\"}"};
const struct lagd_body_spec lagd_generate_spec = {
    "GenerateRequest", &lagd_generate_fields,
    "\"prompt\":{\"type\":\"string\",\"maxLength\":2047,\"description\":\"Text that the model goes on from.\"}",
    "{\"prompt\": \"And God said\", \"n_tokens\": 100}"};
const struct lagd_body_spec lagd_run_body = {"RunRequest", &lagd_run_fields, NULL,
                                             "{\"name\": \"first\", \"dataset\": \"words\", \"model\": {\"arch\": "
                                             "\"gpt2\", \"n_layer\": 3, \"n_head\": 4, \"n_embd\": 128, "
                                             "\"n_positions\": 64}, \"schedule\": {\"max_steps\": 1000}}"};
const struct lagd_body_spec lagd_growth_body = {
    "GrowthRequest", &lagd_growth_fields,
    "\"pool\":{\"description\":\"The name of a pool, or strategies: operator names or "
    "objects.\",\"default\":\"default\","
    "\"oneOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"minItems\":1,\"maxItems\":64,\"items\":{\"oneOf\":[{"
    "\"type\":\"string\"},"
    "{\"$ref\":\"#/components/schemas/StrategyRequest\"}]}}]}",
    "{\"target\": {\"n_layer\": 6}, \"pool\": \"default\", \"probe\": {\"steps\": 50, \"eval_every\": 10}}"};
