/* Walks along the pieces of a head and looks for gaps between them. */
#include "http/raw_head_internal.h"

#include <microhttpd.h>
#include <stdint.h>
#include <string.h>

static uintptr_t end_of(const char *text) { return (uintptr_t)text + strlen(text); }

/* A line's end is CR LF or a bare LF, of which the library makes NUL bytes. */
static bool is_line_end(uintptr_t from, uintptr_t to) { return to == from + 1 || to == from + 2; }

/* Behind a name are the colon, now a NUL byte, and blanks. */
static bool has_only_blanks(const char *name, const char *value) {
    const char *p = name + strlen(name) + 1;
    if ((uintptr_t)value < (uintptr_t)p) return false;
    for (; p < value; p++) {
        if (*p != ' ' && *p != '\t') return false;
    }
    return true;
}

bool lagd_raw_head_is_whole(const struct lagd_raw_head *raw, const struct lagd_head *head) {
    if (strncmp(MHD_get_version(), "0.9.", 4) != 0) return true;
    if (end_of(raw->method) + 1 != (uintptr_t)raw->target) return false;
    if ((uintptr_t)raw->target + raw->n_target + 1 != (uintptr_t)raw->version) return false;
    uintptr_t end = (uintptr_t)raw->method + raw->n_bytes, at = end_of(raw->version);
    for (int i = 0; i < head->n_headers; i++) {
        const struct lagd_header *header = &head->headers[i];
        /* A folded value was put together elsewhere. */
        if (!is_line_end(at, (uintptr_t)header->name) || (uintptr_t)header->value >= end) return false;
        if (!has_only_blanks(header->name, header->value)) return false;
        at = end_of(header->value);
    }
    return end >= at + 2 && end <= at + 4; /* two ends of lines */
}
