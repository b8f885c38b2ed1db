/* Tables of the small request bodies, and the bodies' schema names and examples. */
#include "body/bodies_internal.h"
#include "body/plan_body_internal.h"
#include "body/pool_body_internal.h"

#include <lagd/base/check.h>

static const struct lag_field reason_rows[] = {
    {"reason", LAG_FIELD_TEXT, LAG_FIELD_AT(struct lagd_reason_body, reason), 0, LAGD_REASON_MAX, NULL, NULL, 0, "",
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
    {"reason", LAG_FIELD_TEXT, LAG_FIELD_AT(struct lagd_decide_body, reason), 0, LAGD_REASON_MAX, NULL, NULL, 0, "",
     "Why; kept with the decision."},
};
const struct lag_fields lagd_decide_fields = {decide_rows, LAG_COUNT(decide_rows)};

static const struct lag_field keep_rows[] = {
    {"keep", LAG_FIELD_BOOL, LAG_FIELD_AT(struct lagd_keep_body, keep), 0, 0, NULL, NULL, LAG_FIELD_REQUIRED, "",
     "Whether retention leaves the checkpoint alone."},
};
const struct lag_fields lagd_keep_fields = {keep_rows, LAG_COUNT(keep_rows)};

static const struct lag_field code_rows[] = {
    {"special_tokens", LAG_FIELD_BOOL, LAG_FIELD_AT(struct lagd_code_body, special), 0, 0, "true", NULL, 0, "",
     "Encoding: with the tokens that the tokenizer puts around a text; decoding: special tokens are told, too."},
    {"pieces", LAG_FIELD_BOOL, LAG_FIELD_AT(struct lagd_code_body, pieces), 0, 0, "false", NULL, 0, "",
     "Also tell what each id stands for by itself."},
};
/* Of decoding, and of encoding. */
const struct lag_fields lagd_code_fields = {code_rows, 1}, lagd_encode_fields = {code_rows, LAG_COUNT(code_rows)};

/* Each is a command "run.VERB". */
static const char *const bulk_verbs[] = {"pause", "resume", "cancel", "checkpoint", "delete", NULL};
static const struct lag_field bulk_rows[] = {
    {"verb", LAG_FIELD_CHOICE, LAG_FIELD_AT(struct lagd_bulk_body, verb), 0, 0, NULL, bulk_verbs, LAG_FIELD_REQUIRED,
     "", "What to do with each of them."},
    {"reason", LAG_FIELD_TEXT, LAG_FIELD_AT(struct lagd_bulk_body, reason), 0, LAGD_REASON_MAX, NULL, NULL, 0, "",
     "Why; kept with the events."},
};
const struct lag_fields lagd_bulk_fields = {bulk_rows, LAG_COUNT(bulk_rows)};
static const char bulk_more[] =
    "\"runs\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":" LAG_TEXT_OF(LAGD_BULK_RUNS) ","
    "\"items\":{\"type\":\"string\"},\"description\":\"Ids or names; carried out in this order.\"}";

static const char *const sinks[] = {"webhook", "command", "journal", NULL}; /* as lagd_sink_name knows them */
static const struct lag_field notify_rows[] = {
    {"sink", LAG_FIELD_CHOICE, LAG_FIELD_AT(struct lagd_notify_body, sink), 0, 0, NULL, sinks, 0, "",
     "Which sink to test; without it, all that are configured."},
};
const struct lag_fields lagd_notify_fields = {notify_rows, LAG_COUNT(notify_rows)};

static const char from_more[] =
    "\"from\":{\"type\":\"object\",\"additionalProperties\":false,\"minProperties\":1,\"description\":\"What it begins "
    "from, at step 0, instead of random weights; its shape is that model's, and a model/... that contradicts is "
    "refused.\",\"properties\":{"
    "\"model\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":71,\"description\":\"Id or name of a model that was "
    "brought (POST /models).\"},"
    "\"checkpoint\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":39,\"description\":\"Id of a checkpoint of any "
    "run, whose weights it begins with.\"},"
    "\"moments\":{\"type\":\"boolean\",\"default\":false,\"description\":\"With a checkpoint: keep the moments of its "
    "optimiser; else they are 0.\"}}}";
_Static_assert(LAG_ROW_NAME == 72 && LAG_ROW_ID == 40, "the text above tells the lengths");

static const char fork_more[] = "\"growth\":{\"description\":\"The fork begins with this growth.\","
                                "\"allOf\":[{\"$ref\":\"#/components/schemas/GrowthRequest\"}]}";

const struct lagd_body_spec lagd_reason_spec = {"ReasonRequest", &lagd_reason_fields, NULL,
                                                "{\"reason\": \"disk is needed\"}"};
const struct lagd_body_spec lagd_decide_spec = {"DecideRequest", &lagd_decide_fields, NULL, "{\"approve\": true}"};
const struct lagd_body_spec lagd_keep_spec = {"KeepRequest", &lagd_keep_fields, NULL, "{\"keep\": true}"};
const struct lagd_body_spec lagd_patch_spec = {"RunPatch", &lagd_run_patch_fields, NULL,
                                               "{\"note\": \"the good one\", \"tags\": [\"sweep\"]}"};
const struct lagd_body_spec lagd_fork_spec = {"ForkRequest", &lagd_fork_fields, fork_more,
                                              "{\"name\": \"longer\", \"schedule\": {\"max_steps\": 2000}}"};
const struct lagd_body_spec lagd_extension_spec = {"ExtendRequest", &lagd_extension_fields, NULL,
                                                   "{\"max_steps\": 2000, \"schedule\": {\"after\": \"stable\"}}"};
const struct lagd_body_spec lagd_bulk_spec = {"BulkRequest", &lagd_bulk_fields, bulk_more,
                                              "{\"runs\": [\"a\", \"b\"], \"verb\": \"pause\"}"};
const struct lagd_body_spec lagd_notify_spec = {"NotifyTestRequest", &lagd_notify_fields, NULL,
                                                "{\"sink\": \"webhook\"}"};
const struct lagd_body_spec lagd_dataset_spec = {"DatasetRequest", &lagd_dataset_fields, NULL,
                                                 "{\"name\": \"words\", \"path\": \"words.txt\"}"};
const struct lagd_body_spec lagd_model_spec = {"ModelRequest", &lagd_model_fields, NULL,
                                               "{\"name\": \"gpt2\", \"path\": \"gpt2\"}"};
const struct lagd_body_spec lagd_tokenizer_spec = {
    "TokenizerRequest", &lagd_tokenizer_fields, NULL,
    "{\"name\": \"mine\", \"train\": {\"dataset\": \"words\", \"vocab_size\": 1024}}"};
const struct lagd_body_spec lagd_tokenizer_extend_spec = {
    "TokenizerExtendRequest", &lagd_tokenizer_extend_fields, NULL,
    "{\"name\": \"larger\", \"dataset\": \"words\", \"vocab_size\": 2048}"};
const struct lagd_body_spec lagd_encode_spec = {
    "EncodeRequest", &lagd_encode_fields, "\"text\":{\"type\":\"string\",\"description\":\"Text to encode.\"}",
    "{\"text\": \"And God said\"}"};
const struct lagd_body_spec lagd_decode_spec = {
    "DecodeRequest", &lagd_code_fields,
    "\"ids\":{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":0},\"description\":\"Ids to decode.\"}",
    "{\"ids\": [1, 2, 3]}"};
const struct lagd_body_spec lagd_generate_spec = {
    "GenerateRequest", &lagd_generate_fields,
    "\"prompt\":{\"type\":\"string\",\"maxLength\":" LAG_TEXT_OF(LAGD_PROMPT_MAX) ","
    "\"description\":\"Text that the model goes on from.\"}",
    "{\"prompt\": \"And God said\", \"n_tokens\": 100}"};
const struct lagd_body_spec lagd_run_body = {"RunRequest", &lagd_run_fields, from_more,
                                             "{\"name\": \"first\", \"dataset\": \"words\", \"model\": {\"arch\": "
                                             "\"gpt2\", \"n_layer\": 3, \"n_head\": 4, \"n_embd\": 128, "
                                             "\"n_positions\": 64}, \"schedule\": {\"max_steps\": 1000}}"};
const struct lagd_body_spec lagd_growth_body = {
    "GrowthRequest", &lagd_growth_fields,
    lagd_pool_more,
    "{\"target\": {\"n_layer\": 6}, \"pool\": \"default\", \"probe\": {\"steps\": 50, \"eval_every\": 10}}"};
const struct lagd_body_spec lagd_study_body = {
    "StudyRequest", &lagd_study_fields, lagd_study_more,
    "{\"name\": \"small\", \"parent\": {\"run\": \"first\"}, \"target\": {\"n_layer\": 6}, \"horizon\": 2000, "
    "\"seeds\": [1, 2, 3]}"};
const struct lagd_body_spec lagd_plan_body = {
    "PlanRequest", &lagd_plan_fields, lagd_plan_more,
    "{\"stages\": [{\"target\": {\"n_layer\": 4}, \"trigger\": {\"step\": 400}}, {\"target\": {\"n_layer\": 6}, "
    "\"trigger\": {\"slope\": {\"below\": 0.05, \"most_steps\": 2000}}}]}"};
