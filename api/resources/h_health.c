/* /healthz, /livez, /readyz */

#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>

int lagd_h_healthz(struct lagd_request *request) {
    return lagd_answer_text(request, "text/plain", lag_strdup("ok\n"), 3);
}

struct check {
    const char *name, *detail;
    bool ok;
    bool tells; /* its detail also when it is well */
};

static int write_detail(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct check *check = object;
    if (!check->ok || check->tells) lagd_json_text(json, key, check->detail);
    return 0;
}

static const struct lagd_member check_members[] = {
    LAGD_MEMBER(struct check, "ok", "b", ok, NULL),
    LAGD_WRITTEN("detail", "s~", write_detail,
                 "What is not ready; of integrity, how far the start looked through the database."),
};
static const struct lagd_schema check_schema = LAGD_SCHEMA("Check", check_members);

#define CHECKS 6
struct readiness {
    struct check checks[CHECKS];
    const char *status;
};

static int write_checks(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct readiness *readiness = object;
    lagd_json_open_object(json, key);
    for (size_t i = 0; i < CHECKS; i++)
        (void)lagd_write_object(json, readiness->checks[i].name, &check_schema, &readiness->checks[i], NULL);
    lagd_json_close_object(json);
    return 0;
}

static const struct lagd_member ready_members[] = {
    LAGD_WRITTEN_OF("checks", "{@}", &check_schema, write_checks, NULL),
    LAGD_POINTED(struct readiness, "status", "s", status, "ready or not ready."),
};
const struct lagd_schema lagd_ready_schema = LAGD_SCHEMA("Ready", ready_members);

int lagd_h_readyz(struct lagd_request *request) {
    struct lag_db *db;
    struct lagd_status now;
    struct lagd_config config;
    struct lag_error err = {0};
    uint64_t free_bytes = 0;
    lagd_supervisor_status(request->supervisor, &now);
    lagd_supervisor_config(request->supervisor, &config);
    int db_status = lagd_request_db(request, &db);
    if (db_status == 0 && lag_db_schema_version(db) < 1)
        db_status = lag_error_set(&request->err, LAG_ECORRUPT, "the database has no schema");
    bool disk = lag_fs_free_bytes(lagd_supervisor_state_dir(request->supervisor), &free_bytes, &err) == 0 &&
                free_bytes >= (uint64_t)config.min_free_bytes;
    int storage = lagd_supervisor_storage(request->supervisor, &err);
    struct readiness readiness = {
        .checks = {{"db", request->err.text, db_status == 0},
                   {"integrity", now.integrity, true, true}, /* a damaged one is not started with */
                   {"storage", err.text, storage == 0},
                   {"disk_free", "less than storage/min_free_bytes is free on the disk of the state directory", disk},
                   {"supervisor", "the daemon is still starting", now.ready},
                   {"draining", "the daemon is stopping", !now.draining}},
    };
    bool ok = true;
    for (size_t i = 0; i < CHECKS; i++) ok = ok && readiness.checks[i].ok;
    readiness.status = ok ? "ready" : "not ready";
    return lagd_answer_object(request, &lagd_ready_schema, &readiness, NULL, ok ? 200 : 503);
}
