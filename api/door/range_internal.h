/* "Range: bytes=…" (RFC 9110 §14). Pure. */
#pragma once
#include <stdint.h>

struct lagd_range {
    uint64_t first, length;
};
/* 1 = one part, in *ret; 0 = to be ignored (other units, several parts, malformed); -1 = outside of the file. */
int lagd_range_parse(const char *text, uint64_t size, struct lagd_range *ret);
