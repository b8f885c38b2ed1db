/* Which rows of a list lie on the page that was asked for. */
#include "request/pages_internal.h"

#include "request/answer_internal.h"

#include <lagd/base/mem.h>
#include <string.h>

int lagd_page_begin(struct lagd_request *request, const char *prefix, bool ascending, struct lagd_page *ret) {
    const char *cursor = lagd_query_text(&request->target, request->route, "cursor");
    *ret = (struct lagd_page){.ascending = ascending};
    ret->limit = (size_t)lagd_query_int(&request->target, request->route, "limit");
    if (!cursor || lagd_cursor_parse(cursor, prefix, &ret->after, ret->after_id) == 0) return 0;
    return lagd_fail(request, "invalid-cursor", "the cursor was not made by this list; begin again without one");
}

/* Numbers in cursors begin at 1, and a step may be 0: so the cursor holds the number plus one. */
static bool is_behind(const struct lagd_page *page, int64_t number, const char *id) {
    if (!*page->after_id) return true;
    if (number != LAGD_PAGE_BY_ID && number + 1 != page->after) return (number + 1 > page->after) == page->ascending;
    int order = strcmp(id, page->after_id);
    return page->ascending ? order > 0 : order < 0;
}

int lagd_page_add(struct lagd_page *page, int64_t number, const char *id) {
    if (!is_behind(page, number, id)) return LAGD_PAGE_SKIP;
    if (page->n == page->limit) {
        (void)lag_copy(page->next, sizeof(page->next), page->last);
        return LAGD_PAGE_FULL;
    }
    lagd_cursor_format(number == LAGD_PAGE_BY_ID ? LAGD_CURSOR_BY_ID : number + 1, id, page->last);
    page->n++;
    return LAGD_PAGE_TAKE;
}
