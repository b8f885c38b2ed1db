/* What lagd is: index, version, system, configuration, operators, problem types. */
#include "door/problem_internal.h"
#include "encode/encode_internal.h"
#include "resources/handlers_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/fs.h>
#include <lagd/base/host.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <lagd/daemon/operators.h>
#include <jansson.h>
#include <microhttpd.h>
#include <string.h>

int lagd_h_index(struct lagd_request *request) {
    static const char *const names[] = {"version",  "system", "config",  "openapi.json", "problems", "operators",
                                        "datasets", "runs",   "growths", "checkpoints",  "events"};
    struct lagd_json json;
    lagd_answer_begin(request, &json);
    lagd_json_open_object(&json, NULL);
    lagd_json_text(&json, "name", "lagd");
    lagd_json_text(&json, "version", LAGD_VERSION);
    lagd_json_open_object(&json, "links");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        lagd_write_link(&json, names[i], "/api/v1/%s", names[i]);
    lagd_json_text(&json, "health", "/healthz");
    lagd_json_text(&json, "ready", "/readyz");
    lagd_json_text(&json, "metrics", "/metrics");
    lagd_json_close_object(&json);
    lagd_json_close_object(&json);
    return lagd_answer_end(request, &json, 0);
}

int lagd_h_version(struct lagd_request *request) {
    struct lag_db *db;
    struct lagd_status now;
    struct lagd_json json;
    int status = lagd_request_db(request, &db);
    if (status < 0) return status;
    lagd_supervisor_status(request->supervisor, &now);
    lagd_answer_begin(request, &json);
    lagd_json_open_object(&json, NULL);
    lagd_json_text(&json, "version", LAGD_VERSION);
    lagd_json_text(&json, "api", "v1");
    lagd_json_int(&json, "schema", lag_db_schema_version(db));
    lagd_json_text(&json, "fingerprint", now.fingerprint);
    lagd_json_open_object(&json, "libraries");
    lagd_json_text(&json, "sqlite", lag_sqlite_version());
    lagd_json_text(&json, "libmicrohttpd", MHD_get_version());
    lagd_json_text(&json, "jansson", jansson_version_str());
    lagd_json_close_object(&json);
    lagd_json_close_object(&json);
    return lagd_answer_end(request, &json, 0);
}

static void write_machine(struct lagd_json *json, struct lagd_supervisor *supervisor) {
    uint64_t free_bytes = 0;
    const char *dir = lagd_supervisor_state_dir(supervisor);
    lagd_json_open_object(json, "cpu");
    lagd_json_text(json, "model", lag_host_cpu_model());
    lagd_json_int(json, "n_cpus", lag_host_cpus());
    lagd_json_close_object(json);
    lagd_json_open_object(json, "memory");
    lagd_json_int(json, "total_bytes", (int64_t)lag_host_memory_total_bytes());
    lagd_json_int(json, "available_bytes", (int64_t)lag_host_memory_available_bytes());
    lagd_json_int(json, "admission_bytes", lagd_supervisor_memory_available(supervisor));
    lagd_json_int(json, "rss_bytes", (int64_t)lag_host_rss_bytes());
    lagd_json_int(json, "peak_rss_bytes", (int64_t)lag_host_peak_rss_bytes());
    lagd_json_close_object(json);
    lagd_json_open_object(json, "disk");
    if (lag_fs_free_bytes(dir, &free_bytes, NULL) == 0)
        lagd_json_int(json, "free_bytes", (int64_t)free_bytes);
    else
        lagd_json_null(json, "free_bytes");
    lagd_json_int(json, "db_bytes", (int64_t)lag_store_db_bytes(dir));
    lagd_json_int(json, "wal_bytes", (int64_t)lag_store_wal_bytes(dir));
    lagd_json_close_object(json);
}

int lagd_h_system(struct lagd_request *request) {
    struct lagd_status now;
    struct lagd_json json;
    lagd_supervisor_status(request->supervisor, &now);
    lagd_answer_begin(request, &json);
    lagd_json_open_object(&json, NULL);
    write_machine(&json, request->supervisor);
    lagd_json_open_object(&json, "work");
    lagd_json_int(&json, "n_threads", now.n_threads);
    lagd_json_int(&json, "n_slots_used", now.n_slots_used);
    lagd_json_int(&json, "n_runs_active", now.n_runs_active);
    lagd_json_int(&json, "n_probes_active", now.n_probes_active);
    lagd_json_int(&json, "n_jobs_waiting", now.n_jobs_waiting);
    lagd_json_int(&json, "steps_total", now.steps_total);
    lagd_json_int(&json, "tokens_total", now.tokens_total);
    lagd_json_int(&json, "memory_limit_bytes", now.memory_limit_bytes);
    lagd_json_int(&json, "memory_reserved_bytes", now.memory_reserved_bytes);
    lagd_json_close_object(&json);
    lagd_json_text(&json, "fingerprint", now.fingerprint);
    lagd_json_bool(&json, "ready", now.ready);
    lagd_json_bool(&json, "draining", now.draining);
    lagd_json_time(&json, "started_at", now.started_ms);
    lagd_json_close_object(&json);
    return lagd_answer_end(request, &json, 0);
}

/* source: the kind of place that a value comes from; where: the file and line, variable or flag. */
static void write_source(struct lagd_json *json, const char *text) {
    static const char *const kinds[] = {"environment", "credential", "flag"};
    const char *kind = *text == '\0' || strcmp(text, "preset") == 0 ? "default" : "file";
    for (size_t i = 0; i < LAG_COUNT(kinds); i++) {
        if (strncmp(text, kinds[i], strlen(kinds[i])) == 0) kind = kinds[i];
    }
    const char *blank = strchr(text, ' ');
    lagd_json_text(json, "source", kind);
    lagd_json_text_or_null(json, "where", strcmp(kind, "file") == 0 ? text : blank ? blank + 1 : "");
}

static void write_keys(struct lagd_json *json, const struct lagd_config *config,
                       const struct lagd_config_origins *origins) {
    lagd_json_open_array(json, "items");
    for (size_t i = 0; i < lagd_config_fields.n_rows; i++) {
        const struct lag_field *field = &lagd_config_fields.rows[i];
        struct lag_strbuf value = LAG_STRBUF_INIT;
        lag_field_format(field, config, &value);
        bool hidden = (field->flags & LAG_FIELD_SECRET) != 0;
        lagd_json_open_object(json, NULL);
        lagd_json_text(json, "key", field->path);
        lagd_json_text(json, "value", hidden ? "(hidden)" : value.length ? value.data : "");
        write_source(json, origins->sources[i].text);
        lagd_json_bool(json, "reloadable", (field->flags & LAG_FIELD_RELOADABLE) != 0);
        lagd_json_bool(json, "waiting", origins->waiting[i]);
        lagd_json_text(json, "help", field->help);
        lagd_json_close_object(json);
        lag_strbuf_deinit(&value);
    }
    lagd_json_close_array(json);
    lagd_json_null(json, "next_cursor");
}

int lagd_h_config(struct lagd_request *request) {
    struct lagd_json json;
    LAG_CLEANUP(lag_free_p) struct lagd_config_origins *origins = lag_calloc(1, sizeof(*origins));
    LAG_CLEANUP(lag_free_p) struct lagd_config *config = lag_calloc(1, sizeof(*config));
    if (!config || !origins) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    lagd_supervisor_config(request->supervisor, config);
    lagd_supervisor_origins(request->supervisor, origins);
    lagd_answer_begin(request, &json);
    lagd_json_open_object(&json, NULL);
    lagd_write_fields(&json, &lagd_config_fields, config, NULL);
    write_keys(&json, config, origins);
    lagd_json_close_object(&json);
    return lagd_answer_end(request, &json, 0);
}

static void write_operator(struct lagd_json *json, const struct lagd_operator_info *info) {
    lagd_json_open_object(json, NULL);
    lagd_json_text(json, "name", info->name);
    lagd_json_text(json, "title", info->title);
    lagd_json_text(json, "help", info->help);
    lagd_json_text(json, "reference", info->reference);
    lagd_json_bool(json, "function_preserving", info->function_preserving);
    lagd_json_text(json, "optimizer", info->preset_optimizer);
    lagd_json_text(json, "lr", info->preset_lr);
    lagd_json_open_array(json, "params");
    for (int i = 0; i < info->n_params; i++) {
        lagd_json_open_object(json, NULL);
        lagd_json_text(json, "name", info->params[i].name);
        lagd_json_text(json, "help", info->params[i].help);
        lagd_json_real(json, "min", info->params[i].min);
        lagd_json_real(json, "max", info->params[i].max);
        lagd_json_real(json, "preset", info->params[i].preset);
        lagd_json_close_object(json);
    }
    lagd_json_close_array(json);
    lagd_json_close_object(json);
}

static void write_words(struct lagd_json *json, const char *key, const char *const *words) {
    lagd_json_open_array(json, key);
    for (; *words; words++) lagd_json_text(json, NULL, *words);
    lagd_json_close_array(json);
}

int lagd_h_operators(struct lagd_request *request) {
    struct lagd_json json;
    struct lagd_operator_info info;
    lagd_answer_begin(request, &json);
    lagd_json_open_object(&json, NULL);
    lagd_json_open_array(&json, "items");
    for (int i = 0; i < lagd_operator_count(); i++) {
        lagd_operator_get(i, &info);
        write_operator(&json, &info);
    }
    lagd_json_close_array(&json);
    write_words(&json, "optimizer_rules", lagd_optimizer_rules());
    write_words(&json, "lr_rules", lagd_lr_rules());
    lagd_json_null(&json, "next_cursor");
    lagd_json_close_object(&json);
    return lagd_answer_end(request, &json, 0);
}

static void write_problem_type(struct lagd_json *json, const struct lagd_problem_type *type) {
    lagd_json_open_object(json, NULL);
    lagd_write_link(json, "type", "tag:lagd,2026:problem/%s", type->slug);
    lagd_json_text(json, "slug", type->slug);
    lagd_json_int(json, "status", type->status);
    lagd_json_text(json, "title", type->title);
    lagd_json_text(json, "help", type->help);
    lagd_json_close_object(json);
}

int lagd_h_problems(struct lagd_request *request) {
    struct lagd_json json;
    size_t n;
    const struct lagd_problem_type *types = lagd_problem_types(&n);
    lagd_answer_begin(request, &json);
    lagd_json_open_object(&json, NULL);
    lagd_json_open_array(&json, "items");
    for (size_t i = 0; i < n; i++) write_problem_type(&json, &types[i]);
    lagd_json_close_array(&json);
    lagd_json_null(&json, "next_cursor");
    lagd_json_close_object(&json);
    return lagd_answer_end(request, &json, 0);
}

int lagd_h_problem(struct lagd_request *request) {
    struct lagd_json json;
    const struct lagd_problem_type *type = lagd_problem_find(request->params[0]);
    if (strcmp(type->slug, request->params[0]) != 0) {
        return lag_error_set(&request->err, LAG_ENOTFOUND, "there is no problem type %s", request->params[0]);
    }
    lagd_answer_begin(request, &json);
    write_problem_type(&json, type);
    return lagd_answer_end(request, &json, 0);
}
