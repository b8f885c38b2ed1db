/* What lagd is: index, version, system and configuration. */
#include "encode/encode_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/fs.h>
#include <lagd/base/host.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <jansson.h>
#include <microhttpd.h>
#include <string.h>

/* --- index ------------------------------------------------------------------------------------------------------- */

static int write_index_links(struct lagd_json *json, const char *key, const void *object, void *context) {
    static const char *const names[] = {"version",  "system", "config",  "openapi.json", "problems", "operators",
                                        "datasets", "runs",   "growths", "checkpoints",  "events"};
    lagd_json_open_object(json, key);
    for (size_t i = 0; i < LAG_COUNT(names); i++) lagd_write_link(json, names[i], "/api/v1/%s", names[i]);
    lagd_json_text(json, "health", "/healthz");
    lagd_json_text(json, "ready", "/readyz");
    lagd_json_text(json, "metrics", "/metrics");
    lagd_json_close_object(json);
    return 0;
}

static int write_lagd_version(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_text(json, key, LAGD_VERSION);
    return 0;
}

static const struct lagd_member index_members[] = {
    LAGD_CONSTANT("name", "lagd", NULL),
    LAGD_WRITTEN("version", "s", write_lagd_version, NULL),
    LAGD_WRITTEN("links", "{s}", write_index_links, "Where everything is."),
};
const struct lagd_schema lagd_index_schema = LAGD_SCHEMA("Index", index_members);

int lagd_h_index(struct lagd_request *request) {
    return lagd_answer_object(request, &lagd_index_schema, NULL, NULL, 0);
}

/* --- version ----------------------------------------------------------------------------------------------------- */

static int write_libraries(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_open_object(json, key);
    lagd_json_text(json, "sqlite", lag_sqlite_version());
    lagd_json_text(json, "libmicrohttpd", MHD_get_version());
    lagd_json_text(json, "jansson", jansson_version_str());
    lagd_json_close_object(json);
    return 0;
}

struct version {
    int64_t schema;
    struct lagd_status now;
};
static const struct lagd_member version_members[] = {
    LAGD_WRITTEN("version", "s", write_lagd_version, NULL),
    LAGD_CONSTANT("api", "v1", NULL),
    LAGD_MEMBER(struct version, "schema", "i", schema, "Of the database."),
    LAGD_MEMBER(struct version, "fingerprint", "s", now.fingerprint, "The kernels that this machine computes with."),
    LAGD_WRITTEN("libraries", "{s}", write_libraries, "Their versions."),
};
const struct lagd_schema lagd_version_schema = LAGD_SCHEMA("Version", version_members);

int lagd_h_version(struct lagd_request *request) {
    struct lag_db *db;
    struct version version;
    int status = lagd_request_db(request, &db);
    if (status < 0) return status;
    lagd_supervisor_status(request->supervisor, &version.now);
    version.schema = lag_db_schema_version(db);
    return lagd_answer_object(request, &lagd_version_schema, &version, NULL, 0);
}

/* --- system ------------------------------------------------------------------------------------------------------ */

struct system {
    const char *cpu_model, *dashboard;
    int64_t n_cpus, total_bytes, available_bytes, admission_bytes, rss_bytes, peak_rss_bytes;
    int64_t free_bytes, db_bytes, wal_bytes; /* free_bytes -1: not known */
    struct lagd_status now;
};
#define SYSTEM(name, type, member, help) LAGD_MEMBER(struct system, name, type, member, help)

static const struct lagd_member cpu_members[] = {
    LAGD_POINTED(struct system, "model", "s", cpu_model, NULL),
    SYSTEM("n_cpus", "i", n_cpus, "Processors that this process may use."),
};
static const struct lagd_schema cpu_schema = LAGD_SCHEMA("SystemCpu", cpu_members);

static const struct lagd_member memory_members[] = {
    SYSTEM("total_bytes", "i", total_bytes, NULL),
    SYSTEM("available_bytes", "i", available_bytes, NULL),
    SYSTEM("admission_bytes", "i", admission_bytes, "What a new run would be granted now."),
    SYSTEM("rss_bytes", "i", rss_bytes, "Of this process."),
    SYSTEM("peak_rss_bytes", "i", peak_rss_bytes, "Of this process."),
};
static const struct lagd_schema memory_schema = LAGD_SCHEMA("SystemMemory", memory_members);

static const struct lagd_member disk_members[] = {
    SYSTEM("free_bytes", "i?", free_bytes, "On the disk of the state directory."),
    SYSTEM("db_bytes", "i", db_bytes, "Of the database."),
    SYSTEM("wal_bytes", "i", wal_bytes, "Of its write-ahead log."),
};
static const struct lagd_schema disk_schema = LAGD_SCHEMA("SystemDisk", disk_members);

static const struct lagd_member work_members[] = {
    SYSTEM("n_threads", "i", now.n_threads, "Compute threads."),
    SYSTEM("n_slots_used", "i", now.n_slots_used, "Compute threads in use."),
    SYSTEM("n_runs_active", "i", now.n_runs_active, NULL),
    SYSTEM("n_probes_active", "i", now.n_probes_active, "Candidates that train now."),
    SYSTEM("n_jobs_waiting", "i", now.n_jobs_waiting, "Jobs that wait for a worker."),
    SYSTEM("steps_total", "i", now.steps_total, "Of all runs since the start."),
    SYSTEM("tokens_total", "i", now.tokens_total, "Of all runs since the start."),
    SYSTEM("memory_limit_bytes", "i", now.memory_limit_bytes, "What runs may take together."),
    SYSTEM("memory_reserved_bytes", "i", now.memory_reserved_bytes, "Reserved by runs."),
};
static const struct lagd_schema work_schema = LAGD_SCHEMA("SystemWork", work_members);

static int write_cpu(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_object(json, key, &cpu_schema, object, NULL);
}

static int write_memory(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_object(json, key, &memory_schema, object, NULL);
}

static int write_disk(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_object(json, key, &disk_schema, object, NULL);
}

static int write_work(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_object(json, key, &work_schema, object, NULL);
}

static const struct lagd_member system_members[] = {
    LAGD_WRITTEN_OF("cpu", "@", &cpu_schema, write_cpu, NULL),
    LAGD_WRITTEN_OF("memory", "@", &memory_schema, write_memory, NULL),
    LAGD_WRITTEN_OF("disk", "@", &disk_schema, write_disk, NULL),
    LAGD_WRITTEN_OF("work", "@", &work_schema, write_work, NULL),
    SYSTEM("fingerprint", "s", now.fingerprint, "The kernels that this machine computes with."),
    LAGD_POINTED(struct system, "dashboard", "s?", dashboard, "Its address, for browsers on this machine; null: lagd "
                 "listens at no address, or was built without it."),
    SYSTEM("ready", "b", now.ready, NULL),
    SYSTEM("draining", "b", now.draining, "The daemon is stopping."),
    SYSTEM("started_at", "t?", now.started_ms, NULL),
};
const struct lagd_schema lagd_system_schema = LAGD_SCHEMA("System", system_members);

int lagd_h_system(struct lagd_request *request) {
    const char *dir = lagd_supervisor_state_dir(request->supervisor);
    uint64_t free_bytes = 0;
    bool known = lag_fs_free_bytes(dir, &free_bytes, NULL) == 0;
    struct system system = {
        .cpu_model = lag_host_cpu_model(),
        .dashboard = request->services->dashboard,
        .n_cpus = lag_host_cpus(),
        .total_bytes = (int64_t)lag_host_memory_total_bytes(),
        .available_bytes = (int64_t)lag_host_memory_available_bytes(),
        .admission_bytes = lagd_supervisor_memory_available(request->supervisor),
        .rss_bytes = (int64_t)lag_host_rss_bytes(),
        .peak_rss_bytes = (int64_t)lag_host_peak_rss_bytes(),
        .free_bytes = known ? (int64_t)free_bytes : -1,
        .db_bytes = (int64_t)lag_store_db_bytes(dir),
        .wal_bytes = (int64_t)lag_store_wal_bytes(dir),
    };
    lagd_supervisor_status(request->supervisor, &system.now);
    return lagd_answer_object(request, &lagd_system_schema, &system, NULL, 0);
}

/* --- configuration ----------------------------------------------------------------------------------------------- */

struct configuration {
    struct lagd_config config;
    struct lagd_config_origins origins;
};
/* One row of the table of configuration keys. */
struct key {
    const char *path, *help, *value, *source, *where;
    bool reloadable, waiting;
};

/* The kind of place that a value comes from. */
static const char *kind_of(const char *source) {
    static const char *const kinds[] = {"environment", "credential", "flag"};
    for (size_t i = 0; i < LAG_COUNT(kinds); i++) {
        if (strncmp(source, kinds[i], strlen(kinds[i])) == 0) return kinds[i];
    }
    return *source == '\0' || strcmp(source, "preset") == 0 ? "default" : "file";
}

#define KEY(name, type, member, help) LAGD_POINTED(struct key, name, type, member, help)
static const struct lagd_member key_members[] = {
    KEY("key", "s", path, "section/key"),
    KEY("value", "s", value, "As it would be written in the file."),
    KEY("source", "s", source, "default, file, environment, credential or flag."),
    KEY("where", "s?", where, "File and line, or the variable's or credential's name."),
    LAGD_MEMBER(struct key, "reloadable", "b", reloadable, "A reload takes another value."),
    LAGD_MEMBER(struct key, "waiting", "b", waiting, "A reload read another value, which a restart will take."),
    KEY("help", "s", help, NULL),
};
static const struct lagd_schema key_schema = LAGD_SCHEMA("ConfigKey", key_members);

static void write_key(struct lagd_json *json, const struct configuration *configuration, size_t i) {
    const struct lag_field *field = &lagd_config_fields.rows[i];
    const char *source = configuration->origins.sources[i].text, *kind = kind_of(source), *blank = strchr(source, ' ');
    struct lag_strbuf value = LAG_STRBUF_INIT;
    lag_field_format(field, &configuration->config, &value);
    bool hidden = (field->flags & LAG_FIELD_SECRET) != 0;
    const struct key key = {
        .path = field->path,
        .help = field->help,
        .value = hidden ? "(hidden)" : value.length ? value.data : "",
        .source = kind,
        .where = strcmp(kind, "file") == 0 ? source : blank ? blank + 1 : "",
        .reloadable = (field->flags & LAG_FIELD_RELOADABLE) != 0,
        .waiting = configuration->origins.waiting[i],
    };
    (void)lagd_write_object(json, NULL, &key_schema, &key, NULL);
    lag_strbuf_deinit(&value);
}

static int write_keys(struct lagd_json *json, const char *name, const void *object, void *context) {
    lagd_json_open_array(json, name);
    for (size_t i = 0; i < lagd_config_fields.n_rows; i++) write_key(json, object, i);
    lagd_json_close_array(json);
    return 0;
}

static const struct lagd_member config_members[] = {
    {.fields = &lagd_config_fields, .offset = offsetof(struct configuration, config)},
    LAGD_WRITTEN_OF("items", "[@]", &key_schema, write_keys, "Key by key, with where its value comes from."),
    LAGD_ONE_PAGE,
};
const struct lagd_schema lagd_config_schema = LAGD_SCHEMA("Config", config_members);

int lagd_h_config(struct lagd_request *request) {
    LAG_CLEANUP(lag_free_p) struct configuration *configuration = lag_calloc(1, sizeof(*configuration));
    if (!configuration) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    lagd_supervisor_config(request->supervisor, &configuration->config);
    lagd_supervisor_origins(request->supervisor, &configuration->origins);
    return lagd_answer_object(request, &lagd_config_schema, configuration, NULL, 0);
}
