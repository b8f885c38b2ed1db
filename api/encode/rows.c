/* A growing array of rows. */
#include "encode/rows_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdlib.h>
#include <string.h>

int lagd_rows_add(struct lagd_rows *list, const void *row) {
    if (lag_grow_array(&list->rows, &list->capacity, list->n + 1, list->size) < 0) return LAG_ENOMEM;
    memcpy((char *)list->rows + list->n++ * list->size, row, list->size);
    return 0;
}

void lagd_rows_deinit(struct lagd_rows *list) {
    free(list->rows);
    list->rows = NULL;
    list->n = list->capacity = 0;
}

struct lagd_span lagd_rows_span(const struct lagd_rows *list) {
    return (struct lagd_span){list->rows, list->n, list->size};
}
