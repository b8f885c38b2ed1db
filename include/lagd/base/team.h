/* A fork-join team of compute threads that one leader drives.
 *
 * The tile plan (how work is divided) is the caller's and depends on shapes only; which member computes which tile is
 * free. So results do not depend on the number of members. Thread: all functions are the leader's. */
#pragma once
struct lag_error;
struct lag_team;

/* tile: 0 … n_tiles-1, each called exactly once. member: 0 … size-1, to pick scratch memory; it must change no result.
 */
typedef void lag_tile_fn(void *arg, int tile, int member);

enum { LAG_TEAM_MAX = 256 };
/* Starts n_members - 1 threads; the leader is member 0. 1 ≤ n_members ≤ LAG_TEAM_MAX. */
int lag_team_create(int n_members, struct lag_team **ret, struct lag_error *err);
void lag_team_destroy(struct lag_team *team);
/* The most members that run() may use; NULL counts as 1. */
int lag_team_size(const struct lag_team *team);
/* From the next run() on only the first n members work (1 ≤ n ≤ size); the others sleep. */
void lag_team_set_active(struct lag_team *team, int n);
/* Calls fn for every tile and returns when all are done. team NULL: the leader does all. Not re-entrant. */
void lag_team_run(struct lag_team *team, int n_tiles, lag_tile_fn *fn, void *arg);
