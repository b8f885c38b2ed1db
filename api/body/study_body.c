/* Decodes a request for a study. */
#include "body/study_body_internal.h"

#include "body/pool_body_internal.h"

#include <lagd/base/check.h>
#include <stdio.h>

static void decode_seeds(json_t *seeds, struct lagd_study_request *study, struct lagd_faults *faults) {
    size_t i;
    json_t *entry;
    if (!seeds) return;
    if (!json_is_array(seeds) || json_array_size(seeds) == 0 || json_array_size(seeds) > LAGD_STUDY_SEEDS_MAX) {
        lagd_fault_add(faults, false, "/seeds",
                       "must be a list of 1 to " LAG_TEXT_OF(LAGD_STUDY_SEEDS_MAX) " whole numbers");
        return;
    }
    json_array_foreach(seeds, i, entry) {
        const json_int_t value = json_is_integer(entry) ? json_integer_value(entry) : -1;
        char pointer[32];
        (void)snprintf(pointer, sizeof(pointer), "/seeds/%zu", i);
        if (value < 0 || (double)value > LAG_FIELD_EXACT_MAX)
            lagd_fault_add(faults, false, pointer, "must be a whole number from 0 to 9007199254740991");
        else
            study->seeds[study->n_seeds++] = value;
    }
}

void lagd_study_decode(json_t *body, struct lagd_study_request *ret, struct lagd_faults *faults) {
    static const char *const others[] = {"seeds", "pool", NULL};
    (void)lagd_json_decode(body, &lagd_study_fields, others, "", ret, faults);
    decode_seeds(json_object_get(body, "seeds"), ret, faults);
    lagd_pool_decode(json_object_get(body, "pool"), &ret->growth, faults);
}
