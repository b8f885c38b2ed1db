/* Opaque cursors of lists sorted by (number, id), or by the id alone. Pure. */
#pragma once
#include <lagd/storage/rows.h>
#include <stdint.h>

#define LAGD_CURSOR_SIZE 96
#define LAGD_CURSOR_BY_ID 1 /* the number in cursors of lists that have none */
void lagd_cursor_format(int64_t number, const char *id, char ret[LAGD_CURSOR_SIZE]);
/* 0, or -1 when it is not one for ids of this prefix. */
int lagd_cursor_parse(const char *text, const char *id_prefix, int64_t *ret_number, char ret_id[LAG_ROW_ID]);

struct lag_run_query;
struct lag_run_place;
#define LAGD_PLACE_CURSOR_SIZE 160
/* The same of a list of runs in any order. Parsing: 0, or -1 when it is not of this order. */
void lagd_place_format(const struct lag_run_query *query, const struct lag_run_place *place,
                       char ret[LAGD_PLACE_CURSOR_SIZE]);
int lagd_place_parse(const char *text, const struct lag_run_query *query, struct lag_run_place *ret);
