/* Decodes a request for a growth. */
#include "body/growth_body_internal.h"

#include "body/pool_body_internal.h"

#include <lagd/base/mem.h>
#include <stdio.h>

/* What was found from the given fault on points into the body, which stands below prefix. */
static void point_below(struct lagd_faults *faults, int from, const char *prefix) {
    char pointer[sizeof(faults->list[0].pointer)];
    for (int i = from; i < faults->n; i++) {
        (void)lag_copy(pointer, sizeof(pointer), faults->list[i].pointer);
        if (snprintf(faults->list[i].pointer, sizeof(pointer), "%s%s", prefix, pointer) >= (int)sizeof(pointer))
            (void)lag_copy(faults->list[i].pointer, sizeof(pointer), prefix);
    }
}

void lagd_growth_decode(json_t *body, const char *prefix, struct lagd_growth_request *ret,
                        struct lagd_faults *faults) {
    static const char *const others[] = {"pool", NULL};
    const int before = faults->n;
    lagd_growth_request_defaults(ret);
    (void)lagd_json_decode(body, &lagd_growth_fields, others, "", ret, faults);
    lagd_pool_decode(json_object_get(body, "pool"), ret, faults);
    point_below(faults, before, prefix);
}
