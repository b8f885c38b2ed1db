/* Idempotency keys: a request that is sent again has its effect once. The key goes into the database with the effect,
 * in one transaction; the answer follows before the client gets it. So whoever was answered gets the same answer again,
 * and after a crash between the two the key still tells that the effect is there. */
#include "commands/command_internal.h"
#include "commands/commands_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <lagd/storage/keys.h>

struct keyed {
    const struct lagd_command *command;
    const char *resource;
    lag_write_fn *fn;
    void *arg;
};

static int write_keyed(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct keyed *keyed = arg;
    struct lag_key_row row = {.created_ms = keyed->command->key_ms};
    const struct lagd_command *command = keyed->command;
    int rc = keyed->fn(db, keyed->arg, err);
    if (rc == 0 && command->along) rc = command->along(db, keyed->resource, command->along_arg, err);
    if (rc < 0 || !command->key[0]) return rc;
    (void)lag_copy(row.key, sizeof(row.key), keyed->command->key);
    (void)lag_copy(row.fingerprint, sizeof(row.fingerprint), keyed->command->fingerprint);
    (void)lag_copy(row.resource, sizeof(row.resource), keyed->resource);
    return lag_key_put(db, &row, NULL, err);
}

int lagd_command_write(struct lag_store *store, struct lagd_command *command, const char *resource, lag_write_fn *fn,
                       void *arg) {
    struct keyed keyed = {command, resource, fn, arg};
    if (!command->key[0] && !command->along) return lag_store_write(store, fn, arg, &command->err);
    int rc = lag_store_write(store, write_keyed, &keyed, &command->err);
    LAG_FP("key.written");
    return rc;
}

static int write_answer(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lagd_key_answer *answer = arg;
    return lag_key_put(db, &answer->row, answer->body, err);
}

int lagd_cmd_key_answer(struct lagd_commands *c, struct lagd_command *command) {
    int rc = lag_store_write(c->deps->store, write_answer, command->u.answer, &command->err);
    LAG_FP("key.answered");
    return rc;
}
