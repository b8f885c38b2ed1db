/* Pages of lists that are read whole and in order: what lies behind the cursor, up to a limit, and the next cursor. */
#pragma once
#include "request/cursor_internal.h"

#include <stdbool.h>
#include <stddef.h>
struct lagd_request;

struct lagd_page {
    bool ascending; /* else the list runs from the highest (number, id) to the lowest */
    size_t limit, n;
    int64_t after; /* the cursor's number and id; id "" without one */
    char after_id[LAG_ROW_ID];
    char next[LAGD_CURSOR_SIZE]; /* the next page's cursor, "" behind the last */
    char last[LAGD_CURSOR_SIZE];
};
/* From the query: limit and cursor. prefix: of the list's ids. */
int lagd_page_begin(struct lagd_request *request, const char *prefix, bool ascending, struct lagd_page *ret);
enum { LAGD_PAGE_TAKE, LAGD_PAGE_SKIP, LAGD_PAGE_FULL };
/* For each row in order; number: what the list is sorted by before the id, ≥ 0, or BY_ID. FULL: one more than fits. */
#define LAGD_PAGE_BY_ID INT64_C(-1)
int lagd_page_add(struct lagd_page *page, int64_t number, const char *id);
