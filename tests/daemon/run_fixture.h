/* What tests of runs share: a daemon's parts without the supervisor, on a real store in a temporary directory, with a
 * generated text and a model of two layers. Every function asserts that it works. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runs/run_internal.h"
#include <lagd/base/hash.h>
#include <lagd/daemon/growth_request.h>
#include <lagd/daemon/run_config.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/state.h>

struct fixture {
    char dir[64];
    struct lagd_deps deps;
    struct lag_dataset_row dataset;
};
void fixture_open(struct fixture *fixture, int n_threads);
void fixture_close(struct fixture *fixture); /* removes the directory */
void fixture_leave(struct fixture *fixture); /* lets it lie, for … */
void fixture_reopen(struct fixture *fixture, const char *dir, int n_threads);

/* Small and quick; change what the test is about. */
void fixture_config(struct lagd_run_config *ret, const char *name, int64_t max_steps);
void fixture_create_run(struct fixture *fixture, const struct lagd_run_config *config, char ret_id[LAG_ROW_ID]);
struct lagd_run *fixture_start(struct fixture *fixture, const char *run_id);
/* Starts and waits for the end; the state must be as said. */
void fixture_run_to(struct fixture *fixture, const char *run_id, const char *state);
void fixture_wait_step(struct fixture *fixture, const char *run_id, int64_t step);

void fixture_growth_request(struct lagd_growth_request *ret, int64_t at_step, int64_t probe_steps);
/* As the supervisor does it. pool: operators or strategies, each a candidate of its own, "" to end; what stands behind
 * a '|' is stored as its recipe. */
void fixture_create_growth(struct fixture *fixture, const char *run_id, struct lagd_growth_request *request,
                           const char *const *pool, char ret_id[LAG_ROW_ID]);
void fixture_wait_growth(struct fixture *fixture, const char *growth_id, const char *state);
/* What the supervisor posts when a person decides. candidate: another choice than the stored one, or NULL. */
void fixture_decide(struct fixture *fixture, const char *growth_id, enum lagd_growth_event event,
                    const char *candidate);

void fixture_get_run(struct fixture *fixture, const char *run_id, struct lag_run_row *ret);
void fixture_get_growth(struct fixture *fixture, const char *growth_id, struct lag_growth_row *ret);
void fixture_get_decision(struct fixture *fixture, const char *growth_id, struct lag_decision_row *ret);
int fixture_candidates(struct fixture *fixture, const char *growth_id, struct lag_candidate_row *ret, int max);
int fixture_count_events(struct fixture *fixture, const char *run_id, const char *type, const char *state);
int fixture_checkpoints(struct fixture *fixture, const char *run_id, struct lag_checkpoint_row *ret, int max);
int fixture_count_folders(struct fixture *fixture, const char *run_id);
int64_t fixture_count_points(struct fixture *fixture, const char *owner, const char *key);
double fixture_point(struct fixture *fixture, const char *owner, const char *key, int64_t step);

/* Latest states and all points of exact series are equal in every bit. */
/* One hash over the exact points, the final weights and moments and, with a growth, the decision and all its losses:
 * equal for equal histories, also in different stores. */
void fixture_digest(struct fixture *fixture, const char *run_id, const char *growth_id, char ret[65]);
void fixture_assert_equal_runs(struct fixture *fixture, const char *run_a, const char *run_b);
