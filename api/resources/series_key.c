/* A series that is not there: one that comes later has no points yet, a name that no series has is refused. */
#include "resources/handlers_internal.h"

#include <lagd/base/mem.h>
#include <lagd/base/names.h>
#include <lagd/daemon/series.h>
#include <stdio.h>
#include <string.h>

int lagd_no_series(struct lagd_request *request, const char *parameter, const char *key) {
    return lagd_no_series_of(request, parameter, key, lagd_series_key);
}

int lagd_no_series_of(struct lagd_request *request, const char *parameter, const char *key,
                      const char *(*key_of)(int i)) {
    char known[256] = "";
    const char *nearest = NULL, *name;
    int least = LAG_NAMES_FAR;
    size_t used = 0;
    for (int i = 0; (name = key_of(i)) != NULL; i++) {
        const int distance = lag_names_distance(key, name);
        if (strcmp(name, key) == 0) return 0;
        if (distance < least) nearest = name;
        least = distance < least ? distance : least;
        if (used < sizeof(known))
            used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", name);
    }
    if (nearest)
        return lagd_fail(request, "invalid-parameter", "query parameter %s: there is no series %s; did you mean %s?",
                         parameter, key, nearest);
    return lagd_fail(request, "invalid-parameter", "query parameter %s: there is no series %s; there are %s", parameter,
                     key, known);
}
