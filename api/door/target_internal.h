/* The request target, decoded here and not by the HTTP library: segments and query are split before they are
 * percent-decoded, so that %2F never becomes a separator. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define LAGD_TARGET_MAX 2048
#define LAGD_SEGMENTS_MAX 12
#define LAGD_QUERY_MAX 32

struct lagd_query_item {
    const char *name, *value;
};
struct lagd_target {
    char path[LAGD_TARGET_MAX + 1]; /* as sent, without the query */
    char text[LAGD_TARGET_MAX + 1]; /* what the pointers below point into */
    int n_segments;                 /* -1: more than any route has */
    const char *segments[LAGD_SEGMENTS_MAX];
    int n_query;
    struct lagd_query_item query[LAGD_QUERY_MAX];
};
/* NULL, or what is wrong with it, for people. *ret_too_long: that it is its length. raw "*" has no segments. */
const char *lagd_target_parse(const char *raw, struct lagd_target *ret, bool *ret_too_long);
/* The first value of name, or NULL. */
const char *lagd_target_query(const struct lagd_target *target, const char *name);
