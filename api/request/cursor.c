/* "1700000000000.run_01h…" */
#include "request/cursor_internal.h"

#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void lagd_cursor_format(int64_t created_ms, const char *id, char ret[LAGD_CURSOR_SIZE]) {
    (void)snprintf(ret, LAGD_CURSOR_SIZE, "%" PRId64 ".%s", created_ms, id);
}

int lagd_cursor_parse(const char *text, const char *id_prefix, int64_t *ret_created_ms, char ret_id[LAG_ROW_ID]) {
    char number[24];
    int64_t created_ms;
    const char *dot = strchr(text, '.');
    if (!dot || (size_t)(dot - text) >= sizeof(number) || !lag_id_is(dot + 1, id_prefix)) return -1;
    (void)snprintf(number, sizeof(number), "%.*s", (int)(dot - text), text);
    if (lag_parse_i64(number, &created_ms) < 0 || created_ms <= 0 || lag_copy(ret_id, LAG_ROW_ID, dot + 1) < 0)
        return -1;
    *ret_created_ms = created_ms;
    return 0;
}
