/* "1.run_01h…"; of runs in an order "2d.run_01h….0.5", the last part missing where there is no value. */
#include "request/cursor_internal.h"

#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <lagd/storage/find.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void lagd_cursor_format(int64_t number, const char *id, char ret[LAGD_CURSOR_SIZE]) {
    (void)snprintf(ret, LAGD_CURSOR_SIZE, "%" PRId64 ".%s", number, id);
}

int lagd_cursor_parse(const char *text, const char *id_prefix, int64_t *ret_number, char ret_id[LAG_ROW_ID]) {
    char digits[24];
    int64_t number;
    const char *dot = strchr(text, '.');
    if (!dot || (size_t)(dot - text) >= sizeof(digits) || !lag_id_is(dot + 1, id_prefix)) return -1;
    (void)snprintf(digits, sizeof(digits), "%.*s", (int)(dot - text), text);
    if (lag_parse_i64(digits, &number) < 0 || number <= 0 || lag_copy(ret_id, LAG_ROW_ID, dot + 1) < 0)
        return -1;
    *ret_number = number;
    return 0;
}

/* --- of runs in any order ----------------------------------------------------------------------------------------- */

void lagd_place_format(const struct lag_run_query *query, const struct lag_run_place *place,
                       char ret[LAGD_PLACE_CURSOR_SIZE]) {
    char value[LAG_ROW_NAME] = "";
    if (query->order == LAG_RUNS_BY_NAME) (void)lag_copy(value, sizeof(value), place->name);
    else if (isfinite(place->value)) (void)snprintf(value, sizeof(value), "%.17g", place->value);
    (void)snprintf(ret, LAGD_PLACE_CURSOR_SIZE, "%d%c.%s.%s", (int)query->order, query->descending ? 'd' : 'a',
                   place->id, value);
}

int lagd_place_parse(const char *text, const struct lag_run_query *query, struct lag_run_place *ret) {
    char head[8], id[LAG_ROW_ID];
    int n = snprintf(head, sizeof(head), "%d%c.", (int)query->order, query->descending ? 'd' : 'a');
    if (strncmp(text, head, (size_t)n) != 0) return -1;
    text += n;
    const char *dot = strchr(text, '.');
    if (!dot || (size_t)(dot - text) >= sizeof(id)) return -1;
    (void)snprintf(id, sizeof(id), "%.*s", (int)(dot - text), text);
    struct lag_run_place place = {.value = NAN};
    if (!lag_id_is(id, "run") || lag_copy(place.id, sizeof(place.id), id) < 0) return -1;
    if (query->order == LAG_RUNS_BY_NAME) {
        if (!dot[1] || lag_copy(place.name, sizeof(place.name), dot + 1) < 0) return -1;
    } else if (dot[1]) {
        if (query->order == LAG_RUNS_BY_CREATED || lag_parse_double(dot + 1, &place.value) < 0) return -1;
    }
    *ret = place;
    return 0;
}
