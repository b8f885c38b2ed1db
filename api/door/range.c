/* One byte range. */
#include "door/range_internal.h"

#include <lagd/base/parse.h>
#include <stdio.h>
#include <string.h>

static int number(const char *from, size_t n, uint64_t *ret) {
    char text[24];
    if (n == 0 || n >= sizeof(text)) return -1;
    (void)snprintf(text, sizeof(text), "%.*s", (int)n, from);
    return lag_parse_u64(text, ret);
}

int lagd_range_parse(const char *text, uint64_t size, struct lagd_range *ret) {
    uint64_t first, last;
    if (strncmp(text, "bytes=", 6) != 0) return 0;
    text += 6;
    size_t n_first = strspn(text, "0123456789");
    if (text[n_first] != '-') return 0;
    const char *after = text + n_first + 1;
    size_t n_last = strspn(after, "0123456789");
    if (after[n_last]) return 0; /* several parts: the whole file is a correct answer */
    if (n_first == 0) {          /* the last bytes */
        if (number(after, n_last, &last) < 0) return 0;
        if (last == 0 || size == 0) return -1;
        if (last > size) last = size;
        *ret = (struct lagd_range){size - last, last};
        return 1;
    }
    if (number(text, n_first, &first) < 0) return 0;
    if (n_last == 0)
        last = UINT64_MAX;
    else if (number(after, n_last, &last) < 0 || last < first)
        return 0;
    if (first >= size) return -1;
    if (last >= size) last = size - 1;
    *ret = (struct lagd_range){first, last - first + 1};
    return 1;
}
