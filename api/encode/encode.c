/* Datasets, runs and checkpoints as JSON. */
#include "encode/encode_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/series.h>
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

void lagd_write_dataset(struct lagd_json *json, const char *key, const struct lag_dataset_row *row) {
    lagd_json_open_object(json, key);
    lagd_json_text(json, "id", row->id);
    lagd_json_text(json, "name", row->name);
    lagd_json_text(json, "origin", row->origin);
    lagd_json_text(json, "format", row->format);
    lagd_json_int(json, "n_bytes", row->n_bytes);
    lagd_json_int(json, "n_tokens", row->n_tokens);
    lagd_json_int(json, "max_id", row->max_id);
    lagd_json_int(json, "vocab_size", row->vocab_size);
    lagd_json_text(json, "sha256", row->sha256);
    lagd_json_time(json, "created_at", row->created_ms);
    lagd_json_open_object(json, "links");
    lagd_write_link(json, "self", "/api/v1/datasets/%s", row->id);
    lagd_json_close_object(json);
    lagd_json_close_object(json);
}

static int add_latest(const struct lag_series_row *row, void *arg) {
    lagd_json_real(arg, row->key, row->last_value);
    return 0;
}

/* The configuration with the present shape of the model, which growth changes. */
static int write_config(struct lagd_json *json, const struct lag_run_row *row, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) struct lagd_run_config *config = lag_calloc(1, sizeof(*config));
    if (!config) return lag_error_set(err, LAG_EINTERNAL, "out of memory");
    int status = lagd_run_config_parse(row->config, config, err);
    if (status < 0) return status;
    config->shape = row->shape;
    lagd_write_fields(json, &lagd_run_fields, config,
                      "model,optim,schedule,batch,eval,checkpoint,precision,recompute,seed,threads,on_crash,tags,note");
    return 0;
}

static void write_run_links(struct lagd_json *json, const struct lag_run_row *row) {
    static const char *const parts[] = {"series", "metrics", "export", "checkpoints", "growths"};
    lagd_json_open_object(json, "links");
    lagd_write_link(json, "self", "/api/v1/runs/%s", row->id);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        lagd_write_link(json, parts[i], "/api/v1/runs/%s/%s", row->id, parts[i]);
    }
    lagd_write_link(json, "events", "/api/v1/events?run=%s", row->id);
    lagd_json_close_object(json);
}

int lagd_write_run(struct lagd_json *json, const char *key, const struct lag_run_row *row, struct lag_db *db,
                   struct lag_error *err) {
    const struct lagd_state *state = lagd_state_find(LAGD_MACHINE_RUN, row->state);
    lagd_json_open_object(json, key);
    lagd_json_text(json, "id", row->id);
    lagd_json_text(json, "name", row->name);
    lagd_json_text(json, "state", row->state);
    lagd_json_text_or_null(json, "reason", row->reason);
    lagd_json_int(json, "step", row->step);
    lagd_json_int(json, "max_steps", row->max_steps);
    lagd_json_int(json, "tokens", row->tokens);
    lagd_json_real(json, "flops", row->flops);
    lagd_json_int(json, "n_params", row->n_params);
    lagd_json_text(json, "dataset", row->dataset_name);
    lagd_json_text(json, "dataset_id", row->dataset_id);
    lagd_json_open_object(json, "latest");
    int status = lag_series_list(db, row->id, add_latest, json, err);
    lagd_json_close_object(json);
    if (status == 0) status = write_config(json, row, err);
    lagd_json_text_or_null(json, "growth", row->growth_id);
    lagd_json_real(json, "lr_scale", row->lr_scale);
    lagd_json_int(json, "n_rollbacks", row->n_rollbacks);
    lagd_json_list(json, "allowed_actions", state ? state->actions : "");
    write_run_links(json, row);
    lagd_json_int(json, "revision", row->revision);
    lagd_json_time(json, "created_at", row->created_ms);
    lagd_json_time(json, "updated_at", row->updated_ms);
    lagd_json_close_object(json);
    return status;
}

struct file_list {
    struct lagd_json *json;
    const char *id;
};

static int add_file(const struct lag_checkpoint_file_row *row, void *arg) {
    struct file_list *list = arg;
    lagd_json_open_object(list->json, NULL);
    lagd_json_text(list->json, "name", row->name);
    lagd_json_int(list->json, "n_bytes", row->n_bytes);
    lagd_json_text(list->json, "sha256", row->sha256);
    lagd_write_link(list->json, "href", "/api/v1/checkpoints/%s/files/%s", list->id, row->name);
    lagd_json_close_object(list->json);
    return 0;
}

int lagd_write_checkpoint(struct lagd_json *json, const char *key, const struct lag_checkpoint_row *row,
                          struct lag_db *db, struct lag_error *err) {
    struct file_list list = {json, row->id};
    lagd_json_open_object(json, key);
    lagd_json_text(json, "id", row->id);
    lagd_json_text(json, "run", row->run_id);
    lagd_json_text_or_null(json, "candidate", row->candidate_id);
    lagd_json_text(json, "kind", row->kind);
    lagd_json_int(json, "step", row->step);
    lagd_json_int(json, "n_layer", row->shape.n_layer);
    lagd_json_int(json, "n_bytes", row->n_bytes);
    lagd_json_text(json, "fingerprint", row->fingerprint);
    lagd_json_bool(json, "keep", row->keep);
    lagd_json_time(json, "created_at", row->created_ms);
    lagd_json_open_array(json, "files");
    int status = lag_checkpoint_files(db, row->id, add_file, &list, err);
    lagd_json_close_array(json);
    lagd_json_open_object(json, "links");
    lagd_write_link(json, "self", "/api/v1/checkpoints/%s", row->id);
    lagd_write_link(json, "run", "/api/v1/runs/%s", row->run_id);
    lagd_json_close_object(json);
    lagd_json_close_object(json);
    return status;
}
