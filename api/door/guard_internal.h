/* What a request must be before anything reads its body or asks what it means: framing (the packaged libmicrohttpd
 * accepts requests that smuggle, see docs), Host, and where it came from. Pure functions of the request's head. */
#pragma once
#include "door/target_internal.h"

#include <stdbool.h>
#include <stdint.h>

#define LAGD_HEADERS_MAX 64
struct lagd_header {
    const char *name, *value;
};
struct lagd_head {
    const char *method, *version, *raw_target;
    int n_headers;
    bool too_many_headers, has_nul; /* more than fit; a NUL byte anywhere, or a folded line */
    struct lagd_header headers[LAGD_HEADERS_MAX];
};
struct lagd_host_policy {
    const char *hosts;   /* ',' between, beside localhost, 127.0.0.1 and [::1] */
    const char *bound;   /* host of the listening address, "" when there is none */
    const char *origins; /* ',' between */
};
struct lagd_framing {
    bool has_body, chunked;
    bool asks_first;        /* Expect: 100-continue: the body is not on its way yet */
    int64_t content_length; /* 0 when there is no header */
};
/* slug NULL: passed. */
struct lagd_refusal {
    const char *slug;
    char detail[320];
};

/* Everything, in order: framing → target → Host → origin. ret_target and ret_framing are set when it passes. */
void lagd_guard(const struct lagd_head *head, const struct lagd_host_policy *policy, struct lagd_target *ret_target,
                struct lagd_framing *ret_framing, struct lagd_refusal *ret);
/* The value of the first header called name (case-insensitive), or NULL. */
const char *lagd_head_find(const struct lagd_head *head, const char *name);
int lagd_head_count(const struct lagd_head *head, const char *name);
/* Lower-case host without port and trailing dot into ret[256]; false when it is no host. */
bool lagd_host_parse(const char *text, char ret[256]);
bool lagd_host_allowed(const char *host_header, const struct lagd_host_policy *policy);
bool lagd_method_is_safe(const char *method); /* GET, HEAD, OPTIONS */
