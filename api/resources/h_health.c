/* /healthz, /livez, /readyz */

#include "resources/handlers_internal.h"

#include <lagd/base/fs.h>
#include <lagd/base/mem.h>

int lagd_h_healthz(struct lagd_request *request) {
    return lagd_answer_text(request, "text/plain", lag_strdup("ok\n"), 3);
}

static bool write_check(struct lagd_json *json, const char *name, bool ok, const char *detail) {
    lagd_json_open_object(json, name);
    lagd_json_bool(json, "ok", ok);
    if (!ok) lagd_json_text(json, "detail", detail);
    lagd_json_close_object(json);
    return ok;
}

int lagd_h_readyz(struct lagd_request *request) {
    struct lag_db *db;
    struct lagd_status now;
    struct lagd_config config;
    struct lagd_json json;
    struct lag_error err = {0};
    uint64_t free_bytes = 0;
    lagd_supervisor_status(request->supervisor, &now);
    lagd_supervisor_config(request->supervisor, &config);
    int db_status = lagd_request_db(request, &db);
    if (db_status == 0 && lag_db_schema_version(db) < 1)
        db_status = lag_error_set(&request->err, LAG_ECORRUPT, "the database has no schema");
    bool disk = lag_fs_free_bytes(lagd_supervisor_state_dir(request->supervisor), &free_bytes, &err) == 0 &&
                free_bytes >= (uint64_t)config.min_free_bytes;
    lagd_answer_begin(request, &json);
    lagd_json_open_object(&json, NULL);
    lagd_json_open_object(&json, "checks");
    bool ok = write_check(&json, "db", db_status == 0, request->err.text);
    int storage = lagd_supervisor_storage(request->supervisor, &err);
    ok = write_check(&json, "storage", storage == 0, err.text) && ok;
    ok = write_check(&json, "disk_free", disk,
                     "less than storage/min_free_bytes is free on the disk of the state directory") &&
         ok;
    ok = write_check(&json, "supervisor", now.ready, "the daemon is still starting") && ok;
    ok = write_check(&json, "draining", !now.draining, "the daemon is stopping") && ok;
    lagd_json_close_object(&json);
    lagd_json_text(&json, "status", ok ? "ready" : "not ready");
    lagd_json_close_object(&json);
    return lagd_answer_end(request, &json, ok ? 200 : 503);
}
