/* What tests of queries share: lists as text, and queries as writes. */
#pragma once
#include "fixture.h"
#include <stdio.h>
#include <string.h>

/* Ids in the order in which a list gave them. */
struct ids {
    char text[512];
    int stop_after, n;
};
#define DEFINE_ADD(name, row, member)                                                                                  \
    static int name(const struct row *r, void *arg) {                                                                  \
        struct ids *ids = arg;                                                                                         \
        size_t length = strlen(ids->text);                                                                             \
        (void)snprintf(ids->text + length, sizeof ids->text - length, "%s ", r->member);                               \
        return ++ids->n == ids->stop_after ? 7 : 0;                                                                    \
    }

#define DEFINE_WRITE(name, query)                                                                                      \
    static int name(struct lag_db *db, void *arg, struct lag_error *err) { return query(db, arg, err); }
