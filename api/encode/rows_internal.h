/* A growing array of rows, for the callbacks of lists. Thread: one owner. */
#pragma once
#include "json/schema_internal.h"

struct lagd_rows {
    void *rows;
    size_t n, capacity, size;
};
#define LAGD_ROWS_INIT(type) \
    { NULL, 0, 0, sizeof(type) }
/* Copies the row. 0, or LAG_ENOMEM. */
int lagd_rows_add(struct lagd_rows *list, const void *row);
void lagd_rows_deinit(struct lagd_rows *list);
struct lagd_span lagd_rows_span(const struct lagd_rows *list);
