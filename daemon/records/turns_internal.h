/* Whose turn it is of a run's growths: the run's row names the one that has begun, else the first of those that have
 * not, by step and then by age. The others wait. Inside a transaction. */
#pragma once
struct lag_db;
struct lag_error;

/* Wherever a growth is made, ends or goes: the run's row names the one whose turn it is now, or none. left: the growth
 * that has ended with all that it leaves behind; or NULL. One that has ended stays named until it is left, as the run's
 * thread may still work on it. */
int lagd_tx_growth_turn(struct lag_db *db, const char *run_id, const char *left, struct lag_error *err);
