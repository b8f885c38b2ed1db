/* "1.run_01h…" */
#include "request/cursor_internal.h"

#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <inttypes.h>
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
