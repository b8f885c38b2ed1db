/* Names of precisions, and whether this machine has them. */
#include "kernels/gemm_internal.h"

#include <lagd/base/error.h>
#include <lagd/engine/precision.h>

#include <string.h>

static const char *const NAMES[LAG_N_PRECISIONS] = {[LAG_FP32] = "fp32", [LAG_BF16] = "bf16"};

const char *lag_precision_name(enum lag_precision precision) {
    return (unsigned)precision < LAG_N_PRECISIONS ? NAMES[precision] : "?";
}

int lag_precision_parse(const char *name, enum lag_precision *ret) {
    for (int i = 0; i < LAG_N_PRECISIONS; i++) {
        if (strcmp(name, NAMES[i])) continue;
        *ret = (enum lag_precision)i;
        return 0;
    }
    return LAG_ENOTFOUND;
}

int lag_precision_check(enum lag_precision precision, struct lag_error *err) {
    if (precision != LAG_BF16 || lag_products(LAG_BF16)) return 0;
    return lag_error_at(err, LAG_EUNSUPPORTED, "/precision",
                        "this CPU has neither AVX-512 BF16 nor AVX2 with FMA, one of which bf16 needs; set "
                        "precision to fp32");
}

const char *lag_precision_note(enum lag_precision precision) {
    const struct lag_products *products = lag_products(precision);
    return products ? products->note : NULL;
}
