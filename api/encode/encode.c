/* Datasets, runs and checkpoints as JSON: their schemas, and what no column holds. */
#include "encode/encode_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/supervisor.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/find.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void lagd_write_link(struct lagd_json *json, const char *key, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    lagd_json_text(json, key, text);
}

const char *lagd_state_choice(enum lagd_machine machine, int i, const char **ret_help) {
    size_t n;
    const struct lagd_state *states = lagd_states(machine, &n);
    if ((size_t)i >= n) return NULL;
    *ret_help = states[i].help;
    return states[i].name;
}

int lagd_write_actions(struct lagd_json *json, const char *key, enum lagd_machine machine, const char *name) {
    const struct lagd_state *state = lagd_state_find(machine, name);
    lagd_json_list(json, key, state ? state->actions : "");
    return 0;
}

int lagd_write_interval(struct lagd_json *json, const char *key, double low, double high) {
    lagd_json_open_array(json, key);
    lagd_json_real(json, NULL, low);
    lagd_json_real(json, NULL, high);
    lagd_json_close_array(json);
    return 0;
}

/* --- datasets ---------------------------------------------------------------------------------------------------- */

static int write_dataset_links(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_dataset_row *row = object;
    lagd_json_open_object(json, key);
    lagd_write_link(json, "self", "/api/v1/datasets/%s", row->id);
    lagd_json_close_object(json);
    return 0;
}

static int write_tokens_per_byte(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_dataset_row *row = object;
    const bool is_text = row->n_tokens > 0 && strcmp(row->format, "text") == 0;
    const double text_bytes = is_text ? (double)row->n_bytes : (double)row->text_bytes;
    if (row->n_tokens > 0 && text_bytes > 0) lagd_json_real(json, key, (double)row->n_tokens / text_bytes);
    else lagd_json_null(json, key);
    return 0;
}

static const char *dataset_state(int i, const char **ret_help) {
    return lagd_state_choice(LAGD_MACHINE_DATASET, i, ret_help);
}

#define ROW(name, type, member, help) LAGD_MEMBER(struct lag_dataset_row, name, type, member, help)
static const struct lagd_member dataset_members[] = {
    ROW("id", "s", id, NULL),
    ROW("name", "s", name, NULL),
    ROW("origin", "s", origin, "file: registered where it lies; upload: stored in the state directory; tokenized: its "
        "tokens were made of a text, and are kept there."),
    LAGD_CHOICE(struct lag_dataset_row, "state", "s", state, dataset_state, NULL),
    ROW("reason", "s?", reason, "Why it failed."),
    ROW("format", "s", format, "How the file is read."),
    ROW("n_bytes", "i", n_bytes, NULL),
    ROW("n_bytes_done", "i", n_bytes_done, "Of them, those that its registration has read."),
    ROW("n_tokens", "c?", n_tokens, "null until it is ready, as are those below."),
    ROW("max_id", "i?", max_id, "The largest token found."),
    ROW("vocab_size", "c?", vocab_size, "Tokens that a model of it must know."),
    ROW("sha256", "s?", sha256, "Of the file's bytes."),
    ROW("tokenizer", "s?", tokenizer_name, "That made its tokens of a text; null, as are those below: none did."),
    ROW("tokenizer_id", "s?", tokenizer_id, "Of a tokenizer, or of the model that it came with."),
    ROW("tokenizer_sha256", "s?", tokenizer_sha256, "Of its tokenizer.json; null: it came with a model."),
    ROW("documents", "s?", documents, "What a document of the text is."),
    ROW("document_field", "s?", document_field, NULL),
    ROW("text_bytes", "c?", text_bytes, "Of the text that the tokens stand for."),
    ROW("text_sha256", "s?", text_sha256, "Of the file with the text."),
    LAGD_WRITTEN("tokens_per_byte", "n?", write_tokens_per_byte, "Of its text; 1 where each byte is a token."),
    ROW("created_at", "t?", created_ms, NULL),
    LAGD_WRITTEN("links", "{s}", write_dataset_links, NULL),
};
#undef ROW
const struct lagd_schema lagd_dataset_schema = LAGD_SCHEMA("Dataset", dataset_members);

/* --- runs -------------------------------------------------------------------------------------------------------- */

static const char *run_state(int i, const char **ret_help) {
    return lagd_state_choice(LAGD_MACHINE_RUN, i, ret_help);
}

static int add_latest(const struct lag_series_row *row, void *arg) {
    lagd_json_real(arg, row->key, row->last_value);
    return 0;
}

static int write_latest(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    lagd_json_open_object(json, key);
    int status = lag_series_list(encoding->db, ((const struct lag_run_row *)object)->id, add_latest, json,
                                 encoding->err);
    lagd_json_close_object(json);
    return status;
}

struct best {
    double value;
    int64_t step;
};
static const struct lagd_member best_members[] = {
    LAGD_MEMBER(struct best, "value", "n", value, "The lowest validation loss."),
    LAGD_MEMBER(struct best, "step", "i", step, "The first step that has it."),
};
static const struct lagd_schema best_schema = LAGD_SCHEMA("Best", best_members);

static int write_best(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    struct best best;
    int rc = lag_run_best(encoding->db, ((const struct lag_run_row *)object)->id, &best.value, &best.step,
                          encoding->err);
    if (rc == 0 && isfinite(best.value)) return lagd_write_object(json, key, &best_schema, &best, NULL);
    lagd_json_null(json, key);
    return rc;
}

static const char *waiting_for(int i, const char **ret_help) {
    static const struct {
        const char *word, *help;
    } words[] = {{LAG_WAITS_APPROVAL, "its growth is decided, and a person has to agree"},
                 {LAG_WAITS_SHORTAGE, "it is paused for want of what may come back, as memory"},
                 {LAG_WAITS_TURN, "it is queued"}};
    if ((size_t)i >= LAG_COUNT(words)) return NULL;
    *ret_help = words[i].help;
    return words[i].word;
}

static int write_waiting_for(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    char word[16];
    int rc = lag_run_waiting_for(encoding->db, object, word, encoding->err);
    if (rc == 0 && word[0]) lagd_json_text(json, key, word);
    else lagd_json_null(json, key);
    return rc;
}

/* A growth's row has the reason of its state; the run is in none of its own. */
static int write_reason(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    const struct lag_run_row *row = object;
    char word[16];
    int rc = row->reason[0] ? 0 : lag_run_waiting_for(encoding->db, row, word, encoding->err);
    if (row->reason[0]) lagd_json_text(json, key, row->reason);
    else if (rc == 0 && strcmp(word, LAG_WAITS_APPROVAL) == 0)
        lagd_write_link(json, key, "growth %s is decided and waits for a person to approve or reject it",
                        row->growth_id);
    else lagd_json_null(json, key);
    return rc;
}

/* Both are found at once, with the first that is written. */
static const struct lagd_left *know_left(struct lagd_encoding *encoding, const void *run) {
    if (encoding->left_of == run) return &encoding->left;
    encoding->left = (struct lagd_left){NAN, NAN};
    if (encoding->supervisor) lagd_supervisor_left(encoding->supervisor, encoding->db, run, &encoding->left);
    encoding->left_of = run;
    return &encoding->left;
}

static void write_until(struct lagd_json *json, const char *key, int64_t until, int64_t step) {
    if (until > step) lagd_json_int(json, key, until);
    else lagd_json_null(json, key);
}

static int write_masked_until(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_run_row *row = object;
    write_until(json, key, row->masked_until, row->step);
    return 0;
}

static int write_checkpoint_masked_until(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_checkpoint_row *row = object;
    write_until(json, key, row->masked_until, row->step);
    return 0;
}

static int write_seconds_left(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_real(json, key, know_left(context, object)->seconds);
    return 0;
}

static int write_flops_left(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_real(json, key, know_left(context, object)->flops);
    return 0;
}

#define CONFIG "model,optim,schedule,batch,eval,checkpoint,precision,recompute,seed,threads,on_crash,tags,note"

/* The configuration with the present shape of the model and the present batches, which growth changes. */
static int write_config(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_run_row *row = object;
    const struct lagd_encoding *encoding = context;
    LAG_CLEANUP(lag_free_p) struct lagd_run_config *config = lag_calloc(1, sizeof(*config));
    if (!config) return lag_error_set(encoding->err, LAG_EINTERNAL, "out of memory");
    int status = lagd_run_config_parse_to_show(row->config, config, encoding->err);
    if (status < 0) return status;
    config->shape = row->shape;
    lagd_run_config_take_batch(row, config);
    lagd_write_fields(json, &lagd_run_fields, config, CONFIG);
    return 0;
}

/* One damaged row must not make a list unreadable. */
static int write_damage(struct lagd_json *json, const char *key, const void *object, void *context) {
    struct lag_error why = {0};
    LAG_CLEANUP(lag_free_p) struct lagd_run_config *config = lag_calloc(1, sizeof(*config));
    int status = config ? lagd_run_config_parse_to_show(((const struct lag_run_row *)object)->config, config, &why) : 0;
    if (status != 0) lagd_json_text(json, key, why.text);
    return 0;
}

/* One that would go on by itself can be kept from it. */
static int write_run_actions(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_run_row *row = object;
    const struct lagd_state *state = lagd_state_find(LAGD_MACHINE_RUN, row->state);
    char actions[128];
    (void)snprintf(actions, sizeof(actions), "%s%s", row->waits ? "pause," : "", state ? state->actions : "");
    lagd_json_list(json, key, actions);
    return 0;
}

static int write_run_links(struct lagd_json *json, const char *key, const void *object, void *context) {
    static const char *const parts[] = {"series", "metrics", "export", "checkpoints", "growths"};
    const struct lag_run_row *row = object;
    lagd_json_open_object(json, key);
    lagd_write_link(json, "self", "/api/v1/runs/%s", row->id);
    for (size_t i = 0; i < LAG_COUNT(parts); i++)
        lagd_write_link(json, parts[i], "/api/v1/runs/%s/%s", row->id, parts[i]);
    lagd_write_link(json, "events", "/api/v1/events?run=%s", row->id);
    lagd_json_close_object(json);
    return 0;
}

static int write_flops(struct lagd_json *json, const char *key, const struct lag_run_row *row, void *context,
                       double training) {
    const struct lagd_encoding *encoding = context;
    double probes = 0;
    int rc = lag_run_probe_flops(encoding->db, row->id, &probes, encoding->err);
    lagd_json_real(json, key, training + probes);
    return rc;
}

static int write_all_flops(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_run_row *row = object;
    return write_flops(json, key, row, context, row->flops);
}

static int write_probe_flops(struct lagd_json *json, const char *key, const void *object, void *context) {
    return write_flops(json, key, object, context, 0);
}

const char *lagd_run_health(int i, const char **ret_help) {
    static const char *const words[][2] = {
        {"good", "they are where they were lowest, or near it"},
        {"above_best", "the last lies 0.1 nats or more above the lowest"},
        {"diverged", "they exploded: the last two lie 0.5 nats or more above the lowest"}};
    if ((size_t)i >= LAG_COUNT(words)) return NULL;
    *ret_help = words[i][1];
    return words[i][0];
}

#define ROW(name, type, member, help) LAGD_MEMBER(struct lag_run_row, name, type, member, help)

static int write_origin(struct lagd_json *json, const char *key, const void *object, void *context) {
    struct lagd_origin origin;
    lagd_origin_read(((const struct lagd_encoding *)context)->db, object, &origin);
    return lagd_write_origin(json, key, &origin);
}

static const struct lagd_member run_members[] = {
    ROW("id", "s", id, NULL),
    ROW("name", "s", name, NULL),
    LAGD_CHOICE(struct lag_run_row, "state", "s", state, run_state, NULL),
    LAGD_WRITTEN("reason", "s?", write_reason, "Why it is in this state, or what it waits for."),
    {.name = "waiting_for", .type = "s?", .write = write_waiting_for, .choice = waiting_for,
     .help = "What it waits for; null: it does not."},
    {.name = "health", .type = "s?", .offset = offsetof(struct lag_run_row, health),
     .size = sizeof(((struct lag_run_row *)0)->health), .choice = lagd_run_health,
     .help = "How its validation losses stand since it has its present shape; null before the first one."},
    ROW("waits", "b", waits, "It is paused for want of what may come back, as memory, and goes on by itself."),
    ROW("step", "i", step, "The last step that is on disk or told of."),
    ROW("max_steps", "i", max_steps, NULL),
    LAGD_WRITTEN("seconds_left", "n?", write_seconds_left,
                 "Until its last step, with the growths that it is still to go through and their probes; null where it "
                 "does not go on by itself."),
    LAGD_WRITTEN("flops_left", "n?", write_flops_left, "What it will still spend until then, probes included; null "
                 "where it has ended."),
    ROW("tokens", "i", tokens, "Trained on so far."),
    LAGD_WRITTEN("flops", "n", write_all_flops, "Spent so far: flops_training and flops_probes."),
    ROW("flops_training", "n", flops, "Of that, the run's own steps and validations, and the probes of applied "
        "winners; of a fork from its origin's step on."),
    LAGD_WRITTEN("flops_probes", "n", write_probe_flops, "Of that, the other candidates of its growths, and the "
                 "validations of their parents."),
    ROW("n_params", "i", n_params, "Of the model as it is now."),
    ROW("gated", "b", gated, "Its residual branches have gates."),
    LAGD_WRITTEN("masked_until", "i?", write_masked_until,
                 "Parts of it are behind a mask, which is at 1 from that step on; null: none are."),
    ROW("dataset", "s", dataset_name, "Its name."),
    ROW("dataset_id", "s", dataset_id, NULL),
    ROW("from_model", "s?", model_name, "Name of the model that was brought and that it, or what it was forked from, "
        "began from."),
    ROW("from_model_id", "s?", model_id, NULL),
    LAGD_WRITTEN("latest", "{n?}", write_latest, "The last value of each series; null when it is not finite."),
    LAGD_WRITTEN_OF("best", "@?", &best_schema, write_best, "Its lowest validation loss; null before the first one."),
    {.fields = &lagd_run_fields, .only = CONFIG, .write = write_config},
    LAGD_WRITTEN("damaged", "s~", write_damage, "Of the stored configuration this cannot be read; the default is shown "
                 "in its place, and such a run cannot go on."),
    LAGD_WRITTEN_OF("origin", "@?", &lagd_origin_schema, write_origin, LAGD_ORIGIN_HELP),
    ROW("growth", "s?", growth_id, "The growth that is under way or waits."),
    ROW("lr_scale", "n", lr_scale, "1; halved by each rollback."),
    ROW("n_rollbacks", "i", n_rollbacks, NULL),
    LAGD_WRITTEN("allowed_actions", "[s]", write_run_actions, "What can be asked of it in this state."),
    LAGD_WRITTEN("links", "{s}", write_run_links, NULL),
    ROW("revision", "i", revision, "Grows with every change; the ETag holds it."),
    ROW("created_at", "t?", created_ms, NULL),
    ROW("updated_at", "t?", updated_ms, NULL),
};
#undef ROW
const struct lagd_schema lagd_run_schema = LAGD_SCHEMA("Run", run_members);

/* --- checkpoints ------------------------------------------------------------------------------------------------- */

static int write_file_link(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_checkpoint_file_row *row = object;
    lagd_write_link(json, key, "/api/v1/checkpoints/%s/files/%s", row->checkpoint_id, row->name);
    return 0;
}

static const struct lagd_member file_members[] = {
    LAGD_MEMBER(struct lag_checkpoint_file_row, "name", "s", name, NULL),
    LAGD_MEMBER(struct lag_checkpoint_file_row, "n_bytes", "i", n_bytes, NULL),
    LAGD_MEMBER(struct lag_checkpoint_file_row, "sha256", "s", sha256, NULL),
    LAGD_WRITTEN("href", "s", write_file_link, "Where the file can be got."),
};
static const struct lagd_schema file_schema = LAGD_SCHEMA("CheckpointFile", file_members);

static int add_file(const struct lag_checkpoint_file_row *row, void *arg) {
    return lagd_write_object(arg, NULL, &file_schema, row, NULL);
}

static int write_files(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    lagd_json_open_array(json, key);
    int status = lag_checkpoint_files(encoding->db, ((const struct lag_checkpoint_row *)object)->id, add_file, json,
                                      encoding->err);
    lagd_json_close_array(json);
    return status;
}

static int write_checkpoint_links(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_checkpoint_row *row = object;
    lagd_json_open_object(json, key);
    lagd_write_link(json, "self", "/api/v1/checkpoints/%s", row->id);
    lagd_write_link(json, "run", "/api/v1/runs/%s", row->run_id);
    lagd_json_close_object(json);
    return 0;
}

#define ROW(name, type, member, help) LAGD_MEMBER(struct lag_checkpoint_row, name, type, member, help)
static const struct lagd_member checkpoint_members[] = {
    ROW("id", "s", id, NULL),
    ROW("run", "s", run_id, "Id of its run."),
    ROW("candidate", "s?", candidate_id, "Id of the candidate whose state it is."),
    ROW("kind", "s", kind, "periodic, pre_growth, growth, candidate, final, pause, manual, fork, start or pre_decay."),
    ROW("step", "i", step, NULL),
    ROW("n_layer", "i", shape.n_layer, NULL),
    ROW("gated", "b", gated, "As a run's."),
    LAGD_WRITTEN("masked_until", "i?", write_checkpoint_masked_until, "As a run's."),
    ROW("n_bytes", "i", n_bytes, "Of all files."),
    ROW("fingerprint", "s", fingerprint, "The kernels that it was computed with."),
    ROW("keep", "b", keep, "Retention leaves it alone."),
    ROW("created_at", "t?", created_ms, NULL),
    LAGD_WRITTEN_OF("files", "[@]", &file_schema, write_files, NULL),
    LAGD_WRITTEN("links", "{s}", write_checkpoint_links, NULL),
};
#undef ROW
const struct lagd_schema lagd_checkpoint_schema = LAGD_SCHEMA("Checkpoint", checkpoint_members);
