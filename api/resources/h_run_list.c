/* GET /runs: runs found by words, tag, state and what they wait for, in any order. */
#include "encode/encode_internal.h"
#include "request/cursor_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/find.h>
#include <stdio.h>
#include <string.h>

const char *const lagd_run_sorts[] = {
    [LAG_RUNS_BY_CREATED] = "created", [LAG_RUNS_BY_NAME] = "name", [LAG_RUNS_BY_STEP] = "step",
    [LAG_RUNS_BY_TOKENS] = "tokens", [LAG_RUNS_BY_FLOPS] = "flops", [LAG_RUNS_BY_PARAMS] = "params",
    [LAG_RUNS_BY_BEST] = "best", [LAG_RUNS_BY_LATEST] = "latest", [LAG_RUNS_N_ORDERS] = NULL};

/* Without order=: what one looks for first is first, as the lowest loss. */
static bool is_descending(const char *order, enum lag_run_order sort) {
    if (order) return strcmp(order, "desc") == 0;
    return sort != LAG_RUNS_BY_NAME && sort != LAG_RUNS_BY_BEST && sort != LAG_RUNS_BY_LATEST;
}

static int check_states(struct lagd_request *request, const char *states) {
    for (const char *p = states; p && *p;) {
        char name[32];
        size_t n = strcspn(p, ",");
        (void)snprintf(name, sizeof(name), "%.*s", (int)n, p);
        if (!lagd_state_find(LAGD_MACHINE_RUN, name)) {
            char known[256] = "";
            size_t n_states, used = 0;
            const struct lagd_state *all = lagd_states(LAGD_MACHINE_RUN, &n_states);
            for (size_t i = 0; i < n_states && used < sizeof(known); i++)
                used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", all[i].name);
            return lagd_fail(request, "invalid-parameter", "query parameter state: there is no state %s; there are %s",
                             name, known);
        }
        p += n + (p[n] == ',');
    }
    return 0;
}

/* --- a page ------------------------------------------------------------------------------------------------------- */

struct page {
    struct lagd_rows rows;
    struct lag_run_place last; /* of those that are told */
    size_t limit;
};

static int add_run(const struct lag_run_row *row, const struct lag_run_place *place, void *arg) {
    struct page *page = arg;
    if (page->rows.n < page->limit) page->last = *place;
    return lagd_rows_add(&page->rows, row);
}

static const struct lagd_member list_members[] = {LAGD_LIST(&lagd_run_schema)};
const struct lagd_schema lagd_run_list_schema = LAGD_SCHEMA("RunList", list_members);

static void put_escaped(const char *text, char *ret, size_t size, size_t *used) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~,";
    for (; *text && *used + 4 < size; text++)
        *used += (size_t)snprintf(ret + *used, size - *used, strchr(plain, *text) ? "%c" : "%%%02X",
                                  (unsigned char)*text);
    ret[*used] = '\0';
}

/* Everything that was asked for but the cursor. Without room there is no link; the body has the cursor too. */
static void link_next(struct lagd_request *request, const char *cursor) {
    char link[sizeof(request->response.headers[0].value) - 32] = "/api/v1/runs?cursor=";
    size_t used = strlen(link);
    put_escaped(cursor, link, sizeof(link), &used);
    for (int i = 0; i < request->target.n_query; i++) {
        const struct lagd_query_item *item = &request->target.query[i];
        if (strcmp(item->name, "cursor") == 0) continue;
        put_escaped("", link, sizeof(link), &used);
        if (used + strlen(item->name) + 3 * strlen(item->value) + 4 >= sizeof(link)) return;
        used += (size_t)snprintf(link + used, sizeof(link) - used, "&%s=", item->name);
        put_escaped(item->value, link, sizeof(link), &used);
    }
    lagd_header_set(request, "Link", "<%s>; rel=\"next\"", link);
}

static int answer_page(struct lagd_request *request, struct lag_db *db, const struct lag_run_query *query,
                       const struct page *page) {
    char cursor[LAGD_PLACE_CURSOR_SIZE] = "";
    struct lagd_list list = {lagd_rows_span(&page->rows), cursor};
    struct lagd_encoding encoding = {db, &request->err, NULL, request->supervisor};
    if (page->rows.n > page->limit) {
        list.items.n = page->limit;
        lagd_place_format(query, &page->last, cursor);
        link_next(request, cursor);
    }
    return lagd_answer_object(request, &lagd_run_list_schema, &list, &encoding, 0);
}

int lagd_h_runs(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_run_place after;
    const struct lagd_target *target = &request->target;
    const char *cursor = lagd_query_text(target, request->route, "cursor");
    const char *sort = lagd_query_text(target, request->route, "sort");
    struct page page = {.rows = LAGD_ROWS_INIT(struct lag_run_row),
                        .limit = (size_t)lagd_query_int(target, request->route, "limit")};
    struct lag_run_query query = {.words = lagd_query_text(target, request->route, "q"),
                                  .tag = lagd_query_text(target, request->route, "tag"),
                                  .states = lagd_query_text(target, request->route, "state"),
                                  .waiting_for = lagd_query_text(target, request->route, "waiting_for"),
                                  .limit = (int)page.limit + 1};
    while (strcmp(lagd_run_sorts[query.order], sort) != 0) query.order++;
    query.descending = is_descending(lagd_query_text(target, request->route, "order"), query.order);
    int status = check_states(request, query.states);
    if (status < 0) return status;
    if (cursor && lagd_place_parse(cursor, &query, &after) < 0)
        return lagd_fail(request, "invalid-cursor", "the cursor was not made by this list in this order; begin again "
                         "without one");
    if (cursor) query.after = &after;
    status = lagd_request_db(request, &db);
    if (status == 0) status = lag_run_find(db, &query, add_run, &page, &request->err);
    if (status == LAG_EINVAL && !request->slug) request->slug = "invalid-parameter";
    if (status == 0) status = answer_page(request, db, &query, &page);
    lagd_rows_deinit(&page.rows);
    return status;
}
