/* Rows of the store as JSON. Every function writes one object. Thread: owner of db. */
#pragma once
#include "encode/rows_internal.h"
#include "json/fields_out_internal.h"
#include "json/json_out_internal.h"

#include <lagd/daemon/growth_request.h>
#include <lagd/daemon/run_config.h>
#include <lagd/daemon/shape.h>
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

void lagd_write_dataset(struct lagd_json *json, const char *key, const struct lag_dataset_row *row);
/* With its last values: needs db. */
int lagd_write_run(struct lagd_json *json, const char *key, const struct lag_run_row *row, struct lag_db *db,
                   struct lag_error *err);
void lagd_write_shape(struct lagd_json *json, const char *key, const struct lag_shape *shape);
/* Members of a growth: its shapes from and to, and n_layer_from and n_layer_to, which older clients read. */
void lagd_write_shapes(struct lagd_json *json, const struct lag_shape *from, const struct lag_shape *to);
void lagd_write_candidate(struct lagd_json *json, const char *key, const struct lag_candidate_row *row,
                          const struct lag_candidate_row *all, size_t n_all);
void lagd_write_decision(struct lagd_json *json, const char *key, const struct lag_decision_row *row);
/* With its candidates and decision: needs db. */
int lagd_write_growth(struct lagd_json *json, const char *key, const struct lag_growth_row *row, struct lag_db *db,
                      struct lag_error *err);
int lagd_write_checkpoint(struct lagd_json *json, const char *key, const struct lag_checkpoint_row *row,
                          struct lag_db *db, struct lag_error *err);
void lagd_write_strategy(struct lagd_json *json, const char *key, const char *canonical);
void lagd_write_link(struct lagd_json *json, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 1 = best of the eligible ones; 0 = not ranked. at_lag: by loss at the lag, else at step 0. */
int lagd_candidate_rank(const struct lag_candidate_row *row, const struct lag_candidate_row *all, size_t n_all,
                        bool at_lag);
