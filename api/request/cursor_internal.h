/* Opaque cursors of lists sorted by (created, id). Pure. */
#pragma once
#include <lagd/storage/rows.h>
#include <stdint.h>

#define LAGD_CURSOR_SIZE 96
void lagd_cursor_format(int64_t created_ms, const char *id, char ret[LAGD_CURSOR_SIZE]);
/* 0, or -1 when it is not one for ids of this prefix. */
int lagd_cursor_parse(const char *text, const char *id_prefix, int64_t *ret_created_ms, char ret_id[LAG_ROW_ID]);
