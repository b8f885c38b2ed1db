/* Growths asked of a supervisor: see supervisor_fixture.h. */
#pragma once
#include "supervisor_fixture.h"

#include <lagd/daemon/growth_request.h>

/* A growth of the default pool, at the next step boundary. */
static inline struct lagd_command *fixture_growth_command(const char *run, int64_t target, int64_t steps) {
    struct lagd_command *command = fixture_command(LAGD_GROWTH_CREATE, run);
    struct lagd_growth_request *request = command->u.growth = calloc(1, sizeof(*request));
    lagd_growth_request_defaults(request);
    request->target.n_layer = target;
    request->probe_steps = steps;
    request->eval_every = 4;
    return command;
}

/* Calls, checks, frees. */
static inline void fixture_grow(struct fixture *f, struct lagd_command *command, char ret_id[LAG_ROW_ID]) {
    if (fixture_call(f, command) != 0) fail_msg("%s", command->err.text);
    memcpy(ret_id, command->id, LAG_ROW_ID);
    lagd_command_destroy(command);
}

static inline void fixture_growth_row(struct fixture *f, const char *id, struct lag_growth_row *ret) {
    struct lag_db *db = NULL;
    assert_int_equal(lag_reader_open(f->config.state_dir, &db, NULL), 0);
    int rc = lag_growth_get(db, id, ret, NULL);
    lag_reader_close(db);
    assert_int_equal(rc, 0);
}

/* Waits until the growth is in the state, up to 30 s. */
static inline void fixture_wait_growth(struct fixture *f, const char *id, const char *state) {
    struct lag_growth_row row;
    for (unsigned i = 0; i < 3000 * slow(); i++) {
        fixture_growth_row(f, id, &row);
        if (strcmp(row.state, state) == 0) return;
        usleep(10000);
    }
    fail_msg("growth %s is %s (%s), not %s", id, row.state, row.reason, state);
}
