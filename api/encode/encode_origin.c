/* What a run was forked from, as JSON. */
#include "encode/encode_internal.h"

#include <lagd/base/mem.h>
#include <lagd/storage/runs.h>

void lagd_origin_read(struct lag_db *db, const struct lag_run_row *row, struct lagd_origin *ret) {
    struct lag_run_row now;
    *ret = (struct lagd_origin){.step = row->origin_step};
    ret->exists = row->origin_run[0] && lag_run_get(db, row->origin_run, &now, NULL) == 0;
    (void)lag_copy(ret->run, sizeof(ret->run), row->origin_run);
    (void)lag_copy(ret->run_name, sizeof(ret->run_name), ret->exists ? now.name : row->origin_name);
    (void)lag_copy(ret->checkpoint, sizeof(ret->checkpoint), row->origin_checkpoint);
}

#define ORIGIN(name, type, member, help) LAGD_MEMBER(struct lagd_origin, name, type, member, help)
static const struct lagd_member members[] = {
    ORIGIN("run", "s", run, "Its id."),
    ORIGIN("run_name", "s", run_name, "Its name; where it was deleted, that of then."),
    ORIGIN("exists", "b", exists, "It has not been deleted since."),
    ORIGIN("checkpoint", "s", checkpoint, "Id of the checkpoint; the fork has a copy of its own."),
    ORIGIN("step", "i", step, "Where its steps and points begin: of a fork that of the checkpoint, of a run that was "
           "made from it 0."),
};
const struct lagd_schema lagd_origin_schema = LAGD_SCHEMA("RunOrigin", members);

int lagd_write_origin(struct lagd_json *json, const char *key, const struct lagd_origin *origin) {
    if (origin->run[0]) return lagd_write_object(json, key, &lagd_origin_schema, origin, NULL);
    lagd_json_null(json, key);
    return 0;
}
